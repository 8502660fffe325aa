//! The Security Association payload: proposals, transforms, attributes (RFC 7296 §3.3).

use super::{ProtocolId, TransformType, limits};
use crate::wire::{DecodeError, Fault, Reader, Writer};

/// What a side offers or has chosen: one proposal or several alternatives, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityAssociation {
    /// The proposals in order of preference.
    pub proposals: Vec<Proposal>,
}

/// One alternative: of each transform type in it, one transform is to be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Proposal Num: 1 for the first, one more for each next (RFC 7296 §3.3.1).
    pub number: u8,
    /// The protocol of the SA.
    pub protocol: ProtocolId,
    /// SPI of the sender: none, 8 octets (IKE) or 4 octets (ESP).
    pub spi: Vec<u8>,
    /// The transforms in order of preference.
    pub transforms: Vec<Transform>,
}

/// One algorithm that may be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transform {
    /// What the transform chooses.
    pub transform_type: TransformType,
    /// The algorithm, a number of the registry of its type.
    pub id: u16,
    /// Key length in bits, for algorithms with keys of several lengths (RFC 7296 §3.3.5).
    pub key_length: Option<u16>,
    /// Attributes besides the key length. A transform that has any must not be chosen by
    /// someone who does not understand them (RFC 7296 §3.3.6).
    pub attributes: Vec<Attribute>,
}

/// A transform attribute other than the key length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Attribute type, 15 bits.
    pub attribute_type: u16,
    /// Its value.
    pub value: AttributeValue,
}

/// The two formats of an attribute (RFC 7296 §3.3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// TV: the value itself.
    Short(u16),
    /// TLV: a value with its length.
    Long(Vec<u8>),
}

const MORE_PROPOSALS: u8 = 2;
const MORE_TRANSFORMS: u8 = 3;
const KEY_LENGTH: u16 = 14;
const TV_FORMAT: u16 = 0x8000;

impl Transform {
    /// A transform without attributes.
    pub fn new(transform_type: TransformType, id: impl Into<u16>) -> Transform {
        Transform { transform_type, id: id.into(), key_length: None, attributes: Vec::new() }
    }

    /// The same transform with a key of `bits` bits.
    pub fn with_key_length(self, bits: u16) -> Transform {
        Transform { key_length: Some(bits), ..self }
    }
}

impl SecurityAssociation {
    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let (mut proposals, mut transforms) = (Vec::new(), 0);
        loop {
            if proposals.len() == limits::PROPOSALS {
                return Err(reader.error(Fault::TooMany { limit: limits::PROPOSALS }));
            }
            let more = more_follow(&mut reader, MORE_PROPOSALS)?;
            let proposal = Proposal::decode(&mut reader)?;
            transforms += proposal.transforms.len();
            if transforms > limits::OFFERED_TRANSFORMS {
                return Err(reader.error(Fault::TooMany { limit: limits::OFFERED_TRANSFORMS }));
            }
            proposals.push(proposal);
            if !more {
                break;
            }
        }
        reader.finish()?;
        Ok(SecurityAssociation { proposals })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        for (position, proposal) in self.proposals.iter().enumerate() {
            let last = position + 1 == self.proposals.len();
            proposal.encode(if last { 0 } else { MORE_PROPOSALS }, writer);
        }
    }
}

/// Reads the octet that says whether another substructure follows this one.
fn more_follow(reader: &mut Reader<'_>, more: u8) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        octet if octet == more => Ok(true),
        _ => Err(reader.invalid("the octet for last or more has neither value")),
    }
}

impl Proposal {
    fn decode(outer: &mut Reader<'_>) -> Result<Self, DecodeError> {
        outer.u8()?; // RESERVED
        let length = outer.u16()?;
        let mut reader = outer.nested_after("proposal", length, 4)?;
        let number = reader.u8()?;
        let protocol = ProtocolId(reader.u8()?);
        let spi_size = reader.u8()?;
        let transform_count = reader.u8()?;
        let spi = reader.take(spi_size.into())?.to_vec();
        let transforms = Transform::decode_all(reader, transform_count.into())?;
        Ok(Proposal { number, protocol, spi, transforms })
    }

