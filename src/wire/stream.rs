//! The stream of IKE and ESP messages in a TCP connection (RFC 9329 §3, §4).
//!
//! ```text
//!   TCP Originator:  "IKETCP"  Length Message  Length Message  …
//!   TCP Responder:             Length Message  Length Message  …
//! ```
//!
//! A message is what a datagram of the NAT traversal port holds: IKE behind its non-ESP marker, ESP, or
//! a keepalive ([`super::esp::classify`]). Length counts itself.

use std::ops::Range;

/// What a stream of the TCP Originator begins with (RFC 9329 §4).
pub const PREFIX: [u8; 6] = *b"IKETCP";
/// Octets of a Length field.
pub const HEADER: usize = 2;
/// The longest message that a Length field can tell, in octets (RFC 9329 §3).
pub const LONGEST: usize = u16::MAX as usize - HEADER;

/// The Length field of a message of so many octets; `None` when it is empty or too long.
pub fn header(message: usize) -> Option<[u8; HEADER]> {
    let length = u16::try_from(message.checked_add(HEADER)?).ok()?;
    (message > 0).then(|| length.to_be_bytes())
}

/// A message with its Length field; `None` when it is empty or too long.
pub fn frame(message: &[u8]) -> Option<Vec<u8>> {
    Some([header(message.len())?.as_slice(), message].concat())
}

/// Why a stream cannot be read on: the connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// It does not begin with [`PREFIX`].
    #[error("it does not begin with \"IKETCP\"")]
    Prefix,
    /// "The value in the Length field MUST NOT be 0 or 1 … MUST close the TCP connection" (RFC 9329
    /// §3.1).
    #[error("a message has a Length of {0}, which does not even count itself")]
    Length(u16),
}

/// Takes the messages of one direction out of its octets, in whatever pieces they come. It keeps no
/// more than one message that is not complete, and what was put in last.
#[derive(Clone, Debug)]
pub struct Deframer {
    octets: Vec<u8>,
    /// Octets in front of which everything has been taken out.
    at: usize,
    awaits_prefix: bool,
}

impl Deframer {
    /// For what a TCP Originator sends.
    pub fn of_originator() -> Deframer {
        Deframer { octets: Vec::new(), at: 0, awaits_prefix: true }
    }

    /// For what a TCP Responder sends.
    pub fn of_responder() -> Deframer {
        Deframer { awaits_prefix: false, ..Deframer::of_originator() }
    }

    /// Octets have come. What can be taken out should be before the next do.
    pub fn push(&mut self, octets: &[u8]) {
        self.octets.drain(..self.at);
        self.at = 0;
        self.octets.extend_from_slice(octets);
    }

    /// The next complete message. Empty ones are passed over (RFC 9329 §3).
    ///
    /// # Errors
    ///
    /// When no message can follow any more; every later call says the same.
    pub fn next_message(&mut self) -> Result<Option<&mut [u8]>, StreamFault> {
        if self.awaits_prefix && !self.take_prefix()? {
            return Ok(None);
        }
        while let Some(message) = self.complete()? {
            self.at = message.end;
            if !message.is_empty() {
                return Ok(self.octets.get_mut(message));
            }
        }
        Ok(None)
    }

    /// Octets that wait for the rest of their message.
    pub fn waiting(&self) -> usize {
        self.octets.len() - self.at
    }

    /// Whether the prefix was there; a wrong one shows with its first wrong octet.
    fn take_prefix(&mut self) -> Result<bool, StreamFault> {
        let begun = self.octets.len().min(PREFIX.len());
        if self.octets[..begun] != PREFIX[..begun] {
            return Err(StreamFault::Prefix);
        }
        if begun == PREFIX.len() {
            self.at = begun;
            self.awaits_prefix = false;
        }
        Ok(!self.awaits_prefix)
    }

    /// Where the next message lies, if all of it is here.
    fn complete(&self) -> Result<Option<Range<usize>>, StreamFault> {
        let Some(&[high, low]) = self.octets[self.at..].first_chunk() else { return Ok(None) };
        let length = u16::from_be_bytes([high, low]);
        if usize::from(length) < HEADER {
            return Err(StreamFault::Length(length));
        }
        let message = self.at + HEADER..self.at + usize::from(length);
        Ok((message.end <= self.octets.len()).then_some(message))
    }
}

#[cfg(test)]
mod tests;
