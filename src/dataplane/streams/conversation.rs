//! One TCP connection from its beginning to its end.

use super::seats::Seat;
use super::{Context, FromStreams, IKE_BACKLOG, Pipe, Streamed};
use crate::dataplane::worker::Command;
use crate::net::{StreamWay, streamed};
use crate::os::stream;
use crate::wire::esp::{Encapsulated, classify};
use crate::wire::stream::{Deframer, PREFIX, StreamFault};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tracing::{debug, info};

/// How long a connection may take to stand.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long nobody may have proved to be a peer in a connection, or have any use for it any more
/// (RFC 9329 §6.1, §6.3.1).
const UNUSED: Duration = Duration::from_secs(15);
/// Octets that are read at once.
const READ: usize = 32 << 10;
/// Messages of IKE that a stranger may send in one connection: a handshake takes a few, each in
/// fragments at most.
const STRANGERS_IKE: usize = 128;
/// Messages in all that may come before somebody has proved to be a peer. A tunnel that goes on in a
/// new connection begins with those.
const STRANGERS_MESSAGES: usize = 4096;
/// Messages that are neither IKE nor ESP: with more than so many the stream is damaged (RFC 9329 §6.1).
const NONSENSE: usize = 16;

/// Why a connection has ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the peer has closed it")]
    Closed,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Fault(#[from] StreamFault),
    #[error("what comes is neither IKE nor ESP")]
    Nonsense,
    #[error("nobody has proved to be a peer, or uses it any more")]
    Unused,
    #[error("a newer connection of a stranger has taken its place")]
    Displaced,
    #[error("it is of no use any more")]
    Dropped,
}

/// Makes a connection to a peer, as TCP Originator.
pub(super) async fn originate(way: StreamWay, pipe: Pipe, context: Context) {
    match stream::connect(way.0, way.1, PATIENCE).await {
        Ok(stream) => {
            let deframer = Deframer::of_responder();
            converse(way, stream, (deframer, &PREFIX), (pipe, None), &context).await;
        }
        Err(error) => {
            debug!(error = format!("{error:#}"), "no TCP connection");
            context.table.remove(way, pipe.number);
        }
    }
}

/// Takes a connection of a stranger, who may prove to be a peer.
pub(super) async fn respond(
    way: StreamWay,
    stream: TcpStream,
    pipe: Pipe,
    seat: Seat,
    context: Context,
) {
    converse(way, stream, (Deframer::of_originator(), &[]), (pipe, Some(seat)), &context).await;
}

async fn converse(
    way: StreamWay,
    stream: TcpStream,
    (deframer, greeting): (Deframer, &[u8]),
    (pipe, seat): (Pipe, Option<Seat>),
    context: &Context,
) {
    let Pipe { number, queue, kept } = pipe;
    let tuned = stream::tune(&stream);
    let (reader, writer) = stream.into_split();
    let end = match tuned {
        Err(error) => End::Io(error),
        Ok(()) => tokio::select! {
            end = read_all(way, reader, deframer, &kept, context) => end,
            end = write_all(writer, greeting, queue) => end,
            end = be_used(way, kept.clone(), seat, context) => end,
        },
    };
    let was_used = *kept.borrow();
    context.table.remove(way, number);
    match end {
        End::Fault(_) | End::Nonsense => context.counters.streams_faulty.add(1),
        End::Unused if !was_used => context.counters.streams_expired.add(1),
        End::Displaced => context.counters.streams_refused.add(1),
        _ => {}
    }
    let (local, remote) = way;
    if was_used {
        info!(%local, %remote, why = %end, "the TCP connection of a tunnel has ended: {end}");
        let _ = context.told.send(FromStreams::Closed { local: streamed(local), remote }).await;
    } else {
        debug!(%local, %remote, why = %end, "a TCP connection has ended");
    }
}

