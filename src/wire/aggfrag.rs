//! The AGGFRAG payload of ESP (RFC 9347 §6.1): inner packets one behind the other, cut where the
//! payload ends.
//!
//! What is done with it lives in `esp::aggfrag`.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Sub-type     |  Reserved |P|E|          BlockOffset          |
//! +---------------------------------------------------------------+ ┐
//! |                          LossEventRate                        | │ sub-type 1 only
//! |         RTT (22)          |   Echo Delay (21) │ Transmit Delay| │
//! |                                                      (21)     | │
//! |                              TVal                             | │
//! |                              TEcho                            | │
//! +---------------------------------------------------------------+ ┘
//! | rest of an earlier block │ blocks: 0x4… IPv4, 0x6… IPv6, 0x0… padding to the end
//! ```

use super::{DecodeError, Fault};

/// The next header value of ESP (§7.1).
pub const AGGFRAG_PAYLOAD: u8 = 144;

/// The octet with which a block of padding begins; what follows it is nobody's, to the end of the
/// payload (§6.1.3.3).
pub const PAD: u8 = 0;

/// The header of a payload (§6.1.1, §6.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggfragHeader {
    /// Octets of data before the first block that begins in this payload, or beyond its end when
    /// none does; those before belong to a block that has begun earlier.
    pub block_offset: u16,
    /// What sub-type 1 says beyond.
    pub congestion: Option<CongestionReport>,
}

/// What the receiver of the other direction has seen (§3, §6.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CongestionReport {
    /// P: a search for the path's MTU is under way.
    pub plmtud: bool,
    /// E: marks of ECN count in the rate.
    pub ecn: bool,
    /// One loss event in so many packets; zero for none.
    pub loss_event_rate: u32,
    /// The sender's round-trip time in microseconds, [`RTT_MAX`](CongestionReport::RTT_MAX) at most.
    pub rtt: u32,
    /// Microseconds between `t_echo`'s arrival and this, [`DELAY_MAX`](CongestionReport::DELAY_MAX)
    /// at most.
    pub echo_delay: u32,
    /// Microseconds between two packets of the sender, with the same bound.
    pub transmit_delay: u32,
    /// To be sent back.
    pub t_val: u32,
    /// A `t_val` that is sent back.
    pub t_echo: u32,
}

impl CongestionReport {
    /// The largest round-trip time that has a place.
    pub const RTT_MAX: u32 = (1 << RTT_BITS) - 1;
    /// The largest delay that has a place.
    pub const DELAY_MAX: u32 = (1 << DELAY_BITS) - 1;

    fn times(&self) -> u64 {
        let bounded = |value: u32, most: u32| u64::from(value.min(most));
        bounded(self.rtt, Self::RTT_MAX) << (2 * DELAY_BITS)
            | bounded(self.echo_delay, Self::DELAY_MAX) << DELAY_BITS
            | bounded(self.transmit_delay, Self::DELAY_MAX)
    }
}

const RTT_BITS: u32 = 22;
const DELAY_BITS: u32 = 21;
const PLMTUD: u8 = 0b10;
const ECN: u8 = 0b01;

impl AggfragHeader {
    /// Octets of the header without congestion control.
    pub const LEN: usize = 4;
    /// Octets of the header with it.
    pub const CONGESTION_LEN: usize = 24;

    /// The header at the start of a payload, and the data behind it.
    ///
    /// # Errors
    ///
    /// When the payload is shorter than its header, or its sub-type is another.
    pub fn split_from(payload: &mut [u8]) -> Result<(AggfragHeader, &mut [u8]), DecodeError> {
        let len = match payload.first() {
            Some(0) => AggfragHeader::LEN,
            Some(1) => AggfragHeader::CONGESTION_LEN,
            Some(_) => return Err(error(Fault::Invalid("another sub-type"))),
            None => return Err(truncated(AggfragHeader::LEN, 0)),
        };
        let left = payload.len();
        let (header, data) =
            payload.split_at_mut_checked(len).ok_or_else(|| truncated(len, left))?;
        let block_offset = u16::from_be_bytes([header[2], header[3]]);
        Ok((AggfragHeader { block_offset, congestion: congestion(header) }, data))
    }

