//! Bytes of a TCP stream into messages (RFC 4271 §4.1, §6.1). Holds one message at most, so a
//! peer cannot make it grow.

use super::{Cause, HEADER, MAX_EXTENDED_MESSAGE, MAX_MESSAGE, MessageType};

/// One whole message: its type and what follows the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the body is.
    pub message_type: MessageType,
    /// The octets after the header.
    pub body: Vec<u8>,
}

/// The message that is being received.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    partial: Vec<u8>,
    /// Whether both speakers take longer messages (RFC 8654).
    extended: bool,
}

impl FrameBuffer {
    /// From the next message on, longer ones are taken (RFC 8654).
    pub fn extend(&mut self) {
        self.extended = true;
    }

    /// Takes octets from the front of `input` until a message is whole or the input is used up.
    ///
    /// # Errors
    /// Marker, length or type are wrong: the stream has lost its place and nothing after is
    /// worth reading.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Cause> {
        self.fill(HEADER, input);
        let Some((header, _)) = self.partial.split_first_chunk::<HEADER>() else { return Ok(None) };
        let (message_type, length) = check(header, self.extended)?;
        self.fill(length, input);
        if self.partial.len() < length {
            return Ok(None);
        }
        let body = self.partial.split_off(HEADER);
        self.partial.clear();
        Ok(Some(Frame { message_type, body }))
    }

    fn fill(&mut self, target: usize, input: &mut &[u8]) {
        let missing = target.saturating_sub(self.partial.len()).min(input.len());
        let (head, rest) = input.split_at(missing);
        self.partial.extend_from_slice(head);
        *input = rest;
    }
}

/// Type and length of a header that may stand (RFC 4271 §6.1).
fn check(header: &[u8; HEADER], extended: bool) -> Result<(MessageType, usize), Cause> {
    let [marker @ .., high, low, code] = header;
    if marker.iter().any(|octet| *octet != 0xff) {
        return Err(Cause::NotSynchronized);
    }
    let length = u16::from_be_bytes([*high, *low]);
    let longest = if extended { MAX_EXTENDED_MESSAGE } else { MAX_MESSAGE };
    let (message_type, lengths) = match code {
        1 => (MessageType::Open, 29..=MAX_MESSAGE),
        2 => (MessageType::Update, 23..=longest),
        3 => (MessageType::Notification, 21..=longest),
        4 => (MessageType::Keepalive, HEADER..=HEADER),
        5 => (MessageType::RouteRefresh, 23..=23),
        _ if (HEADER..=longest).contains(&length.into()) => return Err(Cause::BadType(*code)),
        _ => return Err(Cause::BadLength(length)),
    };
    if !lengths.contains(&length.into()) {
        return Err(Cause::BadLength(length));
    }
    Ok((message_type, length.into()))
}

#[cfg(test)]
mod tests;
