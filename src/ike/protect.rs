//! Protection of messages by the keys of an IKE SA: the SK payload (RFC 7296 §3.14, RFC 5282).

use super::state::{State, StateReader, StateWriter};
use super::stats::Discard;
use crate::crypto::cipher::{Associated, Cipher, Geometry, KeyError, OpeningKey, SealingKey};
use crate::crypto::digest::sha256;
use crate::crypto::secret::Secret;
use crate::wire::DecodeError;
use crate::wire::ike::{
    Draft, EncryptedFragment, ExchangeType, Fragment, Header, Message, Payload, PayloadType,
    Protected, SealedGeometry, covered_in, decode_chain, outer_of_whole, strip_padding,
};
use std::fmt;

/// More messages than this carry no IKE SA: both windows end with their 32-bit message IDs
/// (RFC 7296 §2.2).
const MAX_IV: u64 = 1 << 34;

/// Seals what we send. A counter makes the IVs, so none is used twice (RFC 5282 §3.1).
#[cfg_attr(test, derive(Clone))]
pub(super) struct SealKey {
    key: SealingKey,
    keymat: Secret,
    next_iv: u64,
}

/// Opens what the peer sent.
#[cfg_attr(test, derive(Clone))]
pub(super) struct OpenKey {
    key: OpeningKey,
    keymat: Secret,
}

impl State for OpenKey {
    fn write(&self, out: &mut StateWriter) {
        self.key.cipher().write(out);
        self.keymat.write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let (cipher, keymat) = State::read(from)?;
        OpenKey::new(cipher, keymat).map_err(|_| from.invalid("no key"))
    }
}

impl State for SealKey {
    fn write(&self, out: &mut StateWriter) {
        self.key.cipher().write(out);
        self.keymat.write(out);
        self.next_iv.write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let (cipher, keymat) = State::read(from)?;
        let key = SealKey::new(cipher, keymat).map_err(|_| from.invalid("no key"))?;
        let next_iv = u64::read(from)?;
        let counts = (1..=MAX_IV).contains(&next_iv);
        let resumed = SealKey { next_iv, ..key };
        if counts { Ok(resumed) } else { Err(from.invalid("no counter of IVs")) }
    }
}

impl SealKey {
    /// # Errors
    ///
    /// When the key material does not fit the cipher.
    pub(super) fn new(cipher: Cipher, keymat: Secret) -> Result<Self, KeyError> {
        let key = SealingKey::for_control(cipher, keymat.as_bytes())?;
        Ok(SealKey { key, keymat, next_iv: 1 })
    }

    /// The key material. Never log it.
    pub(super) fn keymat(&self) -> &Secret {
        &self.keymat
    }

    /// The message with `inner` inside its SK payload.
    pub(super) fn seal(&mut self, header: &Header, inner: &[Payload]) -> Vec<u8> {
        let geometry = geometry_of(self.key.cipher());
        self.finish(Draft::new(header, inner, geometry))
    }

    /// A message that holds one fragment of another (RFC 7383 §2.5).
    pub(super) fn seal_fragment(&mut self, header: &Header, fragment: Fragment<'_>) -> Vec<u8> {
        let geometry = geometry_of(self.key.cipher());
        self.finish(Draft::fragment(header, fragment, geometry))
    }

    fn finish(&mut self, mut draft: Draft) -> Vec<u8> {
        let number = self.next_iv;
        self.next_iv += 1;
        let parts = draft.parts();
        let associated = Associated { before: parts.associated_data, after: &[] };
        self.key.seal(number, associated, parts.iv, parts.plaintext, parts.icv);
        draft.into_bytes()
    }
}

fn geometry_of(cipher: Cipher) -> SealedGeometry {
    let Geometry { iv_len, block_len, icv_len } = cipher.geometry();
    SealedGeometry { iv_len, block_len, icv_len }
}

/// A message that was made with the keys of the IKE SA: only [`OpenKey::open`] makes one, and
/// only one of these can advance an IKE SA.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Opened {
    header: Header,
    payloads: Result<Vec<Payload>, DecodeError>,
    digest: [u8; 32],
    covered: Vec<u8>,
}

/// A fragment that was made with the keys of the IKE SA: only [`OpenKey::open_fragment`] makes one.
#[derive(Debug)]
pub(super) struct OpenedFragment {
    pub header: Header,
    /// Type of the first payload inside the whole; of the first fragment only.
    pub first_inner: PayloadType,
    pub number: u16,
    pub total: u16,
    pub part: Vec<u8>,
    pub digest: [u8; 32],
    /// The octets before what is inside, as they would be in one piece; of the first fragment of an
    /// IKE_INTERMEDIATE only.
    pub outer: Vec<u8>,
}

