//! Whole gateways that know each other by certificates: authorities are replaced, certificates
//! expire and are revoked, while packets flow.

use super::deployment::{self, Deployment, Site};
use super::network::{Network, Probe};
use super::operations::ask;
use super::two_gateways::assert_sound;
use crate::config::{self, Config, KeysInMemory};
use crate::control::{PeerState, PeerView, Reply, Request};
use crate::crypto::pem;
use crate::net::VpcId;
use crate::pki;
use crate::pki::samples::{Authority, DAY, Leaf};
use crate::time::WallTime;
use std::time::Duration;

/// Keys of IKE SAs are replaced every half minute.
const BRISK: &str = "ike_lifetime = \"30s\"\n";
const NAMES: [&str; 2] = ["r1z1", "r2z1"];

/// What one gateway shows, and whom it believes.
struct Papers<'p> {
    by: &'p Authority,
    until: Duration,
    serial: u64,
    trusted: &'p [&'p Authority],
    revoked: &'p [u64],
}

fn papers<'p>(by: &'p Authority, trusted: &'p [&'p Authority]) -> Papers<'p> {
    Papers { by, until: 30 * DAY, serial: 7, trusted, revoked: &[] }
}

/// The configuration of one of two gateways with these papers.
fn config(site: usize, papers: &Papers<'_>) -> Config {
    let (names, sites) = ([NAMES[site]], deployment::pair().sites);
    let leaf = Leaf {
        until: WallTime::SIMULATED + papers.until,
        serial: papers.serial,
        ..Leaf::of(&names)
    };
    let (own, key) = papers.by.issue_with_key(leaf);
    let certificate = |one: &pki::Certificate| pem::encode(one.der(), pki::CERTIFICATE).to_string();
    let anchors: String =
        papers.trusted.iter().map(|authority| certificate(&authority.certificate())).collect();
    let list = papers.trusted[0].revoke(papers.revoked, WallTime::SIMULATED + 30 * DAY);
    let files = KeysInMemory::new()
        .with("own.key", &key)
        .with("own.crt", &certificate(&own.certificate))
        .with("ca.crt", &anchors)
        .with("ca.crl", &pem::encode(list.der(), pki::CRL));
    let own = "[gateway]\nprivate_key = \"own.key\"\ncertificate = \"own.crt\"\nca = [\"ca.crt\"]\n\
               crl = [\"ca.crl\"]\n";
    let text = deployment::text(sites[site], &sites, &["red"])
        .replace("[gateway]\n", own)
        .replace("[defaults]\n", &format!("[defaults]\n{BRISK}"))
        .replace("psk_file = \"psk\"\n", "");
    config::parse(&text, "test.toml", &files).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn connected(papers: [&Papers<'_>; 2]) -> Network {
    let sites: Vec<Site> = deployment::pair().sites;
    let configs = vec![config(0, papers[0]), config(1, papers[1])];
    let mut network = Network::start(Deployment { sites, configs }, 1);
    network.run(Duration::from_secs(5));
    assert_sound(&mut network, 1);
    network
}

fn reload(network: &mut Network, site: usize, papers: &Papers<'_>) -> String {
    let (config, mut said) = (config(site, papers), String::new());
    network.with_node(site, |node, now| {
        node.operate(now, |gateway, at| {
            let config = config.numbered_like(gateway.config());
            said = gateway.reconfigure(config, at).expect("no restart").to_string();
        });
    });
    said
}

/// Sends a packet each way every 20 ms meanwhile; returns how many were lost.
fn lost_during(network: &mut Network, duration: Duration) -> usize {
    let (end, mut sent) = (network.now + duration, Vec::new());
    while network.now < end {
        for (from, to) in [(1, 2), (2, 1)] {
            sent.push(network.probe(Probe { vpc: VpcId(0), from, to, ipv4: true }));
        }
        network.run(Duration::from_millis(20));
    }
    network.run(Duration::from_secs(1));
    sent.into_iter().filter(|id| !network.arrived(*id)).count()
}

fn peer(network: &mut Network, site: usize) -> PeerView {
    match ask(network, site, &Request::Peer(NAMES[1 - site].to_owned())) {
        Reply::Peer(view) => *view,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_authority_is_replaced_while_packets_flow() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (before, both) = ([&old], [&old, &new]);
    let mut network = connected([&papers(&old, &before), &papers(&old, &before)]);
    for (site, by) in [(0, &old), (1, &old), (0, &new), (1, &new)] {
        let said = reload(&mut network, site, &papers(by, &both));
        assert!(said.contains("certificates of tunnels changed"), "{said}");
        assert_eq!(lost_during(&mut network, Duration::from_secs(70)), 0);
        assert_sound(&mut network, 1);
    }
    let after = [&new];
    for site in [0, 1] {
        reload(&mut network, site, &papers(&new, &after));
    }
    assert_eq!(lost_during(&mut network, Duration::from_secs(70)), 0);
    assert_sound(&mut network, 1);
    for site in [0, 1] {
        let shown = peer(&mut network, site).certificates.peer.expect("a certificate");
        assert!(shown.authority.starts_with("CN=new"), "{shown:?}");
    }
}

#[test]
fn a_certificate_that_expires_is_said_beforehand_and_then_ends_its_tunnel() {
    let authority = Authority::new("CA");
    let trusted = [&authority];
    let short = Papers { until: Duration::from_secs(60), ..papers(&authority, &trusted) };
    let mut network = connected([&papers(&authority, &trusted), &short]);
    let shown = peer(&mut network, 0).certificates;
    let theirs = shown.peer.expect("it was shown");
    assert!((50..60).contains(&theirs.expires_in_s), "{theirs:?}");
    assert_eq!(theirs.expires, "2025-01-01T00:01:00Z");
    assert!(shown.own.expect("ours").expires_in_s > 29 * 24 * 3600);

    network.run(Duration::from_secs(180));
    let view = peer(&mut network, 0);
    assert_ne!(view.summary.state, PeerState::Up);
    let why = view.summary.last_failure.expect("it is said").reason;
    assert!(why.contains("expired on 2025-01-01T00:01:00Z"), "{why}");

    // With another one it comes back by itself.
    reload(&mut network, 1, &Papers { serial: 8, ..papers(&authority, &trusted) });
    network.run(Duration::from_secs(60));
    assert_sound(&mut network, 1);
}

#[test]
fn a_certificate_that_is_revoked_ends_its_tunnel_and_no_other_does() {
    let authority = Authority::new("CA");
    let trusted = [&authority];
    let theirs = Papers { serial: 13, ..papers(&authority, &trusted) };
    let mut network = connected([&papers(&authority, &trusted), &theirs]);
    reload(&mut network, 0, &Papers { revoked: &[12], ..papers(&authority, &trusted) });
    assert_eq!(lost_during(&mut network, Duration::from_secs(2)), 0);
    reload(&mut network, 0, &Papers { revoked: &[12, 13], ..papers(&authority, &trusted) });
    network.run(Duration::from_secs(2));
    let view = peer(&mut network, 0);
    assert_ne!(view.summary.state, PeerState::Up);
    let why = view.summary.last_failure.expect("it is said").reason;
    assert!(why.contains("is revoked"), "{why}");
    assert!(network.violations.is_empty(), "{:?}", network.violations);
}
