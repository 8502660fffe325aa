//! What waits to leave by one TCP connection: what is urgent before what is not, and little of
//! either. A connection that stands still drops what comes, as a full link does, and holds up nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Octets of ESP that may wait: some 50 ms at 20 Mbit/s.
const ORDINARY: usize = 128 << 10;
/// Octets of IKE and of what the gateway itself says inside tunnels that may wait: a few messages of
/// the longest.
const URGENT: usize = 256 << 10;
/// Octets that are written at once, but for the last message.
const BATCH: usize = 32 << 10;

/// Whether a message waits behind others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Urgency {
    /// It goes before whatever is [`Urgency::Ordinary`].
    Urgent,
    /// It is a host's.
    Ordinary,
}

/// Where messages go in.
#[derive(Debug)]
pub(super) struct Lanes {
    urgent: Lane,
    ordinary: Lane,
}

#[derive(Debug)]
struct Lane {
    frames: UnboundedSender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    most: usize,
}

/// Where they come out.
#[derive(Debug)]
pub(super) struct Queue {
    urgent: Waiting,
    ordinary: Waiting,
}

#[derive(Debug)]
struct Waiting {
    frames: UnboundedReceiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
}

fn lane(most: usize) -> (Lane, Waiting) {
    let (sender, receiver) = unbounded_channel();
    let waiting = Arc::<AtomicUsize>::default();
    let lane = Lane { frames: sender, waiting: Arc::clone(&waiting), most };
    (lane, Waiting { frames: receiver, waiting })
}

impl Lanes {
    pub(super) fn new() -> (Lanes, Queue) {
        let (urgent, urgent_waiting) = lane(URGENT);
        let (ordinary, ordinary_waiting) = lane(ORDINARY);
        let queue = Queue { urgent: urgent_waiting, ordinary: ordinary_waiting };
        (Lanes { urgent, ordinary }, queue)
    }

    /// Whether so many octets more may wait.
    pub(super) fn has_room(&self, urgency: Urgency, octets: usize) -> bool {
        let lane = self.of(urgency);
        lane.waiting.load(Ordering::Relaxed).saturating_add(octets) <= lane.most
    }

    /// Puts a message in; says whether there was room and somebody may still take it out.
    pub(super) fn put(&self, urgency: Urgency, frame: Vec<u8>) -> bool {
        let lane = self.of(urgency);
        let length = frame.len();
        let before = lane.waiting.fetch_add(length, Ordering::Relaxed);
        let fits = before.saturating_add(length) <= lane.most && lane.frames.send(frame).is_ok();
        if !fits {
            lane.waiting.fetch_sub(length, Ordering::Relaxed);
        }
        fits
    }

    fn of(&self, urgency: Urgency) -> &Lane {
        match urgency {
            Urgency::Urgent => &self.urgent,
            Urgency::Ordinary => &self.ordinary,
        }
    }
}

impl Queue {
    /// Waits for messages and adds those that are there to `octets`; false when none will come any more.
    pub(super) async fn take(&mut self, octets: &mut Vec<u8>) -> bool {
        let first = tokio::select! {
            biased;
            first = self.urgent.frames.recv() => first.inspect(|frame| self.urgent.gone(frame)),
            first = self.ordinary.frames.recv() => first.inspect(|frame| self.ordinary.gone(frame)),
        };
        let Some(first) = first else { return false };
        octets.extend(first);
        while octets.len() < BATCH {
            let next = self.urgent.next().or_else(|| self.ordinary.next());
            let Some(next) = next else { break };
            octets.extend(next);
        }
        true
    }
}

impl Waiting {
    fn next(&mut self) -> Option<Vec<u8>> {
        self.frames.try_recv().ok().inspect(|frame| self.gone(frame))
    }

    fn gone(&self, frame: &[u8]) {
        self.waiting.fetch_sub(frame.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
