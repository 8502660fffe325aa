//! Payloads and the chain that they form (RFC 7296 §3.2, §3.4 to §3.16; RFC 7383 §2.5).
//!
//! ```text
//! +---------------+-+-------------+-------------------------------+
//! | Next Payload  |C|  RESERVED   |         Payload Length        |  body …
//! +---------------+-+-------------+-------------------------------+
//! ```

use super::{
    AuthMethod, CertEncoding, ConfigurationType, IdType, KeyExchangeMethod, NotifyType,
    PayloadType, ProtocolId, SecurityAssociation, TrafficSelectors, limits,
};
use crate::wire::{DecodeError, Fault, Reader, Writer};

/// One payload of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// SA: proposals.
    SecurityAssociation(SecurityAssociation),
    /// KE: a public value.
    KeyExchange(KeyExchange),
    /// Ni or Nr, 16 to 256 octets.
    Nonce(Vec<u8>),
    /// IDi.
    IdInitiator(Identification),
    /// IDr.
    IdResponder(Identification),
    /// CERT.
    Certificate(Certificate),
    /// CERTREQ: a Certification Authority field in place of the certificate.
    CertificateRequest(Certificate),
    /// AUTH.
    Authentication(Authentication),
    /// N.
    Notify(Notify),
    /// D.
    Delete(Delete),
    /// V: opaque octets.
    VendorId(Vec<u8>),
    /// TSi.
    TrafficSelectorsInitiator(TrafficSelectors),
    /// TSr.
    TrafficSelectorsResponder(TrafficSelectors),
    /// SK: what is inside needs keys. Ends the chain.
    Encrypted(EncryptedBody),
    /// SKF: a fragment of such a payload. Ends the chain.
    EncryptedFragment(EncryptedFragment),
    /// CP, attributes not decoded.
    Configuration(Configuration),
    /// EAP: the message as it is.
    Eap(Vec<u8>),
    /// A payload of a type that we do not know.
    Unknown(UnknownPayload),
}

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
    /// The identity.
    pub data: Vec<u8>,
}

impl Identification {
    /// The payload's body, ID type to end, which the AUTH payload covers ("RestOfInitIDPayload",
    /// RFC 7296 §2.15).
    pub fn body(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(4 + self.data.len());
        write_typed(self.id_type.0, &self.data, &mut writer);
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

const CRITICAL: u8 = 0x80;
const GENERIC_HEADER: usize = 4;

/// Where a chain stands: payloads inside an SK payload are read with the keys of the IKE SA.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Outside,
    Inside,
}

/// Reads the payloads that an SK payload held, of which the first is of type `first`.
pub fn decode_chain(first: PayloadType, bytes: &[u8]) -> Result<Vec<Payload>, DecodeError> {
    read_chain(first, Reader::new("payload chain", bytes), Place::Inside)
}

/// Writes payloads as an SK payload holds them; returns the type of the first.
pub fn encode_chain(payloads: &[Payload]) -> (PayloadType, Vec<u8>) {
    let mut writer = Writer::with_capacity(512);
    write_chain(payloads, &mut writer);
    let first = payloads.first().map_or(PayloadType::NONE, Payload::payload_type);
    (first, writer.into_bytes())
}

pub(super) fn read_chain(
    first: PayloadType,
    mut reader: Reader<'_>,
    place: Place,
) -> Result<Vec<Payload>, DecodeError> {
    let mut payloads = Vec::new();
    let mut payload_type = first;
    while payload_type != PayloadType::NONE {
        if payloads.len() == limits::PAYLOADS {
            return Err(reader.error(Fault::TooMany { limit: limits::PAYLOADS }));
        }
        let generic = GenericHeader::read(&mut reader)?;
        let body = reader.nested_after("payload", generic.length, GENERIC_HEADER)?;
        let seals = matches!(payload_type, PayloadType::SK | PayloadType::SKF);
        if seals && place == Place::Inside {
            return Err(body.invalid("an encrypted payload inside an encrypted payload"));
        }
        payloads.push(Payload::decode(payload_type, generic, body)?);
        // An SK payload is the last of its message (RFC 7296 §3.14): its next payload
        // field names what is inside.
        payload_type = if seals { PayloadType::NONE } else { generic.next_payload };
    }
    reader.finish()?;
    Ok(payloads)
}

pub(super) fn write_chain(payloads: &[Payload], writer: &mut Writer) {
    for (position, payload) in payloads.iter().enumerate() {
        let next = payloads.get(position + 1).map_or(PayloadType::NONE, Payload::payload_type);
        payload.encode(next, writer);
    }
}

#[derive(Clone, Copy)]
struct GenericHeader {
    next_payload: PayloadType,
    critical: bool,
    length: u16,
}

impl GenericHeader {
    fn read(reader: &mut Reader<'_>) -> Result<GenericHeader, DecodeError> {
        let next_payload = PayloadType(reader.u8()?);
        let critical = reader.u8()? & CRITICAL != 0;
        Ok(GenericHeader { next_payload, critical, length: reader.u16()? })
    }
}

impl Payload {
    /// The type that names this payload in the header before it.
    pub fn payload_type(&self) -> PayloadType {
        match self {
            Payload::SecurityAssociation(_) => PayloadType::SA,
            Payload::KeyExchange(_) => PayloadType::KE,
            Payload::Nonce(_) => PayloadType::NONCE,
            Payload::IdInitiator(_) => PayloadType::IDi,
            Payload::IdResponder(_) => PayloadType::IDr,
            Payload::Certificate(_) => PayloadType::CERT,
            Payload::CertificateRequest(_) => PayloadType::CERTREQ,
            Payload::Authentication(_) => PayloadType::AUTH,
            Payload::Notify(_) => PayloadType::NOTIFY,
            Payload::Delete(_) => PayloadType::DELETE,
            Payload::VendorId(_) => PayloadType::VENDOR,
            Payload::TrafficSelectorsInitiator(_) => PayloadType::TSi,
            Payload::TrafficSelectorsResponder(_) => PayloadType::TSr,
            Payload::Encrypted(_) => PayloadType::SK,
            Payload::EncryptedFragment(_) => PayloadType::SKF,
            Payload::Configuration(_) => PayloadType::CP,
            Payload::Eap(_) => PayloadType::EAP,
            Payload::Unknown(unknown) => unknown.payload_type,
        }
    }

