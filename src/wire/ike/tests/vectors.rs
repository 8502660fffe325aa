//! Messages written by hand from RFC 7296 §3, octet by octet.

use crate::wire::ike::*;
use crate::wire::{DecodeError, Fault};
use hex_literal::hex;

const HEADER: Header = Header {
    initiator_spi: IkeSpi(*b"initiate"),
    responder_spi: IkeSpi::ZERO,
    next_payload: PayloadType::NONE,
    version: Version::IKEV2,
    exchange_type: ExchangeType::IKE_SA_INIT,
    flags: Flags { initiator: true, response: false, version: false },
    message_id: MessageId(0),
    length: 0,
};

/// Decodes a chain of one payload, and checks that encoding gives the same octets, that every
/// truncation is refused and that nothing may follow.
fn one(payload_type: PayloadType, bytes: &[u8]) -> Payload {
    let payloads = decode_chain(payload_type, bytes).unwrap();
    assert_eq!(encode_chain(&payloads), (payload_type, bytes.to_vec()));
    for len in 0..bytes.len() {
        assert!(decode_chain(payload_type, &bytes[..len]).is_err(), "cut to {len}");
    }
    let longer = [bytes, &[0]].concat();
    assert!(decode_chain(payload_type, &longer).is_err(), "followed by an octet");
    let [payload] = <[Payload; 1]>::try_from(payloads).unwrap();
    payload
}

fn refused(payload_type: PayloadType, bytes: &[u8]) -> DecodeError {
    decode_chain(payload_type, bytes).unwrap_err()
}

/// AES-GCM's.
const AEAD: SealedGeometry = SealedGeometry { iv_len: 8, block_len: 1, icv_len: 16 };
/// AES-CBC's with HMAC-SHA2-384-192.
const CBC: SealedGeometry = SealedGeometry { iv_len: 16, block_len: 16, icv_len: 24 };

#[test]
fn a_header_has_28_octets() {
    let bytes = hex!(
        "696e697469617465 726573706f6e6465"
        "2e 20 23 28 00000001 0000001c"
    );
    let header = Header {
        responder_spi: IkeSpi(*b"responde"),
        next_payload: PayloadType::SK,
        exchange_type: ExchangeType::IKE_AUTH,
        flags: Flags { initiator: true, response: true, version: false },
        message_id: MessageId(1),
        length: 28,
        ..HEADER
    };
    assert_eq!(Header::decode(&bytes), Ok(header));
    assert_eq!(header.encode(), bytes);
    for len in 0..Header::LEN {
        assert!(Header::decode(&bytes[..len]).is_err());
    }
}

#[test]
fn reserved_flags_are_ignored_and_versions_kept() {
    let mut bytes = HEADER.encode();
    bytes[17] = 0x31;
    bytes[19] = 0xff;
    let header = Header::decode(&bytes).unwrap();
    assert_eq!(header.version, Version { major: 3, minor: 1 });
    assert_eq!(header.flags, Flags { initiator: true, response: true, version: true });
    assert_eq!(header.encode()[19], 0x38);
}

#[test]
fn a_message_of_another_major_version_is_refused_by_name() {
    let mut bytes = Message { header: HEADER, payloads: vec![] }.encode();
    bytes[17] = 0x10;
    let error = Message::decode(&bytes).unwrap_err();
    assert_eq!(error.why, Fault::Invalid("the major version is not 2"));
}

