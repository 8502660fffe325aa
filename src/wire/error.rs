//! Why bytes are not a value: one error for every decoder of [`wire`](crate::wire).

/// A decoder's refusal: which structure, why, and at which octet of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why} (at octet {at})")]
pub struct DecodeError {
    /// The structure that was being read, in the RFC's words.
    pub what: &'static str,
    /// What is wrong with it.
    pub why: Fault,
    /// Offset of the fault from the start of the outermost input.
    pub at: usize,
}

/// What can be wrong with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The input ends before the structure does.
    #[error("{needed} more octets needed, {left} left")]
    Truncated {
        /// Octets that the next field takes.
        needed: usize,
        /// Octets that are there.
        left: usize,
    },
    /// The structure ends before the input does.
    #[error("{left} octets too many")]
    Trailing {
        /// Octets that no field accounts for.
        left: usize,
    },
    /// A length field contradicts the structure around it.
    #[error("length field says {0}")]
    Length(usize),
    /// More items than we are ready to hold.
    #[error("more than {limit} items")]
    TooMany {
        /// The bound that was exceeded.
        limit: usize,
    },
    /// A field has a value that its RFC excludes.
    #[error("{0}")]
    Invalid(&'static str),
    /// The checksum does not match.
    #[error("checksum mismatch")]
    Checksum,
}
