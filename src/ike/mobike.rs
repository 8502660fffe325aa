//! What both sides say of their addresses (RFC 4555): that they may change, which others there are, and
//! that a message must not have passed a NAT. What is done about it is in [`sa`](super::sa).

use super::limits::PEER_ADDRESSES;
use super::path::Path;
use super::payloads::{Payloads, notify};
use crate::wire::ike::{NotifyType, Payload};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// MOBIKE_SUPPORTED: the addresses of the IKE SA may change (RFC 4555 §3.1).
pub(super) fn supported() -> Payload {
    notify(NotifyType::MOBIKE_SUPPORTED, [])
}

/// Whether the sender of an IKE_AUTH says so.
pub(super) fn is_spoken_by_sender(payloads: Payloads<'_>) -> bool {
    payloads.notify(NotifyType::MOBIKE_SUPPORTED).is_some()
}

/// The addresses at which we are beside the one that a message comes from (RFC 4555 §3.4).
pub(super) fn additional(all: &BTreeSet<IpAddr>, from: IpAddr) -> Vec<Payload> {
    let others = all.iter().filter(|address| **address != from).take(PEER_ADDRESSES);
    let payload = |address: &IpAddr| match address {
        IpAddr::V4(v4) => notify(NotifyType::ADDITIONAL_IP4_ADDRESS, v4.octets()),
        IpAddr::V6(v6) => notify(NotifyType::ADDITIONAL_IP6_ADDRESS, v6.octets()),
    };
    others.map(payload).collect()
}

/// The same for a request that replaces what was said before (RFC 4555 §3.6).
pub(super) fn replaced(all: &BTreeSet<IpAddr>, from: IpAddr) -> Vec<Payload> {
    let others = additional(all, from);
    match others.is_empty() {
        true => vec![notify(NotifyType::NO_ADDITIONAL_ADDRESSES, [])],
        false => others,
    }
}

/// The other addresses that a message names; `None` when it says nothing of them.
pub(super) fn named(payloads: Payloads<'_>) -> Option<Vec<IpAddr>> {
    let address = |kind: NotifyType, data: &[u8]| match kind {
        NotifyType::ADDITIONAL_IP4_ADDRESS => {
            <[u8; 4]>::try_from(data).ok().map(|octets| Ipv4Addr::from(octets).into())
        }
        NotifyType::ADDITIONAL_IP6_ADDRESS => {
            <[u8; 16]>::try_from(data).ok().map(|octets| Ipv6Addr::from(octets).into())
        }
        _ => None,
    };
    let all = payloads.notifies().filter_map(|said| address(said.notify_type, &said.data));
    let all: Vec<IpAddr> = all.filter(is_of_a_host).take(PEER_ADDRESSES).collect();
    let none = payloads.notify(NotifyType::NO_ADDITIONAL_ADDRESSES).is_some();
    (none || !all.is_empty()).then_some(all)
}

fn is_of_a_host(address: &IpAddr) -> bool {
    let broadcast = *address == IpAddr::V4(Ipv4Addr::BROADCAST);
    !(address.is_unspecified() || address.is_multicast() || address.is_loopback() || broadcast)
}

/// Whether a message that wants no NAT on its way has met one (RFC 4555 §3.9).
///
/// ```text
/// source address | destination address | source port | destination port
/// ```
pub(super) fn meets_forbidden_nat(payloads: Payloads<'_>, path: &Path) -> bool {
    let wanted = payloads.notify(NotifyType::NO_NATS_ALLOWED);
    // "In the case of TCP, the NO_NATS_ALLOWED notification SHOULD be ignored" (RFC 9329 §7.1).
    let Some(wanted) = wanted.filter(|_| !path.is_streamed()) else { return false };
    let octets = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let seen = [
        octets(path.remote.ip()),
        octets(path.local.ip()),
        path.remote.port().to_be_bytes().to_vec(),
        path.local.port().to_be_bytes().to_vec(),
    ];
    wanted.data != seen.concat()
}

#[cfg(test)]
mod tests;