impl Opened {
    /// A message put together from its fragments; `digest` and `outer` are those of the first.
    pub(super) fn assembled(
        header: Header,
        first_inner: PayloadType,
        chain: &[u8],
        (digest, outer): ([u8; 32], &[u8]),
    ) -> Opened {
        let payloads = decode_chain(first_inner, chain);
        Opened { header, payloads, digest, covered: covered_of(&header, outer, chain) }
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// What was inside, or how the peer managed to seal what does not parse.
    ///
    /// # Errors
    ///
    /// When what was sealed is no chain of payloads: the peer breaks the protocol.
    pub(super) fn payloads(&self) -> Result<&[Payload], DecodeError> {
        self.payloads.as_deref().map_err(|error| *error)
    }

    /// Digest of the datagram, by which it is known again.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// What AUTH covers of it; nothing but of an IKE_INTERMEDIATE.
    pub(super) fn covered(&self) -> &[u8] {
        &self.covered
    }
}

fn is_intermediate(header: &Header) -> bool {
    header.exchange_type == ExchangeType::IKE_INTERMEDIATE
}

fn covered_of(header: &Header, outer: &[u8], chain: &[u8]) -> Vec<u8> {
    if is_intermediate(header) { covered_in(outer, chain) } else { Vec::new() }
}

impl OpenKey {
    /// The key material. Never log it.
    pub(super) fn keymat(&self) -> &Secret {
        &self.keymat
    }

    /// # Errors
    ///
    /// When the key material does not fit the cipher.
    pub(super) fn new(cipher: Cipher, keymat: Secret) -> Result<Self, KeyError> {
        let key = OpeningKey::for_control(cipher, keymat.as_bytes())?;
        Ok(OpenKey { key, keymat })
    }

    /// Opens one message.
    ///
    /// # Errors
    ///
    /// Why the datagram is discarded: malformed, a fragment, or not authentic.
    pub(super) fn open(&self, datagram: &[u8]) -> Result<Opened, Discard> {
        let message = Message::decode(datagram).map_err(|_| Discard::Malformed)?;
        let first_inner = match message.payloads.last() {
            Some(Payload::Encrypted(sealed)) => sealed.first_inner,
            Some(Payload::EncryptedFragment(_)) => return Err(Discard::Fragment),
            Some(_) | None => return Err(Discard::NotAuthentic),
        };
        let mut bytes = datagram.to_vec();
        let (outer, plaintext) = self.decrypt(&message, &mut bytes)?;
        let (header, digest) = (message.header, sha256(&[datagram]));
        let chain = strip_padding(plaintext);
        let covered = chain.map(|chain| covered_of(&header, outer, chain)).unwrap_or_default();
        let payloads = chain.and_then(|chain| decode_chain(first_inner, chain));
        Ok(Opened { header, payloads, digest, covered })
    }

    /// Opens one fragment, decoded from `datagram`.
    pub(super) fn open_fragment(
        &self,
        message: &Message,
        fragment: &EncryptedFragment,
        datagram: &[u8],
    ) -> Result<OpenedFragment, Discard> {
        let mut bytes = datagram.to_vec();
        let (outer, plaintext) = self.decrypt(message, &mut bytes)?;
        let is_first = is_intermediate(&message.header) && fragment.fragment_number == 1;
        let outer = if is_first { outer_of_whole(outer) } else { Vec::new() };
        Ok(OpenedFragment {
            outer,
            header: message.header,
            first_inner: fragment.first_inner,
            number: fragment.fragment_number,
            total: fragment.total_fragments,
            part: strip_padding(plaintext).map_err(|_| Discard::Malformed)?.to_vec(),
            digest: sha256(&[datagram]),
        })
    }

    /// What is outside of the SK payload, and what is inside.
    fn decrypt<'a>(
        &self,
        message: &Message,
        bytes: &'a mut [u8],
    ) -> Result<(&'a [u8], &'a [u8]), Discard> {
        let geometry = geometry_of(self.key.cipher());
        let parts = Protected::locate(message, bytes, geometry).map_err(|_| Discard::Malformed)?;
        let outer = parts.associated_data;
        let associated = Associated { before: outer, after: &[] };
        let opened = self.key.open(associated, parts.iv, parts.ciphertext_and_icv);
        opened.map(|plaintext| (outer, &*plaintext)).map_err(|_| Discard::NotAuthentic)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("«redacted»")
    }
}

impl fmt::Debug for OpenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("«redacted»")
    }
}
