use super::*;
use crate::crypto::sign::SigningKey;
use crate::net::{Asn, PeerId, Prefix, VpcId};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

mod certificates;
pub(super) mod errors;
mod limits;
mod maps;
mod ppk;
mod probes;
mod publics;
mod routers;
mod segments;
mod together;
mod tunnels;

/// A configuration that says only what it must, and a virtual router.
pub(super) const EXAMPLE: &str = r#"[gateway]
name = "east-a"
asn = 4200000001
listen = ["10.79.1.10"]
private_key = "east-a.key"

[[vpc]]
name = "shop"
prefixes = ["10.1.0.0/16", "fd00:1::/48"]
interface = "vpc0"

[[vpc.vrrp]]
vrid = 1
addresses = ["10.1.1.1", "fd00:1:0:1::1"]

[[peer]]
name = "north-a"
remote_address = "10.79.2.10"
public_key_file = "north-a.pub"
remote_asn = 4200000002
accept = ["10.2.0.0/16", "fd00:2::/48"]

[[peer]]
name = "branch"
remote_address = "203.0.113.7"
psk_file = "branch.psk"
static_routes = ["10.20.0.0/16"]
"#;

impl Config {
    /// The VPC with this name.
    pub fn vpc_named(&self, name: &str) -> Option<(VpcId, &VpcConfig)> {
        self.vpcs.iter().find(|(_, vpc)| vpc.name == name).map(|(id, vpc)| (*id, vpc))
    }

    /// The peer with this name.
    pub fn peer_named(&self, name: &str) -> Option<(PeerId, &PeerConfig)> {
        self.peers.iter().find(|(_, peer)| peer.name == name).map(|(id, peer)| (*id, peer))
    }
}

pub(super) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

pub(super) fn keys() -> KeysInMemory {
    KeysInMemory::new()
        .with("east-a.key", &key(1).to_pkcs8_pem())
        .with_mode("east-a.pub", 0o644, &key(1).verifying_key().to_base64())
        .with_mode("north-a.pub", 0o644, &key(2).verifying_key().to_base64())
        .with("branch.psk", "correct horse battery staple\n")
}

pub(super) fn valid(text: &str) -> Config {
    match parse(text, "gateway.toml", &keys()) {
        Ok(config) => config,
        Err(errors) => panic!("{errors}"),
    }
}

pub(super) fn peer<'c>(config: &'c Config, name: &str) -> &'c PeerConfig {
    config.peer_named(name).expect("the peer is in the file").1
}

pub(super) fn prefixes(texts: &[&str]) -> Vec<Prefix> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn what_is_not_said_has_its_default() {
    let config = valid(EXAMPLE);
    let gateway = &config.gateway;
    assert_eq!((gateway.ike_port, gateway.natt_port), (500, 4500));
    assert_eq!(gateway.identity, Identity::Fqdn("east-a".to_owned()));
    assert_eq!(gateway.router_id, Ipv4Addr::new(10, 79, 1, 10));
    assert_eq!(gateway.control_socket, "/run/vpngw/east-a.sock");
    assert_eq!(gateway.workers, Workers::Auto);
    let (_, vpc) = config.vpc_named("shop").unwrap();
    assert_eq!((vpc.tun.as_str(), vpc.mtu, vpc.transit), ("vpn-shop", None, false));
    let north = peer(&config, "north-a");
    assert_eq!(north.liveness, defaults::LIVENESS);
    assert_eq!(north.lifetimes, defaults::LIFETIMES);
    assert_eq!(north.local_preference, 100);
    assert_eq!(north.local_address, None);
    assert!(north.initiate && north.force_encapsulation);
    assert_eq!(vpc.services, []);
}

#[test]
fn services_of_the_host_are_written_as_protocol_and_ports() {
    let text = EXAMPLE.replace("[[vpc]]", "[[vpc]]\nservices = [\"tcp/22\", \"udp/4000-4010\"]");
    let config = valid(&text);
    let (_, vpc) = config.vpc_named("shop").unwrap();
    let service = |protocol, ports| ServiceConfig { protocol, ports };
    assert_eq!(vpc.services, [service(6, 22..=22), service(17, 4000..=4010)]);
}

#[test]
fn ttl_security_is_for_peers_that_are_known_to_send_255() {
    let secured = |text: &str| match &peer(&valid(text), "north-a").routing {
        Routing::Bgp(bgp) => bgp.ttl_security,
        Routing::Static { .. } => panic!("remote_asn means BGP"),
    };
    let inside = "inside_local = \"169.254.10.2/30\"\ninside_remote = \"169.254.10.1/30\"\n";
    let with = |lines: &str| EXAMPLE.replace("remote_asn", &format!("{lines}remote_asn"));
    assert!(secured(EXAMPLE), "the addresses are derived: it is vpngw");
    assert!(!secured(&with(inside)));
    assert!(secured(&with(&format!("{inside}ttl_security = true\n"))));
    assert!(!secured(&with("ttl_security = false\n")));
}

