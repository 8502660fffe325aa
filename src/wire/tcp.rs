//! The TCP header (RFC 9293 §3.1): a view, and the clamping of the Maximum Segment Size.

use super::{DecodeError, Fault, checksum};

/// A view of a TCP header, options included.
#[derive(Clone, Copy, Debug)]
pub struct TcpHeader<'a> {
    fixed: &'a [u8; TcpHeader::MIN_LEN],
    options: &'a [u8],
}

/// Control bits of a TCP header.
pub mod flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number is valid.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer is valid.
    pub const URG: u8 = 0x20;
    /// ECN echo.
    pub const ECE: u8 = 0x40;
    /// Congestion window reduced.
    pub const CWR: u8 = 0x80;
}

impl<'a> TcpHeader<'a> {
    /// Octets of a header without options.
    pub const MIN_LEN: usize = 20;
    /// Offset of the control bits.
    pub const FLAGS_AT: usize = 13;
    /// Offset of the checksum field.
    pub const CHECKSUM_AT: usize = 16;

    /// The header at the start of `segment`.
    ///
    /// # Errors
    ///
    /// When the segment is cut short, or its data offset points outside of it.
    #[inline]
    pub fn parse(segment: &'a [u8]) -> Result<Self, DecodeError> {
        let what = "TCP header";
        let Some((fixed, rest)) = segment.split_first_chunk() else {
            let why = Fault::Truncated { needed: TcpHeader::MIN_LEN, left: segment.len() };
            return Err(DecodeError { what, why, at: 0 });
        };
        let header_len = header_len(fixed);
        let Some(options_len) = header_len.checked_sub(TcpHeader::MIN_LEN) else {
            return Err(DecodeError { what, why: Fault::Length(header_len), at: 12 });
        };
        let Some(options) = rest.get(..options_len) else {
            let why = Fault::Truncated { needed: header_len, left: segment.len() };
            return Err(DecodeError { what, why, at: 0 });
        };
        Ok(TcpHeader { fixed, options })
    }

    /// Octets of the header with its options: 20 to 60.
    pub fn header_len(&self) -> usize {
        TcpHeader::MIN_LEN + self.options.len()
    }

    /// The sender's port.
    pub fn source_port(&self) -> u16 {
        u16::from_be_bytes([self.fixed[0], self.fixed[1]])
    }

    /// The receiver's port.
    pub fn destination_port(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// Sequence number of the first octet of data.
    pub fn sequence(&self) -> u32 {
        u32::from_be_bytes([self.fixed[4], self.fixed[5], self.fixed[6], self.fixed[7]])
    }

    /// The next sequence number that the sender expects.
    pub fn acknowledgement(&self) -> u32 {
        u32::from_be_bytes([self.fixed[8], self.fixed[9], self.fixed[10], self.fixed[11]])
    }

    /// The control bits, see [`flags`].
    pub fn flags(&self) -> u8 {
        self.fixed[TcpHeader::FLAGS_AT]
    }

    /// The receive window as it stands in the header.
    pub fn window(&self) -> u16 {
        u16::from_be_bytes([self.fixed[14], self.fixed[15]])
    }

    /// The options' octets.
    pub fn options(&self) -> &'a [u8] {
        self.options
    }

    /// The MSS option's value and its offset in the segment.
    pub fn maximum_segment_size(&self) -> Option<(u16, usize)> {
        let offset = find_option(self.options, MSS_KIND)?;
        match self.options.get(offset..)? {
            [_, 4, high, low, ..] => {
                Some((u16::from_be_bytes([*high, *low]), TcpHeader::MIN_LEN + offset + 2))
            }
            _ => None,
        }
    }
}

fn header_len(fixed: &[u8; TcpHeader::MIN_LEN]) -> usize {
    usize::from(fixed[12] >> 4) * 4
}

const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;
const MSS_KIND: u8 = 2;

/// Offset of the first option of `kind`; options that run past the end hide what is behind them.
fn find_option(options: &[u8], kind: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        match (*options.get(at)?, options.get(at + 1)) {
            (END_OF_OPTIONS, _) => return None,
            (NO_OPERATION, _) => at += 1,
            (found, _) if found == kind => return Some(at),
            (_, Some(&length)) if length >= 2 => at += usize::from(length),
            (_, _) => return None,
        }
    }
}

/// Lowers the MSS that a SYN segment announces to `limit`, so that the other side's segments
/// fit into the tunnel; says whether anything was changed. Segments without SYN, or with no or a
/// lower MSS, stay as they are. The checksum stays right.
pub fn clamp_mss(segment: &mut [u8], limit: u16) -> bool {
    let Some((old, at)) = announced_mss(segment).filter(|&(announced, _)| announced > limit) else {
        return false;
    };
    let Some(field) = segment.get_mut(at..at + 2) else { return false };
    field.copy_from_slice(&limit.to_be_bytes());
    adjust_checksum(segment, at, old, limit);
    true
}

fn announced_mss(segment: &[u8]) -> Option<(u16, usize)> {
    let header = TcpHeader::parse(segment).ok()?;
    let synchronises = header.flags() & flags::SYN != 0;
    header.maximum_segment_size().filter(|_| synchronises)
}

/// Updates the checksum for a 16-bit field at `at` that changed from `old` to `new`. At an odd
/// offset its octets belong to two words, which is the same as the swapped field at an even one.
fn adjust_checksum(segment: &mut [u8], at: usize, old: u16, new: u16) {
    let (old, new) =
        if at.is_multiple_of(2) { (old, new) } else { (old.swap_bytes(), new.swap_bytes()) };
    let Some(field) =
        segment.get_mut(TcpHeader::CHECKSUM_AT..).and_then(|rest| rest.first_chunk_mut::<2>())
    else {
        return;
    };
    *field = checksum::update(u16::from_be_bytes(*field), old, new).to_be_bytes();
}

#[cfg(test)]
mod tests;
