//! Gateways whose packets share datagrams and are cut (RFC 9347), whatever the path between them carries.

use super::deployment::{self, Deployment, Site};
use super::network::{Network, host};
use super::orders::ask;
use super::packet;
use super::two_gateways::{assert_sound, trouble};
use crate::control::{DataPath, PeerView, Reply, Request, SaKind};
use crate::gateway::world::Wish;
use crate::net::VpcId;
use std::time::Duration;

const VPC: VpcId = VpcId(0);
const NAMES: [&str; 2] = ["r2z1", "r1z1"];
const AGGFRAG: &str = "[defaults]\naggfrag = true\n";

/// Two gateways, of which those of these regions wish for it.
fn pair(wishes: &'static [u8]) -> Deployment {
    deployment::edited_pair(|site, text| wishing(wishes, site, text))
}

fn wishing(wishes: &[u8], site: Site, text: String) -> String {
    let has = wishes.contains(&site.region);
    if has { text.replacen("[defaults]\n", AGGFRAG, 1) } else { text }
}

/// After a while over an underlay of this MTU.
fn settled(deployment: Deployment, underlay_mtu: usize) -> Network {
    let mut network = Network::start(deployment, 1);
    network.underlay_mtu = underlay_mtu;
    network.run(Duration::from_secs(10));
    network
}

fn view(network: &mut Network, node: usize) -> PeerView {
    match ask(network, node, &Request::Peer(NAMES[node].to_owned())) {
        Reply::Peer(view) => *view,
        other => panic!("{other:?}"),
    }
}

/// Whether each end says that it was agreed on.
fn agreed(network: &mut Network) -> [bool; 2] {
    [0, 1].map(|node| view(network, node).child_sas[0].aggfrag)
}

/// The MTU of the VPC's device at an end.
fn device_mtu(network: &mut Network, node: usize) -> u16 {
    let devices = network.node(node).standing().iter().filter_map(|wish| match wish {
        Wish::Device { mtu, .. } => Some(*mtu),
        _ => None,
    });
    devices.max().expect("a device")
}

/// The lengths of what comes to hosts after one of the first region has sent a packet of so many octets
/// that may not be fragmented: the packet at the other end, or an error at this one.
fn send(network: &mut Network, octets: usize) -> Vec<usize> {
    let mut payload = vec![0, 9, 0, 9, 0, 0, 0, 0];
    payload.resize(octets - 20, 0x5a);
    let inner = packet::ip(host(1, true), host(2, true), packet::UDP, &payload);
    network.with_node(0, |node, now| node.forward(VPC, inner, now));
    network.run(Duration::from_millis(500));
    std::mem::take(&mut network.answers).iter().map(Vec::len).collect()
}

#[test]
fn hosts_keep_the_mtu_of_the_underlay_whatever_the_path_carries() {
    for underlay_mtu in [1500, 1492, 1300, 700] {
        let mut network = settled(pair(&[1, 2]), underlay_mtu);
        assert_eq!(agreed(&mut network), [true, true]);
        assert_sound(&mut network, 1);
        for octets in [1500, 1438, 1400, 40] {
            assert_eq!(send(&mut network, octets), [octets], "over {underlay_mtu}");
        }
        assert_eq!(view(&mut network, 0).inner_mtu, Some(1500));
        assert_eq!([0, 1].map(|node| device_mtu(&mut network, node)), [1500, 1500]);
        assert!(view(&mut network, 0).discards.is_empty(), "{:?}", view(&mut network, 0).discards);
    }
}

#[test]
fn with_a_peer_that_does_not_agree_the_tunnel_is_as_any_other() {
    for wishes in [&[1][..], &[2]] {
        let mut network = settled(pair(wishes), 1500);
        assert_eq!(agreed(&mut network), [false, false], "{wishes:?}");
        assert_sound(&mut network, 1);
        let inner: usize = view(&mut network, 0).inner_mtu.expect("a tunnel that is up").into();
        assert!(inner < 1500);
        assert_eq!(send(&mut network, inner), [inner]);
        let [error] = send(&mut network, 1500)[..] else { panic!("one answer") };
        assert!(error < 600, "an ICMP error of {error} octets");
        assert_eq!(view(&mut network, 0).aggfrag, wishes == [1]);
    }
}

#[test]
fn a_wish_that_changes_makes_the_tunnel_anew() {
    let mut network = settled(pair(&[1]), 1500);
    for (wishes, expected) in [(&[1, 2][..], true), (&[1], false)] {
        let next = pair(wishes).configs[1].clone();
        let next = next.numbered_like(&network.node(1).config.clone());
        network.with_node(1, |node, now| {
            node.operate(now, |gateway, at| {
                gateway.reconfigure(next, at).expect("a change that needs no restart");
            });
        });
        network.run(Duration::from_secs(5));
        assert_eq!(agreed(&mut network), [expected; 2]);
        assert_sound(&mut network, 1);
    }
}

#[test]
fn questions_inside_esp_are_answered_in_padding() {
    let mut network = settled(
        deployment::edited_pair(|site, text| {
            wishing(&[1, 2], site, super::verdict::static_routes(site, text))
        }),
        1500,
    );
    assert_eq!(agreed(&mut network), [true, true]);
    for node in [0, 1] {
        assert_eq!(view(&mut network, node).data_path, DataPath::Passes);
    }
}

#[test]
fn any_weather_and_any_accident_heals() {
    for seed in 0..20 {
        let mut network = Network::start(pair(&[1, 2]), seed);
        trouble(&mut network);
        network.heal();
        network.run(Duration::from_secs(45));
        assert_sound(&mut network, seed);
    }
}

/// Both ends have a constant rate.
fn paced(site: Site, text: String) -> String {
    let text = wishing(&[1, 2], site, text);
    text.replacen("aggfrag = true", "aggfrag = true\nconstant_rate = \"256 kbit/s\"", 1)
}

#[test]
fn at_a_constant_rate_everything_arrives_and_new_keys_lose_nothing() {
    let mut network = settled(deployment::edited_pair(paced), 1500);
    assert_eq!(agreed(&mut network), [true, true]);
    assert_sound(&mut network, 1);
    let peer = NAMES[0].to_owned();
    let octets = [1500, 40, 1438, 900];
    for round in 0..3 {
        assert_eq!(send(&mut network, octets[round]), [octets[round]]);
        ask(&mut network, 0, &Request::Rekey { peer: peer.clone(), sa: SaKind::Child });
        assert_eq!(send(&mut network, octets[round + 1]), [octets[round + 1]]);
    }
    let view = view(&mut network, 0);
    assert!(view.discards.is_empty(), "{:?}", view.discards);
    // Half a minute of 256 kbit/s are 640 datagrams, of which hardly one held a packet.
    let datagrams = view.child_sas[0].sent.packets;
    assert!(datagrams > 5, "{datagrams}");
}

#[test]
fn a_constant_rate_knows_no_plain_tunnel() {
    let deployment = deployment::edited_pair(|site, text| {
        let text = paced(site, text);
        if site.region == 2 {
            text.replacen("aggfrag = true", "", 1).replacen("constant_rate", "# constant_rate", 1)
        } else {
            text
        }
    });
    let mut network = settled(deployment, 1500);
    let view = view(&mut network, 0);
    assert!(view.child_sas.is_empty());
    let failure = view.summary.last_failure.expect("a reason");
    assert!(failure.reason.contains("AGGFRAG"), "{failure:?}");
}
