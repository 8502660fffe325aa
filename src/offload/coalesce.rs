//! Merging: runs of packets of one flow into super-packets, by reference.
//!
//! A packet joins a run only if splitting the run again gives back every packet bit by bit (with
//! one exception: the identification of IPv4 packets that forbid fragmentation, which has no
//! meaning, RFC 6864 §4.1). Therefore its checksums are verified first: the splitter would give
//! a damaged packet fresh, valid ones. Order within a flow is kept; order between flows is free.

use super::layer4::{self, Layout, Transport, is_ipv4, put_u16, u16_at, u32_at};
use super::vnet::{Segmentation, VirtioNetHeader};
use super::{MAX_HEAD, MAX_PACKET, MAX_SEGMENTS};
use crate::wire::checksum::Sum;
use crate::wire::tcp::{TcpHeader, flags};
use std::array;

/// Flows that are merged side by side.
const MAX_RUNS: usize = 8;
/// Don't-fragment in byte 6 of the IPv4 header.
const DONT_FRAGMENT: u8 = 0x40;

/// What is to be written as one packet: a header and the pieces that follow it.
#[derive(Debug)]
pub struct Merged<'r, 'a> {
    /// The virtio-net header.
    pub vnet: VirtioNetHeader,
    /// IP and transport header of a super-packet; empty for a packet that stays as it was.
    pub head: &'r [u8],
    /// The payloads, or the whole packet.
    pub parts: &'r [&'a [u8]],
}

impl Merged<'_, '_> {
    /// How many packets this stands for.
    pub fn count(&self) -> usize {
        self.parts.len()
    }
}

/// Merges the packets of one batch. `K` tells apart what must never mix: the device to write to.
#[derive(Debug)]
pub struct Coalescer<'a, K> {
    runs: [Option<(K, Run<'a>)>; MAX_RUNS],
    /// The payloads of each run, of which only those count that the run says. They stay when it is
    /// written, for the next one.
    parts: [Option<Parts<'a>>; MAX_RUNS],
    victim: usize,
}

/// The payloads of a run.
type Parts<'a> = [&'a [u8]; MAX_SEGMENTS];

impl<K: Copy + PartialEq> Default for Coalescer<'_, K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, K: Copy + PartialEq> Coalescer<'a, K> {
    /// A coalescer without open runs.
    pub fn new() -> Self {
        // One by one: a constant would be copied with all the places that nothing is in yet.
        let (runs, parts) = (array::from_fn(|_| None), array::from_fn(|_| None));
        Coalescer { runs, parts, victim: 0 }
    }

    /// Takes one finished packet; `write` gets what can no longer grow.
    pub fn push(&mut self, key: K, packet: &'a [u8], write: &mut impl FnMut(K, Merged<'_, 'a>)) {
        let Some(layout) = flow_layout(packet) else {
            return write(key, single(&[packet]));
        };
        let candidate = Candidate::new(packet, layout);
        let tag = tag_of(packet, layout);
        let open = self.run_of(key, tag, packet, layout);
        if let (Some(slot), Some(candidate)) = (open, &candidate)
            && self.append(slot, candidate)
        {
            return;
        }
        if let Some(slot) = open {
            self.close(slot, write);
        }
        match candidate.filter(Candidate::checksums_hold) {
            Some(candidate) => {
                let slot = open.or_else(|| self.free_slot()).unwrap_or_else(|| self.evict(write));
                self.runs[slot] = Some((key, Run::begin(&candidate, tag)));
            }
            None => write(key, single(&[packet])),
        }
    }

    /// Writes all open runs.
    pub fn flush(&mut self, write: &mut impl FnMut(K, Merged<'_, 'a>)) {
        for slot in 0..MAX_RUNS {
            self.close(slot, write);
        }
    }

    /// Where the open run of a packet's flow is.
    fn run_of(&self, key: K, tag: u64, packet: &[u8], layout: Layout) -> Option<usize> {
        self.runs.iter().position(|slot| {
            let run = slot.as_ref().filter(|(of, run)| run.tag == tag && *of == key);
            run.is_some_and(|(_, run)| run.is_of_flow(packet, layout))
        })
    }

    fn append(&mut self, slot: usize, candidate: &Candidate<'a>) -> bool {
        let Some((_, run)) = &mut self.runs[slot] else { return false };
        if !run.append(candidate) {
            return false;
        }
        let parts = self.parts[slot].get_or_insert_with(|| [&[][..]; MAX_SEGMENTS]);
        parts[0] = run.first_payload();
        parts[run.count - 1] = candidate.payload;
        true
    }

    fn free_slot(&self) -> Option<usize> {
        self.runs.iter().position(Option::is_none)
    }

    fn evict(&mut self, write: &mut impl FnMut(K, Merged<'_, 'a>)) -> usize {
        let slot = self.victim;
        self.victim = (slot + 1) % MAX_RUNS;
        self.close(slot, write);
        slot
    }

    fn close(&mut self, slot: usize, write: &mut impl FnMut(K, Merged<'_, 'a>)) {
        let Some((key, run)) = self.runs[slot].take() else { return };
        match &self.parts[slot] {
            Some(parts) if run.count > 1 => {
                let mut head = [0; MAX_HEAD];
                let (vnet, head) = run.finish(&mut head);
                write(key, Merged { vnet, head, parts: &parts[..run.count] });
            }
            Some(_) | None => write(key, single(&[run.first])),
        }
    }
}

/// A number that packets of one flow have in common, and others seldom.
fn tag_of(packet: &[u8], layout: Layout) -> u64 {
    let addresses = if is_ipv4(packet) { &packet[12..20] } else { &packet[8..40] };
    let words = addresses.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word));
    words.fold(u64::from(u32_at(packet, layout.l4)), |tag, word| tag.rotate_left(19) ^ word)
}

