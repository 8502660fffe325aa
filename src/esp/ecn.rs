//! Explicit congestion notification out of the tunnel (RFC 6040, in normal mode); into it
//! [`OuterDscp`](crate::net::OuterDscp) copies.
//!
//! Pure functions over TOS bytes (IPv4 TOS, IPv6 traffic class): DSCP in the upper six bits,
//! ECN in the lower two. Writing the result into a header, with its checksum, is the caller's.

use super::Discard;

/// The two ECN bits (RFC 3168 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Ecn {
    /// The endpoints do not do ECN.
    NotEct = 0b00,
    /// ECN-capable, codepoint 1.
    Ect1 = 0b01,
    /// ECN-capable, codepoint 0.
    Ect0 = 0b10,
    /// Congestion experienced.
    Ce = 0b11,
}

const ECN_MASK: u8 = 0b11;

impl Ecn {
    /// The ECN bits of a TOS byte.
    pub const fn of(tos: u8) -> Ecn {
        match tos & ECN_MASK {
            0b00 => Ecn::NotEct,
            0b01 => Ecn::Ect1,
            0b10 => Ecn::Ect0,
            _ => Ecn::Ce,
        }
    }

    /// `tos` with these ECN bits.
    pub const fn put_into(self, tos: u8) -> u8 {
        (tos & !ECN_MASK) | self as u8
    }
}

/// The inner TOS byte after decapsulation: the inner DSCP stays, congestion that the underlay
/// marked goes in. Refused: congestion marked on a packet whose endpoints do not do ECN, which
/// the underlay should have dropped (RFC 6040 §4.2, figure 4).
///
/// # Errors
///
/// [`Discard::EcnInvalid`], as said above.
pub const fn decapsulate(inner: u8, outer: u8) -> Result<u8, Discard> {
    let ecn = match (Ecn::of(inner), Ecn::of(outer)) {
        (Ecn::NotEct, Ecn::Ce) => return Err(Discard::EcnInvalid),
        (Ecn::NotEct, Ecn::NotEct | Ecn::Ect0 | Ecn::Ect1) => Ecn::NotEct,
        (Ecn::Ect0, Ecn::NotEct | Ecn::Ect0) => Ecn::Ect0,
        (Ecn::Ect0, Ecn::Ect1) => Ecn::Ect1,
        (Ecn::Ect1, Ecn::NotEct | Ecn::Ect0 | Ecn::Ect1) => Ecn::Ect1,
        (Ecn::Ect0 | Ecn::Ect1, Ecn::Ce) => Ecn::Ce,
        (Ecn::Ce, Ecn::NotEct | Ecn::Ect0 | Ecn::Ect1 | Ecn::Ce) => Ecn::Ce,
    };
    Ok(ecn.put_into(inner))
}

#[cfg(test)]
mod tests;
