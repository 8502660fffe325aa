//! The IKE header (RFC 7296 §3.1).
//!
//! ```text
//!                      1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                       IKE SA Initiator's SPI                  |
//! |                                                               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                       IKE SA Responder's SPI                  |
//! |                                                               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Next Payload | MjVer | MnVer | Exchange Type |     Flags     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                          Message ID                           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                            Length                             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::{ExchangeType, PayloadType};
use crate::wire::{DecodeError, Reader, Writer};
use std::fmt;

/// SPI of one side of an IKE SA.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IkeSpi(pub [u8; 8]);

impl IkeSpi {
    /// "Not chosen yet": the responder's SPI in the first message of an IKE_SA_INIT.
    pub const ZERO: IkeSpi = IkeSpi([0; 8]);

    /// Whether this SPI is still to be chosen.
    pub fn is_zero(&self) -> bool {
        *self == IkeSpi::ZERO
    }
}

impl fmt::Display for IkeSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for IkeSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IkeSpi({self})")
    }
}

/// Number of a request of one side, and of the response to it (RFC 7296 §2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u32);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Protocol version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Four bits; messages of another major version have another format.
    pub major: u8,
    /// Four bits; ignored on reception (RFC 7296 §2.5).
    pub minor: u8,
}

impl Version {
    /// IKEv2: major version 2, minor version 0.
    pub const IKEV2: Version = Version { major: 2, minor: 0 };
}

/// The flags that are not reserved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The sender is the original initiator of the IKE SA.
    pub initiator: bool,
    /// The message answers a request.
    pub response: bool,
    /// The sender can speak a higher major version.
    pub version: bool,
}

impl Flags {
    const INITIATOR: u8 = 0x08;
    const VERSION: u8 = 0x10;
    const RESPONSE: u8 = 0x20;

    fn from_octet(octet: u8) -> Flags {
        Flags {
            initiator: octet & Flags::INITIATOR != 0,
            response: octet & Flags::RESPONSE != 0,
            version: octet & Flags::VERSION != 0,
        }
    }

    fn to_octet(self) -> u8 {
        let bit = |set: bool, mask: u8| if set { mask } else { 0 };
        bit(self.initiator, Flags::INITIATOR)
            | bit(self.response, Flags::RESPONSE)
            | bit(self.version, Flags::VERSION)
    }
}

/// The header of every IKE message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// SPI chosen by the original initiator of the IKE SA.
    pub initiator_spi: IkeSpi,
    /// SPI chosen by the original responder; zero until it has.
    pub responder_spi: IkeSpi,
    /// Type of the first payload. Encoders of whole messages set it themselves.
    pub next_payload: PayloadType,
    /// Version of the message.
    pub version: Version,
    /// The exchange that the message belongs to.
    pub exchange_type: ExchangeType,
    /// Who sends it, and whether it is a response.
    pub flags: Flags,
    /// Number of the request.
    pub message_id: MessageId,
    /// Octets of the whole message. Encoders of whole messages set it themselves.
    pub length: u32,
}

impl Header {
    /// Octets of an IKE header.
    pub const LEN: usize = 28;

    /// A header for a message yet to be encoded, of version 2.0.
    pub fn new(
        initiator_spi: IkeSpi,
        responder_spi: IkeSpi,
        exchange_type: ExchangeType,
        flags: Flags,
        message_id: MessageId,
    ) -> Header {
        Header {
            initiator_spi,
            responder_spi,
            next_payload: PayloadType::NONE,
            version: Version::IKEV2,
            exchange_type,
            flags,
            message_id,
            length: 0,
        }
    }

    /// Reads the header at the start of `bytes`, whatever its version, and leaves the rest and
    /// the length field unchecked.
    ///
    /// # Errors
    ///
    /// When there are fewer than 28 octets.
    pub fn decode(bytes: &[u8]) -> Result<Header, DecodeError> {
        Header::read(&mut Reader::new("IKE header", bytes))
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Header, DecodeError> {
        let initiator_spi = IkeSpi(reader.array()?);
        let responder_spi = IkeSpi(reader.array()?);
        let next_payload = PayloadType(reader.u8()?);
        let version = reader.u8()?;
        Ok(Header {
            initiator_spi,
            responder_spi,
            next_payload,
            version: Version { major: version >> 4, minor: version & 0x0f },
            exchange_type: ExchangeType(reader.u8()?),
            flags: Flags::from_octet(reader.u8()?),
            message_id: MessageId(reader.u32()?),
            length: reader.u32()?,
        })
    }

    /// The header's octets, with every field as it stands.
    pub fn encode(&self) -> [u8; Header::LEN] {
        let mut writer = Writer::with_capacity(Header::LEN);
        self.write_up_to_length(&mut writer);
        writer.u32(self.length);
        let mut bytes = [0; Header::LEN];
        bytes.copy_from_slice(&writer.into_bytes());
        bytes
    }

    pub(super) fn write_up_to_length(&self, writer: &mut Writer) {
        writer.bytes(&self.initiator_spi.0);
        writer.bytes(&self.responder_spi.0);
        writer.u8(self.next_payload.0);
        writer.u8(self.version.major << 4 | self.version.minor & 0x0f);
        writer.u8(self.exchange_type.0);
        writer.u8(self.flags.to_octet());
        writer.u32(self.message_id.0);
    }
}