    fn decode(
        payload_type: PayloadType,
        generic: GenericHeader,
        mut reader: Reader<'_>,
    ) -> Result<Payload, DecodeError> {
        Ok(match payload_type {
            PayloadType::SA => Payload::SecurityAssociation(SecurityAssociation::decode(reader)?),
            PayloadType::KE => Payload::KeyExchange(KeyExchange::decode(reader)?),
            PayloadType::NONCE => Payload::Nonce(nonce(reader)?),
            PayloadType::IDi => Payload::IdInitiator(Identification::decode(reader)?),
            PayloadType::IDr => Payload::IdResponder(Identification::decode(reader)?),
            PayloadType::CERT => Payload::Certificate(Certificate::decode(reader)?),
            PayloadType::CERTREQ => Payload::CertificateRequest(Certificate::decode(reader)?),
            PayloadType::AUTH => Payload::Authentication(Authentication::decode(reader)?),
            PayloadType::NOTIFY => Payload::Notify(Notify::decode(reader)?),
            PayloadType::DELETE => Payload::Delete(Delete::decode(reader)?),
            PayloadType::VENDOR => Payload::VendorId(reader.rest().to_vec()),
            PayloadType::TSi => {
                Payload::TrafficSelectorsInitiator(TrafficSelectors::decode(reader)?)
            }
            PayloadType::TSr => {
                Payload::TrafficSelectorsResponder(TrafficSelectors::decode(reader)?)
            }
            PayloadType::SK => Payload::Encrypted(EncryptedBody {
                first_inner: generic.next_payload,
                body: reader.rest().to_vec(),
            }),
            PayloadType::SKF => {
                Payload::EncryptedFragment(EncryptedFragment::decode(generic.next_payload, reader)?)
            }
            PayloadType::CP => Payload::Configuration(Configuration::decode(reader)?),
            PayloadType::EAP => Payload::Eap(reader.rest().to_vec()),
            _ => Payload::Unknown(UnknownPayload {
                payload_type,
                critical: generic.critical,
                body: reader.rest().to_vec(),
            }),
        })
    }

    fn encode(&self, next: PayloadType, writer: &mut Writer) {
        let (next, flags) = match self {
            Payload::Encrypted(sealed) => (sealed.first_inner, 0),
            Payload::EncryptedFragment(sealed) => (sealed.first_inner, 0),
            Payload::Unknown(unknown) if unknown.critical => (next, CRITICAL),
            _ => (next, 0),
        };
        writer.u8(next.0);
        writer.u8(flags);
        self.encode_body(&mut writer.length_u16(2));
    }

