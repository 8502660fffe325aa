//! What AEAD protection of a message works on (RFC 7296 §3.14, RFC 5282 §3, §5).
//!
//! ```text
//! | IKE header | unencrypted payloads | SK generic header | IV | payloads ‖ padding ‖ pad length | ICV |
//! '------------------ associated data -----------------'      '---------- plaintext ----------'
//! ```
//!
//! An SKF payload has its fragment numbers inside the associated data (RFC 7383 §2.5). All
//! AEADs that we speak have an IV of 8 and an ICV of 16 octets (RFC 5282 §3, RFC 7634 §3).

use super::payload::write_chain;
use super::{Header, Message, Payload, PayloadType};
use crate::wire::{DecodeError, Fault, Reader, Writer};

/// Octets of the IV.
pub const IV_LEN: usize = 8;
/// Octets of the Integrity Check Value.
pub const ICV_LEN: usize = 16;

/// The parts of a received protected message, as slices of it.
#[derive(Debug)]
pub struct Protected<'a> {
    /// From the IKE header through the SK generic header (through the fragment numbers of SKF).
    pub associated_data: &'a [u8],
    /// The IV.
    pub iv: [u8; IV_LEN],
    /// Ciphertext followed by the ICV, to be opened in place.
    pub ciphertext_and_icv: &'a mut [u8],
}

impl<'a> Protected<'a> {
    /// Finds the parts of `bytes`, from which `message` was decoded.
    pub fn locate(message: &Message, bytes: &'a mut [u8]) -> Result<Protected<'a>, DecodeError> {
        let body_len = match message.payloads.last() {
            Some(Payload::Encrypted(sealed)) => sealed.body.len(),
            Some(Payload::EncryptedFragment(sealed)) => sealed.body.len(),
            _ => return Err(fault(bytes.len(), Fault::Invalid("there is none"))),
        };
        // One octet of plaintext at least: the pad length.
        let shortest = IV_LEN + 1 + ICV_LEN;
        if body_len < shortest || body_len > bytes.len() {
            return Err(fault(bytes.len(), Fault::Truncated { needed: shortest, left: body_len }));
        }
        let (associated_data, body) = bytes.split_at_mut(bytes.len() - body_len);
        let (iv, ciphertext_and_icv) = body.split_at_mut(IV_LEN);
        let iv = Reader::new("IV", iv).array()?;
        Ok(Protected { associated_data, iv, ciphertext_and_icv })
    }
}

/// The payloads in opened plaintext: all but the padding and its length (RFC 7296 §3.14).
pub fn strip_padding(plaintext: &[u8]) -> Result<&[u8], DecodeError> {
    let Some((&pad_length, padded)) = plaintext.split_last() else {
        return Err(fault(0, Fault::Truncated { needed: 1, left: 0 }));
    };
    let Some(payloads_len) = padded.len().checked_sub(pad_length.into()) else {
        return Err(fault(padded.len(), Fault::Length(pad_length.into())));
    };
    Ok(padded.split_at(payloads_len).0)
}

fn fault(at: usize, why: Fault) -> DecodeError {
    DecodeError { what: "encrypted payload", why, at }
}

/// A protected message before it is sealed: every length is final, IV and ICV are zero.
#[derive(Clone, Debug)]
pub struct Draft {
    bytes: Vec<u8>,
    associated_len: usize,
}

/// The parts of a [`Draft`], to be filled in.
#[derive(Debug)]
pub struct Parts<'a> {
    /// What the ICV covers besides the ciphertext; final.
    pub associated_data: &'a [u8],
    /// To be set to an IV never used with the key before.
    pub iv: &'a mut [u8; IV_LEN],
    /// To be encrypted in place.
    pub plaintext: &'a mut [u8],
    /// To be set to the ICV.
    pub icv: &'a mut [u8; ICV_LEN],
}

impl Draft {
    /// A message with `inner` inside its SK payload and nothing outside.
    pub fn new(header: &Header, inner: &[Payload]) -> Draft {
        let mut writer = Writer::with_capacity(512);
        Header { next_payload: PayloadType::SK, ..*header }.write_up_to_length(&mut writer);
        let mut message = writer.length_u32(Header::LEN - 4);
        message.u8(inner.first().map_or(PayloadType::NONE, Payload::payload_type).0);
        message.u8(0);
        let mut sealed = message.length_u16(2);
        let associated_len = sealed.len();
        sealed.zeros(IV_LEN);
        write_chain(inner, &mut sealed);
        sealed.u8(0); // Pad Length: none is needed (RFC 5282 §3)
        sealed.zeros(ICV_LEN);
        drop(sealed);
        drop(message);
        Draft { bytes: writer.into_bytes(), associated_len }
    }

    /// The parts that sealing works on.
    pub fn parts(&mut self) -> Parts<'_> {
        const HOLDS: &str = "a draft is made with room for IV, pad length and ICV";
        let (associated_data, sealed) = self.bytes.split_at_mut(self.associated_len);
        let (iv, sealed) = sealed.split_first_chunk_mut().expect(HOLDS);
        let (plaintext, icv) = sealed.split_last_chunk_mut().expect(HOLDS);
        Parts { associated_data, iv, plaintext, icv }
    }

    /// The message's octets.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
