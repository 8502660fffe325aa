//! Several tunnels that carry a prefix together: which of them a flow takes (RFC 2991, RFC 2992).
//!
//! ```text
//!   flow ──hash, the same in both directions──► one of 1024 buckets ──► member
//!   bucket ──► the member with the least score there (rendezvous): the logarithm of chance by weight
//! ```
//!
//! A member that goes leaves its buckets to the others, and takes the same ones back when it returns;
//! nobody else's flows move. All that is computed follows from addresses, ports and what both ends of
//! a tunnel know it by: where both ends share the same tunnels by the same weights, both directions
//! of a flow take the same one. For this the hash has no secret seed. Who could make use of that is
//! a host of the VPC, which may send what it likes anyway. Queues of flows go by a salted one.

use super::TunnelEntry;
use super::flow::Flow;
use crate::wire::icmp;
use crate::wire::ip::{Fragment, InnerPacket};
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::sync::Arc;

/// How many buckets flows fall into.
const BUCKETS: usize = 1024;

/// The most members that share.
pub const MOST_MEMBERS: usize = 16;

/// What the buckets are given out by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// What both ends of the tunnel know it by.
    pub key: u64,
    /// The part of the flows that is due to it, beside those of the others.
    pub weight: NonZeroU8,
}

/// Which member has which bucket.
#[derive(Debug, PartialEq, Eq)]
pub struct Buckets([u8; BUCKETS]);

/// What packets of one flow have in common, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowHash(u64);

/// How packets of a next-hop group leave.
#[derive(Clone, Debug)]
pub enum NextHops {
    /// All by one tunnel.
    One(Arc<TunnelEntry>),
    /// Each flow by one of several.
    Shared(Arc<Shared>),
}

/// Tunnels that share the flows of a group: peers that know our hosts by the same addresses.
#[derive(Clone, Debug)]
pub struct Shared {
    /// In the order by which the buckets name them; not empty.
    pub members: Box<[Arc<TunnelEntry>]>,
    /// Who has which bucket.
    pub buckets: Arc<Buckets>,
}

impl Buckets {
    /// Gives the buckets to the first [`MOST_MEMBERS`] of `members`, by their keys and weights, in
    /// whatever order they stand.
    pub fn of(members: &[Member]) -> Buckets {
        let members = members.iter().take(MOST_MEMBERS).zip(0_u8..);
        Buckets(std::array::from_fn(|bucket| {
            let bucket = (bucket as u64).wrapping_add(1).wrapping_mul(SEEDS[2]) ^ SEEDS[3];
            let scores = members.clone().map(|(member, place)| {
                let chance = mix(mix(member.key ^ SEEDS[0], SEEDS[1]), bucket);
                (rarity(chance) / u64::from(member.weight.get()), member.key, place)
            });
            scores.min().map_or(0, |(_, _, place)| place)
        }))
    }

    /// The place of the member that a flow takes.
    #[inline]
    pub fn member_of(&self, flow: FlowHash) -> usize {
        const BITS: u32 = u64::BITS - BUCKETS.trailing_zeros();
        usize::from(self.0[(flow.0 >> BITS) as usize])
    }

    /// The part of all flows that goes to the member at a place, in percent.
    pub fn percent(&self, place: usize) -> f64 {
        let theirs = self.0.iter().filter(|member| usize::from(**member) == place).count();
        100.0 * theirs as f64 / BUCKETS as f64
    }
}

impl FlowHash {
    /// Of packets between two addresses, by their protocol and the ports of both. Fragments have neither:
    /// all of a datagram take the same way.
    pub fn between(one: IpAddr, other: IpAddr, by: Option<(u8, (u16, u16))>) -> FlowHash {
        FlowHash::salted(0, one, other, by)
    }

