//! Reads `[[peer]]`.

use super::diagnostics::{Fault, Report};
use super::gateway_section::Gateway;
use super::keys::{self, KeyFiles};
use super::place::{self, Remote};
use super::ppk;
use super::reader::{At, Section};
use super::tuning::{self, Tuning};
use super::tunnel_section::{self, Inside, Tunnel};
use super::vpc_section::Vpc;
use super::{Credentials, Identity, PeerConfig, defaults, presets, words};
use crate::crypto::private_key::PrivateKey;
use crate::net::{Prefix, RemoteId};
use std::net::IpAddr;
use std::ops::Range;

const OWN_KEYS: [&str; 22] = [
    "name",
    "vpc",
    "vpcs",
    "remote_address",
    "remote_port",
    "tcp_port",
    "local_address",
    "remote_identity",
    "local_identity",
    "public_key",
    "public_key_file",
    "psk_file",
    "ppk_file",
    "ppk_id",
    "ppk_required",
    "ca",
    "crl",
    "certificate",
    "private_key",
    "rsa_signature",
    "preset",
    "allow_weak",
];

/// The keys of `[[peer]]`.
pub(super) fn keys() -> Vec<&'static str> {
    OWN_KEYS.into_iter().chain(tunnel_section::OWN_KEYS).chain(tuning::KEYS).collect()
}

/// What a peer's section refers to.
pub(super) struct Context<'c> {
    pub(super) gateway: &'c Gateway,
    pub(super) vpcs: &'c [Vpc],
    pub(super) defaults: &'c Tuning,
    pub(super) files: &'c dyn KeyFiles,
}

/// A peer with the places of what it is compared with.
pub(super) struct Peer {
    pub(super) config: PeerConfig,
    pub(super) name_span: Range<usize>,
    pub(super) identity_span: Range<usize>,
    /// The addresses that are written.
    pub(super) places: Vec<At<IpAddr>>,
    pub(super) accept: Vec<At<Prefix>>,
}

/// The tunnels to one peer, one for each of its VPCs. Reading goes on after errors; none when
/// something is missing without which there is no peer.
pub(super) fn read(
    section: &Section<'_>,
    remote: RemoteId,
    context: &Context<'_>,
    report: &mut Report,
) -> Vec<Peer> {
    let name = section.required("name", "name = \"north-a\"", words::name, report);
    let tunnels = tunnel_section::sections(section, context.vpcs, report);
    let remote_address = place::read(section, report);
    let identities = identities(section, context, name.as_ref(), report);
    let local_identity = identities.as_ref().map(|(local, _)| local);
    let credentials = credentials(section, context, local_identity, report);
    let ppk = ppk::read(section, context, report);
    let tuning = with_preset(section, context.defaults, report).read_over(section, report);
    check_weakness(section, &tuning, report);
    check_rates(section, &tuning, report);
    let local_address = local_address(section, context, remote_address.as_ref(), report);
    let port = || words::integer("a port", 1..=u16::MAX);
    let remote_port = section.optional("remote_port", port(), report);
    let tcp_port = section.optional("tcp_port", port(), report);
    let inside = Inside {
        gateway: context.gateway,
        peer: name.as_ref().map(|name| name.value.as_str()),
        tuning: &tuning,
        identities: &identities,
    };
    let tunnels: Vec<_> =
        tunnels.iter().filter_map(|tunnel| tunnel.read(section, &inside, report)).collect();
    let (Some(remote_address), Some(name)) = (remote_address, name) else { return Vec::new() };
    let initiate = initiate(section, &tuning, &remote_address, report);
    let remote_name = match &remote_address {
        Remote::Named(name) => Some(name.clone()),
        Remote::At(_) | Remote::Anywhere => None,
    };
    let places = remote_address.addresses();
    let addresses: Vec<IpAddr> = places.iter().map(|place| place.value).collect();
    let (Some((local_identity, remote_identity)), Some(credentials)) = (identities, credentials)
    else {
        return Vec::new();
    };
    let papers = match credentials {
        Credentials::Certificate { .. } => context.gateway.papers.files(section, report),
        Credentials::Psk(_) | Credentials::PublicKey { .. } => Vec::new(),
    };
    let peer = |tunnel: Tunnel| Peer {
        config: PeerConfig {
            name: match &tunnel.name {
                Some(vpc) => format!("{}/{vpc}", name.value),
                None => name.value.clone(),
            },
            remote,
            gateway: name.value.clone(),
            vpc: tunnel.vpc,
            remote_address: addresses.first().copied(),
            remote_addresses: if addresses.len() > 1 { addresses.clone() } else { Vec::new() },
            remote_name: remote_name.clone(),
            remote_port: remote_port.unwrap_or(defaults::IKE_PORT),
            local_address,
            local_identity: local_identity.clone(),
            remote_identity: remote_identity.clone(),
            credentials: credentials.clone(),
            papers: papers.clone(),
            ppk: ppk.clone(),
            routing: tunnel.routing,
            accept: tunnel.accept.iter().map(|prefix| prefix.value).collect(),
            local_preference: tunnel.local_preference,
            weight: tunnel.weight,
            ike_suites: tuning.ike_suites.clone(),
            esp_suites: tuning.esp_suites(),
            post_quantum: tuning.post_quantum,
            lifetimes: tuning.lifetimes,
            liveness: tuning.liveness,
            bfd: tuning.bfd,
            replay_window: tuning.replay_window,
            initiate,
            force_encapsulation: tuning.force_encapsulation,
            maps: tunnel.maps,
            mobike: tuning.mobike,
            aggfrag: tuning.aggfrag,
            encapsulation: tuning.encapsulation,
            tcp_port: tcp_port.unwrap_or(defaults::TCP_PORT),
            constant_rate: tuning.constant_rate,
            dscp: tuning.dscp,
            rate_limit: tuning.rate_limit.filter(|_| tuning.constant_rate.is_none()),
            local_ts: tunnel.local_ts,
            remote_ts: tunnel.remote_ts,
            probe: tunnel.probe,
        },
        name_span: name.span.clone(),
        places: places.to_vec(),
        identity_span: section.span_of("remote_identity"),
        accept: tunnel.accept,
    };
    tunnels.into_iter().map(peer).collect()
}

