//! Many requests in few system calls, on a socket of their own.
//!
//! Requests stand one behind the other in one datagram. The kernel carries them out in their order
//! before the call returns, and answers those that fail and the last one, which alone asks for it
//! (`NLM_F_ACK`); an answer names its request by the sequence number.
//!
//! ```text
//!   sendmsg   seq 7 │ seq 8 │ seq 9 │ … │ seq 70 + NLM_F_ACK
//!   recvmsg   NLMSG_ERROR seq 8 EINVAL      NLMSG_ERROR seq 70 0
//! ```

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rtnetlink::packet_core::{
    ErrorMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::protocols::NETLINK_ROUTE;
use rtnetlink::sys::{Socket, SocketAddr};
use socket2::SockRef;

use super::Author;
use crate::os::ifreq;

/// Requests in one datagram: so many answers find room in the socket's buffer, should all fail.
const TOGETHER: usize = 128;
/// Bytes of that buffer, which counts every answer with what the kernel keeps beside it.
const BUFFER: usize = 200 << 10;
/// How long an answer may take: it is there when the request returns.
const PATIENCE: Duration = Duration::from_secs(10);
/// Boundary of messages in a datagram (`NLMSG_ALIGNTO`).
const ALIGNMENT: usize = 4;
/// Bytes of the longest answer: a header, an error number, and the header of the request.
const ANSWER: usize = 256;

/// Bytes of a datagram in which the kernel lists: it takes 32 KiB at most.
const LISTING: usize = 64 << 10;

/// What a request asks for, with the flags that say how.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) message: RouteNetlinkMessage,
    pub(super) flags: u16,
}

/// How a request went.
pub(super) type Outcome = Result<(), io::Error>;

/// A socket for many requests.
#[derive(Debug)]
pub(super) struct Bulk {
    line: Mutex<Line>,
    author: Author,
}

#[derive(Debug)]
struct Line {
    socket: Socket,
    /// Number of the next request.
    next: u32,
}

impl Bulk {
    /// Opens the socket in the namespace of this thread.
    pub(super) fn open() -> io::Result<Bulk> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let author = Author(socket.bind_auto()?.port_number());
        socket.connect(&SocketAddr::new(0, 0))?;
        // Without the request in it an answer is short.
        socket.set_cap_ack(true)?;
        let options = SockRef::from(&socket);
        options.set_recv_buffer_size(BUFFER)?;
        options.set_read_timeout(Some(PATIENCE))?;
        Ok(Bulk { line: Mutex::new(Line { socket, next: 1 }), author })
    }

    /// Who has caused a change, when the kernel tells others of one that was asked for here.
    pub(super) fn author(&self) -> Author {
        self.author
    }

    /// The number of a device in the socket's namespace, if it is there.
    pub(super) fn device(&self, name: &str) -> Option<u32> {
        ifreq::index(&self.line.lock().unwrap_or_else(PoisonError::into_inner).socket, name)
    }

    /// Makes requests in their order, and says of each how it went. Blocks.
    pub(super) fn request(&self, requests: Vec<Request>) -> Vec<Outcome> {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outcomes = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            outcomes.extend(line.request(requests.by_ref().take(TOGETHER)));
        }
        outcomes
    }

    /// What the kernel lists when it is asked for everything of a kind. Blocks.
    pub(super) fn list(
        &self,
        question: RouteNetlinkMessage,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).list(question)
    }
}

impl Line {
    fn list(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        let first = self.next;
        let (bytes, next) =
            datagram(first, std::iter::once(Request { message, flags: NLM_F_DUMP }));
        self.next = next;
        self.socket.send(&bytes, 0)?;
        let (mut listed, mut buffer) = (Vec::new(), Vec::with_capacity(LISTING));
        loop {
            buffer.clear();
            self.socket.recv(&mut buffer, 0)?;
            let mut rest = buffer.as_slice();
            while let Some((header, payload)) = next_message(&mut rest) {
                match payload {
                    _ if header.sequence_number != first => {}
                    NetlinkPayload::InnerMessage(message) => listed.push(message),
                    NetlinkPayload::Done(_) => return Ok(listed),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    _ => {}
                }
            }
        }
    }

    fn request(&mut self, requests: impl Iterator<Item = Request>) -> Vec<Outcome> {
        let first = self.next;
        let (bytes, next) = datagram(first, requests);
        self.next = next;
        let count = next.wrapping_sub(first) as usize;
        let mut outcomes: Vec<Outcome> = (0..count).map(|_| Ok(())).collect();
        let sent = self.socket.send(&bytes, 0);
        if let Err(error) = sent.and_then(|_| self.listen(first, &mut outcomes)) {
            // What the kernel has not refused may be done or not.
            let unknown = outcomes.iter_mut().filter(|outcome| outcome.is_ok());
            unknown.for_each(|outcome| *outcome = Err(again(&error)));
        }
        outcomes
    }

    /// Takes answers until the last request has its own.
    fn listen(&self, first: u32, outcomes: &mut [Outcome]) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(ANSWER);
        loop {
            buffer.clear();
            self.socket.recv(&mut buffer, 0)?;
            let Some((number, outcome)) = answer(&buffer) else { continue };
            let place = number.wrapping_sub(first) as usize;
            let is_last = place + 1 == outcomes.len();
            // One of an earlier datagram, whose answers were lost, has no place.
            if let Some(slot) = outcomes.get_mut(place) {
                *slot = outcome;
            }
            if is_last {
                return Ok(());
            }
        }
    }
}

/// An error once more: it is the same for several requests.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => error.kind().into(),
    }
}

/// Requests as the kernel takes them, numbered from `first` on, and the number behind them; the last
/// asks for an answer.
fn datagram(first: u32, requests: impl Iterator<Item = Request>) -> (Vec<u8>, u32) {
    let (mut bytes, mut number) = (Vec::with_capacity(TOGETHER * 96), first);
    let mut requests = requests.peekable();
    while let Some(Request { message, flags }) = requests.next() {
        let asking = if requests.peek().is_none() { NLM_F_ACK } else { 0 };
        let mut message = NetlinkMessage::from(message);
        message.header.sequence_number = number;
        message.header.flags = NLM_F_REQUEST | flags | asking;
        message.finalize();
        let place = bytes.len()..bytes.len() + message.buffer_len();
        bytes.resize(place.end.next_multiple_of(ALIGNMENT), 0);
        if let Some(place) = bytes.get_mut(place) {
            message.serialize(place);
        }
        number = number.wrapping_add(1);
    }
    (bytes, number)
}

/// Takes the next message out of a datagram; none is left when one cannot be read.
fn next_message(bytes: &mut &[u8]) -> Option<(NetlinkHeader, NetlinkPayload<RouteNetlinkMessage>)> {
    let message = NetlinkMessage::deserialize(bytes).ok()?;
    let length = (message.header.length as usize).next_multiple_of(ALIGNMENT);
    *bytes = bytes.get(length..).unwrap_or_default();
    Some(message.into_parts())
}

/// The number of a request, and how it went; the kernel puts each answer into a datagram of its own.
fn answer(bytes: &[u8]) -> Option<(u32, Outcome)> {
    let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes).ok()?;
    let NetlinkPayload::Error(ErrorMessage { code, .. }) = message.payload else { return None };
    let refusal = code.map(|number| io::Error::from_raw_os_error(number.get().saturating_neg()));
    Some((message.header.sequence_number, refusal.map_or(Ok(()), Err)))
}

#[cfg(test)]
mod tests;