async fn read_all(
    way: StreamWay,
    mut reader: OwnedReadHalf,
    mut deframer: Deframer,
    kept: &watch::Receiver<bool>,
    context: &Context,
) -> End {
    let mut buffer = vec![0; READ];
    let (mut messages, mut ike, mut nonsense) = (0, 0, 0);
    loop {
        let length = match reader.read(&mut buffer).await {
            Ok(0) => return End::Closed,
            Ok(length) => length,
            Err(error) => return End::Io(error),
        };
        deframer.push(&buffer[..length]);
        let (local, remote) = (streamed(way.0), way.1);
        let mut packets = Vec::new();
        loop {
            let message = match deframer.next_message() {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(fault) => return End::Fault(fault),
            };
            messages += 1;
            let kind = classify(message);
            ike += usize::from(matches!(kind, Encapsulated::Ike(_)));
            let by_stranger = !*kept.borrow();
            if by_stranger && (messages > STRANGERS_MESSAGES || ike > STRANGERS_IKE) {
                return End::Unused;
            }
            match kind {
                Encapsulated::Esp(_) => packets.push(message.to_vec()),
                // Strangers are not waited for, and leave room for those who are none.
                Encapsulated::Ike(_)
                    if by_stranger && context.told.capacity() <= IKE_BACKLOG / 2 =>
                {
                    context.counters.control_dropped.add(1);
                }
                Encapsulated::Ike(_) => {
                    let bytes = message.to_vec();
                    let told = FromStreams::Datagram { local, remote, bytes };
                    if context.told.send(told).await.is_err() {
                        return End::Dropped;
                    }
                    context.counters.control_received.add(1);
                }
                Encapsulated::Keepalive => context.counters.keepalives.add(1),
                Encapsulated::Malformed => {
                    nonsense += 1;
                    context.counters.malformed.add(1);
                }
            }
        }
        if nonsense > NONSENSE {
            return End::Nonsense;
        }
        if *kept.borrow() {
            (messages, ike) = (0, 0);
        }
        if !packets.is_empty() && !hand_over(way, packets, context).await {
            return End::Dropped;
        }
    }
}

/// Gives packets to a worker, when there is room: until then the peer waits.
async fn hand_over((local, remote): StreamWay, packets: Vec<Vec<u8>>, context: &Context) -> bool {
    let Ok(place) = context.places.clone().acquire_owned().await else { return false };
    // One connection is one worker's, so that its packets stay in order.
    let number = usize::from(remote.port()) % context.ears.len().max(1);
    let Some(ear) = context.ears.get(number) else { return false };
    let local = streamed(local);
    ear.tell(Command::Streamed(Streamed { local, remote, packets, _place: place })).is_ok()
}

async fn write_all(
    mut writer: OwnedWriteHalf,
    greeting: &[u8],
    mut queue: super::lanes::Queue,
) -> End {
    let mut octets = greeting.to_vec();
    while queue.take(&mut octets).await {
        if let Err(error) = writer.write_all(&octets).await {
            return End::Io(error);
        }
        octets.clear();
    }
    End::Dropped
}

/// Ends when nobody has had any use for the connection for too long, or its place is another's.
async fn be_used(
    way: StreamWay,
    mut kept: watch::Receiver<bool>,
    mut seat: Option<Seat>,
    context: &Context,
) -> End {
    let was_accepted = seat.is_some();
    loop {
        if *kept.borrow_and_update() {
            seat = None;
            if kept.changed().await.is_err() {
                return End::Dropped;
            }
            continue;
        }
        if was_accepted && seat.is_none() {
            seat = context.seats.take(way.1.ip());
            if seat.is_none() {
                return End::Displaced;
            }
        }
        let displaced = async {
            match &seat {
                Some(seat) => seat.taken.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = kept.changed() => if changed.is_err() { return End::Dropped },
            () = tokio::time::sleep(UNUSED) => return End::Unused,
            () = displaced => return End::Displaced,
        }
    }
}

#[cfg(test)]
mod tests;
