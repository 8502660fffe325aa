//! What protection of a message works on (RFC 7296 §3.14, RFC 5282 §3, §5).
//!
//! ```text
//! | IKE header | unencrypted payloads | SK generic header | IV | payloads ‖ padding ‖ pad length | ICV |
//! '------------------ associated data -----------------'      '---------- plaintext ----------'
//! ```
//!
//! An SKF payload has its fragment numbers inside the associated data (RFC 7383 §2.5). How long
//! IV and ICV are, and whether the plaintext fills blocks, is the cipher's [`SealedGeometry`].

use super::payload::write_chain;
use super::{Header, Message, Payload, PayloadType};
use crate::wire::{DecodeError, Fault, Writer};

/// The lengths of what a cipher adds to a message, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedGeometry {
    /// The IV.
    pub iv_len: usize,
    /// The plaintext, padding and its length included, fills whole blocks of so many; 1 for AEADs.
    pub block_len: usize,
    /// The Integrity Check Value.
    pub icv_len: usize,
}

impl SealedGeometry {
    /// Padding for plaintext of so many octets, pad length included.
    fn padding(self, len: usize) -> u8 {
        (len.next_multiple_of(self.block_len) - len) as u8 // less than a block
    }
}

/// The parts of a received protected message, as slices of it.
#[derive(Debug)]
pub struct Protected<'a> {
    /// From the IKE header through the SK generic header (through the fragment numbers of SKF).
    pub associated_data: &'a [u8],
    /// The IV.
    pub iv: &'a [u8],
    /// Ciphertext followed by the ICV, to be opened in place.
    pub ciphertext_and_icv: &'a mut [u8],
}

impl<'a> Protected<'a> {
    /// Finds the parts of `bytes`, from which `message` was decoded.
    ///
    /// # Errors
    ///
    /// When `message` has no SK payload, or what it holds is shorter than an IV and an ICV, or no
    /// multiple of the block size.
    pub fn locate(
        message: &Message,
        bytes: &'a mut [u8],
        geometry: SealedGeometry,
    ) -> Result<Protected<'a>, DecodeError> {
        let body_len = match message.payloads.last() {
            Some(Payload::Encrypted(sealed)) => sealed.body.len(),
            Some(Payload::EncryptedFragment(sealed)) => sealed.body.len(),
            _ => return Err(fault(bytes.len(), Fault::Invalid("there is none"))),
        };
        let SealedGeometry { iv_len, block_len, icv_len } = geometry;
        // One octet of plaintext at least: the pad length.
        let shortest = iv_len + block_len + icv_len;
        if body_len < shortest || body_len > bytes.len() {
            return Err(fault(bytes.len(), Fault::Truncated { needed: shortest, left: body_len }));
        }
        if !(body_len - iv_len - icv_len).is_multiple_of(block_len) {
            return Err(fault(bytes.len(), Fault::Length(body_len)));
        }
        let (associated_data, body) = bytes.split_at_mut(bytes.len() - body_len);
        let (iv, ciphertext_and_icv) = body.split_at_mut(iv_len);
        Ok(Protected { associated_data, iv, ciphertext_and_icv })
    }
}

/// The payloads in opened plaintext: all but the padding and its length (RFC 7296 §3.14).
///
/// # Errors
///
/// When the padding is longer than the plaintext.
pub fn strip_padding(plaintext: &[u8]) -> Result<&[u8], DecodeError> {
    let Some((&pad_length, padded)) = plaintext.split_last() else {
        return Err(fault(0, Fault::Truncated { needed: 1, left: 0 }));
    };
    let Some(payloads_len) = padded.len().checked_sub(pad_length.into()) else {
        return Err(fault(padded.len(), Fault::Length(pad_length.into())));
    };
    Ok(padded.split_at(payloads_len).0)
}

/// What AUTH covers of a message of IKE_INTERMEDIATE with `inner` inside its SK payload: the message
/// as if it were neither encrypted nor padded nor given an ICV (RFC 9242 §3.3.2).
pub fn covered(header: &Header, inner: &[Payload]) -> Vec<u8> {
    let bare = SealedGeometry { iv_len: 0, block_len: 1, icv_len: 0 };
    let draft = Draft::new(header, inner, bare);
    let (outer, padded) = draft.bytes.split_at(draft.associated_len);
    let (_pad_length, chain) = padded.split_last().unwrap_or((&0, &[]));
    covered_in(outer, chain)
}

/// The same of a message of which `outer` is the octets up to and with the SK generic header, and
/// `chain` what was inside: both lengths become those of what is covered.
pub fn covered_in(outer: &[u8], chain: &[u8]) -> Vec<u8> {
    let mut octets = [outer, chain].concat();
    let (whole, sealed) =
        (octets.len() as u32, u16::try_from(chain.len() + SK_HEADER).unwrap_or(u16::MAX));
    let mut patch = |at: Option<usize>, length: &[u8]| {
        let place = at.and_then(|at| octets.get_mut(at..at + length.len()));
        if let Some(place) = place {
            place.copy_from_slice(length);
        }
    };
    patch(Some(Header::LEN - 4), &whole.to_be_bytes());
    patch(outer.len().checked_sub(2), &sealed.to_be_bytes());
    octets
}