#[test]
fn an_ike_sa_init_request_reads_back() {
    let bytes = hex!(
        "696e697469617465 0000000000000000 21 20 22 08 00000000 00000088"
        // SA: one proposal for IKE with ENCR AES_GCM_16-256, PRF, KE
        "22 00 0028"
        "00 00 0024 01 01 00 03"
        "03 00 000c 01 00 0014 800e 0100"
        "03 00 0008 02 00 0006"
        "00 00 0008 04 00 001f"
        // KE: Curve25519
        "28 00 0028 001f 0000"
        "0101010101010101010101010101010101010101010101010101010101010101"
        // Nonce
        "29 00 0014 0202020202020202 0202020202020202"
        // Notify: fragmentation supported
        "00 00 0008 00 00 402e"
    );
    let message = Message::decode(&bytes).unwrap();
    let proposal = Proposal {
        number: 1,
        protocol: ProtocolId::IKE,
        spi: vec![],
        transforms: vec![
            Transform::new(TransformType::ENCR, EncryptionId::AES_GCM_16).with_key_length(256),
            Transform::new(TransformType::PRF, PrfId::HMAC_SHA2_384),
            Transform::new(TransformType::KE, KeyExchangeMethod::CURVE25519),
        ],
    };
    let expected = vec![
        Payload::SecurityAssociation(SecurityAssociation { proposals: vec![proposal] }),
        Payload::KeyExchange(KeyExchange {
            method: KeyExchangeMethod::CURVE25519,
            data: vec![1; 32],
        }),
        Payload::Nonce(vec![2; 16]),
        Payload::Notify(Notify::new(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED, [])),
    ];
    assert_eq!(message.payloads, expected);
    assert_eq!(message.encode(), bytes);
    for len in 0..bytes.len() {
        assert!(Message::decode(&bytes[..len]).is_err(), "cut to {len}");
    }
    assert!(Message::decode(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn proposals_are_alternatives() {
    let bytes = hex!(
        "00 00 0034"
        "02 00 0018 01 03 04 01 c0000001  00 00 000c 01 00 0014 800e 0080"
        "00 00 0018 02 03 04 01 c0000001  00 00 000c 01 00 0014 800e 0100"
    );
    let Payload::SecurityAssociation(sa) = one(PayloadType::SA, &bytes) else { panic!() };
    assert_eq!(sa.proposals.iter().map(|p| p.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(sa.proposals[1].spi, hex!("c0000001"));
    assert_eq!(sa.proposals[1].transforms[0].key_length, Some(256));
}

#[test]
fn unknown_attributes_of_both_formats_are_kept() {
    let bytes = hex!(
        "00 00 0024"
        "00 00 0020 01 01 00 01"
        "00 00 0018 01 00 0014 8111 abcd 0012 0004 01020304 800e 0100"
    );
    let payloads = decode_chain(PayloadType::SA, &bytes).unwrap();
    let [Payload::SecurityAssociation(sa)] = &payloads[..] else { panic!() };
    let transform = &sa.proposals[0].transforms[0];
    assert_eq!(transform.key_length, Some(256));
    let kept = [
        Attribute { attribute_type: 0x111, value: AttributeValue::Short(0xabcd) },
        Attribute { attribute_type: 0x12, value: AttributeValue::Long(vec![1, 2, 3, 4]) },
    ];
    assert_eq!(transform.attributes, kept);
    let (first, encoded) = encode_chain(&payloads);
    assert_eq!(decode_chain(first, &encoded), Ok(payloads));
}

#[test]
fn the_announced_number_of_transforms_must_be_there() {
    let more = hex!("00 00 0014 00 00 0010 01 01 00 02  00 00 0008 02 00 0006");
    let fewer = hex!("00 00 0014 00 00 0010 01 01 00 00  00 00 0008 02 00 0006");
    let open = hex!("00 00 0014 00 00 0010 01 01 00 01  03 00 0008 02 00 0006");
    for bytes in [more, fewer, open] {
        refused(PayloadType::SA, &bytes);
    }
}

#[test]
fn a_sa_payload_without_a_proposal_is_refused() {
    refused(PayloadType::SA, &hex!("00 00 0004"));
}

#[test]
fn an_identification_reads_back_and_gives_the_octets_that_auth_covers() {
    let bytes = hex!("00 00 000c 02 000000 65617374");
    let Payload::IdInitiator(id) = one(PayloadType::IDi, &bytes) else { panic!() };
    assert_eq!(id, Identification::new(IdType::FQDN, *b"east"));
    assert_eq!(id.body(), bytes[4..]);
    assert!(matches!(one(PayloadType::IDr, &bytes), Payload::IdResponder(_)));
}

#[test]
fn certificates_and_requests_read_back() {
    let bytes = hex!("00 00 0008 0f 302a30");
    let expected =
        Certificate { encoding: CertEncoding::RAW_PUBLIC_KEY, data: hex!("302a30").into() };
    assert_eq!(one(PayloadType::CERT, &bytes), Payload::Certificate(expected.clone()));
    assert_eq!(one(PayloadType::CERTREQ, &bytes), Payload::CertificateRequest(expected));
}

#[test]
fn an_authentication_reads_back() {
    let bytes = hex!("00 00 000b 0e 000000 010203");
    let expected = Authentication { method: AuthMethod::DIGITAL_SIGNATURE, data: vec![1, 2, 3] };
    assert_eq!(one(PayloadType::AUTH, &bytes), Payload::Authentication(expected));
}

#[test]
fn a_notification_about_an_sa_reads_back() {
    let bytes = hex!("00 00 000e 03 04 4009 c0000001 0102");
    let expected = Notify {
        protocol: ProtocolId::ESP,
        spi: hex!("c0000001").into(),
        notify_type: NotifyType::REKEY_SA,
        data: vec![1, 2],
    };
    assert_eq!(one(PayloadType::NOTIFY, &bytes), Payload::Notify(expected));
    assert!(NotifyType::NO_PROPOSAL_CHOSEN.is_error());
    assert!(!NotifyType::REKEY_SA.is_error());
}

#[test]
fn deletions_of_child_sas_and_of_the_ike_sa_read_back() {
    let children = hex!("00 00 0010 03 04 0002 c0000001 c0000002");
    let spis = vec![hex!("c0000001").into(), hex!("c0000002").into()];
    let expected = Payload::Delete(Delete { protocol: ProtocolId::ESP, spis });
    assert_eq!(one(PayloadType::DELETE, &children), expected);
    let ike = hex!("00 00 0008 01 00 0000");
    let expected = Payload::Delete(Delete { protocol: ProtocolId::IKE, spis: vec![] });
    assert_eq!(one(PayloadType::DELETE, &ike), expected);
}

#[test]
fn deletions_of_many_or_of_nothing_are_refused() {
    let nothing = hex!("00 00 0008 01 00 ffff");
    refused(PayloadType::DELETE, &nothing);
    let few_and_empty = hex!("00 00 0008 01 00 0002");
    refused(PayloadType::DELETE, &few_and_empty);
}

#[test]
fn nonces_have_16_to_256_octets() {
    let nonce = |len: usize| {
        let (_, bytes) = encode_chain(&[Payload::Nonce(vec![7; len])]);
        decode_chain(PayloadType::NONCE, &bytes).is_ok()
    };
    assert_eq!([15, 16, 256, 257].map(nonce), [false, true, true, false]);
}

#[test]
fn opaque_payloads_read_back() {
    let bytes = hex!("00 00 0007 76 70 6e");
    assert_eq!(one(PayloadType::VENDOR, &bytes), Payload::VendorId(b"vpn".to_vec()));
    assert_eq!(one(PayloadType::EAP, &bytes), Payload::Eap(b"vpn".to_vec()));
    let configuration = hex!("00 00 000c 01 000000 0001 0000");
    let expected = Configuration {
        cfg_type: ConfigurationType::CFG_REQUEST,
        attributes: hex!("0001 0000").into(),
    };
    assert_eq!(one(PayloadType::CP, &configuration), Payload::Configuration(expected));
}

#[test]
fn traffic_selectors_of_both_families_read_back() {
    let bytes = hex!(
        "00 00 0040 02 000000"
        "07 06 0010 0016 0016 0a010000 0a01ffff"
        "08 00 0028 0000 ffff fd000001000000000000000000000000 fd000001ffffffffffffffffffffffff"
    );
    let Payload::TrafficSelectorsInitiator(ts) = one(PayloadType::TSi, &bytes) else { panic!() };
    let text: Vec<_> = ts.selectors.iter().map(ToString::to_string).collect();
    assert_eq!(text, ["10.1.0.0/16 protocol 6 ports 22-22", "fd00:1::/32"]);
    assert!(matches!(one(PayloadType::TSr, &bytes), Payload::TrafficSelectorsResponder(_)));
}

#[test]
fn a_selector_of_unknown_type_is_kept() {
    let bytes = hex!("00 00 000e 01 000000 0a 11 0006 abcd");
    let Payload::TrafficSelectorsResponder(ts) = one(PayloadType::TSr, &bytes) else { panic!() };
    let kept = UnknownTrafficSelector {
        ts_type: TsType::SECLABEL,
        protocol: 0x11,
        body: hex!("abcd").into(),
    };
    assert_eq!((ts.selectors, ts.unknown), (vec![], vec![kept]));
}

#[test]
fn a_selector_that_ends_before_it_starts_is_refused() {
    refused(PayloadType::TSi, &hex!("00 00 0018 01 000000 07 00 0010 0000 ffff 0a02ffff 0a010000"));
}

#[test]
fn an_unknown_payload_keeps_its_critical_bit_and_a_known_one_ignores_it() {
    let bytes = hex!("00 80 0006 abcd");
    let kept = |critical| {
        Payload::Unknown(UnknownPayload {
            payload_type: PayloadType(200),
            critical,
            body: hex!("abcd").into(),
        })
    };
    assert_eq!(one(PayloadType(200), &bytes), kept(true));
    assert_eq!(one(PayloadType(200), &hex!("00 00 0006 abcd")), kept(false));
    let vendor = decode_chain(PayloadType::VENDOR, &hex!("00 ff 0006 abcd")).unwrap();
    assert_eq!(encode_chain(&vendor).1, hex!("00 00 0006 abcd"));
}

#[test]
fn an_encrypted_payload_ends_the_chain_and_names_what_is_inside() {
    let bytes = [
        &Header { next_payload: PayloadType::SK, length: 38, ..HEADER }.encode()[..],
        &hex!("23 00 000a 010203040506"),
    ]
    .concat();
    let message = Message::decode(&bytes).unwrap();
    let expected = EncryptedBody { first_inner: PayloadType::IDi, body: vec![1, 2, 3, 4, 5, 6] };
    assert_eq!(message.encrypted(), Some(&expected));
    assert_eq!(message.encode(), bytes);
    let mut trailing = [&bytes[..], &[0]].concat();
    trailing[27] += 1;
    let error = Message::decode(&trailing).unwrap_err();
    assert_eq!(error.why, Fault::Trailing { left: 1 });
}

#[test]
fn an_encrypted_payload_inside_another_is_refused() {
    refused(PayloadType::SK, &hex!("00 00 0006 abcd"));
    refused(PayloadType::SKF, &hex!("00 00 000a 0001 0001 abcd"));
}

#[test]
fn a_fragment_reads_back_and_its_number_lies_within_the_total() {
    let message = |number: u8, total: u8| {
        let fragment = [0x23, 0, 0, 10, 0, number, 0, total, 0xab, 0xcd];
        [
            &Header { next_payload: PayloadType::SKF, length: 38, ..HEADER }.encode()[..],
            &fragment[..],
        ]
        .concat()
    };
    let decoded = Message::decode(&message(2, 3)).unwrap();
    let expected = EncryptedFragment {
        first_inner: PayloadType::IDi,
        fragment_number: 2,
        total_fragments: 3,
        body: vec![0xab, 0xcd],
    };
    assert_eq!(decoded.payloads, [Payload::EncryptedFragment(expected)]);
    assert_eq!(decoded.encode(), message(2, 3));
    assert!(Message::decode(&message(0, 3)).is_err());
    assert!(Message::decode(&message(4, 3)).is_err());
}

#[test]
fn more_payloads_than_we_hold_are_refused() {
    let payloads = vec![Payload::VendorId(vec![]); limits::PAYLOADS + 1];
    let (first, bytes) = encode_chain(&payloads);
    assert_eq!(refused(first, &bytes).why, Fault::TooMany { limit: limits::PAYLOADS });
    assert!(decode_chain(first, &encode_chain(&payloads[1..]).1).is_ok());
}

#[test]
fn an_offer_without_end_is_refused_before_it_is_compared() {
    let transform = Transform::new(TransformType::ENCR, 20u16);
    let proposal = |transforms| Proposal {
        number: 1,
        protocol: ProtocolId::IKE,
        spi: Vec::new(),
        transforms: vec![transform.clone(); transforms],
    };
    let offer = |last| {
        let full = limits::OFFERED_TRANSFORMS / limits::TRANSFORMS;
        let mut proposals = vec![proposal(limits::TRANSFORMS); full];
        proposals.extend(std::iter::repeat_n(proposal(1), last));
        encode_chain(&[Payload::SecurityAssociation(SecurityAssociation { proposals })])
    };
    let (first, bytes) = offer(1);
    assert_eq!(refused(first, &bytes).why, Fault::TooMany { limit: limits::OFFERED_TRANSFORMS });
    let (first, bytes) = offer(0);
    assert!(decode_chain(first, &bytes).is_ok());
}

#[test]
fn a_draft_has_final_lengths_and_opens_to_what_was_put_in() {
    let header = Header { exchange_type: ExchangeType::INFORMATIONAL, ..HEADER };
    let inner = [Payload::Notify(Notify::new(NotifyType::COOKIE2, [1, 2, 3]))];
    let mut draft = Draft::new(&header, &inner, AEAD);
    let parts = draft.parts();
    parts.iv.copy_from_slice(b"--iv----");
    parts.icv.copy_from_slice(b"------icv-------");
    let associated_data = parts.associated_data.to_vec();
    let plaintext = parts.plaintext.to_vec();

    let mut bytes = draft.into_bytes();
    let message = Message::decode(&bytes).unwrap();
    assert_eq!(message.encrypted().unwrap().first_inner, PayloadType::NOTIFY);
    let protected = Protected::locate(&message, &mut bytes, AEAD).unwrap();
    assert_eq!(protected.associated_data, associated_data);
    assert_eq!(associated_data.len(), Header::LEN + 4);
    assert_eq!(protected.iv, b"--iv----");
    let sealed = [&plaintext[..], b"------icv-------"].concat();
    assert_eq!(protected.ciphertext_and_icv, sealed);
    let chain = strip_padding(&plaintext).unwrap();
    assert_eq!(decode_chain(PayloadType::NOTIFY, chain), Ok(inner.to_vec()));
}

#[test]
fn an_empty_draft_is_a_liveness_probe() {
    let mut draft = Draft::new(&HEADER, &[], AEAD);
    assert_eq!(draft.parts().plaintext, [0]);
    let message = Message::decode(&draft.into_bytes()).unwrap();
    assert_eq!(message.encrypted().unwrap().first_inner, PayloadType::NONE);
}

#[test]
fn a_draft_for_blocks_is_padded_to_whole_ones_and_opens_to_what_was_put_in() {
    for data_len in 0..40 {
        let inner = [Payload::Notify(Notify::new(NotifyType::COOKIE2, vec![9; data_len]))];
        let mut draft = Draft::new(&HEADER, &inner, CBC);
        let parts = draft.parts();
        let plaintext = parts.plaintext.to_vec();
        assert_eq!((parts.iv.len(), parts.icv.len(), plaintext.len() % 16), (16, 24, 0));
        let (padding, chain) = (plaintext[plaintext.len() - 1], strip_padding(&plaintext).unwrap());
        assert!(padding < 16, "no more than is needed");
        assert_eq!(decode_chain(PayloadType::NOTIFY, chain), Ok(inner.to_vec()));
    }
}

#[test]
fn a_body_too_short_for_iv_and_icv_or_not_of_whole_blocks_is_refused() {
    let accepted = |geometry: SealedGeometry, len: usize| {
        let body = EncryptedBody { first_inner: PayloadType::NONE, body: vec![0; len] };
        let mut bytes =
            Message { header: HEADER, payloads: vec![Payload::Encrypted(body)] }.encode();
        let message = Message::decode(&bytes).unwrap();
        Protected::locate(&message, &mut bytes, geometry).is_ok()
    };
    let lengths = |geometry| (0..90).filter(|&len| accepted(geometry, len)).collect::<Vec<_>>();
    assert_eq!(lengths(AEAD), (8 + 1 + 16..90).collect::<Vec<_>>());
    assert_eq!(lengths(CBC), [16 + 16 + 24, 16 + 32 + 24, 16 + 48 + 24]);
}

#[test]
fn padding_longer_than_the_plaintext_is_refused() {
    assert_eq!(strip_padding(&[1, 2, 9, 9, 2]), Ok(&[1, 2][..]));
    assert_eq!(strip_padding(&[0]), Ok(&[][..]));
    assert!(strip_padding(&[2]).is_err());
    assert!(strip_padding(&[]).is_err());
}

/// RFC 7296 §3.14, RFC 5282 §3: "the recipient MUST accept any amount of Padding up to 255 octets".
#[test]
fn any_padding_is_taken_that_the_plaintext_has_room_for() {
    for length in 0..=u8::MAX {
        let padded = [&[1, 2], vec![0xee; length.into()].as_slice(), &[length]].concat();
        assert_eq!(strip_padding(&padded), Ok(&[1, 2][..]));
    }
}

/// RFC 7383 §2.5: the fragment numbers stand between the generic header and the IV, inside the
/// associated data; the first fragment names the first payload.
#[test]
fn a_fragment_has_its_numbers_in_the_associated_data() {
    let fragment =
        Fragment { first_inner: PayloadType::IDi, number: 1, total: 3, part: &[0xaa, 0xbb] };
    let mut draft = Draft::fragment(&HEADER, fragment, AEAD);
    let parts = draft.parts();
    let (_, numbers) = parts.associated_data.split_at(Header::LEN);
    assert_eq!(numbers, [35, 0, 0, 4 + 4 + 8 + 3 + 16, 0, 1, 0, 3]);
    assert_eq!(&*parts.plaintext, [0xaa, 0xbb, 0]);
    let bytes = draft.into_bytes();
    let message = Message::decode(&bytes).unwrap();
    let Some(Payload::EncryptedFragment(read)) = message.payloads.last() else { panic!() };
    assert_eq!((read.fragment_number, read.total_fragments), (1, 3));
    assert_eq!(read.first_inner, PayloadType::IDi);
    assert_eq!(message.header.next_payload, PayloadType::SKF);
    assert_eq!(message.encode(), bytes);
    for length in 0..bytes.len() {
        assert!(Message::decode(&bytes[..length]).is_err(), "{length}");
    }
}
