//! A TCP transfer of random bytes, compared by SHA-256 at both ends.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use ring::digest::{Context as Hasher, Digest, SHA256};

use super::any_like;
use crate::os::netns;
use crate::random::{Random, Seeded};

/// A transfer that stands still for so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
const PIECE: usize = 64 << 10;

/// A finished transfer.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// How many bytes arrived.
    pub bytes: u64,
    /// How long that took.
    pub took: Duration,
    /// Whether the digests of what was sent and of what arrived agree.
    pub is_intact: bool,
}

impl Transfer {
    /// Payload bits per second.
    pub fn rate(&self) -> f64 {
        self.bytes as f64 * 8.0 / self.took.as_secs_f64().max(f64::EPSILON)
    }
}

/// Sends `bytes` bytes from one namespace to an address in another.
pub fn transfer(from: &str, to: &str, address: IpAddr, bytes: u64) -> Result<Transfer> {
    let listen = || TcpListener::bind((any_like(address), 0));
    let listener = netns::within(to, listen)?.context("listening")?;
    let target = SocketAddr::new(address, listener.local_addr()?.port());
    let receiver = std::thread::spawn(move || receive(&listener));
    let begin = Instant::now();
    let connect = || TcpStream::connect_timeout(&target, PATIENCE);
    let stream = netns::within(from, connect)?.with_context(|| format!("connecting to {target}"));
    let sent = stream.and_then(|stream| send(stream, bytes))?;
    let (count, received) = receiver.join().map_err(|_| anyhow!("the receiver has panicked"))??;
    let is_intact = count == bytes && sent.as_ref() == received.as_ref();
    Ok(Transfer { bytes: count, took: begin.elapsed(), is_intact })
}

fn send(mut stream: TcpStream, bytes: u64) -> Result<Digest> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let (mut hasher, mut random) = (Hasher::new(&SHA256), Seeded::new(bytes));
    let mut piece = vec![0; PIECE];
    let mut left = bytes;
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let part = piece.get_mut(..length).unwrap_or_default();
        random.fill(part);
        hasher.update(part);
        stream.write_all(part).context("sending")?;
        left -= length as u64;
    }
    Ok(hasher.finish())
}

fn receive(listener: &TcpListener) -> Result<(u64, Digest)> {
    let (mut stream, _) = accept(listener)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (mut hasher, mut count) = (Hasher::new(&SHA256), 0);
    let mut piece = vec![0; PIECE];
    loop {
        let length = stream.read(&mut piece).context("receiving")?;
        if length == 0 {
            return Ok((count, hasher.finish()));
        }
        hasher.update(piece.get(..length).unwrap_or_default());
        count += length as u64;
    }
}

/// Gives up after a while, so that a path that does not work ends the test and not the day.
fn accept(listener: &TcpListener) -> Result<(TcpStream, SocketAddr)> {
    const GLANCE: Duration = Duration::from_millis(5);
    listener.set_nonblocking(true)?;
    let until = Instant::now() + PATIENCE;
    loop {
        match listener.accept() {
            Ok((stream, from)) => {
                stream.set_nonblocking(false)?;
                return Ok((stream, from));
            }
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => {
                return Err(error.into());
            }
            Err(_) if Instant::now() >= until => return Err(anyhow!("nobody has connected")),
            Err(_) => std::thread::sleep(GLANCE),
        }
    }
}
