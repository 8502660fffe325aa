//! What must pass the networks and firewalls between two gateways.

use crate::config::PeerConfig;

pub(super) fn let_ike_pass(peer: &PeerConfig) -> String {
    match peer.remote_address {
        Some(remote) => format!(
            "is {remote} the right address, does the gateway there run, and do UDP ports {} and 4500 pass \
             both ways?",
            peer.remote_port
        ),
        None => "only the peer can connect: look at its `vpnctl events`".to_owned(),
    }
}

pub(super) fn let_esp_pass(peer: &PeerConfig) -> String {
    let whom = peer.remote_address.map_or("the peer".to_owned(), |remote| remote.to_string());
    format!(
        "let UDP port 4500 pass from and to {whom}, packets of the whole MTU and fragments, too"
    )
}

pub(super) fn let_tcp_pass(peer: &PeerConfig) -> String {
    let whom = peer.remote_address.map_or("the peer".to_owned(), |remote| remote.to_string());
    format!(
        "let TCP port {} of {whom} pass, and write encapsulation = \"auto\" or \"tcp\" there, too",
        peer.tcp_port
    )
}
