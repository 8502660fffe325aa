//! Messages of the control plane: IKE, VRRP and BFD.

use crate::net::MacAddress;
use crate::routing::vrrp::neighbor;
use crate::wire::bfd::ControlPacket;
use crate::wire::ike::{
    self, Message, PayloadType, Protected, SealedGeometry, decode_chain, encode_chain,
};
use crate::wire::neighbor::NeighborFrame;
use crate::wire::vrrp::{self, Advertisement};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IKE message that was read reads back from its own encoding, and its protected parts lie
/// within it.
pub fn ike_message(bytes: &[u8]) {
    let Ok(message) = Message::decode(bytes) else { return };
    assert!(message.payloads.len() <= ike::limits::PAYLOADS);
    let again = Message::decode(&message.encode()).expect("our own encoding");
    assert_eq!(again.payloads, message.payloads);
    let mut copy = bytes.to_vec();
    for (iv_len, block_len, icv_len) in [(8, 1, 16), (16, 16, 12)] {
        let geometry = SealedGeometry { iv_len, block_len, icv_len };
        let Ok(parts) = Protected::locate(&message, &mut copy, geometry) else { continue };
        let parts = [parts.associated_data, parts.iv, &*parts.ciphertext_and_icv];
        assert_eq!(parts.concat(), bytes);
    }
}

/// A payload chain, whose first payload's type is the first octet, reads back from its own
/// encoding.
pub fn ike_chain(bytes: &[u8]) {
    let Some((&first, chain)) = bytes.split_first() else { return };
    let _ = ike::strip_padding(chain);
    let Ok(payloads) = decode_chain(PayloadType(first), chain) else { return };
    let (first, encoded) = encode_chain(&payloads);
    assert_eq!(decode_chain(first, &encoded).as_ref(), Ok(&payloads));
}

/// An advertisement that was read reads back from its own encoding, over either family.
pub fn vrrp_advertisement(bytes: &[u8]) {
    let over_v4 = (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), IpAddr::V4(vrrp::GROUP_V4));
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);
    let over_v6 = (IpAddr::V6(link_local), IpAddr::V6(vrrp::GROUP_V6));
    for (source, group) in [over_v4, over_v6] {
        let Ok(advertisement) = Advertisement::decode(bytes, source, group) else { continue };
        let encoded = advertisement.encode(source, group);
        assert_eq!(Advertisement::decode(&encoded, source, group), Ok(advertisement));
    }
}

/// A frame about an address that was read says the same when it is written, and the answer to it
/// reads back.
pub fn neighbor_frame(bytes: &[u8]) {
    let Ok(frame) = NeighborFrame::decode(bytes) else { return };
    assert_eq!(NeighborFrame::decode(&frame.encode()), Ok(frame.clone()));
    let own = MacAddress([2, 0, 0, 0, 0, 1]);
    if let Some(answer) = neighbor::answer(&frame, own) {
        assert!(neighbor::question(&answer).is_none(), "answers ask nothing");
        assert_eq!(NeighborFrame::decode(&answer.encode()), Ok(answer));
    }
}

/// A BFD Control packet that was read reads back from its own encoding.
pub fn bfd_control(bytes: &[u8]) {
    let Ok(packet) = ControlPacket::decode(bytes) else { return };
    assert_eq!(ControlPacket::decode(&packet.encode()), Ok(packet));
}
