use super::*;
use hex_literal::hex;

const GATEWAY_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 1));
const HOST_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 9));
const GATEWAY_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
const HOST_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 9));

/// A UDP packet of 1500 octets from 10.1.0.9 to 10.2.0.9.
fn large_v4() -> Vec<u8> {
    let mut packet = hex!("4500 05dc 0000 4000 40 11 0000 0a010009 0a020009").to_vec();
    packet.resize(1500, 0x55);
    packet
}

/// A UDP packet of 1500 octets from fd00::9 to fd01::9.
fn large_v6() -> Vec<u8> {
    let mut packet = hex!(
        "60000000 05b4 11 40 fd000000000000000000000000000009 fd010000000000000000000000000009"
    )
    .to_vec();
    packet.resize(1500, 0x55);
    packet
}

#[test]
fn a_large_ipv4_packet_is_answered_with_fragmentation_needed() {
    let original = large_v4();
    let reply = error_about(&original, Problem::TooBig { mtu: 1390 }, GATEWAY_V4).unwrap();
    let packet = InnerPacket::parse(&reply).unwrap();
    assert_eq!((packet.source, packet.destination), (GATEWAY_V4, HOST_V4));
    assert_eq!((packet.protocol, packet.total_len), (protocol::ICMP, LARGEST_V4));
    assert!(Ipv4Header::parse(&reply).unwrap().checksum_is_valid());
    assert_eq!(reply[20..22], [3, 4]);
    assert_eq!(reply[24..28], [0, 0, 5, 0x6e], "the MTU in the low half of the unused field");
    assert_eq!(reply[28..], original[..LARGEST_V4 - 28]);
    assert_eq!(Sum::of(&reply[20..]).finish(), 0);
}

#[test]
fn a_large_ipv6_packet_is_answered_with_packet_too_big() {
    let original = large_v6();
    let reply = error_about(&original, Problem::TooBig { mtu: 1390 }, GATEWAY_V6).unwrap();
    let packet = InnerPacket::parse(&reply).unwrap();
    assert_eq!((packet.source, packet.destination), (GATEWAY_V6, HOST_V6));
    assert_eq!((packet.protocol, packet.total_len), (protocol::ICMPV6, LARGEST_V6));
    assert_eq!(reply[40..42], [2, 0]);
    assert_eq!(reply[44..48], 1390u32.to_be_bytes());
    assert_eq!(reply[48..], original[..LARGEST_V6 - 48]);
    let pseudo = checksum::pseudo_header(GATEWAY_V6, HOST_V6, protocol::ICMPV6, 1240).unwrap();
    assert_eq!(pseudo.bytes(&reply[40..]).finish(), 0);
}

#[test]
fn other_problems_have_their_codes() {
    let code = |original: &[u8], problem, from: IpAddr| {
        let reply = error_about(original, problem, from).unwrap();
        let at = if from.is_ipv4() { 20 } else { 40 };
        [reply[at], reply[at + 1]]
    };
    assert_eq!(code(&large_v4(), Problem::TimeExceeded, GATEWAY_V4), [11, 0]);
    assert_eq!(code(&large_v6(), Problem::TimeExceeded, GATEWAY_V6), [3, 0]);
}

#[test]
fn no_error_is_sent_about_an_error() {
    let about_v4 = error_about(&large_v4(), Problem::TimeExceeded, GATEWAY_V4).unwrap();
    assert_eq!(error_about(&about_v4, Problem::TimeExceeded, GATEWAY_V4), None);
    let about_v6 = error_about(&large_v6(), Problem::TimeExceeded, GATEWAY_V6).unwrap();
    assert_eq!(error_about(&about_v6, Problem::TimeExceeded, GATEWAY_V6), None);
}

#[test]
fn an_echo_request_deserves_an_error() {
    let mut ping = large_v4();
    ping[9] = protocol::ICMP;
    ping[20] = IcmpType::ECHO.0;
    assert!(error_about(&ping, Problem::TimeExceeded, GATEWAY_V4).is_some());
}

