//! Judges what was seen on the underlay.

use vpngw::os::capture::Frame;

/// What a frame on the underlay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sight {
    /// UDP from or to port 500 or 4500: IKE, ESP, keepalives.
    Ipsec,
    /// ARP, neighbour discovery and the like of the link itself.
    Link,
    /// Anything else.
    Foreign,
}

/// What was seen, and whether inner bytes were among it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// Frames with IKE or ESP.
    pub ipsec: usize,
    /// Frames that have no place there, in hexadecimal.
    pub foreign: Vec<String>,
    /// Frames that hold the marker text of inner packets.
    pub leaks: usize,
}

/// The text that every probe carries.
const MARKER: &[u8] = b"this text must never be seen";

/// Looks at every frame.
pub(crate) fn judge(frames: &[Frame]) -> Findings {
    let mut findings = Findings::default();
    for frame in frames {
        match sight(&frame.bytes) {
            Some(Sight::Ipsec) => findings.ipsec += 1,
            Some(Sight::Link) => {}
            Some(Sight::Foreign) | None => findings.foreign.push(hex(&frame.bytes)),
        }
        if frame.bytes.windows(MARKER.len()).any(|window| window == MARKER) {
            findings.leaks += 1;
        }
    }
    findings
}

/// Fails unless there was nothing but IKE and ESP.
pub(crate) fn assert_sealed(frames: &[Frame]) {
    let findings = judge(frames);
    assert!(findings.ipsec > 0, "the capture saw no IPsec at all");
    assert_eq!(findings.leaks, 0, "inner bytes were seen on the underlay");
    assert!(findings.foreign.is_empty(), "foreign packets: {:#?}", findings.foreign);
}

fn sight(frame: &[u8]) -> Option<Sight> {
    let (ethernet, packet) = frame.split_at_checked(14)?;
    match ethernet.get(12..14)? {
        [0x08, 0x06] => Some(Sight::Link),
        [0x08, 0x00] => ipv4(packet),
        [0x86, 0xdd] => transport(*packet.get(6)?, packet.get(40..)?),
        _ => Some(Sight::Foreign),
    }
}

/// Fragments have no place on the underlay: inner packets are made to fit.
fn ipv4(packet: &[u8]) -> Option<Sight> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let is_whole = matches!(packet.get(6..8)?, [0 | 0x40, 0]);
    if is_whole { transport(*packet.get(9)?, packet.get(header..)?) } else { Some(Sight::Foreign) }
}

fn transport(protocol: u8, segment: &[u8]) -> Option<Sight> {
    const ICMP: u8 = 1;
    const UDP: u8 = 17;
    const ICMPV6: u8 = 58;
    let port = |at: usize| Some(u16::from_be_bytes([*segment.get(at)?, *segment.get(at + 1)?]));
    match protocol {
        UDP if [port(0)?, port(2)?].iter().any(|port| [500, 4500].contains(port)) => {
            Some(Sight::Ipsec)
        }
        // "Port unreachable" about an IKE message that came before the peer's daemon did.
        ICMP if segment.first()? == &3 => match ipv4(segment.get(8..)?)? {
            Sight::Ipsec => Some(Sight::Link),
            other => Some(other),
        },
        // Router and neighbour discovery, multicast listener reports.
        ICMPV6 if matches!(segment.first()?, 130..=137 | 143) => Some(Sight::Link),
        // A hop-by-hop header comes before multicast listener reports.
        0 if segment.first()? == &ICMPV6 => Some(Sight::Link),
        _ => Some(Sight::Foreign),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(80).map(|byte| format!("{byte:02x}")).collect()
}
