//! The bodies of IKEv2 payloads that have no file of their own (RFC 7296 §3.4 to §3.11, §3.14,
//! §3.15; RFC 7383 §2.5).

use super::{
    AuthMethod, CertEncoding, ConfigurationType, IdType, KeyExchangeMethod, NotifyType,
    PayloadType, ProtocolId, limits,
};
use crate::wire::{DecodeError, Fault, Reader, Writer};

/// A public value of one key exchange method (RFC 7296 §3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyExchange {
    /// The method.
    pub method: KeyExchangeMethod,
    /// The public value as the method writes it.
    pub data: Vec<u8>,
}

/// Who a side claims to be (RFC 7296 §3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identification {
    /// How the identity is written.
    pub id_type: IdType,
    /// RESERVED: zero when sent, and anything when received. AUTH covers it all the same.
    pub reserved: [u8; 3],
    /// The identity.
    pub data: Vec<u8>,
}

impl Identification {
    /// An identity as it is sent.
    pub fn new(id_type: IdType, data: impl Into<Vec<u8>>) -> Identification {
        Identification { id_type, reserved: [0; 3], data: data.into() }
    }

    /// The payload's body, ID type to end, which the AUTH payload covers ("RestOfInitIDPayload",
    /// RFC 7296 §2.15).
    pub fn body(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(4 + self.data.len());
        self.encode(&mut writer);
        writer.into_bytes()
    }
}

/// A certificate or, in a request, the authorities that would do (RFC 7296 §3.6, §3.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// What `data` is.
    pub encoding: CertEncoding,
    /// Certificate data, or Certification Authority.
    pub data: Vec<u8>,
}

/// Proof of an identity (RFC 7296 §3.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// How it was made.
    pub method: AuthMethod,
    /// The authentication data.
    pub data: Vec<u8>,
}

/// A notification (RFC 7296 §3.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// Protocol of the SA that is meant; [`ProtocolId::NONE`] when none is.
    pub protocol: ProtocolId,
    /// SPI of the SA that is meant; empty when none is.
    pub spi: Vec<u8>,
    /// What it says.
    pub notify_type: NotifyType,
    /// Its details.
    pub data: Vec<u8>,
}

impl Notify {
    /// A notification about no SA in particular, or about the IKE SA that carries it.
    pub fn new(notify_type: NotifyType, data: impl Into<Vec<u8>>) -> Notify {
        Notify { protocol: ProtocolId::NONE, spi: Vec::new(), notify_type, data: data.into() }
    }
}

/// The sender has deleted these SAs (RFC 7296 §3.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// Their protocol.
    pub protocol: ProtocolId,
    /// The sender's inbound SPIs, all of one size; empty for the IKE SA itself.
    pub spis: Vec<Vec<u8>>,
}

/// An SK payload (RFC 7296 §3.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedBody {
    /// Type of the first payload inside.
    pub first_inner: PayloadType,
    /// IV, ciphertext and ICV.
    pub body: Vec<u8>,
}

/// An SKF payload (RFC 7383 §2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedFragment {
    /// Type of the first payload inside the whole; zero in all fragments but the first.
    pub first_inner: PayloadType,
    /// This fragment, from 1.
    pub fragment_number: u16,
    /// All fragments.
    pub total_fragments: u16,
    /// IV, ciphertext and ICV of this fragment.
    pub body: Vec<u8>,
}

/// A Configuration payload (RFC 7296 §3.15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Request or answer.
    pub cfg_type: ConfigurationType,
    /// The attributes' octets.
    pub attributes: Vec<u8>,
}

/// A payload of a type that we do not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownPayload {
    /// Its type.
    pub payload_type: PayloadType,
    /// Whether a receiver that does not know the type must refuse the whole message
    /// (RFC 7296 §2.5).
    pub critical: bool,
    /// All behind its generic header.
    pub body: Vec<u8>,
}

