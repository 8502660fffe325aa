//! A rate that a peer is sent at most, and what waits because of it.
//!
//! ```text
//!   workers ── packets ──► within the rate, and nobody waits ──────────────► sealed at once
//!                      └─► FlowQueue ── release: as the rate allows, in turns of flows ──► sealed
//!   gateway, its host ── their own ──────────────────────────────────────────► sealed at once
//! ```
//!
//! A token bucket (the generic cell rate algorithm, ITU-T I.371 §A, as in [`Bucket`](crate::time::Bucket)) says
//! when; queues of flows with CoDel (RFC 8290) say who, and who is dropped. Dropping what is too much at once
//! would have TCP time out where round trips are short; so packets are delayed first. Packets of super-packets
//! wait one by one. What the host says to other networks (BGP: its own and CS6) never waits, and counts, up to
//! [`DEBT`]; the gateway's BFD and echoes and IKE go beside all this and are not counted. A shaper outlives SAs;
//! it is locked, and only those who send to its peer want the lock.

mod codel;
mod flow_queue;

use super::flow::Flow;
use super::outbound::{OWN_HOP_LIMIT, sa_for, send, send_whole};
use super::pacing::{IPV4, IPV6, UDP};
use super::packing::Packing;
use super::sharing::FlowHash;
use super::{Egress, TunnelCounters, TunnelEntry};
use crate::esp::Discard;
use crate::net::{Dscp, PeerId};
use crate::offload::SuperPacket;
use crate::random::Random;
use crate::time::Timestamp;
use crate::wire::ip::{Fragment, InnerPacket};
pub(super) use flow_queue::Cut;
use flow_queue::{FlowQueue, Lane, Waiting};
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the rate carries in this time may leave at once, after a pause: who releases need not come more often.
const BURST: Duration = Duration::from_millis(5);
/// What never waits is made up for by the others no longer than this; what it sends beyond is beyond the rate.
const DEBT: Duration = Duration::from_millis(100);
/// Whoever waits asks again after such a time at the latest: the rate may be another by then.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// As much may wait as the rate carries in this time,
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// but so many octets in any case, what TCP begins with (RFC 6928),
const LEAST_QUEUE: usize = 10 * PACKET;
/// and never more than these.
const MOST_QUEUE: usize = 4 << 20;
/// Octets that are released at once; what else is due comes after other work.
const TURN: usize = 64 << 10;
/// An Ethernet packet, which may always go when nothing went before.
const PACKET: usize = 1514;
/// Packets that go first.
const EXPRESS: [Dscp; 3] = [Dscp::CS6, Dscp::CS7, Dscp::EF];

/// Sends to one peer, all its SAs together, no faster than it may be sent.
#[derive(Debug)]
pub struct Shaper {
    /// Which flows share a queue, nobody else can know (RFC 8290 §1.3).
    salt: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bits per second of datagrams as the underlay carries them; `None` is no limit.
    rate: Option<NonZeroU64>,
    /// When the bucket will be full again, in nanoseconds of the clock.
    full_at: u64,
    queue: FlowQueue,
    /// Packets wait, or have just been released: others go behind them.
    waits: bool,
}

/// What came of letting packets wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waits {
    /// Packets that were dropped, of this flow or another.
    dropped: u64,
    /// Nothing waited before: somebody has to release these.
    is_first: bool,
}

/// What is due.
#[derive(Debug)]
enum Due {
    Packet(Waiting),
    /// Nothing before then.
    At(Timestamp),
    /// Nothing waits.
    Nothing,
}

impl Shaper {
    /// One with `rate` bits per second, IP headers included. The one `before` goes on, with what waits in it:
    /// without a rate all of that is due. A rate that is another begins without debt.
    pub fn of(
        before: Option<Arc<Shaper>>,
        rate: Option<NonZeroU64>,
        random: &mut (impl Random + ?Sized),
    ) -> Option<Arc<Shaper>> {
        let new = |salt| Arc::new(Shaper { salt, state: Mutex::default() });
        let shaper = before.or_else(|| rate.map(|_| new(random.u64())))?;
        shaper.lock().set_rate(rate);
        Some(shaper)
    }

