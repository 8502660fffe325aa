//! Which datagram a fragment is of.

use super::flow::Flow;
use crate::wire::ip::InnerPacket;
use std::net::IpAddr;

/// What all fragments of one datagram show (RFC 791 §3.2, RFC 8200 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    identification: u32,
}

impl Datagram {
    /// The datagram of a fragment; `None` for a packet that is whole.
    pub(super) fn of(inner: &InnerPacket, flow: &Flow, packet: &[u8]) -> Option<Datagram> {
        Some(Datagram {
            source: flow.source,
            destination: flow.destination,
            protocol: flow.protocol(),
            identification: inner.identification(packet)?,
        })
    }
}
