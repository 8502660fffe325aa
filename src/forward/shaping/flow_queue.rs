//! FlowQueue-CoDel (RFC 8290): flows have a queue each, and send as many octets as each other.
//!
//! ```text
//!   packet ──hash──► queue of its flow ──► new flows ──once──► old flows ──in turns──► out
//!          └ CS6, CS7, EF ──► the same among themselves ───── first, up to a half ──► out
//! ```
//!
//! Beside RFC 8290 packets of some classes go first: what networks say to each other (CS6, CS7, RFC 4594 §3.1)
//! and what may not wait (EF, RFC 3246). They have flows and turns of their own, and a half at most while
//! others wait: whoever marks a flood harms its own flow.

use super::codel::{Codel, TARGET};
use crate::esp::ecn::Ecn;
use crate::time::Timestamp;
use crate::wire::ip;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Octets that a flow may send in a turn (RFC 8290 §4.1.2): one packet of Ethernet.
const QUANTUM: i64 = 1514;
/// A packet takes up as many octets at least, with what it takes to keep it.
const LEAST: usize = 256;
/// Packets dropped at once from the flows that have most (RFC 8290 §4.1).
const BATCH: u64 = 64;
/// Packets that a queue keeps room for when it is empty.
const FEW: usize = 8;
/// Octets of express packets that go before others in a row.
const LEAD: i64 = 16 << 10;

/// Which queue a packet waits in: that of its flow, by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Among the flows that go first.
    Express(u16),
    /// Among the others.
    Flow(u16),
}

/// What came out.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The packet, if there was one.
    pub packet: Option<Waiting>,
    /// Packets that were dropped so that flows slow down.
    pub dropped: u64,
}

/// Packets that wait, by flow.
#[derive(Debug, Default)]
pub(super) struct FlowQueue {
    express: Flows,
    others: Flows,
    /// How much express packets are ahead of the others.
    lead: i64,
}

/// Flows that have turns.
#[derive(Debug, Default)]
struct Flows {
    /// Those with packets, and those that have had some in this turn.
    flows: BTreeMap<u16, Flow>,
    new_flows: VecDeque<u16>,
    old_flows: VecDeque<u16>,
    /// What all packets take up.
    octets: usize,
}

#[derive(Debug, Default)]
struct Flow {
    queue: Queue,
    /// Octets that it may still send in this turn.
    credits: i64,
    codel: Codel,
}

#[derive(Debug, Default)]
struct Queue {
    packets: VecDeque<Waiting>,
    octets: usize,
}

/// Whether a packet that is too long for the path is cut before it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::forward) enum Cut {
    IfTooLong,
    /// It was put together because the peer takes no fragments.
    Never,
}

/// A packet that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub packet: Vec<u8>,
    /// Its DSCP and ECN.
    pub tos: u8,
    pub since: Timestamp,
    pub cut: Cut,
}

impl Waiting {
    /// What it takes up.
    fn size(&self) -> usize {
        self.packet.len().max(LEAST)
    }

    /// Says "congestion experienced" to ends that understand it (RFC 3168 §5).
    fn mark(&mut self) -> bool {
        let does_ecn = Ecn::of(self.tos) != Ecn::NotEct;
        if does_ecn {
            ip::set_tos(&mut self.packet, Ecn::Ce.put_into(self.tos));
        }
        does_ecn
    }
}