    fn encode(&self, last_or_more: u8, writer: &mut Writer) {
        writer.u8(last_or_more);
        writer.u8(0); // RESERVED
        let mut body = writer.length_u16(2);
        body.u8(self.number);
        body.u8(self.protocol.0);
        body.u8(u8::try_from(self.spi.len()).unwrap_or(u8::MAX));
        body.u8(u8::try_from(self.transforms.len()).unwrap_or(u8::MAX));
        body.bytes(&self.spi);
        for (position, transform) in self.transforms.iter().enumerate() {
            let last = position + 1 == self.transforms.len();
            transform.encode(if last { 0 } else { MORE_TRANSFORMS }, &mut body);
        }
    }
}

impl Transform {
    fn decode_all(mut reader: Reader<'_>, count: usize) -> Result<Vec<Self>, DecodeError> {
        if count > limits::TRANSFORMS {
            return Err(reader.error(Fault::TooMany { limit: limits::TRANSFORMS }));
        }
        let mut transforms = Vec::new();
        while transforms.len() < count {
            let more = more_follow(&mut reader, MORE_TRANSFORMS)?;
            transforms.push(Transform::decode(&mut reader)?);
            if more == (transforms.len() == count) {
                return Err(reader.invalid("the number of transforms is not the one announced"));
            }
        }
        reader.finish()?;
        Ok(transforms)
    }

    fn decode(outer: &mut Reader<'_>) -> Result<Self, DecodeError> {
        outer.u8()?; // RESERVED
        let length = outer.u16()?;
        let mut reader = outer.nested_after("transform", length, 4)?;
        let transform_type = TransformType(reader.u8()?);
        reader.u8()?; // RESERVED
        let id = reader.u16()?;
        let mut transform = Transform::new(transform_type, id);
        while !reader.is_empty() {
            transform.take_attribute(&mut reader)?;
        }
        Ok(transform)
    }

    fn take_attribute(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        if self.attributes.len() == limits::ATTRIBUTES {
            return Err(reader.error(Fault::TooMany { limit: limits::ATTRIBUTES }));
        }
        let attribute = Attribute::decode(reader)?;
        match attribute {
            Attribute { attribute_type: KEY_LENGTH, value: AttributeValue::Short(bits) }
                if self.key_length.is_none() =>
            {
                self.key_length = Some(bits);
            }
            other => self.attributes.push(other),
        }
        Ok(())
    }

    fn encode(&self, last_or_more: u8, writer: &mut Writer) {
        writer.u8(last_or_more);
        writer.u8(0); // RESERVED
        let mut body = writer.length_u16(2);
        body.u8(self.transform_type.0);
        body.u8(0); // RESERVED
        body.u16(self.id);
        if let Some(bits) = self.key_length {
            body.u16(TV_FORMAT | KEY_LENGTH);
            body.u16(bits);
        }
        for attribute in &self.attributes {
            attribute.encode(&mut body);
        }
    }
}

impl Attribute {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let format_and_type = reader.u16()?;
        let length_or_value = reader.u16()?;
        let value = if format_and_type & TV_FORMAT != 0 {
            AttributeValue::Short(length_or_value)
        } else {
            AttributeValue::Long(reader.take(length_or_value.into())?.to_vec())
        };
        Ok(Attribute { attribute_type: format_and_type & !TV_FORMAT, value })
    }

    fn encode(&self, writer: &mut Writer) {
        let attribute_type = self.attribute_type & !TV_FORMAT;
        match &self.value {
            AttributeValue::Short(value) => {
                writer.u16(TV_FORMAT | attribute_type);
                writer.u16(*value);
            }
            AttributeValue::Long(value) => {
                writer.u16(attribute_type);
                writer.u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
                writer.bytes(value);
            }
        }
    }
}