/// A type octet, three reserved octets, and the rest: the shape of ID, AUTH and CP payloads.
fn read_typed(mut reader: Reader<'_>) -> Result<(u8, Vec<u8>), DecodeError> {
    let kind = reader.u8()?;
    reader.array::<3>()?; // RESERVED
    Ok((kind, reader.rest().to_vec()))
}

pub(super) fn write_typed(kind: u8, data: &[u8], writer: &mut Writer) {
    writer.u8(kind);
    writer.zeros(3); // RESERVED
    writer.bytes(data);
}

impl KeyExchange {
    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let method = KeyExchangeMethod(reader.u16()?);
        reader.u16()?; // RESERVED
        Ok(KeyExchange { method, data: reader.rest().to_vec() })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u16(self.method.0);
        writer.u16(0); // RESERVED
        writer.bytes(&self.data);
    }
}

impl Identification {
    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let (id_type, reserved) = (IdType(reader.u8()?), reader.array()?);
        Ok(Identification { id_type, reserved, data: reader.rest().to_vec() })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u8(self.id_type.0);
        writer.bytes(&self.reserved);
        writer.bytes(&self.data);
    }
}

impl Certificate {
    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let encoding = CertEncoding(reader.u8()?);
        Ok(Certificate { encoding, data: reader.rest().to_vec() })
    }
}

impl Authentication {
    pub(super) fn decode(reader: Reader<'_>) -> Result<Self, DecodeError> {
        let (method, data) = read_typed(reader)?;
        Ok(Authentication { method: AuthMethod(method), data })
    }
}

impl Notify {
    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let protocol = ProtocolId(reader.u8()?);
        let spi_size = reader.u8()?;
        let notify_type = NotifyType(reader.u16()?);
        let spi = reader.take(spi_size.into())?.to_vec();
        Ok(Notify { protocol, spi, notify_type, data: reader.rest().to_vec() })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u8(self.protocol.0);
        writer.u8(u8::try_from(self.spi.len()).unwrap_or(u8::MAX));
        writer.u16(self.notify_type.0);
        writer.bytes(&self.spi);
        writer.bytes(&self.data);
    }
}

impl Delete {
    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let protocol = ProtocolId(reader.u8()?);
        let spi_size = usize::from(reader.u8()?);
        let count = usize::from(reader.u16()?);
        if count > limits::DELETED_SPIS {
            return Err(reader.error(Fault::TooMany { limit: limits::DELETED_SPIS }));
        }
        if spi_size == 0 && count > 0 {
            return Err(reader.invalid("SPIs of no octets"));
        }
        let spis = (0..count)
            .map(|_| Ok(reader.take(spi_size)?.to_vec()))
            .collect::<Result<_, DecodeError>>()?;
        reader.finish()?;
        Ok(Delete { protocol, spis })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        let spi_size = self.spis.first().map_or(0, Vec::len);
        writer.u8(self.protocol.0);
        writer.u8(u8::try_from(spi_size).unwrap_or(u8::MAX));
        writer.u16(u16::try_from(self.spis.len()).unwrap_or(u16::MAX));
        for spi in &self.spis {
            writer.bytes(spi);
        }
    }
}

impl EncryptedFragment {
    pub(super) fn decode(
        first_inner: PayloadType,
        mut reader: Reader<'_>,
    ) -> Result<Self, DecodeError> {
        let fragment_number = reader.u16()?;
        let total_fragments = reader.u16()?;
        // RFC 7383 §2.5: numbered from 1, and never more than there are.
        if fragment_number == 0 || fragment_number > total_fragments {
            return Err(reader.invalid("a fragment number out of range (RFC 7383 §2.5)"));
        }
        let body = reader.rest().to_vec();
        Ok(EncryptedFragment { first_inner, fragment_number, total_fragments, body })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u16(self.fragment_number);
        writer.u16(self.total_fragments);
        writer.bytes(&self.body);
    }
}

impl Configuration {
    pub(super) fn decode(reader: Reader<'_>) -> Result<Self, DecodeError> {
        let (cfg_type, attributes) = read_typed(reader)?;
        Ok(Configuration { cfg_type: ConfigurationType(cfg_type), attributes })
    }
}
