//! The ports of fragmented datagrams: later fragments do not show them, and where selectors name
//! ports they pass if those of their first fragment do (stateful fragment checking, RFC 4301 §7.3).
//!
//! A fragment that comes before the first one of its datagram is not kept: hosts send them in order.

use super::datagram::Datagram;
use super::flow::Flow;
use crate::wire::ip::{Fragment, InnerPacket};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Datagrams of one direction of a tunnel that are remembered at once; the oldest makes room.
const DATAGRAMS: usize = 64;

/// The ports of datagrams whose first fragment was seen. Nobody asks who is not looking at a
/// fragment in a tunnel whose selectors name ports, so ordinary packets never wait for the lock.
#[derive(Debug, Default)]
pub struct FragmentPorts(Mutex<VecDeque<(Datagram, (u16, u16))>>);

impl FragmentPorts {
    /// Notes the ports of a first fragment, and tells them to a later one. Both are judged like
    /// whole packets then, so nothing follows that could not have come first.
    #[cold]
    pub(super) fn complete(&self, flow: &mut Flow, inner: &InnerPacket, packet: &[u8]) {
        let Some(datagram) = Datagram::of(inner, flow, packet) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = known.iter().position(|(one, _)| *one == datagram);
        match (inner.fragment, flow.ports()) {
            (Fragment::First, Some(ports)) => {
                place.and_then(|place| known.remove(place));
                known.truncate(DATAGRAMS - 1);
                known.push_front((datagram, ports));
            }
            (Fragment::Later, _) => {
                let ports = place.and_then(|place| known.get(place)).map(|(_, ports)| *ports);
                flow.set_ports(ports);
            }
            (Fragment::First, None) | (Fragment::Whole, _) => {}
        }
    }
}
