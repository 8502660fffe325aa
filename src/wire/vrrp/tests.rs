use super::*;
use hex_literal::hex;
use proptest::prelude::*;

const ROUTER_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 2));
const ROUTER_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));

/// VRID 7, priority 100, interval 30 cs, one address 192.168.0.1.
/// 3107 + 6401 + 001e + c0a8 + 0001 = 155cf; folded 55d0; complement aa2f.
const OVER_V4: [u8; 12] = hex!("31 07 64 01 001e aa2f c0a80001");

/// The same over IPv6 with fe80::1. The pseudo-header adds fe80 + 2 + ff02 + 12 + 18 + 70 (all hexadecimal).
const OVER_V6: [u8; 24] = hex!("31 07 64 01 001e 6e37 fe80000000000000 0000000000000001");

fn over_v4() -> Advertisement {
    let addresses = vec![Ipv4Addr::new(192, 168, 0, 1).into()];
    Advertisement { virtual_router_id: 7, priority: 100, interval: 30, addresses }
}

fn over_v6() -> Advertisement {
    let addresses = vec![Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).into()];
    Advertisement { addresses, ..over_v4() }
}

#[test]
fn an_advertisement_over_ipv4_has_the_octets_of_rfc_9568() {
    assert_eq!(over_v4().encode(ROUTER_V4, GROUP_V4.into()), OVER_V4);
    assert_eq!(Advertisement::decode(&OVER_V4, ROUTER_V4, GROUP_V4.into()), Ok(over_v4()));
}

#[test]
fn an_advertisement_over_ipv6_has_the_octets_of_rfc_9568() {
    assert_eq!(over_v6().encode(ROUTER_V6, GROUP_V6.into()), OVER_V6);
    assert_eq!(Advertisement::decode(&OVER_V6, ROUTER_V6, GROUP_V6.into()), Ok(over_v6()));
}

#[test]
fn a_frame_comes_from_the_virtual_router() {
    let frame = frame(virtual_mac(7, true), ROUTER_V4, &OVER_V4);
    let (ethernet, packet) = frame.split_at(14);
    assert_eq!(ethernet, hex!("01005e000012 00005e000107 0800"));
    let header = super::super::ip::Ipv4Header::parse(packet).unwrap();
    assert!(header.checksum_is_valid());
    assert_eq!((header.ttl(), header.protocol(), header.tos()), (255, 112, 0xc0));
    assert_eq!((header.source(), header.destination()), (Ipv4Addr::new(192, 168, 0, 2), GROUP_V4));
    assert_eq!(packet.split_at(20).1, OVER_V4);
    let frame = super::frame(virtual_mac(7, false), ROUTER_V6, &OVER_V6);
    let (ethernet, packet) = frame.split_at(14);
    assert_eq!(ethernet, hex!("333300000012 00005e000207 86dd"));
    let header = super::super::ip::Ipv6Header::parse(packet).unwrap();
    assert_eq!((header.hop_limit(), header.next_header()), (255, 112));
    assert_eq!((IpAddr::V6(header.source()), header.destination()), (ROUTER_V6, GROUP_V6));
    assert_eq!(packet.split_at(40).1, OVER_V6);
}

#[test]
fn reserved_bits_are_ignored_on_reception() {
    let mut bytes = OVER_V4;
    bytes[4] |= 0xf0;
    bytes[6..8].copy_from_slice(&[0, 0]);
    let checksum = Sum::of(&bytes).finish().to_be_bytes();
    bytes[6..8].copy_from_slice(&checksum);
    assert_eq!(Advertisement::decode(&bytes, ROUTER_V4, GROUP_V4.into()), Ok(over_v4()));
}

#[test]
fn a_wrong_checksum_is_refused() {
    let mut bytes = OVER_V4;
    bytes[2] ^= 1;
    let error = Advertisement::decode(&bytes, ROUTER_V4, GROUP_V4.into()).unwrap_err();
    assert_eq!(error.why, Fault::Checksum);
    // The IPv6 checksum covers the addresses of the packet, too.
    let other = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 3));
    assert!(Advertisement::decode(&OVER_V6, other, GROUP_V6.into()).is_err());
}

#[test]
fn a_checksum_over_a_pseudo_header_is_told_from_a_wrong_one() {
    let mut bytes = OVER_V4;
    bytes[6..8].copy_from_slice(&[0, 0]);
    let pseudo = checksum::pseudo_header(ROUTER_V4, GROUP_V4.into(), protocol::VRRP, 12);
    let checksum = pseudo.unwrap().bytes(&bytes).finish().to_be_bytes();
    bytes[6..8].copy_from_slice(&checksum);
    assert!(Advertisement::decode(&bytes, ROUTER_V4, GROUP_V4.into()).is_err());
    assert!(has_pseudo_header_checksum(&bytes, ROUTER_V4, GROUP_V4.into()));
    assert!(!has_pseudo_header_checksum(&OVER_V4, ROUTER_V4, GROUP_V4.into()));
    assert!(!has_pseudo_header_checksum(&OVER_V6, ROUTER_V6, GROUP_V6.into()));
}

#[test]
fn version_and_vrid_are_read_of_any_version() {
    let version_two = hex!("21 07 64 01 00 01 0000 c0a80001 0000000000000000");
    assert_eq!((version(&version_two), virtual_router_id(&version_two)), (Some(2), Some(7)));
    assert_eq!((version(&[]), virtual_router_id(&[0x31])), (None, None));
}

#[test]
fn version_two_is_refused() {
    let mut bytes = OVER_V4;
    bytes[0] = 0x21;
    assert!(Advertisement::decode(&bytes, ROUTER_V4, GROUP_V4.into()).is_err());
}

#[test]
fn every_truncation_and_every_extra_octet_is_refused() {
    for len in 0..OVER_V6.len() {
        let cut = &OVER_V6[..len];
        assert!(Advertisement::decode(cut, ROUTER_V6, GROUP_V6.into()).is_err(), "{len}");
    }
    let longer = [&OVER_V4[..], &[0]].concat();
    let error = Advertisement::decode(&longer, ROUTER_V4, GROUP_V4.into()).unwrap_err();
    assert_eq!(error.why, Fault::Trailing { left: 1 });
}

proptest! {
    #[test]
    fn an_advertisement_reads_back(
        virtual_router_id in 1u8..,
        priority: u8,
        interval in 0..=MAX_INTERVAL,
        v4 in prop::collection::vec(any::<Ipv4Addr>(), 1..=255),
        v6 in prop::collection::vec(any::<Ipv6Addr>(), 1..=255),
    ) {
        let advertise = |addresses| Advertisement { virtual_router_id, priority, interval, addresses };
        let over_v4 = advertise(v4.into_iter().map(IpAddr::from).collect());
        let over_v6 = advertise(v6.into_iter().map(IpAddr::from).collect());
        for (advertisement, source, group) in
            [(over_v4, ROUTER_V4, GROUP_V4.into()), (over_v6, ROUTER_V6, GROUP_V6.into())]
        {
            let bytes = advertisement.encode(source, group);
            prop_assert_eq!(Advertisement::decode(&bytes, source, group), Ok(advertisement));
        }
    }

    #[test]
    fn any_octets_are_refused_or_read(bytes: Vec<u8>) {
        let _ = Advertisement::decode(&bytes, ROUTER_V4, GROUP_V4.into());
        let _ = Advertisement::decode(&bytes, ROUTER_V6, GROUP_V6.into());
    }
}
