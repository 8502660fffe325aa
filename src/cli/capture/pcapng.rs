//! Packets in a file that Wireshark reads (pcapng, draft-ietf-opsawg-pcapng): a section header, a
//! description of each interface, then packets with their times.

use std::fmt;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
/// Options: name, description, and resolution of times (powers of ten).
const IF_NAME: u16 = 2;
const IF_DESCRIPTION: u16 = 3;
const IF_TSRESOL: u16 = 9;
const NANOSECONDS: u8 = 9;

/// What stands before the IP packet (LINKTYPE_ETHERNET, LINKTYPE_RAW).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Ethernet = 1,
    Ip = 101,
}

/// A device, as the file describes it.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    /// Its name.
    pub(super) name: String,
    /// What is seen there.
    pub(super) what: &'static str,
    /// What stands before IP.
    pub(super) link: Link,
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.what)
    }
}

/// A file that is being written. Every packet in it is whole.
pub(super) struct Writer<W: Write> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Begins a file with packets of these interfaces, which are numbered from 0.
    pub(super) fn begin(out: W, interfaces: &[Interface]) -> io::Result<Writer<W>> {
        let mut writer = Writer { out };
        let mut header = BYTE_ORDER.to_le_bytes().to_vec();
        // Version 1.0; the length of the section is not known.
        header.extend([1, 0, 0, 0]);
        header.extend((-1_i64).to_le_bytes());
        writer.block(SECTION_HEADER, &header)?;
        for interface in interfaces {
            let mut body = (interface.link as u16).to_le_bytes().to_vec();
            // Reserved, and no limit to the length of packets.
            body.extend([0; 6]);
            option(&mut body, IF_NAME, interface.name.as_bytes());
            option(&mut body, IF_DESCRIPTION, interface.what.as_bytes());
            option(&mut body, IF_TSRESOL, &[NANOSECONDS]);
            option(&mut body, 0, &[]);
            writer.block(INTERFACE, &body)?;
        }
        writer.flush()?;
        Ok(writer)
    }

    /// Adds a packet of an interface.
    pub(super) fn packet(
        &mut self,
        interface: u32,
        at: SystemTime,
        bytes: &[u8],
    ) -> io::Result<()> {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let mut body = interface.to_le_bytes().to_vec();
        body.extend(((nanos >> 32) as u32).to_le_bytes());
        body.extend((nanos as u32).to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(bytes);
        pad(&mut body);
        self.block(PACKET, &body)
    }

    /// Hands on what is written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// A block with its length before and behind its body, whose length is a multiple of four; in one
    /// write, so that whoever ends us leaves whole blocks.
    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 12).map_err(io::Error::other)?.to_le_bytes();
        let mut block = kind.to_le_bytes().to_vec();
        block.extend(length);
        block.extend(body);
        block.extend(length);
        self.out.write_all(&block)
    }
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests;