/// The defaults with what the cloud of `preset` wants.
fn with_preset(section: &Section<'_>, defaults: &Tuning, report: &mut Report) -> Tuning {
    let Some(preset) = section.located("preset", words::text, report) else {
        return defaults.clone();
    };
    presets::apply(&preset.value, defaults).unwrap_or_else(|fault| {
        report.add(preset.span, fault);
        defaults.clone()
    })
}

/// Weak algorithms are for a peer that cannot do better, and its own section says so.
fn check_weakness(section: &Section<'_>, tuning: &Tuning, report: &mut Report) {
    let allowed = section.optional("allow_weak", words::boolean, report).unwrap_or(false);
    let ike =
        tuning.ike_suites.iter().find_map(|suite| Some((suite.to_string(), suite.weakness()?)));
    let written = tuning.esp_suites.iter().flatten();
    let esp = written.clone().find_map(|suite| Some((suite.to_string(), suite.weakness()?)));
    for (key, weak) in [("ike_suites", ike), ("esp_suites", esp)] {
        let Some((suite, weakness)) = weak.filter(|_| !allowed) else { continue };
        let fault = Fault::new(format!("{suite} is weak: {weakness}"))
            .label("not without `allow_weak`")
            .help(
                "leave it out; or, for a peer that has nothing better, write allow_weak = true \
                   in its [[peer]]",
            );
        report.add(section.span_of(key), fault);
    }
}

/// A constant rate is one of AGGFRAG payloads (RFC 9347), and nothing is sent beyond it.
fn check_rates(section: &Section<'_>, tuning: &Tuning, report: &mut Report) {
    if tuning.constant_rate.is_some() && !tuning.aggfrag {
        let fault = Fault::new("`constant_rate` is without `aggfrag`, which it needs")
            .label("of what is cut and padded")
            .help("write aggfrag = true, here and at the peer");
        report.add(section.span_of("constant_rate"), fault);
    }
    tuning.check_one_rate(section, report);
}

fn identities(
    section: &Section<'_>,
    context: &Context<'_>,
    name: Option<&At<String>>,
    report: &mut Report,
) -> Option<(Identity, Identity)> {
    let local = section.optional("local_identity", words::identity, report);
    let local = local.unwrap_or_else(|| context.gateway.config.identity.clone());
    let remote = section.located("remote_identity", words::identity, report);
    let remote = match remote {
        Some(remote) => remote.value,
        None => Identity::Fqdn(name?.value.clone()),
    };
    if local == remote {
        let message = format!("the peer and this gateway are both called {remote}");
        let fault = Fault::new(message).label("our own identity");
        report.add(section.span_of("remote_identity"), fault);
    }
    Some((local, remote))
}