    /// What is sent without waiting counts as well.
    fn charge(&self, octets: usize, now: Timestamp) {
        self.lock().charge_at_most(octets, DEBT, now);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether packets of so many octets on the underlay may leave at once. They count as sent then.
    fn passes(&self, octets: usize, now: Timestamp) -> bool {
        let mut state = self.lock();
        let passes = !state.waits && state.has(octets, now);
        if passes {
            state.charge(octets, now);
        }
        passes
    }

    /// Lets a packet wait, or all that a super-packet stands for.
    fn push(
        &self,
        lane: Lane,
        inner: &InnerPacket,
        (packet, cut): (&mut SuperPacket<'_>, Cut),
        now: Timestamp,
    ) -> Waits {
        // Others may want the lock: copied is before.
        let mut packets = Vec::with_capacity(packet.count());
        if let Some(single) = packet.single_mut() {
            // What may follow a packet is nobody's.
            packets.push(single[..inner.total_len].to_vec());
        } else {
            let mut segments = packet.segments();
            while let Some(segment) = segments.next() {
                packets.push([segment.head, segment.payload].concat());
            }
        }
        let mut state = self.lock();
        let (most, mut dropped) = (state.most(), 0);
        for packet in packets {
            let waiting = Waiting { packet, tos: inner.tos, since: now, cut };
            dropped += state.queue.push(lane, waiting, most);
        }
        let is_first = !std::mem::replace(&mut state.waits, true);
        Waits { dropped, is_first }
    }

    /// The next packet that may leave, and how many were dropped before it.
    fn take(&self, wire: impl Fn(usize) -> usize, now: Timestamp) -> (Due, u64) {
        let mut state = self.lock();
        if state.queue.is_empty() {
            return (Due::Nothing, 0);
        }
        if let Some(at) = state.due_at().filter(|at| *at > now) {
            return (Due::At(at), 0);
        }
        let target = state.time_of(2 * PACKET);
        let taken = state.queue.take(target, now);
        let due = match taken.packet {
            Some(waiting) => {
                state.charge(wire(waiting.packet.len()), now);
                Due::Packet(waiting)
            }
            None => Due::Nothing,
        };
        (due, taken.dropped)
    }

    /// Drops what waits; says how many packets those were.
    fn forget(&self) -> u64 {
        let mut state = self.lock();
        state.waits = false;
        std::mem::take(&mut state.queue).packets()
    }

    /// Nothing waits any more, and what has been released has left: packets may go at once again.
    fn open(&self) -> bool {
        let mut state = self.lock();
        state.waits = !state.queue.is_empty();
        !state.waits
    }
}

impl State {
    /// Whether so many octets may leave now.
    fn has(&self, octets: usize, now: Timestamp) -> bool {
        let burst = self.burst().max(self.time_of(PACKET));
        let ahead = self.full_at.saturating_sub(nanos(now));
        Duration::from_nanos(ahead) + self.time_of(octets) <= burst
    }

    /// When the next packet may leave, if not at once.
    fn due_at(&self) -> Option<Timestamp> {
        self.rate?;
        let due = self.full_at.saturating_sub(self.burst().as_nanos() as u64);
        Some(Timestamp::from_micros(due.div_ceil(1000)))
    }

    fn set_rate(&mut self, rate: Option<NonZeroU64>) {
        if self.rate != rate {
            // It is in time of the old rate.
            self.full_at = 0;
        }
        self.rate = rate;
    }

    /// Charges, and lets nobody else wait for longer than `debt` because of it.
    fn charge_at_most(&mut self, octets: usize, debt: Duration, now: Timestamp) {
        let before = self.full_at;
        self.charge(octets, now);
        let latest = nanos(now + self.burst() + debt);
        self.full_at = self.full_at.min(latest.max(before));
    }

    fn charge(&mut self, octets: usize, now: Timestamp) {
        let time = u64::try_from(self.time_of(octets).as_nanos()).unwrap_or(u64::MAX);
        self.full_at = self.full_at.max(nanos(now)).saturating_add(time);
    }

    /// How long the rate takes for so many octets.
    fn time_of(&self, octets: usize) -> Duration {
        let Some(rate) = self.rate else { return Duration::ZERO };
        let nanos = octets as u128 * 8 * 1_000_000_000 / u128::from(rate.get());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn burst(&self) -> Duration {
        self.rate.map_or(Duration::MAX, |_| BURST)
    }

    /// Octets that may wait.
    fn most(&self) -> usize {
        let rate = self.rate.map_or(u64::MAX, NonZeroU64::get);
        let soon = u128::from(rate) / 8 * LONGEST_WAIT.as_millis() / 1000;
        usize::try_from(soon).unwrap_or(usize::MAX).clamp(LEAST_QUEUE, MOST_QUEUE)
    }
}

fn nanos(now: Timestamp) -> u64 {
    now.as_micros().saturating_mul(1000)
}

/// Sees to it that no more leaves for a peer than may.
#[derive(Debug)]
pub(super) struct Gate {
    pub now: Timestamp,
    /// Octets that it has let wait.
    pub kept: usize,
    began: Vec<Held>,
}

/// Packets of one peer that have begun to wait: who has this releases them, or drops them.
#[derive(Clone, Debug)]
pub struct Held {
    /// The peer that they are for.
    pub peer: PeerId,
    shaper: Arc<Shaper>,
    counters: Arc<TunnelCounters>,
}

/// What came of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// Octets of the packets that were released.
    pub octets: usize,
    /// When to come again, after those have left; `None` when nothing waits any more.
    pub next: Option<Timestamp>,
}

impl Gate {
    pub(super) fn new(now: Timestamp) -> Gate {
        Gate { now, kept: 0, began: Vec::new() }
    }

    /// The packets that have begun to wait, once.
    pub(super) fn take_began(&mut self) -> Vec<Held> {
        std::mem::take(&mut self.began)
    }

    /// Whether a packet may leave now; else it waits.
    pub(super) fn passes(
        &mut self,
        (tunnel, shaper): (&TunnelEntry, &Arc<Shaper>),
        inner: &InnerPacket,
        (packet, cut): (&mut SuperPacket<'_>, Cut),
    ) -> bool {
        let octets = octets_of(tunnel, packet);
        if is_urgent(inner) {
            shaper.charge(octets, self.now);
            return true;
        }
        if shaper.passes(octets, self.now) {
            return true;
        }
        self.kept += packet.total();
        let lane = lane(shaper.salt, inner, packet.bytes());
        let waits = shaper.push(lane, inner, (packet, cut), self.now);
        count(tunnel, waits.dropped);
        if waits.is_first {
            let (shaper, counters) = (Arc::clone(shaper), Arc::clone(&tunnel.counters));
            self.began.push(Held::new(tunnel.peer, shaper, counters));
        }
        false
    }
}

impl Held {
    pub(crate) fn new(peer: PeerId, shaper: Arc<Shaper>, counters: Arc<TunnelCounters>) -> Held {
        Held { peer, shaper, counters }
    }

    /// By what to know them: the peer, and where its shaper lies, which is another where the peer was begun anew.
    pub fn key(&self) -> (PeerId, usize) {
        (self.peer, Arc::as_ptr(&self.shaper).addr())
    }

    /// Seals what is due, for a turn at most. The peer has `tunnel` now; without one nothing waits for it. What
    /// is discarded is counted here.
    pub fn release(
        &self,
        tunnel: Option<&TunnelEntry>,
        now: Timestamp,
        egress: &mut impl Egress,
    ) -> Released {
        let is_ours = |shaper: &Arc<Shaper>| Arc::ptr_eq(shaper, &self.shaper);
        let Some(tunnel) = tunnel.filter(|tunnel| tunnel.shaper.as_ref().is_some_and(is_ours))
        else {
            self.counters.discards.add_many(Discard::TunnelDown, self.shaper.forget());
            return Released { octets: 0, next: None };
        };
        let mut packing = Packing::default();
        let released = self.release_by(tunnel, now, &mut packing, egress);
        packing.seal(None, egress);
        released
    }

    fn release_by<'t>(
        &self,
        tunnel: &'t TunnelEntry,
        now: Timestamp,
        packing: &mut Packing<'t>,
        egress: &mut impl Egress,
    ) -> Released {
        let mut octets = 0;
        while octets < TURN {
            let (due, dropped) = self.shaper.take(|len| octets_on_wire(tunnel, len), now);
            count(tunnel, dropped);
            match due {
                Due::Packet(mut waiting) => {
                    octets += waiting.packet.len();
                    let packet = (&mut waiting.packet[..], waiting.cut);
                    let sent = send_released(tunnel, packet, packing, egress);
                    sent.unwrap_or_else(|reason| tunnel.counters.discards.add(reason));
                }
                Due::At(at) => return Released { octets, next: Some(at.min(now + LOOK_AGAIN)) },
                Due::Nothing if octets > 0 => break,
                Due::Nothing if self.shaper.open() => return Released { octets, next: None },
                Due::Nothing => {}
            }
        }
        Released { octets, next: Some(now) }
    }
}

/// Sends a packet that has waited because of a rate.
fn send_released<'t>(
    tunnel: &'t TunnelEntry,
    (packet, cut): (&mut [u8], Cut),
    packing: &mut Packing<'t>,
    egress: &mut impl Egress,
) -> Result<(), Discard> {
    let inner = InnerPacket::parse(packet).map_err(|_| Discard::MalformedInner)?;
    let flow = tunnel.flow_of(Flow::of(&inner, packet), &inner, packet);
    let tunnel = sa_for(&flow, tunnel, &inner, packet)?;
    let mut packet = SuperPacket::whole(packet);
    match cut {
        Cut::IfTooLong => send(tunnel, &inner, &mut packet, packing, egress),
        Cut::Never => send_whole(tunnel, &inner, &mut packet, packing, egress),
    }
}

/// Whether the host says it to another network, as BGP does (RFC 4594 §3.1). What else its sockets send waits as
/// everybody's.
fn is_urgent(inner: &InnerPacket) -> bool {
    inner.ttl == OWN_HOP_LIMIT && Dscp::of(inner.tos) == Dscp::CS6
}

fn count(tunnel: &TunnelEntry, dropped: u64) {
    if dropped > 0 {
        tunnel.counters.discards.add_many(Discard::RateLimit, dropped);
    }
}

/// Octets of the datagrams of all packets, IP headers included.
fn octets_of(tunnel: &TunnelEntry, packet: &SuperPacket<'_>) -> usize {
    let (others, longest) = (packet.count() - 1, packet.longest());
    let last = packet.total() - others * longest;
    others * octets_on_wire(tunnel, longest) + octets_on_wire(tunnel, last)
}

/// Octets that the underlay carries for a packet of so many. Packets that share datagrams (RFC 9347) have
/// their part of the headers.
fn octets_on_wire(tunnel: &TunnelEntry, len: usize) -> usize {
    let headers = UDP + if tunnel.remote.is_ipv4() { IPV4 } else { IPV6 };
    let layout = tunnel.outbound.layout();
    if tunnel.aggfrag {
        let most = usize::from(tunnel.inner_mtu.max(1));
        return len + len * (headers + layout.sealed_len(most) - most) / most;
    }
    headers + layout.sealed_len(len)
}

/// Where a packet waits.
fn lane(salt: u64, inner: &InnerPacket, packet: &[u8]) -> Lane {
    let ports = inner.ports(packet).filter(|_| inner.fragment == Fragment::Whole);
    let by = ports.map(|ports| (inner.protocol, ports));
    let flow = FlowHash::salted(salt, inner.source, inner.destination, by).short();
    match EXPRESS.contains(&Dscp::of(inner.tos)) {
        true => Lane::Express(flow),
        false => Lane::Flow(flow),
    }
}
