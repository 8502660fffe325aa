//! A small reliable byte stream between inside addresses, carried as inner packets: what TCP is to
//! the real gateways. Go-back-N with a retransmission timer; of TCP it has the header's look.
//!
//! ```text
//! | TCP header (20) | kind (1) | stream (8) | sequence (4) | acknowledgement (4) | bytes … |
//! ```

use super::packet::{self, Seen, TCP};
use crate::random::Random;
use crate::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// Between two ports of BGP, with ACK, so that it is no new connection to anybody on the way.
const HEADER: [u8; 20] = [0, 179, 0, 179, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0];
const SYN: u8 = 1;
const SYN_ACK: u8 = 2;
const BYTES: u8 = 3;
const FIN: u8 = 4;
const RESET: u8 = 5;
const FIRST_RETRANSMISSION: Duration = Duration::from_millis(200);
const LONGEST_RETRANSMISSION: Duration = Duration::from_millis(1600);
const GIVE_UP_AFTER: u32 = 12;
const SEGMENT: usize = 1000;
const WINDOW: usize = 8;

/// A stream, named alike at both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StreamId(pub u64);

/// What the stack tells its host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StreamEvent {
    /// Our connect was answered.
    Connected(StreamId),
    /// A peer connected to a listening address.
    Accepted { stream: StreamId, local: IpAddr, remote: IpAddr },
    /// Bytes arrived in order.
    Bytes(StreamId, Vec<u8>),
    /// Our connect was refused, or nobody answered.
    Refused(StreamId),
    /// The stream is gone: closed, reset, or given up.
    Closed(StreamId),
}

struct Stream {
    local: IpAddr,
    remote: IpAddr,
    open: bool,
    closing: bool,
    acked: u32,
    unsent: VecDeque<u8>,
    received: u32,
    timer: Option<Timestamp>,
    interval: Duration,
    tries: u32,
}

/// The streams of one VPC at one node.
#[derive(Default)]
pub(super) struct Stack {
    listening: Vec<IpAddr>,
    streams: BTreeMap<StreamId, Stream>,
    packets: VecDeque<Vec<u8>>,
    events: VecDeque<StreamEvent>,
}

impl Stack {
    /// Accepts connections to `address` from now on.
    pub(super) fn listen(&mut self, address: IpAddr) {
        self.listening.push(address);
    }

    /// Stops accepting connections to `address`.
    pub(super) fn unlisten(&mut self, address: IpAddr) {
        self.listening.retain(|listening| *listening != address);
    }

    /// Connects from `local` to `remote`.
    pub(super) fn connect(
        &mut self,
        local: IpAddr,
        remote: IpAddr,
        now: Timestamp,
        random: &mut dyn Random,
    ) -> StreamId {
        let id = StreamId(random.u64() & (u64::MAX >> 1));
        let stream = Stream::new(local, remote, now);
        self.streams.insert(id, stream);
        self.transmit(id, SYN, 0, &[]);
        id
    }

