//! A host behind a peer that should answer (`probe`), and where traffic goes while it does not.
//!
//! ```text
//!   r1z1 ──┬── r2z1   preferred, and asked for its host
//!          └── r2z2
//! ```

use super::deployment::{self, Deployment, Region, Site};
use super::kernel::lan_address;
use super::network::Network;
use super::orders::{ask, reload};
use super::two_gateways::assert_sound;
use crate::control::{Code, PeerView, ProbeState, Reply, Request, StepView, Verdict};
use crate::net::{PeerId, VpcId};
use crate::wire::icmp;
use crate::wire::probe::{self, Question};
use std::net::IpAddr;
use std::time::Duration;

const SITES: [Site; 3] =
    [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }, Site { region: 2, zone: 2 }];
/// Nobody has it.
const NOBODY: &str = "10.2.99.99";

/// The address that a gateway has itself among the hosts of its region: it answers.
fn somebody(site: Site) -> IpAddr {
    let prefix = format!("10.{}.0.0/16", site.region).parse().unwrap();
    lan_address(&prefix, site.underlay())
}

fn probing(text: &str, peer: &str, address: &str) -> String {
    let name = format!("name = \"{peer}\"\n");
    let probe = format!("{name}probe = {{ address = \"{address}\", source = \"10.1.0.1\" }}\n");
    text.replacen(&name, &probe, 1)
}

fn text() -> String {
    deployment::text(SITES[0], &SITES, &["red"])
}

fn three() -> Deployment {
    deployment::regions(&[Region { number: 1, gateways: 1 }, Region { number: 2, gateways: 2 }], 1)
}

fn view(network: &mut Network, peer: &str) -> PeerView {
    match ask(network, 0, &Request::Peer(peer.to_owned())) {
        Reply::Peer(view) => *view,
        other => panic!("{other:?}"),
    }
}

/// Which of the two peers has the traffic.
fn in_use(network: &mut Network) -> Vec<&'static str> {
    let has = |peer: &&str| view(network, peer).summary.prefixes_active > 0;
    ["r2z1", "r2z2"].into_iter().filter(has).collect()
}

#[test]
fn a_far_side_that_does_not_answer_is_left_for_another_and_used_again_when_it_does() {
    let mut network = Network::start(three(), 1);
    network.run(Duration::from_secs(6));
    let answering = probing(&text(), "r2z1", &somebody(SITES[1]).to_string());
    reload(&mut network, 0, &answering);
    network.run(Duration::from_secs(5));
    let first = view(&mut network, "r2z1").summary;
    assert_eq!(first.probe.unwrap().state, ProbeState::Answers);
    assert_eq!(first.verdict, Verdict::Up);
    assert_eq!(in_use(&mut network), ["r2z1"]);

    reload(&mut network, 0, &probing(&text(), "r2z1", NOBODY));
    network.run(Duration::from_secs(5));
    let PeerView { summary, events, .. } = view(&mut network, "r2z1");
    assert_eq!(summary.verdict, Verdict::BeyondSilent);
    assert_eq!(events.iter().filter(|event| event.code == Code::BeyondSilent).count(), 1);
    assert_eq!(in_use(&mut network), ["r2z2"]);
    let why = Request::Why { to: "10.2.0.9".parse().unwrap(), from: None, ports: None };
    let Reply::Why(why) = ask(&mut network, 0, &why) else { panic!("why") };
    let says =
        |step: &StepView| step.says.contains("r2z1 (up, and the host behind it that `probe`");
    assert!(why.ways[0].steps.iter().any(says), "{why:#?}");
    assert_sound(&mut network, 1);

    reload(&mut network, 0, &answering);
    network.run(Duration::from_secs(5));
    assert_eq!(view(&mut network, "r2z1").summary.verdict, Verdict::Up);
    assert_eq!(in_use(&mut network), ["r2z1"]);
    assert_sound(&mut network, 1);
}

#[test]
fn where_nobody_answers_nothing_is_taken_away() {
    let mut network = Network::start(three(), 2);
    network.run(Duration::from_secs(6));
    let both = ["r2z1", "r2z2"].iter().fold(text(), |text, peer| probing(&text, peer, NOBODY));
    reload(&mut network, 0, &both);
    network.run(Duration::from_secs(10));
    for peer in ["r2z1", "r2z2"] {
        assert_eq!(view(&mut network, peer).summary.verdict, Verdict::BeyondSilent);
    }
    assert_eq!(in_use(&mut network), ["r2z1"]);
    assert_sound(&mut network, 2);
}

