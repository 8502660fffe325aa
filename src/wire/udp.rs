//! The UDP header (RFC 768).

use super::{DecodeError, Fault};

/// A view of a UDP header.
#[derive(Clone, Copy, Debug)]
pub struct UdpHeader<'a>(&'a [u8; UdpHeader::LEN]);

impl<'a> UdpHeader<'a> {
    /// Octets of the header.
    pub const LEN: usize = 8;

    /// The header at the start of `datagram`, whose length field is not checked: packets to be
    /// segmented have that of the whole.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let Some(header) = datagram.first_chunk() else {
            let why = Fault::Truncated { needed: UdpHeader::LEN, left: datagram.len() };
            return Err(DecodeError { what: "UDP header", why, at: 0 });
        };
        Ok(UdpHeader(header))
    }

    /// The sender's port.
    pub fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.0[0], self.0[1]])
    }

    /// The receiver's port.
    pub fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.0[2], self.0[3]])
    }

    /// Octets of header and payload.
    pub fn length(&self) -> u16 {
        u16::from_be_bytes([self.0[4], self.0[5]])
    }

    /// The checksum; zero means none.
    pub fn checksum(&self) -> u16 {
        u16::from_be_bytes([self.0[6], self.0[7]])
    }
}

#[cfg(test)]
mod tests;
