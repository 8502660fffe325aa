//! Looking at the counters of SAs, a slice of the tunnels at a time: packets that came in are
//! signs of life, soft limits and doubts begin a rekeying, and rates are computed from what was carried.
//!
//! Every tunnel with SAs is looked at once in [`ROUND`]. However many there are, one look takes
//! [`SLICE`] of them at most, so that no message waits for all the others; tunnels without SAs
//! cost nothing.

use super::diagnosis::Fact;
use super::path::Bfd;
use super::sas::Finding;
use super::tunnel::State;
use super::{Gateway, Why};
use crate::moment::Moment;
use crate::net::PeerId;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::Duration;

/// Time in which every tunnel is looked at once.
const ROUND: Duration = Duration::from_millis(250);
/// Tunnels in one look, at most.
const SLICE: usize = 128;
/// Rounds for each computation of rates.
const ROUNDS_PER_SAMPLE: u64 = 4;

/// Who is to be looked at, and how far the present round has come.
#[derive(Debug, Default)]
pub(super) struct Inspection {
    tunnels: BTreeSet<PeerId>,
    last: Option<PeerId>,
    rounds: u64,
}

impl Inspection {
    /// From now on looks at this tunnel, too; returns whether it is the first one.
    pub(super) fn add(&mut self, peer: PeerId) -> bool {
        let first = self.tunnels.is_empty();
        self.tunnels.insert(peer) && first
    }

    /// Time between two looks.
    pub(super) fn interval(&self) -> Duration {
        let looks = self.tunnels.len().div_ceil(SLICE).max(1);
        ROUND / u32::try_from(looks).unwrap_or(u32::MAX)
    }

    /// The next tunnels, and whether their rates are to be computed.
    fn next_slice(&mut self) -> (Vec<PeerId>, bool) {
        let from = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let slice: Vec<PeerId> =
            self.tunnels.range((from, Bound::Unbounded)).take(SLICE).copied().collect();
        let samples = self.rounds.is_multiple_of(ROUNDS_PER_SAMPLE);
        self.last = slice.last().copied().filter(|last| Some(last) != self.tunnels.last());
        if self.last.is_none() {
            self.rounds += 1;
        }
        (slice, samples)
    }
}

impl Gateway {
    /// Looks at the SAs of some tunnels.
    pub(super) fn inspect(&mut self, at: &mut Moment<'_>) {
        let (slice, samples) = self.inspection.next_slice();
        for peer in slice {
            self.inspect_tunnel(peer, samples, at);
        }
        let again = !self.inspection.tunnels.is_empty();
        self.timers.arm(Why::Inspection, again.then(|| at.now + self.inspection.interval()));
    }

    fn inspect_tunnel(&mut self, peer: PeerId, samples: bool, at: &mut Moment<'_>) {
        let Some(tunnel) = self.tunnels.get_mut(&peer) else {
            self.inspection.tunnels.remove(&peer);
            return;
        };
        let before = tunnel.health();
        for finding in tunnel.sas.inspect(tunnel.is_tested(), at.now) {
            match finding {
                Finding::Inbound(child) => {
                    tunnel.probing.on_heard(at.now);
                    match tunnel.watch.says() {
                        Bfd::Works => self.ike.on_data_passes(child, at.now),
                        Bfd::SaysNothing | Bfd::Lost(_) => {
                            self.ike.on_inbound_traffic(child, at.now);
                        }
                    }
                }
                Finding::SoftLimit(child) => self.ike.on_soft_limit(child, at),
                Finding::Doubtful(child, before) => {
                    tunnel.tell(Fact::of_doubt(before), at.now);
                    self.ike.on_soft_limit(child, at);
                }
            }
        }
        if let State::Silent { .. } = tunnel.state {
            // What comes in its Child SAs is all that tells of the peer now.
            tunnel.judge_path(at.now);
        }
        if tunnel.note_carried(at.now) {
            self.planned.on_carried(at.now);
        }
        if samples {
            tunnel.sample(at.now);
        }
        let sends = samples && tunnel.rates.tx_bits > 0;
        let heard = tunnel.rates.rx_bits > 0;
        if tunnel.is_quiet() {
            self.inspection.tunnels.remove(&peer);
        }
        if sends {
            self.on_sent(peer, heard, at.now);
        }
        self.after_probing(peer, before);
    }
}

#[cfg(test)]
mod tests;