fn single<'r, 'a>(parts: &'r [&'a [u8]]) -> Merged<'r, 'a> {
    Merged { vnet: VirtioNetHeader::PLAIN, head: &[], parts }
}

/// Where the headers of a whole TCP or UDP packet without IP options lie.
fn flow_layout(packet: &[u8]) -> Option<Layout> {
    let (protocol, l4, total) = if packet.len() >= 20 && packet[0] == 0x45 {
        let fragment = u16_at(packet, 6) & 0x3fff != 0;
        if fragment {
            return None;
        }
        (packet[9], 20, usize::from(u16_at(packet, 2)))
    } else if packet.len() >= 40 && packet[0] >> 4 == 6 {
        (packet[6], 40, 40 + usize::from(u16_at(packet, 4)))
    } else {
        return None;
    };
    if total != packet.len() {
        return None;
    }
    Layout::of(packet, Transport::from_protocol(protocol)?, l4).ok()
}

/// A packet that may begin or continue a run: it carries payload and nothing unusual.
struct Candidate<'a> {
    packet: &'a [u8],
    layout: Layout,
    payload: &'a [u8],
}

impl<'a> Candidate<'a> {
    fn new(packet: &'a [u8], layout: Layout) -> Option<Self> {
        let payload = &packet[layout.head_len..];
        let usual = match layout.transport {
            // A plain acknowledgement, pushed or not, maybe echoing congestion.
            Transport::Tcp => {
                let optional = flags::PSH | flags::ECE;
                packet[layout.l4 + TcpHeader::FLAGS_AT] & !optional == flags::ACK
                    && reserved_clear(packet, layout)
            }
            // The length is that of IP, and there is a checksum: the splitter would add one.
            Transport::Udp => {
                usize::from(u16_at(packet, layout.l4 + 4)) == packet.len() - layout.l4
                    && u16_at(packet, layout.l4 + 6) != 0
            }
        };
        (usual && !payload.is_empty()).then_some(Candidate { packet, layout, payload })
    }

    /// Whether the checksums of the transport and, in IPv4, of the header are right.
    fn checksums_hold(&self) -> bool {
        let header = &self.packet[..self.layout.l4];
        let header_holds = !is_ipv4(header) || Sum::of(header).finish() == 0;
        header_holds && layer4::checksum_holds(self.packet, self.layout)
    }

    fn pushes(&self) -> bool {
        self.layout.transport == Transport::Tcp
            && self.packet[self.layout.l4 + TcpHeader::FLAGS_AT] & flags::PSH != 0
    }

    fn sequence(&self) -> u32 {
        match self.layout.transport {
            Transport::Tcp => u32_at(self.packet, self.layout.l4 + 4),
            Transport::Udp => 0,
        }
    }
}

/// The reserved bits and AE (RFC 9768) beside the data offset are zero.
fn reserved_clear(packet: &[u8], layout: Layout) -> bool {
    packet[layout.l4 + 12] & 0x0f == 0
}

/// Packets of one flow, each continuing the one before.
#[derive(Debug)]
struct Run<'a> {
    tag: u64,
    first: &'a [u8],
    layout: Layout,
    count: usize,
    segment_size: usize,
    payload_len: usize,
    next_sequence: u32,
    /// One of its packets pushes.
    pushes: bool,
    /// A packet that ends its run has come: one that pushes, or a shorter one.
    closed: bool,
}