/// Exactly one of the four ways to know a peer; a certificate of the gateway's own `ca` when none
/// is written.
fn credentials(
    section: &Section<'_>,
    context: &Context<'_>,
    local_identity: Option<&Identity>,
    report: &mut Report,
) -> Option<Credentials> {
    let ways: Vec<&str> = ["public_key", "public_key_file", "psk_file", "ca"]
        .into_iter()
        .filter(|way| section.has(way))
        .collect();
    match ways.as_slice() {
        [] if context.gateway.papers.names_ca => {
            context.gateway.papers.credentials(section, context.files, local_identity, report)
        }
        ["ca"] => {
            context.gateway.papers.credentials(section, context.files, local_identity, report)
        }
        [] => {
            let fault = Fault::new(format!("{} says no way to authenticate", section.title()));
            let help = "add public_key_file = \"…\" (what `vpnctl pubkey` prints at the peer), \
                        psk_file = \"…\", or ca = [\"…\"] for a peer with a certificate";
            report.add(section.span(), fault.label("this peer").help(help));
            None
        }
        ["psk_file"] => psk(section, context, report),
        [way] => public_key(section, way, context, report),
        [first, second, ..] => {
            let fault = Fault::new(format!("`{first}` and `{second}` exclude each other"));
            let fault = fault.label("one too many").beside(section.span_of(first), "given here");
            report.add(section.span_of(second), fault);
            None
        }
    }
}

fn psk(section: &Section<'_>, context: &Context<'_>, report: &mut Report) -> Option<Credentials> {
    let path = section.located("psk_file", words::path, report)?;
    let secret = keys::psk(context.files, &path.value);
    secret.map_err(|fault| report.add(path.span, fault)).ok().map(Credentials::Psk)
}

fn public_key(
    section: &Section<'_>,
    way: &str,
    context: &Context<'_>,
    report: &mut Report,
) -> Option<Credentials> {
    let written = section.located(way, words::path, report)?;
    let key = match way {
        "public_key" => keys::public_key(&written.value),
        _ => keys::public_key_file(context.files, &written.value),
    };
    let peer = key.map_err(|fault| report.add(written.span.clone(), fault)).ok();
    if !context.gateway.names_private_key {
        let fault = Fault::new("this gateway has no private key to answer with")
            .label("the peer has a public key")
            .help("add private_key = \"…\" to [gateway]; `vpnctl keygen -o FILE` makes the file");
        report.add(written.span, fault);
    }
    let PrivateKey::Ed25519(own) = context.gateway.private_key.clone()? else {
        let fault = Fault::new("raw public keys are Ed25519 keys, and this gateway's is another")
            .label("the peer is known by its public key")
            .help(
                "know the peer by its certificate (`ca`), or make a key with `vpnctl keygen -o FILE`",
            );
        report.add(section.span_of(way), fault);
        return None;
    };
    let peer = peer?;
    if own.verifying_key() == peer {
        let fault = Fault::new("this is the public key of this gateway, not of the peer");
        report.add(section.span_of(way), fault.label("our own key"));
    }
    Some(Credentials::PublicKey { own, peer })
}

/// Our underlay address, if one is written; else the routing table names one of those that we
/// listen on.
fn local_address(
    section: &Section<'_>,
    context: &Context<'_>,
    remote: Option<&Remote>,
    report: &mut Report,
) -> Option<IpAddr> {
    let listen = &context.gateway.config.listen;
    let remote = remote.map(Remote::addresses).unwrap_or_default();
    let Some(local) = section.located("local_address", words::address, report) else {
        for to in remote {
            if !listen.iter().any(|address| address.is_ipv4() == to.value.is_ipv4()) {
                let fault = Fault::new("this gateway listens on no address of the peer's family")
                    .label("the peer is here")
                    .help("add an address of this family to `listen` of [gateway]");
                report.add(to.span.clone(), fault);
            }
        }
        return None;
    };
    let of_other_family = remote.iter().any(|to| to.value.is_ipv4() != local.value.is_ipv4());
    let heard = |on: &IpAddr| {
        *on == local.value || on.is_unspecified() && on.is_ipv4() == local.value.is_ipv4()
    };
    if !listen.iter().any(heard) {
        let fault = Fault::new(format!("this gateway does not listen on {}", local.value));
        let fault = fault.label("not in `listen`").help("add it to `listen` of [gateway]");
        report.add(local.span, fault);
    } else if of_other_family {
        let fault = Fault::new("`local_address` and `remote_address` must be of one family");
        report.add(local.span, fault.label("the other family"));
    }
    Some(local.value)
}

/// Whether we start the tunnel: yes, when we know where the peer is.
fn initiate(section: &Section<'_>, tuning: &Tuning, remote: &Remote, report: &mut Report) -> bool {
    let is_anywhere = matches!(remote, Remote::Anywhere);
    if is_anywhere && section.has("initiate") && tuning.initiate == Some(true) {
        let fault = Fault::new("a tunnel to \"any\" address cannot be initiated")
            .label("where to?")
            .help("leave `initiate` out and wait for the peer, or write its `remote_address`");
        report.add(section.span_of("initiate"), fault);
    }
    !is_anywhere && tuning.initiate.unwrap_or(true)
}
