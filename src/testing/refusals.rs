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

/// Runs for a while; returns the last failure on either side.
fn failures(deployment: Deployment) -> [String; 2] {
    let mut network = Network::start(deployment, 1);
    network.run(Duration::from_secs(10));
    assert!(!network.unreachable().is_empty());
    assert!(network.violations.is_empty(), "{:?}", network.violations);
    [0, 1].map(|node| {
        assert_eq!(network.node(node).gateway.child_spis(PeerId(0)), []);
        last_failure(&mut network, node)
    })
}

fn last_failure(network: &mut Network, node: usize) -> String {
    let mut failure = None;
    network.with_node(node, |node, now| {
        node.operate(now, |gateway, at| {
            if let Reply::Peers(view) = gateway.handle_request(&Request::Peers, at) {
                failure.clone_from(&view.peers[0].last_failure);
            }
        });
    });
    failure.map(|failure| failure.reason).unwrap_or_default()
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