impl<'a> Run<'a> {
    fn begin(packet: &Candidate<'a>, tag: u64) -> Run<'a> {
        let length = packet.payload.len();
        Run {
            tag,
            first: packet.packet,
            layout: packet.layout,
            count: 1,
            segment_size: length,
            payload_len: length,
            next_sequence: packet.sequence().wrapping_add(length as u32),
            pushes: packet.pushes(),
            closed: packet.pushes(),
        }
    }

    fn first_payload(&self) -> &'a [u8] {
        &self.first[self.layout.head_len..]
    }

    /// Whether `packet` has the addresses and ports of this run.
    fn is_of_flow(&self, packet: &[u8], layout: Layout) -> bool {
        let (l4, head) = (layout.l4, self.first);
        let addresses = if is_ipv4(packet) { 12..20 } else { 8..40 };
        self.layout.transport == layout.transport
            && self.layout.l4 == l4
            && head[0] >> 4 == packet[0] >> 4
            && head[l4..l4 + 4] == packet[l4..l4 + 4]
            && head[addresses.clone()] == packet[addresses]
    }

    /// Adds `packet` if it continues this run.
    fn append(&mut self, packet: &Candidate<'a>) -> bool {
        let length = packet.payload.len();
        let room = !self.closed
            && self.count < MAX_SEGMENTS
            && length <= self.segment_size
            && self.layout.head_len + self.payload_len + length <= MAX_PACKET;
        if !(room && self.continues(packet) && packet.checksums_hold()) {
            return false;
        }
        self.count += 1;
        self.payload_len += length;
        self.next_sequence = self.next_sequence.wrapping_add(length as u32);
        self.pushes |= packet.pushes();
        self.closed = packet.pushes() || length < self.segment_size;
        true
    }

    fn continues(&self, packet: &Candidate<'_>) -> bool {
        self.layout == packet.layout
            && self.same_ip(packet.packet)
            && match self.layout.transport {
                Transport::Tcp => self.continues_tcp(packet),
                Transport::Udp => true,
            }
    }

    /// The IP headers differ in nothing but length, identification and checksum.
    fn same_ip(&self, packet: &[u8]) -> bool {
        let head = self.first;
        if !is_ipv4(packet) {
            // Traffic class, flow label, hop limit.
            return head[..4] == packet[..4] && head[7] == packet[7];
        }
        let expected = u16_at(head, 4).wrapping_add(self.count as u16);
        let identified = packet[6] & DONT_FRAGMENT != 0 || u16_at(packet, 4) == expected;
        identified && head[1] == packet[1] && head[6..9] == packet[6..9]
    }

    /// The next byte in order, with the same acknowledgement, flags, window, urgent pointer and
    /// options.
    fn continues_tcp(&self, packet: &Candidate<'_>) -> bool {
        let Layout { l4, head_len, .. } = self.layout;
        let (head, packet_bytes) = (self.first, packet.packet);
        let same_flags = (head[l4 + TcpHeader::FLAGS_AT] ^ packet_bytes[l4 + TcpHeader::FLAGS_AT])
            & !flags::PSH
            == 0;
        packet.sequence() == self.next_sequence
            && same_flags
            && head[l4 + 8..l4 + 12] == packet_bytes[l4 + 8..l4 + 12]
            && head[l4 + 14..l4 + 16] == packet_bytes[l4 + 14..l4 + 16]
            && head[l4 + 18..head_len] == packet_bytes[l4 + 18..head_len]
    }

    /// The headers of the run as one packet, written into `head`.
    fn finish<'h>(&self, head: &'h mut [u8; MAX_HEAD]) -> (VirtioNetHeader, &'h [u8]) {
        let Layout { transport, l4, head_len } = self.layout;
        let head = &mut head[..head_len];
        head.copy_from_slice(&self.first[..head_len]);
        if self.pushes {
            head[l4 + TcpHeader::FLAGS_AT] |= flags::PSH;
        }
        let total = head_len + self.payload_len;
        layer4::set_lengths(head, self.layout, total);
        // The kernel completes it: the field holds the pseudo-header's sum, not complemented.
        let pseudo = layer4::pseudo_header(head, transport, total - l4);
        put_u16(head, l4 + transport.checksum_at(), pseudo.folded());
        let segmentation = match (transport, is_ipv4(head)) {
            (Transport::Udp, _) => Segmentation::Udp,
            (Transport::Tcp, true) => Segmentation::TcpV4,
            (Transport::Tcp, false) => Segmentation::TcpV6,
        };
        let vnet = VirtioNetHeader {
            needs_checksum: true,
            segmentation,
            head_len: head_len as u16,
            segment_size: self.segment_size as u16,
            checksum_start: l4 as u16,
            checksum_offset: transport.checksum_at() as u16,
        };
        (vnet, head)
    }
}

#[cfg(test)]
mod tests;