    /// The octets of the header of sub-type 0 with this BlockOffset.
    #[inline]
    pub fn plain(block_offset: u16) -> [u8; AggfragHeader::LEN] {
        let [high, low] = block_offset.to_be_bytes();
        [0, 0, high, low]
    }

    /// The header's octets.
    pub fn encode(&self) -> Vec<u8> {
        let mut octets = AggfragHeader::plain(self.block_offset).to_vec();
        let Some(report) = &self.congestion else { return octets };
        octets[0] = 1;
        octets[1] = if report.plmtud { PLMTUD } else { 0 } | if report.ecn { ECN } else { 0 };
        octets.extend(report.loss_event_rate.to_be_bytes());
        octets.extend(report.times().to_be_bytes());
        octets.extend(report.t_val.to_be_bytes());
        octets.extend(report.t_echo.to_be_bytes());
        octets
    }
}

/// What a header of sub-type 1 says beyond.
fn congestion(header: &[u8]) -> Option<CongestionReport> {
    let [1, flags, _, _, rest @ ..] = header else { return None };
    let (loss_event_rate, rest) = rest.split_first_chunk()?;
    let (times, rest) = rest.split_first_chunk()?;
    let (t_val, rest) = rest.split_first_chunk()?;
    let t_echo = rest.first_chunk()?;
    let times = u64::from_be_bytes(*times);
    let part = |shift: u32, most: u32| (times >> shift) as u32 & most;
    Some(CongestionReport {
        plmtud: flags & PLMTUD != 0,
        ecn: flags & ECN != 0,
        loss_event_rate: u32::from_be_bytes(*loss_event_rate),
        rtt: part(2 * DELAY_BITS, CongestionReport::RTT_MAX),
        echo_delay: part(DELAY_BITS, CongestionReport::DELAY_MAX),
        transmit_delay: part(0, CongestionReport::DELAY_MAX),
        t_val: u32::from_be_bytes(*t_val),
        t_echo: u32::from_be_bytes(*t_echo),
    })
}

/// What begins at some place of a payload's data (§6.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// Nothing more: padding to the end of the payload.
    Pad,
    /// An IP packet of so many octets, as its header says; they may go beyond the payload.
    Packet(usize),
    /// An IP packet whose length is in a later payload.
    Begun,
}

impl Block {
    /// The block that begins with `data`, which is not empty.
    ///
    /// # Errors
    ///
    /// When there is no such block, or its length is below that of an IP header.
    #[inline]
    pub fn at_start_of(data: &[u8]) -> Result<Block, DecodeError> {
        const IPV4_HEADER: usize = 20;
        const IPV6_HEADER: usize = 40;
        let version = data.first().map(|octet| octet >> 4);
        let length = match (version, data) {
            (Some(0), _) => return Ok(Block::Pad),
            (Some(4), [_, _, high, low, ..]) => u16::from_be_bytes([*high, *low]).into(),
            (Some(6), [_, _, _, _, high, low, ..]) => {
                IPV6_HEADER + usize::from(u16::from_be_bytes([*high, *low]))
            }
            (Some(4 | 6), _) => return Ok(Block::Begun),
            (_, _) => return Err(error(Fault::Invalid("a block is IPv4, IPv6 or padding"))),
        };
        match length >= IPV4_HEADER {
            true => Ok(Block::Packet(length)),
            false => Err(error(Fault::Length(length))),
        }
    }
}

fn truncated(needed: usize, left: usize) -> DecodeError {
    error(Fault::Truncated { needed, left })
}

fn error(why: Fault) -> DecodeError {
    DecodeError { what: "AGGFRAG payload", why, at: 0 }
}

#[cfg(test)]
mod tests;