/// The octets up to and with the SK generic header that a message would have in one piece, by those
/// up to the end of the fragment numbers of its first fragment.
pub fn outer_of_whole(associated_data: &[u8]) -> Vec<u8> {
    let end = associated_data.len().saturating_sub(FRAGMENT_NUMBERS);
    let mut outer = associated_data.get(..end).unwrap_or_default().to_vec();
    let mut next = Some((NEXT_PAYLOAD, Header::LEN));
    while let Some((type_at, payload_at)) = next {
        if outer.get(type_at) == Some(&PayloadType::SKF.0) {
            outer.splice(type_at..=type_at, [PayloadType::SK.0]);
            break;
        }
        let length = outer.get(payload_at + 2..payload_at + SK_HEADER);
        let length = length.and_then(|octets| <[u8; 2]>::try_from(octets).ok());
        let length = length.map(|octets| usize::from(u16::from_be_bytes(octets)));
        next = length.filter(|length| *length > 0).map(|length| (payload_at, payload_at + length));
    }
    outer
}

/// Octets of a generic payload header.
const SK_HEADER: usize = 4;
/// Octets of Fragment Number and Total Fragments.
const FRAGMENT_NUMBERS: usize = 4;
/// Where the header names the type of the first payload.
const NEXT_PAYLOAD: usize = 16;

fn fault(at: usize, why: Fault) -> DecodeError {
    DecodeError { what: "encrypted payload", why, at }
}

/// A protected message before it is sealed: every length is final, IV and ICV are zero.
#[derive(Clone, Debug)]
pub struct Draft {
    bytes: Vec<u8>,
    associated_len: usize,
    geometry: SealedGeometry,
}

/// The parts of a [`Draft`], to be filled in.
#[derive(Debug)]
pub struct Parts<'a> {
    /// What the ICV covers besides the ciphertext; final.
    pub associated_data: &'a [u8],
    /// To be set to an IV never used with the key before.
    pub iv: &'a mut [u8],
    /// To be encrypted in place.
    pub plaintext: &'a mut [u8],
    /// To be set to the ICV.
    pub icv: &'a mut [u8],
}

/// What is to be sealed, and in which payload.
#[derive(Clone, Copy)]
enum Content<'a> {
    /// Payloads in an SK payload.
    Payloads(&'a [Payload]),
    /// A part of such a payload's content in an SKF payload (RFC 7383 §2.5).
    Fragment(Fragment<'a>),
}

/// A part of what an SK payload would hold.
#[derive(Clone, Copy, Debug)]
pub struct Fragment<'a> {
    /// Type of the first payload inside the whole; zero in all fragments but the first.
    pub first_inner: PayloadType,
    /// This fragment, from 1.
    pub number: u16,
    /// All fragments.
    pub total: u16,
    /// The part.
    pub part: &'a [u8],
}

impl Draft {
    /// A message with `inner` inside its SK payload and nothing outside.
    pub fn new(header: &Header, inner: &[Payload], geometry: SealedGeometry) -> Draft {
        Draft::of(header, Content::Payloads(inner), geometry)
    }

    /// A message of one fragment.
    pub fn fragment(header: &Header, fragment: Fragment<'_>, geometry: SealedGeometry) -> Draft {
        Draft::of(header, Content::Fragment(fragment), geometry)
    }

    fn of(header: &Header, content: Content<'_>, geometry: SealedGeometry) -> Draft {
        let (next_payload, first_inner) = match content {
            Content::Payloads(inner) => {
                let first = inner.first().map_or(PayloadType::NONE, Payload::payload_type);
                (PayloadType::SK, first)
            }
            Content::Fragment(fragment) => (PayloadType::SKF, fragment.first_inner),
        };
        let mut writer = Writer::with_capacity(512);
        Header { next_payload, ..*header }.write_up_to_length(&mut writer);
        let mut message = writer.length_u32(Header::LEN - 4);
        message.u8(first_inner.0);
        message.u8(0);
        let mut sealed = message.length_u16(2);
        if let Content::Fragment(fragment) = content {
            sealed.u16(fragment.number);
            sealed.u16(fragment.total);
        }
        let associated_len = sealed.len();
        sealed.zeros(geometry.iv_len);
        let plaintext_at = sealed.len();
        match content {
            Content::Payloads(inner) => write_chain(inner, &mut sealed),
            Content::Fragment(fragment) => sealed.bytes(fragment.part),
        }
        let padding = geometry.padding(sealed.len() - plaintext_at + 1);
        sealed.zeros(padding.into()); // any octets will do (RFC 7296 §3.14)
        sealed.u8(padding);
        sealed.zeros(geometry.icv_len);
        drop(sealed);
        drop(message);
        Draft { bytes: writer.into_bytes(), associated_len, geometry }
    }

    /// The parts that sealing works on.
    pub fn parts(&mut self) -> Parts<'_> {
        let (associated_data, sealed) = self.bytes.split_at_mut(self.associated_len);
        let (iv, sealed) = sealed.split_at_mut(self.geometry.iv_len);
        let (plaintext, icv) = sealed.split_at_mut(sealed.len() - self.geometry.icv_len);
        Parts { associated_data, iv, plaintext, icv }
    }

    /// The message's octets.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
