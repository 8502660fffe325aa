//! A reload takes the fewest steps. Each test changes one thing of a file.

use super::*;
use crate::testing::deployment::{self, Site};

const HERE: Site = Site { region: 1, zone: 1 };
const THERE: Site = Site { region: 2, zone: 1 };

fn text() -> String {
    deployment::text(HERE, &[HERE, THERE], &["red"])
}

fn steps_of(change: impl Fn(String) -> String) -> Result<Vec<Step>, NeedsRestart> {
    let old = deployment::parse(&text());
    let new = deployment::parse(&change(text())).numbered_like(&old);
    plan(&old, &new)
}

#[test]
fn the_same_file_takes_no_step() {
    assert_eq!(steps_of(|text| text), Ok(vec![]));
    assert_eq!(steps_of(|text| text + "# a comment\n"), Ok(vec![]));
}

#[test]
fn another_preference_leaves_the_sas_alone() {
    let changed = |text: String| text.replace("local_preference = 199", "local_preference = 50");
    assert_eq!(steps_of(changed), Ok(vec![Step::RerouteNeighbor(PeerId(0))]));
}

#[test]
fn another_lifetime_leaves_the_sas_alone() {
    let changed =
        |text: String| text.replace("[defaults]\n", "[defaults]\nchild_lifetime = \"30min\"\n");
    assert_eq!(steps_of(changed), Ok(vec![Step::RetimePeer(PeerId(0))]));
}

#[test]
fn another_address_restarts_the_peer_and_no_other() {
    let third = Site { region: 3, zone: 1 };
    let old = deployment::parse(&deployment::text(HERE, &[HERE, THERE, third], &["red"]));
    let text = deployment::text(HERE, &[HERE, THERE, third], &["red"]);
    let new = deployment::parse(&text.replace("192.0.2.31", "192.0.2.99")).numbered_like(&old);
    assert_eq!(plan(&old, &new), Ok(vec![Step::RestartPeer(PeerId(1))]));
}

#[test]
fn a_peer_comes_and_goes() {
    let third = Site { region: 3, zone: 1 };
    let two = deployment::parse(&deployment::text(HERE, &[HERE, THERE], &["red"]));
    let three = deployment::text(HERE, &[HERE, third, THERE], &["red"]);
    let three = deployment::parse(&three).numbered_like(&two);
    assert_eq!(plan(&two, &three), Ok(vec![Step::AddPeer(PeerId(1))]));
    assert_eq!(plan(&three, &two), Ok(vec![Step::RemovePeer(PeerId(1))]));
}

#[test]
fn other_prefixes_are_announced_without_touching_tunnels() {
    let changed =
        |text: String| text.replace("\"10.1.0.0/16\", \"fd00:1", "\"10.0.0.0/15\", \"fd00:1");
    assert_eq!(steps_of(changed), Ok(vec![Step::Reannounce(VpcId(0))]));
}

#[test]
fn what_sockets_were_made_from_takes_a_restart() {
    let port = steps_of(|text| text.replace("[gateway]\n", "[gateway]\nike_port = 5000\n"));
    assert_eq!(port, Err(NeedsRestart::Gateway { key: "ike_port" }));
}

#[test]
fn a_vpc_with_another_device_is_another_vpc_and_its_tunnels_begin_anew() {
    for line in ["tun = \"tun9\"", "netns = \"shop\""] {
        let steps = steps_of(|text| text.replace("[[vpc]]\n", &format!("[[vpc]]\n{line}\n")));
        let (added, removed) = (Step::AddVpc(VpcId(1)), Step::RemoveVpc(VpcId(0)));
        assert_eq!(steps, Ok(vec![added, Step::RestartPeer(PeerId(0)), removed]), "{line}");
    }
}

#[test]
fn another_mtu_touches_no_tunnel() {
    let changed = |text: String| text.replace("[[vpc]]\n", "[[vpc]]\nmtu = 1380\n");
    assert_eq!(steps_of(changed), Ok(vec![Step::Resize(VpcId(0))]));
}

#[test]
fn sharing_and_weights_touch_no_tunnel() {
    let shared = |text: String| text.replace("[[vpc]]\n", "[[vpc]]\nmultipath = true\n");
    assert_eq!(steps_of(shared), Ok(vec![Step::Share(VpcId(0))]));
    let weighed = |text: String| text.replace("[[peer]]\n", "[[peer]]\nweight = 3\n");
    assert_eq!(steps_of(weighed), Ok(vec![Step::RerouteNeighbor(PeerId(0))]));
}

#[test]
fn the_sentence_names_what_was_touched() {
    let old = deployment::parse(&text());
    let said = |change: &dyn Fn(String) -> String| {
        let new = deployment::parse(&change(text())).numbered_like(&old);
        let steps = plan(&old, &new).expect("no restart");
        Reloaded::by(&steps, &old, &new).to_string()
    };
    assert_eq!(said(&|text| text), "nothing changed");
    let suite = said(&|text| text.replace("\"aes256gcm16-esn\"", "\"chacha20poly1305-esn\""));
    assert_eq!(suite, "tunnels begun anew: r2z1; all other tunnels did not notice");
}
