//! Whole gateways that know each other by certificates: authorities are replaced, certificates
//! expire and are revoked, while packets flow.

use super::deployment::{self, Deployment, Site};
use super::network::{Network, Probe};
use super::orders::ask;
use super::two_gateways::assert_sound;
use crate::config::{self, Config, KeyFiles, KeysInMemory};
use crate::control::{Code, PeerState, PeerView, Reply, Request};
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

/// What the files of one of two gateways hold with these papers.
fn files(site: usize, papers: &Papers<'_>) -> KeysInMemory {
    let names = [NAMES[site]];
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
    KeysInMemory::new()
        .with("own.key", &key)
        .with("own.crt", &certificate(&own.certificate))
        .with("ca.crt", &anchors)
        .with("ca.crl", &pem::encode(list.der(), pki::CRL))
}

/// The configuration of one of two gateways with these papers.
fn config(site: usize, papers: &Papers<'_>) -> Config {
    let (files, sites) = (files(site, papers), deployment::pair().sites);
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

/// The files of a gateway hold these papers from now on, and it finds that out; what it says of it.
fn find(network: &mut Network, site: usize, held: &KeysInMemory) -> Vec<(Code, String)> {
    network.with_node(site, |node, now| {
        node.operate(now, |gateway, at| {
            for files in gateway.config().paper_files() {
                gateway.handle_paper(&files, files.read(held), at);
            }
        });
    });
    let Reply::Events(view) = ask(network, site, &Request::Events { after: 0 }) else {
        panic!("no events")
    };
    let of_files = [Code::CertificateTaken, Code::CertificateKept];
    let events = view.events.into_iter().filter(|event| of_files.contains(&event.code));
    events.map(|event| (event.code, event.what)).collect()
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

#[test]
fn renewed_files_are_taken_while_packets_flow_and_half_of_them_are_not() {
    let authority = Authority::new("CA");
    let trusted = [&authority];
    let first = papers(&authority, &trusted);
    let mut network = connected([&first, &first]);
    let held = files(0, &first);
    assert_eq!(find(&mut network, 0, &held).len(), 2, "our own, and the list");
    assert_eq!(find(&mut network, 0, &held).len(), 2, "nothing has changed since");

    let renewed = files(0, &Papers { serial: 8, ..papers(&authority, &trusted) });
    let key = renewed.read("own.key").unwrap().contents;
    let key = std::str::from_utf8(key.as_bytes()).unwrap();
    let said = find(&mut network, 0, &held.clone().with("own.key", key));
    let [_, _, (Code::CertificateKept, why)] = said.as_slice() else { panic!("{said:?}") };
    assert!(why.contains("own.crt: the certificate CN=r1z1"), "{why}");
    assert!(why.contains("does not belong to the private key"), "{why}");
    let again = find(&mut network, 0, &held.clone().with("own.key", key));
    assert_eq!(again, said, "it is said once");
    let said = find(&mut network, 0, &held);
    let [.., (Code::CertificateTaken, whole)] = said.as_slice() else { panic!("{said:?}") };
    assert_eq!(whole, "own.crt, own.key hold again what runs");
    assert_eq!(lost_during(&mut network, Duration::from_secs(70)), 0);

    let (stranger, key) = authority.issue_with_key(Leaf::of(&["elsewhere"]));
    let text = pem::encode(stranger.certificate.der(), pki::CERTIFICATE);
    let said =
        find(&mut network, 0, &files(0, &first).with("own.crt", &text).with("own.key", &key));
    let why =
        said.iter().map(|(_, what)| what).find(|what| what.contains("is not for r1z1")).unwrap();
    assert!(why.starts_with("own.crt, own.key: the certificate CN=elsewhere"), "{why}");
    assert!(why.contains("issue one for that name"), "{why}");

    let said = find(&mut network, 0, &renewed);
    let [.., (Code::CertificateTaken, what), (Code::CertificateTaken, _)] = said.as_slice() else {
        panic!("{said:?}")
    };
    assert!(what.starts_with("own.crt, own.key changed"), "{what}");
    // It is shown when this side is the first to find that the keys are due.
    let is_shown = (0..8).any(|_| {
        assert_eq!(lost_during(&mut network, Duration::from_secs(30)), 0);
        let shown = peer(&mut network, 1).certificates.peer.expect("a certificate");
        shown.certificate.contains("serial 08")
    });
    assert!(is_shown, "{:?}", peer(&mut network, 1).certificates);
    assert_sound(&mut network, 1);
}
