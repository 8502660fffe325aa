//! What must hold at every moment, and when everything has settled.

use super::node::{Node, THIEF};
use super::owner::Cause;
use super::scenario::Scenario;
use crate::ike::tests::net::{CONNECTION, EAST, WEST};
use crate::ike::*;
use std::collections::BTreeSet;

/// What is wrong between two ends at one moment, if something is.
pub(super) fn breach(nodes: [&Node; 2], scenario: &Scenario) -> Option<String> {
    let both = [(WEST, EAST), (EAST, WEST)].into_iter();
    let stranger = nodes.iter().any(|node| !node.owner.authenticated.is_empty());
    let believed = (scenario.strangers && stranger).then(|| "a stranger is believed".to_owned());
    let gap = nodes.iter().any(|node| node.owner.senders.is_empty());
    let gap = (scenario.keeps && gap).then(|| "an end has nothing to send on".to_owned());
    let again = nodes.iter().any(|node| node.owner.handshakes > scenario.handshakes);
    let again = again.then(|| "the tunnel is made anew, and then once more".to_owned());
    let views = nodes.into_iter().filter_map(|node| node.endpoint().view(CONNECTION));
    let mut remotes = views.flat_map(|view| view.ike_sas).map(|sa| sa.remote);
    let led = scenario.thief && remotes.any(|remote| remote == THIEF);
    let led = led.then(|| "an end was led to where its peer is not".to_owned());
    believed
        .or(led)
        .or(gap)
        .or(again)
        .or_else(|| both.flat_map(|(from, to)| between(from, nodes[from], nodes[to])).next())
}

/// What one end sends that the other cannot open.
fn between(from: usize, sender: &Node, receiver: &Node) -> Option<String> {
    let name = ["West", "East"][from];
    for outbound in sender.owner.outbound.values() {
        let known = receiver.owner.inbound.get(&outbound.keys.spi);
        if known.is_some_and(|(_, keys)| *keys != outbound.keys) {
            return Some(format!("{name} has other keys for {}", outbound.keys.spi));
        }
        let pair = known.and_then(|(child, _)| receiver.owner.outbound.get(child));
        if pair.is_some_and(|pair| pair.aggfrag != outbound.aggfrag) {
            return Some(format!("{name} packs otherwise than agreed in {}", outbound.keys.spi));
        }
    }
    for (child, outbound) in sender.owner.sending() {
        let spi = outbound.keys.spi;
        if receiver.owner.inbound.contains_key(&spi) {
            continue;
        }
        match receiver.owner.gone.get(&spi) {
            // It will hear of it, or find out.
            Some(Cause::Alone | Cause::Restart) => {}
            Some(Cause::Agreed) => {
                return Some(format!("{name} sends on {child}, which the peer has replaced"));
            }
            // "The responder MAY begin sending on an SA as soon as it sends its response"
            // (RFC 7296 §2.8) to a request for a new one; while it replaces another that the peer
            // still takes, it has no reason to.
            None => {
                let old = outbound.replaces.and_then(|old| sender.owner.outbound.get(&old));
                let takes = |old: &super::owner::Outbound| {
                    receiver.owner.inbound.contains_key(&old.keys.spi)
                };
                if old.is_some_and(takes) {
                    return Some(format!("{name} sends on {child}, which the peer has not yet"));
                }
            }
        }
    }
    None
}

/// Whether an end brings the connection up when it is down.
fn initiates(node: &Node, end: usize, scenario: &Scenario) -> bool {
    scenario.configs[end][node.variant].initiate && !node.terminated
}

/// What is still missing until both ends are as they should be, with nothing under way.
pub(super) fn unsettled(nodes: [&Node; 2], scenario: &Scenario) -> Option<&'static str> {
    let up = [WEST, EAST].iter().any(|&end| initiates(nodes[end], end, scenario));
    let differ = nodes[WEST].variant != nodes[EAST].variant;
    if scenario.strangers || differ {
        return None;
    }
    match up {
        true => without_tunnel(nodes, scenario),
        false => with_remains(nodes),
    }
}

fn with_remains(nodes: [&Node; 2]) -> Option<&'static str> {
    let idle = nodes.iter().all(|node| node.endpoint().is_idle());
    let none = nodes.iter().all(|node| node.owner.outbound.is_empty());
    (!(idle && none)).then_some("something is left of a connection that nobody wants")
}

fn without_tunnel(nodes: [&Node; 2], scenario: &Scenario) -> Option<&'static str> {
    let views = nodes.map(|node| node.endpoint().view(CONNECTION));
    let [Some(west), Some(east)] = &views else { return Some("a connection is gone") };
    let ([of_west], [of_east]) = (west.ike_sas.as_slice(), east.ike_sas.as_slice()) else {
        return Some("not one IKE SA at each end");
    };
    if of_west.id != (IkeSaId { local: of_east.id.remote, remote: of_east.id.local }) {
        return Some("the ends have different IKE SAs");
    }
    if (of_west.local, of_west.remote) != (of_east.remote, of_east.local) {
        return Some("the ends take each other to be at other addresses");
    }
    if [west, east].iter().any(|view| view.state != ConnectionState::Up) {
        return Some("a connection that is not up");
    }
    if !nodes.iter().all(|node| node.endpoint().is_quiet()) {
        return Some("something is under way");
    }
    let slots = |end: usize| -> BTreeSet<SlotId> {
        scenario.configs[end][nodes[end].variant].slots.keys().copied().collect()
    };
    let wanted: BTreeSet<SlotId> = slots(WEST).intersection(&slots(EAST)).copied().collect();
    for (view, node) in [of_west, of_east].into_iter().zip(nodes) {
        let have: Vec<SlotId> = view.children.iter().map(|child| child.slot).collect();
        let sending: Vec<SlotId> =
            node.owner.sending().map(|(_, outbound)| outbound.slot).collect();
        let one_each = |have: &[SlotId]| {
            have.len() == wanted.len() && have.iter().all(|slot| wanted.contains(slot))
        };
        if !one_each(&have) || !one_each(&sending) {
            return Some("not one Child SA for each slot");
        }
        if node.endpoint().spis_taken() != view.children.len() {
            return Some("SPIs are taken that no Child SA has");
        }
    }
    let passes = |from: &Node, to: &Node| {
        from.owner.sending().all(|(_, sa)| to.owner.inbound.contains_key(&sa.keys.spi))
    };
    let both = passes(nodes[WEST], nodes[EAST]) && passes(nodes[EAST], nodes[WEST]);
    (!both).then_some("traffic does not pass")
}