#[test]
fn no_error_goes_to_or_about_groups_and_later_fragments() {
    let mut later = large_v4();
    later[7] = 1;
    assert_eq!(error_about(&later, Problem::TimeExceeded, GATEWAY_V4), None);
    let mut group = large_v4();
    group[16] = 224;
    assert_eq!(error_about(&group, Problem::TimeExceeded, GATEWAY_V4), None);
    let mut nobody = large_v4();
    nobody[12..16].fill(0);
    assert_eq!(error_about(&nobody, Problem::TimeExceeded, GATEWAY_V4), None);
}

#[test]
fn only_path_mtu_discovery_answers_an_ipv6_group() {
    let mut group = large_v6();
    group[24] = 0xff;
    assert_eq!(error_about(&group, Problem::TimeExceeded, GATEWAY_V6), None);
    assert!(error_about(&group, Problem::TooBig { mtu: 1280 }, GATEWAY_V6).is_some());
}

#[test]
fn a_gateway_without_an_address_of_the_family_says_nothing() {
    assert_eq!(error_about(&large_v4(), Problem::TimeExceeded, GATEWAY_V6), None);
    assert_eq!(error_about(&large_v6(), Problem::TimeExceeded, GATEWAY_V4), None);
}

proptest::proptest! {
    #[test]
    fn any_octets_are_answered_or_not(bytes: Vec<u8>) {
        let _ = error_about(&bytes, Problem::TimeExceeded, GATEWAY_V4);
        let _ = error_about(&bytes, Problem::TooBig { mtu: 1280 }, GATEWAY_V6);
    }
}

#[test]
fn an_error_tells_which_packet_it_is_about_however_much_it_quotes() {
    for (original, from, to) in
        [(large_v4(), GATEWAY_V4, HOST_V4), (large_v6(), GATEWAY_V6, HOST_V6)]
    {
        let error = error_about(&original, Problem::TimeExceeded, from).unwrap();
        let about = quoted(&InnerPacket::parse(&error).unwrap(), &error).unwrap();
        assert_eq!((about.source, about.protocol), (to, protocol::UDP));
        assert_eq!(about.destination, InnerPacket::parse(&original).unwrap().destination);
        assert_eq!(about.ports, Some((0x5555, 0x5555)));
        assert_eq!(quoted(&InnerPacket::parse(&original).unwrap(), &original), None);
    }
    let short = read_quote(&large_v4()[..20]).unwrap();
    assert_eq!((short.source, short.ports), (HOST_V4, None));
    assert_eq!(read_quote(&large_v4()[..19]), None);
}

#[test]
fn an_echo_request_comes_back_with_its_data() {
    let mut v4 =
        hex!("4528 001e 0007 0000 40 01 0000 0a010009 0a010001 0800 0000 1234 0001").to_vec();
    v4.extend([0xab, 0xcd]);
    let reply = echo_reply(&v4).unwrap();
    let packet = InnerPacket::parse(&reply).unwrap();
    assert_eq!((packet.source, packet.destination, packet.tos), (GATEWAY_V4, HOST_V4, 0x28));
    assert_eq!((reply[20], &reply[24..]), (0, &hex!("1234 0001 abcd")[..]));
    assert_eq!(Sum::of(&reply[20..]).finish(), 0);
    assert!(Ipv4Header::parse(&reply).unwrap().checksum_is_valid());
    assert_eq!(echo_reply(&reply), None);

    let mut v6 = hex!(
        "60000000 000a 3a 40 fd000000000000000000000000000009 fd000000000000000000000000000001"
        "8000 0000 1234 0001"
    )
    .to_vec();
    v6.extend([0xab, 0xcd]);
    let reply = echo_reply(&v6).unwrap();
    assert_eq!((reply[40], &reply[44..]), (129, &hex!("1234 0001 abcd")[..]));
    let pseudo = checksum::pseudo_header(GATEWAY_V6, HOST_V6, protocol::ICMPV6, 10).unwrap();
    assert_eq!(pseudo.bytes(&reply[40..]).finish(), 0);
    assert_eq!(echo_reply(&reply), None);
}