impl FlowQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.octets() == 0
    }

    /// How many packets wait.
    pub(super) fn packets(&self) -> u64 {
        self.express.packets() + self.others.packets()
    }

    /// Lets a packet wait; says how many were dropped so that no more than `most` octets are taken up.
    pub(super) fn push(&mut self, lane: Lane, waiting: Waiting, most: usize) -> u64 {
        // One alone may always wait.
        let most = most.max(waiting.size());
        match lane {
            Lane::Express(number) => self.express.push(number, waiting),
            Lane::Flow(number) => self.others.push(number, waiting),
        }
        let mut dropped = 0;
        while self.octets() > most {
            dropped += self.drop_from_longest();
        }
        dropped
    }

    /// The next packet. `target` is how long packets may wait while they always do.
    pub(super) fn take(&mut self, target: Duration, now: Timestamp) -> Taken {
        let (target, mut taken) = (target.max(TARGET), Taken::default());
        while taken.packet.is_none() && !self.is_empty() {
            let others_wait = self.others.octets > 0;
            let goes_first = self.express.octets > 0 && (!others_wait || self.lead < LEAD);
            let flows = if goes_first { &mut self.express } else { &mut self.others };
            let octets = flows.take(target, now, &mut taken) as i64;
            self.lead = match (goes_first, others_wait) {
                (true, true) => self.lead + octets,
                (true, false) => 0,
                (false, _) => (self.lead - octets).max(0),
            };
        }
        taken
    }

    fn octets(&self) -> usize {
        self.express.octets + self.others.octets
    }

    /// Takes the oldest packets away from the longest queue and those that are half as long or longer, in small
    /// pieces (RFC 8290 §4.1): where many flows have little, all queues are looked at once for many packets.
    fn drop_from_longest(&mut self) -> u64 {
        let half = self.express.longest().max(self.others.longest()).div_ceil(2);
        let (piece, mut freed, mut dropped) = (self.octets() / 16, 0, 0);
        for Flows { flows, octets, .. } in [&mut self.others, &mut self.express] {
            for flow in flows.values_mut() {
                while dropped < BATCH
                    && freed <= piece
                    && flow.queue.octets >= half
                    && let Some(waiting) = flow.queue.pop()
                {
                    *octets -= waiting.size();
                    freed += waiting.size();
                    dropped += 1;
                }
            }
        }
        dropped
    }
}

impl Flows {
    fn packets(&self) -> u64 {
        self.flows.values().map(|flow| flow.queue.packets.len() as u64).sum()
    }

    fn push(&mut self, number: u16, waiting: Waiting) {
        let flow = self.flows.entry(number).or_insert_with(|| {
            self.new_flows.push_back(number);
            Flow { credits: QUANTUM, ..Flow::default() }
        });
        self.octets += waiting.size();
        flow.queue.push(waiting);
    }

    /// What the longest queue takes up.
    fn longest(&self) -> usize {
        self.flows.values().map(|flow| flow.queue.octets).max().unwrap_or_default()
    }

    /// Takes the next packet, if not all are dropped; says how many octets have gone.
    fn take(&mut self, target: Duration, now: Timestamp, taken: &mut Taken) -> usize {
        let before = self.octets;
        while let Some((number, is_new)) = self.next_flow() {
            let Some(flow) = self.flows.get_mut(&number) else { continue };
            let waited = flow.queue.octets;
            flow.take(target, now, taken);
            self.octets -= waited - flow.queue.octets;
            if taken.packet.is_some() {
                break;
            }
            self.retire(number, is_new);
        }
        before - self.octets
    }

    /// The flow whose turn it is; who has sent what it may goes behind all others.
    fn next_flow(&mut self) -> Option<(u16, bool)> {
        loop {
            let is_new = !self.new_flows.is_empty();
            let list = if is_new { &mut self.new_flows } else { &mut self.old_flows };
            let number = *list.front()?;
            let credits = self.flows.get_mut(&number).map(|flow| &mut flow.credits);
            match credits {
                Some(credits) if *credits <= 0 => *credits += QUANTUM,
                Some(_) => return Some((number, is_new)),
                None => {
                    list.pop_front();
                    continue;
                }
            }
            list.pop_front();
            self.old_flows.push_back(number);
        }
    }

    /// A flow without packets is forgotten after the others had their turn (RFC 8290 §4.2).
    fn retire(&mut self, number: u16, is_new: bool) {
        if is_new {
            self.new_flows.pop_front();
            self.old_flows.push_back(number);
        } else {
            self.old_flows.pop_front();
            self.flows.remove(&number);
        }
    }
}

impl Flow {
    /// Takes the next packet that is not dropped. One whose ends do ECN is marked instead (RFC 8290 §4.2).
    fn take(&mut self, target: Duration, now: Timestamp, taken: &mut Taken) {
        while let Some(mut waiting) = self.queue.pop() {
            let is_last = self.queue.octets < QUANTUM as usize;
            let is_due = self.codel.judge(now.since(waiting.since), is_last, target, now);
            if !is_due || waiting.mark() {
                self.credits -= waiting.packet.len() as i64;
                taken.packet = Some(waiting);
                return;
            }
            taken.dropped += 1;
        }
    }
}

impl Queue {
    fn push(&mut self, waiting: Waiting) {
        self.octets += waiting.size();
        self.packets.push_back(waiting);
    }

    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.packets.pop_front()?;
        self.octets -= waiting.size();
        if self.packets.is_empty() {
            self.packets.shrink_to(FEW);
        }
        Some(waiting)
    }
}

#[cfg(test)]
mod tests;