    /// Queues bytes.
    pub(super) fn send(&mut self, id: StreamId, bytes: &[u8], now: Timestamp) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.unsent.extend(bytes);
        self.push(id, now);
    }

    /// Ends a stream; what was queued is still delivered.
    pub(super) fn close(&mut self, id: StreamId, now: Timestamp) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if !stream.open {
            self.streams.remove(&id);
            return;
        }
        stream.closing = true;
        self.push(id, now);
    }

    /// Takes a packet that was sent to one of our addresses.
    pub(super) fn handle_packet(&mut self, seen: &Seen<'_>, now: Timestamp) {
        let Some(payload) = seen.payload.get(HEADER.len()..) else { return };
        if seen.protocol != TCP || payload.len() < 17 {
            return;
        }
        let id = StreamId(u64::from_be_bytes(payload[1..9].try_into().expect("8 bytes")));
        let sequence = u32::from_be_bytes(payload[9..13].try_into().expect("4 bytes"));
        let ack = u32::from_be_bytes(payload[13..17].try_into().expect("4 bytes"));
        match payload[0] {
            SYN => self.on_syn(id, seen, now),
            SYN_ACK => self.on_syn_ack(id, now),
            BYTES => self.on_bytes(id, seen, sequence, ack, &payload[17..], now),
            FIN => self.on_fin(id, sequence),
            _ => self.drop_stream(id),
        }
    }

    /// Repeats what was not acknowledged in time.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        let due: Vec<StreamId> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.timer.is_some_and(|at| at <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.retransmit(id, now);
        }
    }

    /// When [`Stack::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.streams.values().filter_map(|stream| stream.timer).min()
    }

    /// The next packet to send.
    pub(super) fn poll_packet(&mut self) -> Option<Vec<u8>> {
        self.packets.pop_front()
    }

    /// The next thing to tell the host.
    pub(super) fn poll_event(&mut self) -> Option<StreamEvent> {
        self.events.pop_front()
    }

    fn on_syn(&mut self, id: StreamId, seen: &Seen<'_>, now: Timestamp) {
        if !self.streams.contains_key(&id) {
            if !self.listening.contains(&seen.dst) {
                self.reset(id, seen);
                return;
            }
            let mut stream = Stream::new(seen.dst, seen.src, now);
            stream.open = true;
            stream.timer = None;
            self.streams.insert(id, stream);
            let (local, remote) = (seen.dst, seen.src);
            self.events.push_back(StreamEvent::Accepted { stream: id, local, remote });
        }
        self.transmit(id, SYN_ACK, 0, &[]);
    }

    fn on_syn_ack(&mut self, id: StreamId, now: Timestamp) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if !stream.open {
            stream.open = true;
            stream.timer = None;
            stream.settle();
            self.events.push_back(StreamEvent::Connected(id));
        }
        self.push(id, now);
    }

    fn on_bytes(
        &mut self,
        id: StreamId,
        seen: &Seen<'_>,
        sequence: u32,
        ack: u32,
        bytes: &[u8],
        now: Timestamp,
    ) {
        let Some(stream) = self.streams.get_mut(&id) else {
            self.reset(id, seen);
            return;
        };
        let newly = ack.wrapping_sub(stream.acked) as usize;
        let progressed = newly > 0 && newly <= stream.unsent.len();
        if progressed {
            stream.unsent.drain(..newly);
            stream.acked = ack;
            stream.timer = None;
            stream.settle();
        }
        if bytes.is_empty() {
            if progressed {
                self.push(id, now);
            }
            return;
        }
        if sequence == stream.received {
            stream.received = stream.received.wrapping_add(bytes.len() as u32);
            self.events.push_back(StreamEvent::Bytes(id, bytes.to_vec()));
        }
        self.transmit_ack(id);
    }

    fn on_fin(&mut self, id: StreamId, sequence: u32) {
        if self.streams.get(&id).is_some_and(|stream| stream.received == sequence) {
            self.drop_stream(id);
        }
    }

    fn drop_stream(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.remove(&id) {
            let event = if stream.open { StreamEvent::Closed } else { StreamEvent::Refused };
            self.events.push_back(event(id));
        }
    }

    fn retransmit(&mut self, id: StreamId, now: Timestamp) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        stream.tries += 1;
        if stream.tries > GIVE_UP_AFTER {
            self.drop_stream(id);
            return;
        }
        stream.interval = (stream.interval * 2).min(LONGEST_RETRANSMISSION);
        stream.timer = None;
        match stream.open {
            true => self.push(id, now),
            false => {
                stream.timer = Some(now + stream.interval);
                self.transmit(id, SYN, 0, &[]);
            }
        }
    }

    /// Sends the window from the first byte that was not acknowledged, unless that is under way.
    fn push(&mut self, id: StreamId, now: Timestamp) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if !stream.open || stream.timer.is_some() {
            return;
        }
        if stream.unsent.is_empty() {
            if stream.closing {
                let sequence = stream.acked;
                self.transmit(id, FIN, sequence, &[]);
                self.streams.remove(&id);
            }
            return;
        }
        stream.timer = Some(now + stream.interval);
        let window: Vec<u8> = stream.unsent.iter().take(SEGMENT * WINDOW).copied().collect();
        let mut sequence = stream.acked;
        for segment in window.chunks(SEGMENT) {
            self.transmit(id, BYTES, sequence, segment);
            sequence = sequence.wrapping_add(segment.len() as u32);
        }
    }

    fn transmit_ack(&mut self, id: StreamId) {
        let sequence = self.streams.get(&id).map_or(0, |stream| stream.acked);
        self.transmit(id, BYTES, sequence, &[]);
    }

    fn transmit(&mut self, id: StreamId, kind: u8, sequence: u32, bytes: &[u8]) {
        let Some(stream) = self.streams.get(&id) else { return };
        let payload = segment(kind, id, sequence, stream.received, bytes);
        self.packets.push_back(packet::neighborly(stream.local, stream.remote, TCP, &payload));
    }

    fn reset(&mut self, id: StreamId, seen: &Seen<'_>) {
        if seen.payload[HEADER.len()] != RESET {
            let payload = segment(RESET, id, 0, 0, &[]);
            self.packets.push_back(packet::neighborly(seen.dst, seen.src, TCP, &payload));
        }
    }
}

impl Stream {
    fn new(local: IpAddr, remote: IpAddr, now: Timestamp) -> Stream {
        Stream {
            local,
            remote,
            open: false,
            closing: false,
            acked: 0,
            unsent: VecDeque::new(),
            received: 0,
            timer: Some(now + FIRST_RETRANSMISSION),
            interval: FIRST_RETRANSMISSION,
            tries: 0,
        }
    }

    fn settle(&mut self) {
        self.interval = FIRST_RETRANSMISSION;
        self.tries = 0;
    }
}

fn segment(kind: u8, id: StreamId, sequence: u32, ack: u32, bytes: &[u8]) -> Vec<u8> {
    let mut payload = HEADER.to_vec();
    payload.push(kind);
    payload.extend(id.0.to_be_bytes());
    payload.extend(sequence.to_be_bytes());
    payload.extend(ack.to_be_bytes());
    payload.extend(bytes);
    payload
}

#[cfg(test)]
mod tests;
