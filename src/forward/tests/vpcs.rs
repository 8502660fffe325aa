//! Many VPCs with the same prefixes between the same two gateways: whatever their hosts send, and
//! whatever is done to the datagrams, no packet comes out in another VPC. Every other VPC is known to the east
//! by prefixes of its own, and no packet has the address of another VPC's.
//!
//! An ordinary run decides a hundred thousand packets; for more:
//!
//! ```sh
//! FORWARD_PACKETS=1000000000 cargo test --release --lib forward::tests::vpcs -- --nocapture
//! ```

use super::*;
use crate::net::{Mapping, Mappings};
use crate::random::{Random, Seeded};
use std::net::IpAddr;

const VPCS: u16 = 256;
const PACKETS: u64 = 100_000;
/// The SPI of the first VPC's SA; every further one has the next.
const SPI: u32 = 0x1000;

fn sa_of(vpc: u16) -> SaConfig {
    let [_, octet] = vpc.to_be_bytes();
    SaConfig { keymat: Secret::from(vec![octet; 20]), ..sa(SPI + u32::from(vpc)) }
}

/// The prefixes by which the east knows the west's of a VPC.
fn known(vpc: u16) -> [Prefix; 2] {
    match vpc % 2 {
        0 => WEST.map(|text| text.parse().unwrap()),
        _ => [format!("100.{}.0.0/16", vpc), format!("fd64:{vpc}::/32")]
            .map(|text| text.parse().unwrap()),
    }
}

/// How a packet of a host of the west comes out.
fn known_by(sample: &Sample, vpc: u16) -> Sample {
    let front = known(vpc)[usize::from(sample.src.is_ipv6())].addr();
    let src = match (sample.src, front) {
        (IpAddr::V4(host), IpAddr::V4(front)) => {
            let ([a, b, _, _], [_, _, c, d]) = (front.octets(), host.octets());
            IpAddr::from([a, b, c, d])
        }
        (IpAddr::V6(host), IpAddr::V6(front)) => {
            let ([a, b, ..], [_, _, rest @ ..]) = (front.segments(), host.segments());
            let [c, d, e, f, g, h] = rest;
            IpAddr::from([a, b, c, d, e, f, g, h])
        }
        _ => unreachable!("of one family"),
    };
    Sample { src, ..sample.clone() }
}

fn sending() -> Snapshot {
    let table = |vpc: u16| {
        let outbound = OutboundSa::new(Reservation::first_use(sa_of(vpc))).unwrap();
        let entry = TunnelEntry {
            vpc: VpcId(vpc),
            peer: PeerId(vpc.into()),
            outbound: Arc::new(outbound),
            translation: Translation::of(&mappings(vpc)),
            ..tunnel(SPI)
        };
        let table = VpcTable {
            sources: Arc::new(prefixes(&WEST)),
            ..VpcTable::clone(sender(entry).vpc(VPC).unwrap())
        };
        (usize::from(vpc), Arc::new(table))
    };
    Snapshot { vpcs: (0..VPCS).map(table).collect(), ..Snapshot::default() }
}

fn receiving() -> Snapshot {
    let inbound = (0..VPCS).map(|vpc| {
        let sa = Arc::new(InboundSa::new(sa_of(vpc)).unwrap());
        let peer = PeerId(vpc.into());
        let allowed_sources = Arc::new(known(vpc).into_iter().collect());
        (sa.spi(), InboundEntry { sa, peer, vpc: VpcId(vpc), allowed_sources, ..entry(SPI) })
    });
    Snapshot { inbound: inbound.collect(), ..Snapshot::default() }
}

fn mappings(vpc: u16) -> Mappings {
    let inside = WEST.map(|text| text.parse::<Prefix>().unwrap());
    let pairs = inside.into_iter().zip(known(vpc)).filter(|(one, other)| one != other);
    pairs.filter_map(|(one, other)| Mapping::new(one, other)).collect()
}

fn below(random: &mut Seeded, end: u16) -> u16 {
    let mut octets = [0; 2];
    random.fill(&mut octets);
    u16::from_be_bytes(octets) % end
}

/// A packet of a host of a VPC, marked with the VPC; one in eight is for or from nowhere near it.
fn packet(vpc: u16, random: &mut Seeded) -> (Sample, bool) {
    let sample = match below(random, 4) {
        0 => Sample::tcp4(),
        1 => Sample::udp4(),
        2 => Sample::tcp6(),
        _ => Sample::udp6(),
    };
    let last = below(random, u16::MAX);
    let host = |side: u8, prefix: u8| match sample.src {
        IpAddr::V4(_) => {
            let [high, low] = last.to_be_bytes();
            IpAddr::from([10, prefix * 10 + side, high, low])
        }
        IpAddr::V6(_) => {
            let side = u16::from(prefix) * 0x10 + u16::from(side);
            IpAddr::from([0xfd00, side, 0, 0, 0, 0, 0, last])
        }
    };
    let (strange_source, strange_target) = (below(random, 16) == 0, below(random, 16) == 0);
    let sample = Sample {
        src: host(1, u8::from(strange_source)),
        dst: host(2, u8::from(strange_target)),
        payload: [b"<of VPC ".as_slice(), &vpc.to_be_bytes(), b">"].concat(),
        ttl: 64,
        ..sample
    };
    (sample, !strange_source && !strange_target)
}

#[test]
fn no_packet_comes_out_in_another_vpc() {
    let packets = std::env::var("FORWARD_PACKETS").ok().and_then(|number| number.parse().ok());
    let packets = packets.unwrap_or(PACKETS);
    let (west, east) = (sending(), receiving());
    let mut random = Seeded::new(256);
    let (mut delivered, mut kept, mut refused) = (0_u64, 0_u64, 0_u64);
    for _ in 0..packets {
        let vpc = below(&mut random, VPCS);
        let (inner, belongs) = packet(vpc, &mut random);
        let mut outcome = outbound_packet(&west, VpcId(vpc), &mut inner.build());
        assert_eq!(outcome.discarded.is_none(), belongs, "VPC {vpc}");
        let Some(datagram) = outcome.datagrams.first_mut() else {
            kept += 1;
            continue;
        };
        // One in eight is said to be of another VPC on its way.
        let other = below(&mut random, VPCS);
        let is_forged = other != vpc && below(&mut random, 8) == 0;
        if is_forged {
            let spi = (SPI + u32::from(other)).to_be_bytes();
            datagram.bytes[..4].copy_from_slice(&spi);
        }
        match inbound_packet(&east, datagram.tos, &mut datagram.bytes) {
            Ok(permitted) => {
                assert!(!is_forged, "a packet of VPC {vpc} in VPC {other}");
                assert_eq!(permitted.vpc(), VpcId(vpc));
                assert_eq!(permitted.packet(), known_by(&inner, vpc).build());
                delivered += 1;
            }
            Err(reason) => {
                let expected = [Discard::NotAuthentic, Discard::Replayed];
                assert!(is_forged && expected.contains(&reason), "VPC {vpc}: {reason:?}");
                refused += 1;
            }
        }
    }
    assert!(delivered > packets / 2 && kept > 0 && refused > 0);
    println!(
        "{packets} packets of {VPCS} VPCs: {delivered} delivered, {kept} kept, {refused} refused, 0 mixed"
    );
}
