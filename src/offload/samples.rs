//! Packets for tests, built the slow and obvious way.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A TCP or UDP packet to be built.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub tcp: bool,
    pub src_port: u16,
    pub dst_port: u16,
    pub tos: u8,
    pub ttl: u8,
    pub identification: u16,
    pub dont_fragment: bool,
    pub sequence: u32,
    pub acknowledgement: u32,
    pub flags: u8,
    pub options: Vec<u8>,
    pub payload: Vec<u8>,
}

impl Sample {
    pub(crate) fn tcp4() -> Sample {
        Sample {
            src: Ipv4Addr::new(10, 1, 0, 2).into(),
            dst: Ipv4Addr::new(10, 2, 0, 2).into(),
            tcp: true,
            src_port: 40000,
            dst_port: 5201,
            tos: 0,
            ttl: 63,
            identification: 7,
            dont_fragment: true,
            sequence: 1000,
            acknowledgement: 77,
            flags: 0x10,
            options: vec![1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2],
            payload: vec![0xab; 100],
        }
    }

    pub(crate) fn tcp6() -> Sample {
        Sample { src: v6(1), dst: v6(2), ..Sample::tcp4() }
    }

    pub(crate) fn udp4() -> Sample {
        Sample { tcp: false, options: Vec::new(), ..Sample::tcp4() }
    }

    pub(crate) fn udp6() -> Sample {
        Sample { src: v6(1), dst: v6(2), ..Sample::udp4() }
    }

    /// The whole packet with right lengths and checksums.
    pub(crate) fn build(&self) -> Vec<u8> {
        let l4 = self.transport();
        let mut packet = self.ip_header(l4.len());
        let start = packet.len();
        packet.extend(l4);
        let at = start + if self.tcp { 16 } else { 6 };
        let mut sum = naive_sum(&self.pseudo_header(packet.len() - start), &packet[start..]);
        if sum == 0 && !self.tcp {
            sum = 0xffff;
        }
        packet[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    fn transport(&self) -> Vec<u8> {
        let mut l4 = Vec::new();
        l4.extend(self.src_port.to_be_bytes());
        l4.extend(self.dst_port.to_be_bytes());
        if self.tcp {
            l4.extend(self.sequence.to_be_bytes());
            l4.extend(self.acknowledgement.to_be_bytes());
            l4.push(((20 + self.options.len()) / 4 * 16) as u8);
            l4.push(self.flags);
            l4.extend([0x01, 0xf5, 0, 0, 0, 0]);
            l4.extend(&self.options);
        } else {
            l4.extend((8 + self.payload.len() as u16).to_be_bytes());
            l4.extend([0, 0]);
        }
        l4.extend(&self.payload);
        l4
    }

    fn ip_header(&self, l4_len: usize) -> Vec<u8> {
        let protocol = if self.tcp { 6 } else { 17 };
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let mut ip = vec![0x45, self.tos];
                ip.extend((20 + l4_len as u16).to_be_bytes());
                ip.extend(self.identification.to_be_bytes());
                ip.extend([if self.dont_fragment { 0x40 } else { 0 }, 0, self.ttl, protocol, 0, 0]);
                ip.extend(src.octets());
                ip.extend(dst.octets());
                let sum = naive_sum(&[], &ip);
                ip[10..12].copy_from_slice(&sum.to_be_bytes());
                ip
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let mut ip = vec![0x60 | self.tos >> 4, self.tos << 4, 0, 0];
                ip.extend((l4_len as u16).to_be_bytes());
                ip.extend([protocol, self.ttl]);
                ip.extend(src.octets());
                ip.extend(dst.octets());
                ip
            }
            _ => panic!("mixed families"),
        }
    }

    fn pseudo_header(&self, l4_len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for addr in [self.src, self.dst] {
            match addr {
                IpAddr::V4(v4) => bytes.extend(v4.octets()),
                IpAddr::V6(v6) => bytes.extend(v6.octets()),
            }
        }
        bytes.extend([0, if self.tcp { 6 } else { 17 }]);
        bytes.extend((l4_len as u16).to_be_bytes());
        bytes
    }
}

fn v6(host: u16) -> IpAddr {
    Ipv6Addr::new(0xfd00, host, 0, 0, 0, 0, 0, 2).into()
}

/// The internet checksum of `a ‖ b`, where `a` has an even length (RFC 1071, word by word).
pub(crate) fn naive_sum(a: &[u8], b: &[u8]) -> u16 {
    let mut sum = 0u32;
    for chunk in a.chunks(2).chain(b.chunks(2)) {
        let low = chunk.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([chunk[0], low]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
