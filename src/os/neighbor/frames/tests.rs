use super::*;

const ASKER_MAC: Mac = [2, 0, 0, 0, 0, 9];
const OWN: Mac = [2, 0, 0, 0, 0, 1];

fn arp_request(asker: [u8; 4], target: [u8; 4]) -> Vec<u8> {
    let mut frame = ethernet([0xff; 6], ASKER_MAC, EtherType::ARP);
    frame.extend(ARP_SHAPE);
    frame.extend(ARP_REQUEST);
    frame.extend(ASKER_MAC);
    frame.extend(asker);
    frame.extend([0; 6]);
    frame.extend(target);
    frame
}

fn solicitation(source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let to = solicited_node(target);
    let mut message = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    message.extend(target.octets());
    let sum = checksum(source, to, &message).to_be_bytes();
    message.splice(2..4, sum);
    let mut frame = ethernet([0x33, 0x33, 0xff, 0, 0, 1], ASKER_MAC, EtherType::IPV6);
    frame.extend([0x60, 0, 0, 0, 0, 24, ICMPV6, HOP_LIMIT]);
    frame.extend(source.octets());
    frame.extend(to.octets());
    frame.extend(message);
    frame
}

#[test]
fn an_arp_request_is_answered_with_our_address() {
    let question = parse(&arp_request([10, 1, 1, 10], [10, 1, 1, 1])).unwrap();
    assert_eq!(question.target, IpAddr::from([10, 1, 1, 1]));
    let reply = question.answer(OWN);
    assert_eq!(reply.len(), 42);
    assert_eq!(reply[..12], [ASKER_MAC, OWN].concat());
    assert_eq!(reply[20..22], ARP_REPLY);
    assert_eq!(reply[22..32], [2, 0, 0, 0, 0, 1, 10, 1, 1, 1]);
}

#[test]
fn a_gratuitous_arp_is_no_question() {
    assert_eq!(parse(&arp_request([10, 1, 1, 1], [10, 1, 1, 1])), None);
}

#[test]
fn a_solicitation_is_answered_by_an_intact_advertisement() {
    let (asker, target) = ("fd00:1::10".parse().unwrap(), "fd00:1::1".parse().unwrap());
    let question = parse(&solicitation(asker, target)).unwrap();
    let frame = question.answer(OWN);
    assert_eq!(frame[54], ADVERTISEMENT);
    assert_eq!(frame[58], ROUTER | SOLICITED | OVERRIDE);
    assert_eq!(checksum(target, asker, &frame[54..]), 0);
    assert_eq!(frame[frame.len() - 6..], OWN);
}

#[test]
fn duplicate_address_detection_is_answered_to_all_nodes() {
    let target = "fd00:1::1".parse().unwrap();
    let frame = parse(&solicitation(Ipv6Addr::UNSPECIFIED, target)).unwrap().answer(OWN);
    assert_eq!(frame[..6], [0x33, 0x33, 0, 0, 0, 1]);
    assert_eq!(frame[58] & SOLICITED, 0);
}

#[test]
fn every_truncation_and_every_flipped_bit_of_a_solicitation_is_dropped() {
    let whole = solicitation("fd00:1::10".parse().unwrap(), "fd00:1::1".parse().unwrap());
    for length in 0..whole.len() {
        assert_eq!(parse(&whole[..length]), None, "{length} bytes");
    }
    for at in 22 + 32..whole.len() {
        let mut bent = whole.clone();
        bent[at] ^= 1;
        assert_eq!(parse(&bent), None, "byte {at}");
    }
}

#[test]
fn a_solicited_node_group_ends_like_the_address() {
    let address = "fd00:1::12:3456".parse().unwrap();
    assert_eq!(solicited_node(address), "ff02::1:ff12:3456".parse::<Ipv6Addr>().unwrap());
}
