//! Entry points for fuzzing: what must hold for *any* input of each decoder.
//!
//! A target takes octets, calls a decoder, and panics when a promise is broken; refusing the
//! octets is never a fault. `fuzz/` wraps each of them for libFuzzer, and a test replays the
//! committed corpora through the same functions. None of this is part of the gateway: the module
//! exists under `cfg(test)` and `cfg(fuzzing)` only.

use crate::crypto::aead::AeadAlgorithm;
use crate::crypto::secret::Secret;
use crate::crypto::sign::{SigningKey, VerifyingKey};
use crate::crypto::suite::{EspSuite, IkeSuite};
use crate::esp::{InboundSa, Limits, NEXT_HEADER_IPV4, OutboundSa, SaConfig, sealed_len};
use crate::net::EspSpi;
use crate::wire::ike::{self, Message, PayloadType, Protected, decode_chain, encode_chain};
use crate::wire::ip::InnerPacket;
use crate::wire::tcp::{ChecksumState, clamp_mss};
use crate::wire::vrrp::{self, Advertisement};
use crate::wire::{esp, icmp};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A function that must not panic, whatever it is given.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus, `fuzz/corpus/<name>/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("ike_message", ike_message),
    ("ike_chain", ike_chain),
    ("ip_packet", ip_packet),
    ("esp_classify", esp_classify),
    ("vrrp_advertisement", vrrp_advertisement),
    ("esp_packet", esp_packet),
    ("key_file", key_file),
    ("suite_name", suite_name),
];

/// An IKE message that was read reads back from its own encoding, and its protected parts lie
/// within it.
pub fn ike_message(bytes: &[u8]) {
    let Ok(message) = Message::decode(bytes) else { return };
    assert!(message.payloads.len() <= ike::limits::PAYLOADS);
    let again = Message::decode(&message.encode()).expect("our own encoding");
    assert_eq!(again.payloads, message.payloads);
    let mut copy = bytes.to_vec();
    if let Ok(protected) = Protected::locate(&message, &mut copy) {
        let parts = [protected.associated_data, &protected.iv[..], &*protected.ciphertext_and_icv];
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

/// A parsed packet's parts lie within it, and answering or clamping it is safe.
pub fn ip_packet(bytes: &[u8]) {
    let Ok(packet) = InnerPacket::parse(bytes) else { return };
    assert!(packet.transport_offset <= packet.total_len && packet.total_len <= bytes.len());
    assert_eq!(packet.source.is_ipv4(), packet.destination.is_ipv4());
    let _ = packet.ports(bytes);
    let from = match packet.source {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1)),
    };
    if let Some(reply) = icmp::error_about(bytes, icmp::Problem::TooBig { mtu: 1280 }, from) {
        let reply = InnerPacket::parse(&reply).expect("our own reply");
        assert_eq!((reply.source, reply.destination), (from, packet.source));
    }
    let mut segment = bytes[packet.transport_offset..packet.total_len].to_vec();
    clamp_mss(&mut segment, 1000, ChecksumState::Complete);
}

/// A datagram is of exactly one kind, and an ESP header reads back.
pub fn esp_classify(bytes: &[u8]) {
    match esp::classify(bytes) {
        esp::Encapsulated::Ike(message) => assert_eq!(message.len() + 4, bytes.len()),
        esp::Encapsulated::Keepalive => assert_eq!(bytes, [0xff]),
        esp::Encapsulated::Esp(header) => {
            assert_ne!(header.spi.0, 0);
            assert_eq!(header.encode(), bytes[..8]);
        }
        esp::Encapsulated::Malformed => assert!(bytes.len() < 8),
    }
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

/// Octets that nobody sealed never open, and move nothing. Octets that an authentic peer sealed,
/// the first of them as next header, open to a packet of the version that it names, or not at all.
pub fn esp_packet(bytes: &[u8]) {
    let config = SaConfig {
        spi: EspSpi(0x0000_1000),
        suite: EspSuite { aead: AeadAlgorithm::ChaCha20Poly1305, esn: true, group: None },
        keymat: Secret::copy_of(&[7; 36]),
        hard: Limits::NONE,
        soft: Limits::NONE,
        replay_window: 64,
    };
    let outbound = OutboundSa::new(config.clone()).expect("36 octets of key material");
    let inbound = InboundSa::new(config).expect("36 octets of key material");
    let forged = [&[0, 0, 0x10, 0], bytes].concat();
    for packet in [bytes, &forged] {
        assert!(inbound.open(&mut packet.to_vec()).is_err());
        assert_eq!(inbound.window().highest(), 0);
    }
    let Some((&next_header, payload)) = bytes.split_first() else { return };
    let mut packet = vec![0; sealed_len(payload.len())];
    outbound.seal(next_header, payload, &[], &mut packet).expect("room and sequence numbers");
    if let Ok(opened) = inbound.open(&mut packet) {
        let version = if opened.next_header == NEXT_HEADER_IPV4 { 4 } else { 6 };
        assert_eq!(opened.inner[0] >> 4, version);
        assert_eq!(*opened.inner, payload[..opened.inner.len()]);
    }
    assert_eq!(inbound.window().highest(), 1);
}

/// A key that was read is written and read again, from PEM, DER and base64.
pub fn key_file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let from_pem = SigningKey::from_pkcs8_pem(&text);
    for key in from_pem.into_iter().chain(SigningKey::from_pkcs8_der(bytes)) {
        assert_eq!(SigningKey::from_pkcs8_pem(&key.to_pkcs8_pem()).as_ref(), Ok(&key));
    }
    let parsed = text.parse::<VerifyingKey>();
    for key in parsed.into_iter().chain(VerifyingKey::from_spki_der(bytes)) {
        assert_eq!(key.to_base64().parse(), Ok(key));
        assert_eq!(VerifyingKey::from_spki_pem(&key.to_spki_pem()), Ok(key));
    }
}

/// A suite that was read reads back from its own name; a refusal can be said.
pub fn suite_name(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<IkeSuite>() {
        Ok(suite) => assert_eq!(suite.to_string().parse(), Ok(suite)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match text.parse::<EspSuite>() {
        Ok(suite) => assert_eq!(suite.to_string().parse(), Ok(suite)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[cfg(test)]
mod tests;
