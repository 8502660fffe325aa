//! A question inside an ESP SA, and its answer: whether packets pass both ways in the SA that carries
//! data, or how many of them do. It is the content of a dummy packet (RFC 4303 §2.6), which every
//! receiver must be prepared to get and "MUST be discarded, without prejudice" by those who do not
//! know it; and it needs no address inside the tunnel, so that no traffic selector can forbid it.
//!
//! ```text
//!    0                   8       9            12                  16                  24
//!   ┌───────────────────┬───────┬─────────────┬───────────────────┬───────────────────┐
//!   │ 8 octets of name  │ kind  │ zero        │ zero              │ number            │
//!   ├───────────────────┴───────┴─────────────┼───────────────────┴───────────────────┤
//!   │ arrived                                 │ lost                    a report only │
//!   └─────────────────────────────────────────┴───────────────────────────────────────┘
//! ```

use super::{DecodeError, Reader};

/// What the others are told apart by; the last octet is a version.
const NAME: [u8; 8] = *b"vpngw e\x01";
/// Between the kind and the number, for later.
const RESERVED: [u8; 7] = [0; 7];

/// What has become of the ESP packets that one end has sent to the other since they are connected, as
/// the receiver's sequence numbers show it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// They are authentic and new.
    pub arrived: u64,
    /// Later ones have come and these have not.
    pub lost: u64,
}

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EchoKind {
    /// It wants an answer of the same number.
    Question,
    /// It is one.
    Answer,
    /// It wants a report of the same number.
    Inquiry,
    /// It is one: what has become of the packets of who asks.
    Report(Arrivals),
}

/// A question, or its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// What it is about.
    pub kind: EchoKind,
    /// The number of the question.
    pub number: u64,
}

impl Echo {
    /// Its octets.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, arrivals) = match self.kind {
            EchoKind::Question => (1, None),
            EchoKind::Answer => (2, None),
            EchoKind::Inquiry => (3, None),
            EchoKind::Report(arrivals) => (4, Some(arrivals)),
        };
        let mut octets = NAME.to_vec();
        octets.push(kind);
        octets.extend(RESERVED);
        octets.extend(self.number.to_be_bytes());
        if let Some(Arrivals { arrived, lost }) = arrivals {
            octets.extend([arrived, lost].iter().flat_map(|count| count.to_be_bytes()));
        }
        octets
    }

    /// The echo that a dummy packet is.
    ///
    /// # Errors
    ///
    /// When it is any other.
    pub fn decode(octets: &[u8]) -> Result<Echo, DecodeError> {
        let mut reader = Reader::new("ESP echo", octets);
        let echo = Echo::read(&mut reader)?;
        reader.finish()?;
        Ok(echo)
    }

    /// The echo with which padding begins.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn at_start_of(octets: &[u8]) -> Result<Echo, DecodeError> {
        Echo::read(&mut Reader::new("ESP echo", octets))
    }

    fn read(reader: &mut Reader<'_>) -> Result<Echo, DecodeError> {
        if reader.array()? != NAME {
            return Err(reader.invalid("another dummy packet"));
        }
        let kind = reader.u8()?;
        if reader.array()? != RESERVED {
            return Err(reader.invalid("reserved octets are not zero"));
        }
        let number = reader.u64()?;
        let kind = match kind {
            1 => EchoKind::Question,
            2 => EchoKind::Answer,
            3 => EchoKind::Inquiry,
            4 => EchoKind::Report(Arrivals { arrived: reader.u64()?, lost: reader.u64()? }),
            _ => return Err(reader.invalid("another kind of echo")),
        };
        Ok(Echo { kind, number })
    }
}

#[cfg(test)]
mod tests;