    /// The same where nobody else is to find flows of one hash: who does not know `salt` does not.
    pub(super) fn salted(
        salt: u64,
        one: IpAddr,
        other: IpAddr,
        by: Option<(u8, (u16, u16))>,
    ) -> FlowHash {
        let (protocol, ports) = by.unwrap_or_default();
        let ends = [(number(one), ports.0), (number(other), ports.1)];
        let [(low, low_port), (high, high_port)] =
            if ends[0] <= ends[1] { ends } else { [ends[1], ends[0]] };
        let rest = u64::from(protocol) << 32 | u64::from(low_port) << 16 | u64::from(high_port);
        let seeds = SEEDS.map(|seed| seed ^ salt);
        let folded = mix(low as u64 ^ seeds[0], (low >> 64) as u64 ^ seeds[1])
            ^ mix(high as u64 ^ seeds[2], (high >> 64) as u64 ^ seeds[3]);
        FlowHash(mix(folded ^ seeds[1], mix(rest ^ seeds[0], seeds[2])))
    }

    /// One of 1024 numbers, for queues.
    pub(super) fn short(self) -> u16 {
        (self.0 & 0x3ff) as u16
    }

    /// Of a packet. An ICMP error goes with the flow of ports that it is about, an echo with its answers by
    /// its identifier; an error about an echo or a fragment may go another way than that. `ours` says by
    /// which address the peers know the one of ours: both ends see that.
    fn of(
        flow: &Flow,
        inner: &InnerPacket,
        packet: &[u8],
        ours: impl Fn(IpAddr) -> IpAddr,
    ) -> Self {
        let about = flow.complained_of(inner, packet).ok().flatten();
        let (flow, ports) = match &about {
            Some(about) => (about, about.ports().filter(|_| !about.is_icmp())),
            None if flow.is_icmp() => (
                flow,
                icmp::echo_identifier(inner, packet).map(|identifier| (identifier, identifier)),
            ),
            None => (flow, flow.ports()),
        };
        // The first fragment shows ports, and the others do not.
        let is_whole = inner.fragment == Fragment::Whole;
        let by = is_whole.then(|| (flow.protocol(), ports.unwrap_or_default()));
        FlowHash::between(ours(flow.source), flow.destination, by)
    }
}

impl Shared {
    /// The tunnel that a packet takes.
    pub(super) fn member_for(
        &self,
        flow: &Flow,
        inner: &InnerPacket,
        packet: &[u8],
    ) -> Option<&TunnelEntry> {
        // Who shares knows our hosts by the same addresses.
        let translation = &self.members.first()?.translation;
        let hash = FlowHash::of(flow, inner, packet, |ours| translation.outward_address(ours));
        self.members.get(self.buckets.member_of(hash)).map(Arc::as_ref)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Digits of π behind the point, from which nobody has anything to gain.
const SEEDS: [u64; 4] =
    [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89];

/// −log₂ of a number taken as a part of 2⁶⁴, in units of 2⁻⁵⁶: of numbers by chance it is distributed
/// exponentially, so that the least of several, each divided by a weight, is in proportion to the weights
/// whose it is. In whole numbers, which are the same on every machine; off by 0.006 at most.
fn rarity(chance: u64) -> u64 {
    const ONE: u64 = 1 << 56;
    let chance = chance.max(1);
    let zeros = chance.leading_zeros();
    // Behind the leading one: x in 1 + x. The cubic has the slopes of log₂ at both ends.
    let x = (chance << zeros << 1) >> 8;
    let times = |one: u64, other: u64| ((u128::from(one) * u128::from(other)) >> 56) as u64;
    const AT_ZERO: u64 = (ONE as f64 * (std::f64::consts::LOG2_E - 1.0)) as u64;
    const LESS: u64 = (ONE as f64 * (1.5 * std::f64::consts::LOG2_E - 2.0)) as u64;
    let log = x + times(times(x, ONE - x), AT_ZERO - times(x, LESS));
    (u64::from(zeros) + 1) * ONE - log
}

/// Both halves of the product, one over the other: every bit of the result depends on all of both.
#[inline]
fn mix(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests;
