//! What operators ask of gateways.

use super::deployment;
use super::network::Network;
use crate::control::{Reply, Request};
use crate::gateway::Gateway;

/// Hands a gateway an operator's request.
pub(super) fn ask(network: &mut Network, node: usize, request: &Request) -> Reply {
    let mut reply = None;
    network.with_node(node, |node, now| {
        node.operate(now, |gateway, at| {
            reply = Some(gateway.handle_request(request, at));
        });
    });
    reply.expect("the gateway answers")
}

/// Has a gateway read its file again, which says this now.
pub(super) fn reload(network: &mut Network, node: usize, text: &str) {
    network.with_node(node, |node, now| {
        let config = deployment::parse(text).numbered_like(node.gateway.config());
        node.operate(now, |gateway: &mut Gateway, at| {
            gateway.reconfigure(config, at).expect("a change that needs no restart");
        });
    });
}