/// The peer's addresses lead to the gateway itself, and so do the answers of its own kernel's pings.
#[test]
fn a_probe_asks_the_peer_s_own_end_of_the_tunnel_too() {
    let mut network = Network::start(three(), 3);
    network.run(Duration::from_secs(6));
    let inside = view(&mut network, "r2z1").inside_remote.unwrap().to_string();
    let name = "name = \"r2z1\"\n";
    let probe = format!("{name}probe = {{ address = \"{inside}\" }}\n");
    reload(&mut network, 0, &text().replacen(name, &probe, 1));
    network.run(Duration::from_secs(5));
    let probe = view(&mut network, "r2z1").summary.probe.unwrap();
    assert_eq!(probe.state, ProbeState::Answers);
    assert!(probe.rtt_us.is_some());
}

/// A path that loses too much is left for another while it does, and is taken back later than it got better.
#[test]
fn a_path_that_is_poorer_than_wanted_is_left_until_it_has_been_good_for_a_while() {
    let limited = |text: String| {
        text.replace(
            "source = \"10.1.0.1\"",
            "source = \"10.1.0.1\", interval = \"100ms\", max_loss = 10",
        )
    };
    let mut network = Network::start(three(), 5);
    network.run(Duration::from_secs(6));
    let host = somebody(SITES[1]).to_string();
    reload(&mut network, 0, &limited(probing(&text(), "r2z1", &host)));
    network.run(Duration::from_secs(8));
    assert_eq!(view(&mut network, "r2z1").summary.verdict, Verdict::Up);

    network.weather.loss = 20;
    network.run(Duration::from_secs(10));
    let PeerView { summary, events, .. } = view(&mut network, "r2z1");
    assert_eq!(summary.verdict, Verdict::BeyondPoor);
    let probe = summary.probe.unwrap();
    assert!(probe.lost > 5 && probe.asked > 15, "{probe:?}");
    let poor: Vec<_> = events.iter().filter(|event| event.code == Code::BeyondPoor).collect();
    let [told] = poor.as_slice() else { panic!("{events:?}") };
    assert!(told.what.contains("of the last 50 questions without an answer"), "{told:?}");
    assert_eq!(in_use(&mut network), ["r2z2"]);

    network.weather.loss = 0;
    network.run(Duration::from_secs(6));
    assert_eq!(in_use(&mut network), ["r2z2"], "it is not good for long enough");
    network.run(Duration::from_secs(8));
    let PeerView { summary, events, .. } = view(&mut network, "r2z1");
    assert_eq!((summary.verdict, summary.probe.unwrap().lost), (Verdict::Up, 0));
    assert_eq!(events.iter().filter(|event| event.code == Code::BeyondGood).count(), 1);
    assert_eq!(in_use(&mut network), ["r2z1"]);
    assert_sound(&mut network, 5);
}

/// A host that is behind two peers answers by the one that its network leads to.
#[test]
fn who_has_asked_has_the_answer_whatever_way_it_came() {
    let mut network = Network::start(three(), 4);
    network.run(Duration::from_secs(6));
    let both = ["r2z1", "r2z2"].iter().fold(text(), |text, peer| probing(&text, peer, NOBODY));
    reload(&mut network, 0, &both);
    let (source, host) = ("10.1.0.1".parse().unwrap(), NOBODY.parse().unwrap());
    for _ in 0..6 {
        network.run(Duration::from_secs(1));
        network.with_node(0, |node, now| {
            let asked = Question { tunnel: 1, number: now.as_micros() };
            let reply = icmp::echo_reply(&probe::question(source, host, asked).unwrap()).unwrap();
            node.operate(now, |gateway, _| gateway.handle_inner(PeerId(0), VpcId(0), &reply, now));
        });
    }
    let state = |network: &mut Network, peer| view(network, peer).summary.probe.unwrap().state;
    assert_eq!(state(&mut network, "r2z1"), ProbeState::Silent);
    assert_eq!(state(&mut network, "r2z2"), ProbeState::Answers);
}
