//! The virtio-net header in front of every packet of a TUN device with `IFF_VNET_HDR`
//! (virtio 1.3 §5.1.6; ten bytes, native byte order, as Linux's `struct virtio_net_hdr`).

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM`: the checksum field holds the pseudo-header's sum only.
const NEEDS_CHECKSUM: u8 = 1;
/// `VIRTIO_NET_HDR_GSO_ECN`: the first segment alone carries CWR. A modifier, not a kind.
const GSO_ECN: u8 = 0x80;

/// Why bytes that came with a virtio-net header do not form the packet that it promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed super-packet: {0}")]
pub struct Malformed(pub &'static str);

/// Into what the receiver has to split a super-packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Segmentation {
    /// One packet as it is.
    #[default]
    None,
    /// TCP over IPv4.
    TcpV4,
    /// TCP over IPv6.
    TcpV6,
    /// UDP over either (`VIRTIO_NET_HDR_GSO_UDP_L4`).
    Udp,
}

/// A virtio-net header; all numbers in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VirtioNetHeader {
    /// Whether the receiver has to complete the transport checksum.
    pub needs_checksum: bool,
    /// How to split.
    pub segmentation: Segmentation,
    /// Length of all headers of the packet; a hint only.
    pub head_len: u16,
    /// Payload of each segment but the last.
    pub segment_size: u16,
    /// Where the checksum starts to sum.
    pub checksum_start: u16,
    /// Where the checksum is stored, from `checksum_start`.
    pub checksum_offset: u16,
}

impl VirtioNetHeader {
    /// Length on the file descriptor.
    pub const LEN: usize = 10;
    /// The header of a finished single packet.
    pub const PLAIN: VirtioNetHeader = VirtioNetHeader {
        needs_checksum: false,
        segmentation: Segmentation::None,
        head_len: 0,
        segment_size: 0,
        checksum_start: 0,
        checksum_offset: 0,
    };

    /// Reads the header in front of `bytes` and returns it with the packet behind it.
    pub fn split_from(bytes: &mut [u8]) -> Result<(VirtioNetHeader, &mut [u8]), Malformed> {
        let (head, packet) =
            bytes.split_first_chunk_mut::<{ Self::LEN }>().ok_or(Malformed("no header"))?;
        Ok((Self::decode(head)?, packet))
    }

    fn decode(bytes: &[u8; Self::LEN]) -> Result<VirtioNetHeader, Malformed> {
        let [flags, kind, h0, h1, s0, s1, c0, c1, o0, o1] = *bytes;
        let segmentation = match kind & !GSO_ECN {
            0 => Segmentation::None,
            1 => Segmentation::TcpV4,
            4 => Segmentation::TcpV6,
            5 => Segmentation::Udp,
            _ => return Err(Malformed("unknown kind of segmentation")),
        };
        Ok(VirtioNetHeader {
            needs_checksum: flags & NEEDS_CHECKSUM != 0,
            segmentation,
            head_len: u16::from_ne_bytes([h0, h1]),
            segment_size: u16::from_ne_bytes([s0, s1]),
            checksum_start: u16::from_ne_bytes([c0, c1]),
            checksum_offset: u16::from_ne_bytes([o0, o1]),
        })
    }

    /// The header as it stands in front of the packet.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let kind = match self.segmentation {
            Segmentation::None => 0,
            Segmentation::TcpV4 => 1,
            Segmentation::TcpV6 => 4,
            Segmentation::Udp => 5,
        };
        let flags = if self.needs_checksum { NEEDS_CHECKSUM } else { 0 };
        let [h0, h1] = self.head_len.to_ne_bytes();
        let [s0, s1] = self.segment_size.to_ne_bytes();
        let [c0, c1] = self.checksum_start.to_ne_bytes();
        let [o0, o1] = self.checksum_offset.to_ne_bytes();
        [flags, kind, h0, h1, s0, s1, c0, c1, o0, o1]
    }
}

#[cfg(test)]
mod tests;
