//! Whole messages: a header and the unencrypted payload chain behind it (RFC 7296 §3.1, §3.2).

use super::payload::{Place, read_chain, write_chain};
use super::{Header, Payload, PayloadType, limits};
use crate::wire::{DecodeError, Fault, Reader, Writer};

/// An IKE message as far as it can be read without keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The header; its `next_payload` and `length` follow from the payloads on encoding.
    pub header: Header,
    /// The payloads up to and including an SK or SKF payload, which is always the last.
    pub payloads: Vec<Payload>,
}

impl Message {
    /// Reads one whole message. Refuses other major versions than 2, whose format is another.
    ///
    /// # Errors
    ///
    /// When the version is another, or a header, a payload or a length is not as RFC 7296 §3 has
    /// it.
    pub fn decode(bytes: &[u8]) -> Result<Message, DecodeError> {
        let mut reader = Reader::new("IKE message", bytes);
        let header = Header::read(&mut reader)?;
        if header.version.major != 2 {
            return Err(reader.invalid("the major version is not 2"));
        }
        if bytes.len() > limits::MESSAGE || header.length as usize != bytes.len() {
            return Err(reader.error(Fault::Length(header.length as usize)));
        }
        let payloads = read_chain(header.next_payload, reader, Place::Outside)?;
        Ok(Message { header, payloads })
    }

    /// The message's octets.
    pub fn encode(&self) -> Vec<u8> {
        let next_payload = self.payloads.first().map_or(PayloadType::NONE, Payload::payload_type);
        let mut writer = Writer::with_capacity(512);
        Header { next_payload, ..self.header }.write_up_to_length(&mut writer);
        let mut body = writer.length_u32(Header::LEN - 4);
        write_chain(&self.payloads, &mut body);
        drop(body);
        writer.into_bytes()
    }

    /// The SK payload, when the message is protected.
    pub fn encrypted(&self) -> Option<&super::EncryptedBody> {
        match self.payloads.last() {
            Some(Payload::Encrypted(body)) => Some(body),
            _ => None,
        }
    }
}
