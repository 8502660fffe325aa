//! FlowQueue-CoDel (RFC 8290): flows have a queue each, and send as many octets as each other.
//!
//! ```text
//!   packet ──hash──► queue of its flow ──► new flows ──once──► old flows ──in turns──► out
//!          └ CS6, CS7, EF ──► express ─────────────────────── first, up to a half ──► out
//! ```
//!
//! Beside RFC 8290 packets of some classes go first: what networks say to each other (CS6, CS7, RFC 4594 §3.1)
//! and what may not wait (EF, RFC 3246). While others wait, too, they have a half at most: whoever marks
//! all that it sends harms itself.

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
/// Packets dropped at once from the flow that has most (RFC 8290 §4.1).
const BATCH: usize = 64;
/// Octets of express packets that go before others in a row.
const LEAD: i64 = 16 << 10;

/// Which queue a packet waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// That of packets that go first.
    Express,
    /// That of a flow, by its hash.
    Flow(u16),
}

/// What came out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// The packet, if there was one.
    pub packet: Option<Vec<u8>>,
    /// Packets that were dropped so that flows slow down.
    pub dropped: u64,
}

/// Packets that wait, by flow.
#[derive(Debug, Default)]
pub(super) struct FlowQueue {
    /// Those with packets, and those that have had some in this turn.
    flows: BTreeMap<u16, Flow>,
    new_flows: VecDeque<u16>,
    old_flows: VecDeque<u16>,
    express: Queue,
    /// What all packets take up.
    octets: usize,
    /// How much express packets are ahead of the others.
    lead: i64,
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

/// A packet that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub packet: Vec<u8>,
    /// Its DSCP and ECN.
    pub tos: u8,
    pub since: Timestamp,
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
        self.octets == 0
    }

    /// How many packets wait.
    pub(super) fn packets(&self) -> u64 {
        let flows = self.flows.values().map(|flow| flow.queue.packets.len() as u64);
        flows.sum::<u64>() + self.express.packets.len() as u64
    }

    /// Lets a packet wait; says how many were dropped so that no more than `most` octets are taken up.
    pub(super) fn push(&mut self, lane: Lane, waiting: Waiting, most: usize) -> u64 {
        self.octets += waiting.size();
        match lane {
            Lane::Express => self.express.push(waiting),
            Lane::Flow(number) => self.push_to(number, waiting),
        }
        let mut dropped = 0;
        while self.octets > most {
            dropped += self.drop_from_longest();
        }
        dropped
    }

    fn push_to(&mut self, number: u16, waiting: Waiting) {
        let flow = self.flows.entry(number).or_insert_with(|| {
            self.new_flows.push_back(number);
            Flow { credits: QUANTUM, ..Flow::default() }
        });
        flow.queue.push(waiting);
    }

    /// Takes away the oldest half of the longest queue, in small pieces (RFC 8290 §4.1).
    fn drop_from_longest(&mut self) -> u64 {
        let queues = self.flows.values_mut().map(|flow| &mut flow.queue);
        let longest = queues.max_by_key(|queue| queue.octets);
        let longest = match longest {
            Some(queue) if queue.octets >= self.express.octets => queue,
            Some(_) | None => &mut self.express,
        };
        let (half, mut dropped) = (longest.octets / 2, 0);
        while dropped < BATCH && (dropped == 0 || longest.octets > half) {
            let Some(waiting) = longest.pop() else { break };
            self.octets -= waiting.size();
            dropped += 1;
        }
        dropped as u64
    }

    /// The next packet. `target` is how long packets may wait while they always do.
    pub(super) fn take(&mut self, target: Duration, now: Timestamp) -> Taken {
        if self.is_empty() {
            *self = FlowQueue::default();
            return Taken::default();
        }
        let others_wait = self.octets > self.express.octets;
        if others_wait && (self.express.packets.is_empty() || self.lead >= LEAD) {
            return self.take_from_flows(target.max(TARGET), now);
        }
        let Some(waiting) = self.express.pop() else { return Taken::default() };
        let octets = waiting.size();
        self.octets -= octets;
        self.lead = if others_wait { self.lead + octets as i64 } else { 0 };
        Taken { packet: Some(waiting.packet), dropped: 0 }
    }

    fn take_from_flows(&mut self, target: Duration, now: Timestamp) -> Taken {
        let mut taken = Taken::default();
        while let Some((number, is_new)) = self.next_flow() {
            let Some(flow) = self.flows.get_mut(&number) else { continue };
            let before = flow.queue.octets;
            flow.take(target, now, &mut taken);
            let octets = before - flow.queue.octets;
            self.octets -= octets;
            if taken.packet.is_some() {
                self.lead = (self.lead - octets as i64).max(0);
                return taken;
            }
            self.retire(number, is_new);
        }
        taken
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
                taken.packet = Some(waiting.packet);
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
        Some(waiting)
    }
}

#[cfg(test)]
mod tests;
