//! Tunnels that must not come up: the reason is known on both sides, and nothing leaves in the
//! clear meanwhile.

use super::deployment::{self, Deployment, Site};
use super::network::Network;
use crate::control::{Reply, Request};
use crate::net::PeerId;
use std::time::Duration;

/// The configuration of the site in region 1, with `from` replaced by `to`.
fn with_change(from: &'static str, to: &'static str) -> Deployment {
    deployment::edited_pair(|site: Site, text: String| match site.region {
        1 => {
            assert!(text.contains(from), "{text}");
            text.replace(from, to)
        }
        _ => text,
    })
}

/// Runs for a while; returns what either side says went wrong.
fn failures(deployment: Deployment) -> [String; 2] {
    let mut network = Network::start(deployment, 1);
    network.run(Duration::from_secs(10));
    assert!(!network.unreachable().is_empty());
    assert!(network.violations.is_empty(), "{:?}", network.violations);
    [0, 1].map(|node| {
        assert_eq!(network.node(node).gateway.child_spis(PeerId(0)), []);
        what_is_wrong(&mut network, node)
    })
}

/// The last failure of the peer, and why somebody at its address was refused.
fn what_is_wrong(network: &mut Network, node: usize) -> String {
    let mut failures = Vec::new();
    network.with_node(node, |node, now| {
        node.operate(now, |gateway, at| {
            let Reply::Peers(peers) = gateway.handle_request(&Request::Peers, at) else { return };
            let request = Request::Peer(peers.peers[0].name.clone());
            if let Reply::Peer(view) = gateway.handle_request(&request, at) {
                failures.extend(view.summary.last_failure);
                failures.extend(view.suspicion);
            }
        });
    });
    let reasons: Vec<String> = failures.into_iter().map(|failure| failure.reason).collect();
    reasons.join("; ")
}

#[test]
fn different_secrets() {
    let [here, there] = failures(with_change("psk_file = \"psk\"", "psk_file = \"other\""));
    assert!(format!("{here}{there}").contains("pre-shared"), "{here} / {there}");
    assert!(
        here.contains("authentication") && there.contains("authentication"),
        "{here} / {there}"
    );
}

#[test]
fn an_unexpected_identity() {
    let [here, there] = failures(with_change(
        "psk_file = \"psk\"",
        "psk_file = \"psk\"\nremote_identity = \"somebody.else\"",
    ));
    assert!(!here.is_empty() && !there.is_empty(), "{here} / {there}");
}

#[test]
fn no_common_suite() {
    let [here, there] = failures(with_change(
        "[\"aes256gcm16-prfsha256-curve25519\"]",
        "[\"aes128gcm16-prfsha512-curve25519\"]",
    ));
    assert!(here.contains("proposal") && there.contains("proposal"), "{here} / {there}");
}

#[test]
fn no_common_esp_suite() {
    let [here, there] = failures(with_change("[\"aes256gcm16-esn\"]", "[\"chacha20poly1305\"]"));
    assert!(here.contains("proposal") && there.contains("proposal"), "{here} / {there}");
}
