//! A steady stream of numbered datagrams one way, and what became of each of them.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use nix::sys::socket::{setsockopt, sockopt};

use super::{any_like, longest_gap};
use crate::os::netns;

/// What a datagram carries: its number, and nothing behind it.
const PAYLOAD: usize = 64;
/// Bytes in which a number is written.
const NUMBER: usize = 8;
/// Datagrams of a stream at most.
const LONGEST: usize = 1 << 26;
/// How long after the last datagram another may arrive.
const LAST_ARRIVAL: Duration = Duration::from_millis(500);
/// How often who receives looks whether the stream has ended.
const LOOKING: Duration = Duration::from_millis(50);
/// Room for what arrives while the receiver has no processor, in bytes.
const BUFFER: usize = 16 << 20;

/// A stream in progress.
#[derive(Debug)]
pub struct Stream {
    ending: Arc<AtomicBool>,
    sender: JoinHandle<Vec<Instant>>,
    receiver: JoinHandle<Result<Arrivals>>,
}

impl Stream {
    /// Sends `rate` datagrams a second from one namespace to an address in another until
    /// [`finish`](Self::finish). Who gets no processor for a while sends at once what is due.
    ///
    /// # Errors
    ///
    /// When one of the namespaces is not there, or a socket cannot be opened.
    pub fn start(from: &str, to: &str, address: IpAddr, rate: u32) -> Result<Self> {
        ensure!(rate > 0, "a stream of no packets says nothing");
        let receiving = netns::within(to, || UdpSocket::bind((address, 0)))?
            .with_context(|| format!("receiving at {address}"))?;
        setsockopt(&receiving, sockopt::RcvBufForce, &BUFFER)
            .context("making room for arrivals")?;
        receiving.set_read_timeout(Some(LOOKING))?;
        let target = SocketAddr::new(address, receiving.local_addr()?.port());
        let sending = netns::within(from, || UdpSocket::bind((any_like(address), 0)))?;
        let sending = sending.context("opening a socket to send by")?;
        let ending = Arc::new(AtomicBool::new(false));
        let (ends, ended) = (Arc::clone(&ending), Arc::clone(&ending));
        let interval = Duration::from_secs(1) / rate;
        Ok(Stream {
            ending,
            sender: thread::spawn(move || send(&sending, target, interval, &ends)),
            receiver: thread::spawn(move || receive(&receiving, &ended)),
        })
    }

    /// Ends the stream.
    ///
    /// # Errors
    ///
    /// When the receiver's socket has failed.
    pub fn finish(self) -> Result<Delivery> {
        self.ending.store(true, Ordering::Relaxed);
        let sent = self.sender.join().map_err(|_| anyhow!("the sender has panicked"))?;
        let arrivals = self.receiver.join().map_err(|_| anyhow!("the receiver has panicked"))??;
        Ok(Delivery { sent, arrivals })
    }
}

/// What became of a stream.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// When each datagram was sent.
    sent: Vec<Instant>,
    arrivals: Arrivals,
}

#[derive(Clone, Debug, Default)]
struct Arrivals {
    /// How often each datagram has arrived, as far as any has.
    times: Vec<u32>,
    reordered: usize,
}

impl Delivery {
    /// How many datagrams were sent.
    pub fn sent(&self) -> usize {
        self.sent.len()
    }

    /// How many of them did not arrive.
    pub fn lost(&self) -> usize {
        self.outcomes().filter(|(_, arrived)| !arrived).count()
    }

    /// How many arrived once more than they were sent.
    pub fn duplicates(&self) -> usize {
        self.arrivals.times.iter().map(|times| times.saturating_sub(1) as usize).sum()
    }

    /// How many arrived after one that was sent later.
    pub fn reordered(&self) -> usize {
        self.arrivals.reordered
    }

    /// The longest time from the sending of a datagram that arrived, before one or more that were lost, to the
    /// sending of the next that arrived; zero when none was lost.
    pub fn longest_gap(&self) -> Duration {
        longest_gap(self.outcomes())
    }

    fn outcomes(&self) -> impl Iterator<Item = (Instant, bool)> {
        let times = self.arrivals.times.iter().copied().chain(std::iter::repeat(0));
        self.sent.iter().copied().zip(times.map(|times| times > 0))
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, lost, gap) = (self.sent(), self.lost(), self.longest_gap().as_millis());
        write!(f, "{lost} of {sent} lost, longest gap {gap} ms, ")?;
        write!(f, "{} twice, {} late", self.duplicates(), self.reordered())
    }
}

impl Arrivals {
    fn note(&mut self, number: &[u8; NUMBER]) -> Result<()> {
        let number = usize::try_from(u64::from_be_bytes(*number))?;
        ensure!(number < LONGEST, "datagram {number} is none of a stream");
        if number >= self.times.len() {
            self.times.resize(number + 1, 0);
        } else if self.times.get(number) == Some(&0) {
            self.reordered += 1;
        }
        if let Some(times) = self.times.get_mut(number) {
            *times += 1;
        }
        Ok(())
    }
}

/// A path that is gone is no error here: nothing will arrive.
fn send(
    socket: &UdpSocket,
    target: SocketAddr,
    interval: Duration,
    ending: &AtomicBool,
) -> Vec<Instant> {
    let (mut sent, mut next) = (Vec::new(), Instant::now());
    let mut payload = [0; PAYLOAD];
    while !ending.load(Ordering::Relaxed) {
        if let Some(number) = payload.first_chunk_mut::<NUMBER>() {
            *number = (sent.len() as u64).to_be_bytes();
        }
        sent.push(Instant::now());
        let _ = socket.send_to(&payload, target);
        next += interval;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    sent
}

fn receive(socket: &UdpSocket, ending: &AtomicBool) -> Result<Arrivals> {
    let (mut arrivals, mut datagram) = (Arrivals::default(), [0; PAYLOAD]);
    let mut until = None;
    while until.is_none_or(|until| Instant::now() < until) {
        match socket.recv(&mut datagram) {
            Ok(length) => {
                let number = datagram.get(..length).and_then(<[u8]>::first_chunk::<NUMBER>);
                arrivals.note(number.context("a datagram without a number")?)?;
            }
            Err(error) if is_pause(&error) => {}
            Err(error) => return Err(error).context("receiving a stream"),
        }
        if until.is_none() && ending.load(Ordering::Relaxed) {
            until = Some(Instant::now() + LAST_ARRIVAL);
        }
    }
    Ok(arrivals)
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests;