#[test]
fn fragments_of_echo_requests_are_not_answered() {
    let first = hex!("4500 001c 0007 2000 40 01 0000 0a010009 0a010001 0800 0000 1234 0001");
    assert_eq!(echo_reply(&first), None);
}

/// A UDP datagram as routers quote it: headers, cut short.
fn quoted_udp(ipv4: bool) -> Vec<u8> {
    let ports = [0x11, 0x94, 0x11, 0x95, 0x05, 0xc0, 0, 0];
    match ipv4 {
        true => {
            let mut quote = vec![0x45, 0, 0x05, 0xd4, 0, 0, 0x40, 0, 64, protocol::UDP, 0, 0];
            quote.extend([192, 0, 2, 1, 198, 51, 100, 1]);
            [quote, ports.to_vec()].concat()
        }
        false => {
            let mut quote = vec![0x60, 0, 0, 0, 0x05, 0xc0, protocol::UDP, 64];
            quote.extend("2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
            quote.extend("2001:db8::2".parse::<Ipv6Addr>().unwrap().octets());
            [quote, ports.to_vec()].concat()
        }
    }
}

#[test]
fn too_big_names_the_size_and_the_datagram() {
    for (ipv4, header) in
        [(true, [3, 4, 0, 0, 0, 0, 0x05, 0xd4]), (false, [2, 0, 0, 0, 0, 0, 5, 0xd4])]
    {
        let message = [&header[..], &quoted_udp(ipv4)].concat();
        let (mtu, quoted) = too_big(&message, ipv4).unwrap();
        assert_eq!((mtu, quoted.protocol), (1492, protocol::UDP));
        assert_eq!(quoted.ports, Some((4500, 4501)));
        assert_eq!(quoted.source.is_ipv4(), ipv4);
        assert_eq!(too_big(&message, !ipv4), None);
        for length in 0..message.len() {
            let cut = too_big(&message[..length], ipv4);
            let has_ports = length >= message.len() - 4;
            assert!(cut.is_none_or(|(_, quoted)| quoted.ports.is_some() == has_ports), "{length}");
        }
    }
}

#[test]
fn unreachable_names_the_datagram_and_is_not_too_big() {
    for (ipv4, kind, codes) in [(true, 3, [0, 1, 3, 13]), (false, 1, [0, 1, 3, 4])] {
        for code in codes {
            let message = [&[kind, code, 0, 0, 0, 0, 0, 0][..], &quoted_udp(ipv4)].concat();
            let quoted = unreachable(&message, ipv4).unwrap();
            assert_eq!((quoted.protocol, quoted.ports), (protocol::UDP, Some((4500, 4501))));
            assert_eq!((unreachable(&message, !ipv4), too_big(&message, ipv4)), (None, None));
            assert!((0..message.len()).all(|length| {
                let cut = unreachable(&message[..length], ipv4);
                let has_ports = length >= message.len() - 4;
                cut.is_none_or(|quoted| quoted.ports.is_some() == has_ports)
            }));
        }
    }
    for (ipv4, header) in [(true, [3, 4]), (true, [11, 0]), (false, [2, 0]), (false, [3, 0])] {
        let message = [&header[..], &[0, 0, 0, 0, 5, 0xd4], &quoted_udp(ipv4)].concat();
        assert_eq!(unreachable(&message, ipv4), None);
    }
}

#[test]
fn other_errors_and_routers_that_name_no_size_say_nothing() {
    let quote = quoted_udp(true);
    for header in
        [[3, 3, 0, 0, 0, 0, 5, 0xd4], [11, 4, 0, 0, 0, 0, 5, 0xd4], [3, 4, 0, 0, 0, 0, 0, 0]]
    {
        assert_eq!(too_big(&[&header[..], &quote].concat(), true), None);
    }
    let quote = quoted_udp(false);
    for header in [[1, 0, 0, 0, 0, 0, 5, 0xd4], [2, 0, 0, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 1, 0, 0]]
    {
        assert_eq!(too_big(&[&header[..], &quote].concat(), false), None);
    }
}
