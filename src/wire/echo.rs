//! A question inside an ESP SA, and its answer: whether packets pass both ways in the SA that carries
//! data. It is the content of a dummy packet (RFC 4303 §2.6), which every receiver must be prepared
//! to get and "MUST be discarded, without prejudice" by those who do not know it; and it needs no
//! address inside the tunnel, so that no traffic selector can forbid it.
//!
//! ```text
//!    0                   8       9            12                  16                  24
//!   ┌───────────────────┬───────┬─────────────┬───────────────────┬───────────────────┐
//!   │ 8 octets of name  │ kind  │ zero        │ zero              │ number            │
//!   └───────────────────┴───────┴─────────────┴───────────────────┴───────────────────┘
//! ```

use super::{DecodeError, Fault};

/// What the others are told apart by; the last octet is a version.
const NAME: [u8; 8] = *b"vpngw e\x01";
/// Between the kind and the number, for later.
const RESERVED: [u8; 7] = [0; 7];

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EchoKind {
    /// It wants an answer of the same number.
    Question,
    /// It is one.
    Answer,
}

/// A question, or its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// Which of the two.
    pub kind: EchoKind,
    /// The number of the question.
    pub number: u64,
}

impl Echo {
    /// Octets of it.
    pub const LEN: usize = 24;

    /// Its octets.
    pub fn encode(&self) -> [u8; Echo::LEN] {
        let mut octets = [0; Echo::LEN];
        let kind = match self.kind {
            EchoKind::Question => 1,
            EchoKind::Answer => 2,
        };
        octets[..8].copy_from_slice(&NAME);
        octets[8] = kind;
        octets[16..].copy_from_slice(&self.number.to_be_bytes());
        octets
    }

    /// The echo that a dummy packet is.
    ///
    /// # Errors
    ///
    /// When it is any other.
    pub fn decode(octets: &[u8]) -> Result<Echo, DecodeError> {
        let fault = |why, at| DecodeError { what: "ESP echo", why, at };
        let Some((octets, rest)) = octets.split_first_chunk::<{ Echo::LEN }>() else {
            return Err(fault(Fault::Truncated { needed: Echo::LEN, left: octets.len() }, 0));
        };
        if !rest.is_empty() {
            return Err(fault(Fault::Trailing { left: rest.len() }, Echo::LEN));
        }
        if octets[..8] != NAME || octets[9..16] != RESERVED {
            return Err(fault(Fault::Invalid("another dummy packet"), 0));
        }
        let kind = match octets[8] {
            1 => EchoKind::Question,
            2 => EchoKind::Answer,
            _ => return Err(fault(Fault::Invalid("neither question nor answer"), 8)),
        };
        let [.., n0, n1, n2, n3, n4, n5, n6, n7] = *octets;
        Ok(Echo { kind, number: u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]) })
    }
}

#[cfg(test)]
mod tests;