#[test]
fn a_gateway_listens_everywhere_unless_told_otherwise() {
    let config = valid(&EXAMPLE.replace("listen = [\"10.79.1.10\"]\n", ""));
    assert_eq!(config.gateway.listen, defaults::LISTEN);
    assert_eq!(peer(&config, "north-a").local_address, None);
    assert!(!config.gateway.router_id.is_unspecified(), "it follows from the name then");
}

#[test]
fn bgp_peers_get_wide_selectors_and_derived_addresses() {
    let config = valid(EXAMPLE);
    let north = peer(&config, "north-a");
    let Routing::Bgp(bgp) = &north.routing else { panic!("remote_asn means BGP") };
    assert_eq!(bgp.remote_asn, Asn(4_200_000_002));
    assert_eq!(bgp.hold_time, Duration::from_secs(9));
    let inside =
        |name: &str| IpAddr::V6(derive_inside_address(&Identity::Fqdn(name.to_owned()), "shop"));
    assert_eq!((bgp.inside_local, bgp.inside_remote), (inside("east-a"), inside("north-a")));
    assert_eq!(north.local_ts, prefixes(&["0.0.0.0/0", "::/0"]));
    assert_eq!(north.remote_ts, prefixes(&["0.0.0.0/0", "::/0"]));
}

#[test]
fn static_peers_get_the_prefixes_of_both_sides_as_selectors() {
    let config = valid(EXAMPLE);
    let branch = peer(&config, "branch");
    assert_eq!(
        branch.routing,
        Routing::Static { prefixes: prefixes(&["10.20.0.0/16"]), inside: None }
    );
    assert_eq!(branch.accept, prefixes(&["10.20.0.0/16"]));
    assert_eq!(branch.local_ts, prefixes(&["10.1.0.0/16", "fd00:1::/48"]));
    assert_eq!(branch.remote_ts, prefixes(&["10.20.0.0/16"]));
}

#[test]
fn credentials_come_from_their_files() {
    let config = valid(EXAMPLE);
    let own_and_peer = Credentials::PublicKey { own: key(1), peer: key(2).verifying_key() };
    assert_eq!(peer(&config, "north-a").credentials, own_and_peer);
    let Credentials::Psk(secret) = &peer(&config, "branch").credentials else {
        panic!("psk_file means PSK")
    };
    assert_eq!(secret.as_bytes(), b"correct horse battery staple", "without the line end");
}

#[test]
fn a_public_key_may_stand_in_the_file() {
    let line = format!("public_key = \"{}\"", key(2).verifying_key());
    let config = valid(&EXAMPLE.replace("public_key_file = \"north-a.pub\"", &line));
    assert_eq!(config, valid(EXAMPLE));
}

#[test]
fn no_secret_shows_in_a_configuration() {
    let shown = format!("{:?}", valid(EXAMPLE));
    assert!(!shown.contains("correct horse"), "{shown}");
}

#[test]
fn bfd_is_on_unless_somebody_says_otherwise() {
    let bfd = |text: &str, name: &str| peer(&valid(text), name).bfd;
    assert_eq!(bfd(EXAMPLE, "north-a"), Some(defaults::BFD));
    let off = format!("[defaults]\nbfd = false\n{EXAMPLE}");
    assert_eq!((bfd(&off, "north-a"), bfd(&off, "branch")), (None, None));
    let one = off.clone() + "bfd = { interval = \"10ms\" }\n";
    let wanted = Bfd { interval: Duration::from_millis(10), multiplier: 3 };
    assert_eq!((bfd(&one, "north-a"), bfd(&one, "branch")), (None, Some(wanted)));
}

#[test]
fn defaults_hold_for_peers_that_say_nothing_else() {
    let defaults = "[defaults]\nlocal_preference = 50\nliveness = { interval = \"200ms\" }\n\
                    child_lifetime = \"10m\"\ninitiate = false\n";
    let text = format!("{defaults}{EXAMPLE}local_preference = 70\n");
    let config = valid(&text);
    let (north, branch) = (peer(&config, "north-a"), peer(&config, "branch"));
    assert_eq!((north.local_preference, branch.local_preference), (50, 70));
    assert_eq!(north.liveness.interval, Duration::from_millis(200));
    assert_eq!(north.liveness.timeout, defaults::LIVENESS.timeout);
    assert_eq!(branch.lifetimes.child, Duration::from_secs(600));
    assert!(!north.initiate && !branch.initiate);
}

