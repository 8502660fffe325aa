//! Differentiated services codepoints (RFC 2474), and which of them datagrams around packets have (RFC 2983).

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A codepoint: six bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dscp(u8);

impl Dscp {
    /// Network control (RFC 4594 §3.1): what networks say to each other.
    pub const CS6: Dscp = Dscp(48);
    /// Reserved for what networks say to each other inside (RFC 4594 §3.1).
    pub const CS7: Dscp = Dscp(56);
    /// Expedited forwarding (RFC 3246): what may not wait.
    pub const EF: Dscp = Dscp(46);

    /// That of a TOS byte or traffic class.
    pub const fn of(tos: u8) -> Dscp {
        Dscp(tos >> 2)
    }

    /// `tos` with this codepoint; its ECN bits stay.
    pub const fn put_into(self, tos: u8) -> u8 {
        self.0 << 2 | tos & 0b11
    }
}

/// Codepoints with a name (IANA, "Differentiated Services Field Codepoints").
const NAMES: [(&str, u8); 24] = [
    ("cs0", 0),
    ("cs1", 8),
    ("cs2", 16),
    ("cs3", 24),
    ("cs4", 32),
    ("cs5", 40),
    ("cs6", 48),
    ("cs7", 56),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("ef", 46),
    ("voice-admit", 44),
    ("le", 1),
    ("nqb", 45),
];

/// Not a codepoint.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is no DSCP")]
pub struct ParseDscpError(String);

impl FromStr for Dscp {
    type Err = ParseDscpError;

    /// A name, or a number from 0 to 63.
    fn from_str(text: &str) -> Result<Dscp, ParseDscpError> {
        let named = NAMES.iter().find(|(name, _)| *name == text).map(|(_, number)| *number);
        let number = named.or_else(|| text.parse().ok()).filter(|number| *number < 64);
        number.map(Dscp).ok_or_else(|| ParseDscpError(text.to_owned()))
    }
}

impl fmt::Display for Dscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

/// Which codepoint datagrams have that carry packets of hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OuterDscp {
    /// That of the packet (RFC 4301 §5.1.2.1): hosts choose their class on the underlay, too.
    #[default]
    Copied,
    /// Always the same: nobody sees what is inside, and nobody there chooses (RFC 2983 §3.2, the pipe model).
    Fixed(Dscp),
}

impl OuterDscp {
    /// The outer TOS byte for an inner one. ECN is copied (RFC 6040 §4.1).
    #[inline]
    pub const fn tos_for(self, inner: u8) -> u8 {
        match self {
            OuterDscp::Copied => inner,
            OuterDscp::Fixed(dscp) => dscp.put_into(inner),
        }
    }
}

impl fmt::Display for OuterDscp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OuterDscp::Copied => f.write_str("copy"),
            OuterDscp::Fixed(dscp) => dscp.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
