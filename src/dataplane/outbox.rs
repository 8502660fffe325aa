//! Sealed datagrams on their way into one socket.
//!
//! They lie one behind the other in one buffer; consecutive datagrams to one peer with one TOS
//! and one length (the last may be shorter) form a train, which the kernel segments (UDP GSO).

use super::counters::DataplaneCounters;
use crate::esp::Discard;
use crate::os::udp::{
    COMMON_TRAIN_SEGMENTS, MAX_TRAIN_BYTES, MAX_TRAIN_SEGMENTS, MAX_TRAINS, SendBatch, Train,
    UdpSocket,
};
use nix::libc;
use std::io;
use std::net::SocketAddr;

/// Bytes of the buffer: what is worth batching, and one super-packet of the smallest segments.
const CAPACITY: usize = 384 << 10;
/// Beyond this the datagrams go out before more are sealed: the data are still in the cache.
const FULL: usize = 96 << 10;
/// Trains of one buffer at most.
const TRAINS: usize = 2048;

/// A socket and what waits to leave by it.
pub(super) struct Outbox {
    pub socket: UdpSocket,
    /// By this epoll names the socket.
    pub token: u32,
    buffer: Box<[u8]>,
    used: usize,
    trains: Vec<Train>,
    /// Trains at the front that have left.
    sent: usize,
    /// Datagrams in a train at most: one once the kernel has refused to segment.
    longest: usize,
    /// Epoll is to tell when the socket takes more.
    pub waiting: bool,
    /// The last refusal since this was taken: for whom, and why.
    pub refused: Option<(SocketAddr, i32)>,
}

/// How a flush ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flush {
    /// Everything has left.
    Done,
    /// The socket takes no more now; the rest waits.
    Blocked,
}

impl Outbox {
    pub(super) fn new(socket: UdpSocket, token: u32) -> Outbox {
        Outbox {
            longest: if socket.takes_trains() { MAX_TRAIN_SEGMENTS } else { 1 },
            socket,
            token,
            buffer: vec![0; CAPACITY].into_boxed_slice(),
            used: 0,
            trains: Vec::with_capacity(TRAINS),
            sent: 0,
            waiting: false,
            refused: None,
        }
    }

    /// Whether another super-packet may be sealed before the next flush.
    pub(super) fn has_room(&self) -> bool {
        self.used < FULL && self.trains.len() < MAX_TRAINS
    }

    /// Seals a datagram of at most `length` bytes into the buffer.
    pub(super) fn push(
        &mut self,
        remote: SocketAddr,
        tos: u8,
        length: usize,
        seal: impl FnOnce(&mut [u8]) -> Result<usize, Discard>,
    ) -> Result<(), Discard> {
        let room = self.buffer.get_mut(self.used..self.used + length).ok_or(Discard::NoBuffer)?;
        if self.trains.len() == TRAINS {
            return Err(Discard::NoBuffer);
        }
        let length = seal(room)?;
        let start = self.used;
        self.used += length;
        let longest = self.longest;
        let joins = |train: &&mut Train| {
            train.remote == remote && train.tos == tos && continues(train, length, longest)
        };
        match self.trains[self.sent..].last_mut().filter(joins) {
            Some(train) => {
                train.length += length;
                train.count += 1;
            }
            None => {
                self.trains.push(Train { start, length, segment: length, count: 1, remote, tos })
            }
        }
        Ok(())
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self, batch: &mut SendBatch, counters: &DataplaneCounters) -> Flush {
        while let Some(train) = self.trains.get(self.sent).copied() {
            match batch.send(&self.socket, &self.buffer, &self.trains[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    counters.backpressure.add(1);
                    return Flush::Blocked;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.sent += 1;
                    self.send_refused(train, &error, batch, counters);
                }
            }
        }
        self.trains.clear();
        (self.sent, self.used) = (0, 0);
        Flush::Done
    }

    /// A train that was refused as a whole goes out in shorter ones, at last datagram by datagram.
    /// Where the kernel or the device cannot segment it (EIO, EINVAL), no longer one is made again.
    fn send_refused(
        &mut self,
        train: Train,
        error: &io::Error,
        batch: &mut SendBatch,
        counters: &DataplaneCounters,
    ) {
        let code = error.raw_os_error();
        let cannot_segment = matches!(code, Some(libc::EIO | libc::EINVAL | libc::EOPNOTSUPP));
        let worth_trying = cannot_segment || code == Some(libc::EMSGSIZE);
        if train.count == 1 || !worth_trying {
            counters.send_failed.add(train.count as u64);
            self.refused = code.map(|code| (train.remote, code));
            return;
        }
        counters.train_fallbacks.add(1);
        let shorter = if train.count > COMMON_TRAIN_SEGMENTS { COMMON_TRAIN_SEGMENTS } else { 1 };
        let mut whole = true;
        for piece in pieces(train, shorter) {
            let Err(error) = batch.send(&self.socket, &self.buffer, &[piece]) else { continue };
            whole = false;
            self.send_refused(piece, &error, batch, counters);
        }
        if cannot_segment && whole && shorter < self.longest {
            tracing::info!(local = %self.socket.local(), %error, shorter, "shorter UDP trains");
            self.longest = shorter;
        }
    }
}

/// Whether a datagram of `length` bytes may ride at the end of `train`.
fn continues(train: &Train, length: usize, longest: usize) -> bool {
    let full_so_far = train.length == train.segment * train.count;
    full_so_far
        && length <= train.segment
        && train.count < longest
        && train.length + length <= MAX_TRAIN_BYTES
}

/// A train as trains of so many datagrams at most.
fn pieces(train: Train, longest: usize) -> impl Iterator<Item = Train> {
    (0..train.count).step_by(longest).map(move |first| {
        let count = longest.min(train.count - first);
        let offset = first * train.segment;
        let length = (count * train.segment).min(train.length - offset);
        let segment = train.segment.min(length);
        Train { start: train.start + offset, length, segment, count, ..train }
    })
}

#[cfg(test)]
mod tests;