#[test]
fn a_peer_of_any_address_is_waited_for() {
    let config = valid(&EXAMPLE.replace("\"203.0.113.7\"", "\"any\""));
    let branch = peer(&config, "branch");
    assert_eq!(branch.remote_address, None);
    assert!(!branch.initiate);
}

#[test]
fn inside_addresses_may_carry_the_length_that_clouds_print() {
    let lines = "remote_asn = 4200000002\ninside_local = \"169.254.10.2/30\"\n\
                 inside_remote = \"169.254.10.1\"";
    let config = valid(&EXAMPLE.replace("remote_asn = 4200000002", lines));
    let Routing::Bgp(bgp) = &peer(&config, "north-a").routing else { panic!("BGP") };
    assert_eq!(bgp.inside_local, IpAddr::from([169, 254, 10, 2]));
    assert_eq!(bgp.inside_remote, IpAddr::from([169, 254, 10, 1]));
}

#[test]
fn an_ipv6_virtual_router_begins_with_its_link_local_address() {
    let config = valid(EXAMPLE);
    let router = &config.vpc_named("shop").unwrap().1.vrrp[0];
    assert_eq!(router.ipv4, [Ipv4Addr::new(10, 1, 1, 1)]);
    let expected: [std::net::Ipv6Addr; 2] =
        ["fe80::200:5eff:fe00:201".parse().unwrap(), "fd00:1:0:1::1".parse().unwrap()];
    assert_eq!(router.ipv6, expected);

    let own = EXAMPLE.replace("\"fd00:1:0:1::1\"", "\"fd00:1:0:1::1\", \"fe80::1\"");
    let config = valid(&own);
    let router = &config.vpc_named("shop").unwrap().1.vrrp[0].ipv6;
    assert_eq!(router[0], "fe80::1".parse::<std::net::Ipv6Addr>().unwrap());
    assert_eq!(router.len(), 2);
}

#[test]
fn the_same_text_is_the_same_configuration() {
    assert_eq!(valid(EXAMPLE), valid(&EXAMPLE.replace("\n\n", "\n# a remark\n\n")));
    assert_ne!(valid(EXAMPLE), valid(&EXAMPLE.replace("vrid = 1", "vrid = 2")));
}

#[test]
fn a_new_private_key_is_a_change() {
    let other = keys().with("east-a.key", &key(3).to_pkcs8_pem());
    assert_ne!(parse(EXAMPLE, "gateway.toml", &other).unwrap(), valid(EXAMPLE));
}

#[test]
fn a_default_route_from_a_peer_is_allowed() {
    let config = valid(&EXAMPLE.replace("[\"10.20.0.0/16\"]", "[\"0.0.0.0/0\"]"));
    assert_eq!(peer(&config, "branch").accept, prefixes(&["0.0.0.0/0"]));
}

#[test]
fn the_reference_describes_every_key_and_no_other() {
    let reference = include_str!("../../configs/README.md");
    let described: Vec<&str> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('|').next())
        .flat_map(|cell| cell.split('`').filter(|word| !matches!(word.trim(), "" | ",")))
        .filter(|word| !word.contains('.') && !word.contains(' '))
        .collect();
    let sections = ["vrrp", "vxlan", "map", "public", "egress", "conntrackd", "router"];
    let keys = [
        gateway_section::KEYS.to_vec(),
        vpc_section::KEYS.iter().copied().filter(|key| !sections.contains(key)).collect(),
        vpc_section::VRRP_KEYS.to_vec(),
        vxlan_section::KEYS.to_vec(),
        map_section::KEYS.to_vec(),
        public_section::KEYS.to_vec(),
        public_section::EGRESS_KEYS.to_vec(),
        sharing_section::KEYS.to_vec(),
        router_section::KEYS.to_vec(),
        peer_section::keys(),
        policy_section::keys(),
    ]
    .concat();
    for key in &keys {
        assert!(described.contains(key), "configs/README.md does not describe `{key}`");
    }
    for word in &described {
        assert!(keys.contains(word), "configs/README.md describes `{word}`, which is no key");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_configuration_or_an_error_that_can_be_shown(text in ".{0,400}") {
        if let Err(errors) = parse(&text, "gateway.toml", &keys()) {
            prop_assert!(!errors.errors().is_empty());
            let _ = (errors.render(false), errors.render(true));
        }
    }

    #[test]
    fn any_damage_to_a_valid_text_is_survived(
        at in 0..EXAMPLE.len(),
        cut in 0..40_usize,
        filling in "[\\[\\]{}\"'=.,\n# a-z0-9é\u{0}]{0,12}",
    ) {
        let end = (at + cut).min(EXAMPLE.len());
        let text = format!("{}{filling}{}", &EXAMPLE[..at], &EXAMPLE[end..]);
        if let Err(errors) = parse(&text, "gateway.toml", &keys()) {
            let _ = (errors.render(false), errors.render(true));
        }
    }
}
