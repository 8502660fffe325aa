//! Payloads and the chain that they form (RFC 7296 §3.2).
//!
//! ```text
//! +---------------+-+-------------+-------------------------------+
//! | Next Payload  |C|  RESERVED   |         Payload Length        |  body …
//! +---------------+-+-------------+-------------------------------+
//! ```

use super::bodies::{
    Authentication, Certificate, Configuration, Delete, EncryptedBody, EncryptedFragment,
    Identification, KeyExchange, Notify, UnknownPayload, write_typed,
};
use super::{PayloadType, SecurityAssociation, TrafficSelectors, limits};
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

const CRITICAL: u8 = 0x80;
const GENERIC_HEADER: usize = 4;

/// Where a chain stands: payloads inside an SK payload are read with the keys of the IKE SA.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Outside,
    Inside,
}

/// Reads the payloads that an SK payload held, of which the first is of type `first`.
///
/// # Errors
///
/// When a payload is cut short or malformed, or octets are left over.
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
                id.encode(writer);
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
