//! Protection of messages by the keys of an IKE SA: the SK payload (RFC 7296 §3.14, RFC 5282).

use super::state::{State, StateReader, StateWriter, state_of_fields};
use super::stats::Discard;
use crate::crypto::aead::{AeadAlgorithm, ControlAead, KeyError};
use crate::crypto::digest::sha256;
use crate::crypto::secret::Secret;
use crate::wire::DecodeError;
use crate::wire::ike::{Draft, Header, Message, Payload, Protected, decode_chain, strip_padding};
use std::fmt;

/// More messages than this carry no IKE SA: both windows end with their 32-bit message IDs
/// (RFC 7296 §2.2).
const MAX_IV: u64 = 1 << 34;

/// Seals what we send. The IV is a counter, so none is used twice (RFC 5282 §3.1).
#[cfg_attr(test, derive(Clone))]
pub(super) struct SealKey {
    key: Key,
    next_iv: u64,
}

/// A key with the material that it is made of, which goes on with the IKE SA.
#[cfg_attr(test, derive(Clone))]
struct Key {
    aead: ControlAead,
    keymat: Secret,
}

impl Key {
    fn new(algorithm: AeadAlgorithm, keymat: Secret) -> Result<Key, KeyError> {
        let aead = ControlAead::new(algorithm, keymat.as_bytes())?;
        Ok(Key { aead, keymat })
    }
}

impl State for Key {
    fn write(&self, out: &mut StateWriter) {
        self.aead.algorithm().write(out);
        self.keymat.write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let (algorithm, keymat) = State::read(from)?;
        Key::new(algorithm, keymat).map_err(|_| from.invalid("no key"))
    }
}

state_of_fields!(OpenKey { key });

impl State for SealKey {
    fn write(&self, out: &mut StateWriter) {
        self.key.write(out);
        self.next_iv.write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let (key, next_iv) = <(Key, u64)>::read(from)?;
        let counts = (1..=MAX_IV).contains(&next_iv);
        if counts { Ok(SealKey { key, next_iv }) } else { Err(from.invalid("no counter of IVs")) }
    }
}

impl SealKey {
    /// # Errors
    ///
    /// When the key material does not fit the algorithm.
    pub fn new(algorithm: AeadAlgorithm, keymat: Secret) -> Result<Self, KeyError> {
        Ok(SealKey { key: Key::new(algorithm, keymat)?, next_iv: 1 })
    }

    /// The message with `inner` inside its SK payload.
    pub fn seal(&mut self, header: &Header, inner: &[Payload]) -> Vec<u8> {
        let mut draft = Draft::new(header, inner);
        let iv = self.next_iv.to_be_bytes();
        self.next_iv += 1;
        let parts = draft.parts();
        *parts.iv = iv;
        *parts.icv = self.key.aead.seal_in_place(iv, parts.associated_data, parts.plaintext);
        draft.into_bytes()
    }
}

/// Opens what the peer sent.
#[cfg_attr(test, derive(Clone))]
pub(super) struct OpenKey {
    key: Key,
}

/// A message that was made with the keys of the IKE SA: only [`OpenKey::open`] makes one, and
/// only one of these can advance an IKE SA.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Opened {
    header: Header,
    payloads: Result<Vec<Payload>, DecodeError>,
    digest: [u8; 32],
}

impl Opened {
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What was inside, or how the peer managed to seal what does not parse.
    pub fn payloads(&self) -> Result<&[Payload], DecodeError> {
        self.payloads.as_deref().map_err(|error| *error)
    }

    /// Digest of the datagram, by which it is known again.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

impl OpenKey {
    /// # Errors
    ///
    /// When the key material does not fit the algorithm.
    pub fn new(algorithm: AeadAlgorithm, keymat: Secret) -> Result<Self, KeyError> {
        Key::new(algorithm, keymat).map(|key| OpenKey { key })
    }

    /// Opens one message.
    pub fn open(&self, datagram: &[u8]) -> Result<Opened, Discard> {
        let message = Message::decode(datagram).map_err(|_| Discard::Malformed)?;
        let first_inner = match message.payloads.last() {
            Some(Payload::Encrypted(sealed)) => sealed.first_inner,
            Some(Payload::EncryptedFragment(_)) => return Err(Discard::Fragment),
            Some(_) | None => return Err(Discard::NotAuthentic),
        };
        let mut bytes = datagram.to_vec();
        let parts = Protected::locate(&message, &mut bytes).map_err(|_| Discard::Malformed)?;
        let plaintext = self
            .key
            .aead
            .open_in_place(parts.iv, parts.associated_data, parts.ciphertext_and_icv)
            .map_err(|_| Discard::NotAuthentic)?;
        let payloads = strip_padding(plaintext).and_then(|chain| decode_chain(first_inner, chain));
        Ok(Opened { header: message.header, payloads, digest: sha256(&[datagram]) })
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
