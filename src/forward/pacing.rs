//! Datagrams of a constant rate: who holds the clock asks what is due.

use super::packing::AGGREGATE_TOS;
use super::{Egress, TunnelEntry};
use crate::esp::Discard;
use crate::esp::aggfrag::Pacer;
use crate::time::Timestamp;
use crate::wire::aggfrag::AGGFRAG_PAYLOAD;

/// Octets of UDP's header, and of IP's.
pub(super) const UDP: usize = 8;
pub(super) const IPV4: usize = 20;
pub(super) const IPV6: usize = 40;

/// Seals what is due in the SAs of a tunnel that have a constant rate, and says when more is. What is discarded
/// is counted here.
pub fn keep_pace(
    tunnel: &TunnelEntry,
    now: Timestamp,
    egress: &mut impl Egress,
) -> Option<Timestamp> {
    let paced = tunnel.sas().filter_map(|entry| Some((entry, entry.pacer.as_deref()?)));
    paced.map(|(entry, pacer)| keep(entry, pacer, now, egress)).min()
}

fn keep(
    tunnel: &TunnelEntry,
    pacer: &Pacer,
    now: Timestamp,
    egress: &mut impl Egress,
) -> Timestamp {
    let sealed = tunnel.outbound.layout().sealed_len(tunnel.inner_mtu.into());
    let headers = UDP + if tunnel.remote.is_ipv4() { IPV4 } else { IPV6 };
    let (due, next) = pacer.due(headers + sealed, now);
    let mut payload = vec![0; if due > 0 { tunnel.inner_mtu.into() } else { 0 }];
    for _ in 0..due {
        let sent = seal(tunnel, pacer, &mut payload, sealed, egress);
        sent.unwrap_or_else(|reason| tunnel.counters.discards.add(reason));
    }
    next
}

fn seal(
    tunnel: &TunnelEntry,
    pacer: &Pacer,
    payload: &mut [u8],
    sealed: usize,
    egress: &mut impl Egress,
) -> Result<(), Discard> {
    let mut train = tunnel.outbound.reserve(1, payload.len() as u64)?;
    let filled = pacer.fill(tunnel.outbound.spi(), payload);
    tunnel.counters.count_sent(filled.packets, filled.octets);
    egress.datagram(tunnel, tunnel.dscp.tos_for(AGGREGATE_TOS), sealed, |out| {
        train.seal(AGGFRAG_PAYLOAD, payload, &[], out)
    })
}
