//! Translated packets are held against packets that were built with the other addresses.

use super::*;
use crate::net::Prefix;
use crate::offload::samples::naive_sum;
use crate::random::{Random, Seeded};
use proptest::prelude::*;

/// What is in a packet.
#[derive(Clone, Debug)]
enum Load {
    Tcp(Vec<u8>),
    Udp(Vec<u8>),
    /// UDP that does without a checksum.
    BareUdp(Vec<u8>),
    Echo(Vec<u8>),
    Sctp(Vec<u8>),
    /// A later fragment, of UDP: octets from the middle of a datagram.
    Piece(Vec<u8>),
    /// An error about a packet that went the other way, of which so many octets behind its headers are
    /// quoted.
    Error(Box<Load>, usize),
}

/// A packet from one address to another, with right checksums.
fn packet(from: IpAddr, to: IpAddr, load: &Load) -> Vec<u8> {
    let ipv4 = from.is_ipv4();
    let (protocol, at, mut content) = match load {
        Load::Tcp(data) => (
            6,
            Some(16),
            [&[0, 80, 1, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 16, 9, 9, 0, 0, 0, 0], &data[..]]
                .concat(),
        ),
        Load::Udp(data) | Load::BareUdp(data) => {
            let length = (8 + data.len() as u16).to_be_bytes();
            (17, Some(6), [&[1, 2, 3, 4, length[0], length[1], 0, 0], &data[..]].concat())
        }
        Load::Echo(data) if ipv4 => (1, Some(2), [&[8, 0, 0, 0, 1, 2, 0, 7], &data[..]].concat()),
        Load::Echo(data) => (58, Some(2), [&[128, 0, 0, 0, 1, 2, 0, 7], &data[..]].concat()),
        Load::Sctp(data) => {
            (132, None, [&[1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9], &data[..]].concat())
        }
        Load::Piece(data) => (17, None, data.clone()),
        Load::Error(about, quoted) => {
            let about = packet(to, from, about);
            let headers = if ipv4 { 24 } else { 48 };
            let quote = &about[..about.len().min(headers + quoted)];
            let head = if ipv4 { [3, 4, 0, 0, 0, 0, 5, 0] } else { [2, 0, 0, 0, 0, 0, 5, 0] };
            (if ipv4 { 1 } else { 58 }, Some(2), [&head, quote].concat())
        }
    };
    if let Some(at) = at.filter(|_| !matches!(load, Load::BareUdp(_))) {
        let pseudo = if protocol == 1 {
            Vec::new()
        } else {
            pseudo_header(from, to, protocol, content.len())
        };
        let sum = match naive_sum(&pseudo, &content) {
            0 if protocol == 17 => 0xffff,
            sum => sum,
        };
        content[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    [header(from, to, protocol, &content, matches!(load, Load::Piece(_))), content].concat()
}

fn pseudo_header(from: IpAddr, to: IpAddr, protocol: u8, length: usize) -> Vec<u8> {
    [&octets_of(from), &octets_of(to), &(length as u32).to_be_bytes()[..], &[0, protocol]].concat()
}

fn octets_of(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

fn header(from: IpAddr, to: IpAddr, protocol: u8, content: &[u8], piece: bool) -> Vec<u8> {
    let fragment = [protocol, 0, 0, 0x40, 0, 0, 0, 9];
    let extra = if piece { &fragment[..] } else { &[] };
    let mut header = if from.is_ipv4() {
        let length = (24 + content.len() as u16).to_be_bytes();
        let place = if piece { 9 } else { 0 };
        // With an option: the header has no fixed length.
        vec![0x46, 0, length[0], length[1], 0, 9, 0, place, 64, protocol, 0, 0]
    } else {
        let length = (content.len() as u16 + extra.len() as u16).to_be_bytes();
        vec![0x60, 0, 0, 0, length[0], length[1], if piece { 44 } else { protocol }, 64]
    };
    header.extend([octets_of(from), octets_of(to)].concat());
    if from.is_ipv4() {
        header.extend([1, 1, 1, 1]);
        let sum = naive_sum(&[], &header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    } else {
        header.extend(extra);
    }
    header
}

fn mapping(inside: &str, outside: &str) -> Mapping {
    Mapping::new(inside.parse().unwrap(), outside.parse().unwrap()).unwrap()
}

fn translation(mappings: &[Mapping]) -> Translation {
    Translation::of(&mappings.iter().copied().collect())
}

fn outward(translation: &Translation, mut packet: Vec<u8>) -> Vec<u8> {
    let mut inner = InnerPacket::parse(&packet).unwrap();
    translation.outward(&mut inner, &mut packet);
    assert_eq!(inner, InnerPacket::parse(&packet).unwrap(), "what is known of it follows");
    packet
}

fn inward(translation: &Translation, mut packet: Vec<u8>) -> Vec<u8> {
    let mut inner = InnerPacket::parse(&packet).unwrap();
    translation.inward(&mut inner, &mut packet);
    assert_eq!(inner, InnerPacket::parse(&packet).unwrap(), "what is known of it follows");
    packet
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..40)
}

fn plain() -> impl Strategy<Value = Load> {
    prop_oneof![
        data().prop_map(Load::Tcp),
        data().prop_map(Load::Udp),
        data().prop_map(Load::BareUdp),
        data().prop_map(Load::Echo),
        data().prop_map(Load::Sctp),
        prop::collection::vec(any::<u8>(), 8..40).prop_map(Load::Piece),
    ]
}

/// What has data behind its checksum.
fn long() -> impl Strategy<Value = Load> {
    let data = || prop::collection::vec(any::<u8>(), 4..40);
    prop_oneof![data().prop_map(Load::Tcp), data().prop_map(Load::Udp)]
}

fn load() -> impl Strategy<Value = Load> {
    let error =
        (plain(), 0..40usize).prop_map(|(about, words)| Load::Error(about.into(), 2 * words));
    prop_oneof![2 => plain(), 1 => error]
}

/// Two prefixes that stand for each other, an address in each, and one of a peer in neither.
fn places() -> impl Strategy<Value = (Mapping, IpAddr, IpAddr, IpAddr)> {
    let bits = (any::<bool>(), 1..=128u8, any::<[u128; 2]>(), any::<[u128; 2]>());
    bits.prop_filter_map("a peer among us", |(ipv4, len, fronts, hosts)| {
        let address = |bits: u128| match ipv4 {
            true => IpAddr::V4((bits as u32).into()),
            false => IpAddr::V6(bits.into()),
        };
        let len = if ipv4 { len.min(32) } else { len };
        let kept = match ipv4 {
            true => u128::from(u32::MAX.checked_shr(len.into()).unwrap_or(0)),
            false => u128::MAX.checked_shr(len.into()).unwrap_or(0),
        };
        let [inside, outside] =
            fronts.map(|front| Prefix::containing(address(front), len).unwrap());
        let [here, there] = fronts.map(|front| address(front & !kept | hosts[0] & kept));
        let peer = address(hosts[1]);
        let is_apart = !inside.contains(peer) && !outside.contains(peer) && inside != outside;
        is_apart.then_some((Mapping::new(inside, outside).unwrap(), here, there, peer))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_peer_sees_what_a_host_at_the_other_address_would_have_sent((mapping, here, there, peer) in places(), load in load()) {
        let translated = outward(&translation(&[mapping]), packet(here, peer, &load));
        prop_assert_eq!(translated, packet(there, peer, &load));
    }

    #[test]
    fn a_host_sees_what_the_peer_would_have_sent_to_its_own_address((mapping, here, there, peer) in places(), load in load()) {
        let translated = inward(&translation(&[mapping]), packet(peer, there, &load));
        prop_assert_eq!(translated, packet(peer, here, &load));
    }

    #[test]
    fn there_and_back_again_is_nothing((mapping, here, _, peer) in places(), load in load()) {
        let back = Mapping::new(mapping.outside(), mapping.inside()).unwrap();
        let sent = packet(here, peer, &load);
        let there = outward(&translation(&[mapping]), sent.clone());
        prop_assert_eq!(outward(&translation(&[back]), there), sent);
    }

    #[test]
    fn what_is_not_ours_is_left_alone((mapping, here, there, peer) in places(), load in load()) {
        let translation = translation(&[mapping]);
        let own = packet(peer, peer, &load);
        prop_assert_eq!(outward(&translation, own.clone()), own.clone());
        prop_assert_eq!(inward(&translation, own.clone()), own);
        prop_assert!(translation.is_about(here) && translation.is_about(there));
        prop_assert!(!translation.is_about(peer));
    }

    #[test]
    fn wrong_checksums_stay_as_wrong((mapping, here, there, peer) in places(), load in long(), octets in any::<[u8; 4]>()) {
        let spoilt = |mut packet: Vec<u8>| {
            let end = packet.len() - 4;
            packet[end..].copy_from_slice(&octets);
            packet
        };
        let translated = outward(&translation(&[mapping]), spoilt(packet(here, peer, &load)));
        prop_assert_eq!(translated, spoilt(packet(there, peer, &load)));
    }
}

#[test]
fn no_octets_make_it_stumble() {
    let translation =
        translation(&[mapping("0.0.0.0/1", "128.0.0.0/1"), mapping("::/1", "8000::/1")]);
    let mut random = Seeded::new(7);
    for _ in 0..100_000 {
        let mut packet = vec![0; 20 + random.u64() as usize % 120];
        random.fill(&mut packet);
        packet[0] = if random.u64().is_multiple_of(2) { 0x45 } else { 0x60 };
        packet[9] = [1, 6, 17, 58][random.u64() as usize % 4];
        packet[6] = if packet[0] == 0x60 { packet[9] } else { 0 };
        let length = packet.len() as u16;
        let at = if packet[0] == 0x45 { 2 } else { 4 };
        let length = if packet[0] == 0x45 { length } else { length.saturating_sub(40) };
        packet[at..at + 2].copy_from_slice(&length.to_be_bytes());
        if let Ok(mut inner) = InnerPacket::parse(&packet) {
            translation.outward(&mut inner, &mut packet);
            assert_eq!(
                translation.0.as_deref().map(|all| find(all, Way::Outward, inner.source)),
                Some(None)
            );
        }
    }
}

#[test]
fn each_of_several_prefixes_has_its_own_counterpart() {
    let translation = translation(&[
        mapping("10.0.0.0/16", "100.64.0.0/16"),
        mapping("10.1.0.0/24", "100.65.7.0/24"),
        mapping("fd00:1::/48", "fd00:a::/48"),
    ]);
    let peer = |text: &str| text.parse::<IpAddr>().unwrap();
    let load = Load::Udp(vec![1, 2, 3]);
    let cases = [
        ("10.0.3.4", "100.64.3.4", "10.9.0.1"),
        ("10.1.0.4", "100.65.7.4", "10.9.0.1"),
        ("fd00:1::4", "fd00:a::4", "fd00:9::1"),
    ];
    for (here, there, far) in cases {
        let sent = packet(peer(here), peer(far), &load);
        assert_eq!(outward(&translation, sent), packet(peer(there), peer(far), &load));
    }
}