    fn encode_body(&self, writer: &mut Writer) {
        match self {
            Payload::SecurityAssociation(sa) => sa.encode(writer),
            Payload::KeyExchange(ke) => ke.encode(writer),
            Payload::IdInitiator(id) | Payload::IdResponder(id) => {
                write_typed(id.id_type.0, &id.data, writer);
            }
            Payload::Certificate(cert) | Payload::CertificateRequest(cert) => {
                writer.u8(cert.encoding.0);
                writer.bytes(&cert.data);
            }
            Payload::Authentication(auth) => write_typed(auth.method.0, &auth.data, writer),
            Payload::Notify(notify) => notify.encode(writer),
            Payload::Delete(delete) => delete.encode(writer),
            Payload::TrafficSelectorsInitiator(ts) | Payload::TrafficSelectorsResponder(ts) => {
                ts.encode(writer);
            }
            Payload::Encrypted(sealed) => writer.bytes(&sealed.body),
            Payload::EncryptedFragment(fragment) => fragment.encode(writer),
            Payload::Configuration(cp) => write_typed(cp.cfg_type.0, &cp.attributes, writer),
            Payload::Nonce(raw) | Payload::VendorId(raw) | Payload::Eap(raw) => writer.bytes(raw),
            Payload::Unknown(unknown) => writer.bytes(&unknown.body),
        }
    }
}

fn nonce(mut reader: Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    if !limits::NONCE.contains(&reader.remaining()) {
        return Err(reader.invalid("a nonce must have 16 to 256 octets (RFC 7296 §3.9)"));
    }
    Ok(reader.rest().to_vec())
}

/// A type octet, three reserved octets, and the rest: the shape of ID, AUTH and CP payloads.
fn read_typed(mut reader: Reader<'_>) -> Result<(u8, Vec<u8>), DecodeError> {
    let kind = reader.u8()?;
    reader.array::<3>()?; // RESERVED
    Ok((kind, reader.rest().to_vec()))
}

fn write_typed(kind: u8, data: &[u8], writer: &mut Writer) {
    writer.u8(kind);
    writer.zeros(3); // RESERVED
    writer.bytes(data);
}

impl KeyExchange {
    fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let method = KeyExchangeMethod(reader.u16()?);
        reader.u16()?; // RESERVED
        Ok(KeyExchange { method, data: reader.rest().to_vec() })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u16(self.method.0);
        writer.u16(0); // RESERVED
        writer.bytes(&self.data);
    }
}

impl Identification {
    fn decode(reader: Reader<'_>) -> Result<Self, DecodeError> {
        let (id_type, data) = read_typed(reader)?;
        Ok(Identification { id_type: IdType(id_type), data })
    }
}

impl Certificate {
    fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let encoding = CertEncoding(reader.u8()?);
        Ok(Certificate { encoding, data: reader.rest().to_vec() })
    }
}

impl Authentication {
    fn decode(reader: Reader<'_>) -> Result<Self, DecodeError> {
        let (method, data) = read_typed(reader)?;
        Ok(Authentication { method: AuthMethod(method), data })
    }
}

impl Notify {
    fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let protocol = ProtocolId(reader.u8()?);
        let spi_size = reader.u8()?;
        let notify_type = NotifyType(reader.u16()?);
        let spi = reader.take(spi_size.into())?.to_vec();
        Ok(Notify { protocol, spi, notify_type, data: reader.rest().to_vec() })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.protocol.0);
        writer.u8(u8::try_from(self.spi.len()).unwrap_or(u8::MAX));
        writer.u16(self.notify_type.0);
        writer.bytes(&self.spi);
        writer.bytes(&self.data);
    }
}

impl Delete {
    fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
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

    fn encode(&self, writer: &mut Writer) {
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
    fn decode(first_inner: PayloadType, mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let fragment_number = reader.u16()?;
        let total_fragments = reader.u16()?;
        // RFC 7383 §2.5: numbered from 1, and never more than there are.
        if fragment_number == 0 || fragment_number > total_fragments {
            return Err(reader.invalid("a fragment number out of range (RFC 7383 §2.5)"));
        }
        let body = reader.rest().to_vec();
        Ok(EncryptedFragment { first_inner, fragment_number, total_fragments, body })
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u16(self.fragment_number);
        writer.u16(self.total_fragments);
        writer.bytes(&self.body);
    }
}

impl Configuration {
    fn decode(reader: Reader<'_>) -> Result<Self, DecodeError> {
        let (cfg_type, attributes) = read_typed(reader)?;
        Ok(Configuration { cfg_type: ConfigurationType(cfg_type), attributes })
    }
}
