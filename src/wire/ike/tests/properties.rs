//! What holds for every message: it reads back, and no octets make a decoder panic.

use crate::net::AddressRange;
use crate::wire::ike::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn octets() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn attribute() -> impl Strategy<Value = Attribute> {
    let value = prop_oneof![
        any::<u16>().prop_map(AttributeValue::Short),
        octets().prop_map(AttributeValue::Long),
    ];
    // Type 14 is the key length, which has a field of its own.
    (15u16..0x8000, value).prop_map(|(attribute_type, value)| Attribute { attribute_type, value })
}

fn transform() -> impl Strategy<Value = Transform> {
    (any::<u8>(), any::<u16>(), any::<Option<u16>>(), vec(attribute(), 0..=limits::ATTRIBUTES))
        .prop_map(|(transform_type, id, key_length, attributes)| Transform {
            transform_type: TransformType(transform_type),
            id,
            key_length,
            attributes,
        })
}

fn proposal() -> impl Strategy<Value = Proposal> {
    (any::<u8>(), any::<u8>(), vec(any::<u8>(), 0..9), vec(transform(), 0..6)).prop_map(
        |(number, protocol, spi, transforms)| Proposal {
            number,
            protocol: ProtocolId(protocol),
            spi,
            transforms,
        },
    )
}

fn addresses() -> impl Strategy<Value = AddressRange> {
    let ordered = |a: IpAddr, b: IpAddr| AddressRange::new(a.min(b), a.max(b)).unwrap();
    prop_oneof![
        any::<[Ipv4Addr; 2]>().prop_map(move |[a, b]| ordered(a.into(), b.into())),
        any::<[Ipv6Addr; 2]>().prop_map(move |[a, b]| ordered(a.into(), b.into())),
    ]
}

fn selectors() -> impl Strategy<Value = TrafficSelectors> {
    let known = (any::<u8>(), any::<u16>(), any::<u16>(), addresses()).prop_map(
        |(protocol, start_port, end_port, addresses)| TrafficSelector {
            protocol,
            start_port,
            end_port,
            addresses,
        },
    );
    let unknown = (9u8.., any::<u8>(), octets()).prop_map(|(ts_type, protocol, body)| {
        UnknownTrafficSelector { ts_type: TsType(ts_type), protocol, body }
    });
    (vec(known, 0..5), vec(unknown, 0..3))
        .prop_map(|(selectors, unknown)| TrafficSelectors { selectors, unknown })
}

fn notify() -> impl Strategy<Value = Notify> {
    (any::<u8>(), octets(), any::<u16>(), octets()).prop_map(|(protocol, spi, kind, data)| Notify {
        protocol: ProtocolId(protocol),
        spi,
        notify_type: NotifyType(kind),
        data,
    })
}

fn delete() -> impl Strategy<Value = Delete> {
    (any::<u8>(), 1usize..9)
        .prop_flat_map(|(protocol, size)| {
            (Just(ProtocolId(protocol)), vec(vec(any::<u8>(), size), 0..5))
        })
        .prop_map(|(protocol, spis)| Delete { protocol, spis })
}

fn typed() -> impl Strategy<Value = (u8, Vec<u8>)> {
    (any::<u8>(), octets())
}

fn known_payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        vec(proposal(), 1..4).prop_map(|proposals| {
            Payload::SecurityAssociation(SecurityAssociation { proposals })
        }),
        (any::<u16>(), octets()).prop_map(|(method, data)| {
            Payload::KeyExchange(KeyExchange { method: KeyExchangeMethod(method), data })
        }),
        vec(any::<u8>(), limits::NONCE).prop_map(Payload::Nonce),
        typed()
            .prop_map(|(t, data)| { Payload::IdInitiator(Identification::new(IdType(t), data)) }),
        typed().prop_map(|(t, data)| {
            Payload::IdResponder(Identification {
                reserved: [t; 3],
                ..Identification::new(IdType(t), data)
            })
        }),
        typed().prop_map(|(t, data)| {
            Payload::Certificate(Certificate { encoding: CertEncoding(t), data })
        }),
        typed().prop_map(|(t, data)| {
            Payload::Authentication(Authentication { method: AuthMethod(t), data })
        }),
        notify().prop_map(Payload::Notify),
        delete().prop_map(Payload::Delete),
        octets().prop_map(Payload::VendorId),
        selectors().prop_map(Payload::TrafficSelectorsInitiator),
        selectors().prop_map(Payload::TrafficSelectorsResponder),
        typed().prop_map(|(t, attributes)| {
            Payload::Configuration(Configuration { cfg_type: ConfigurationType(t), attributes })
        }),
        octets().prop_map(Payload::Eap),
    ]
}

fn unknown_payload() -> impl Strategy<Value = Payload> {
    (54u8.., any::<bool>(), octets()).prop_map(|(payload_type, critical, body)| {
        Payload::Unknown(UnknownPayload { payload_type: PayloadType(payload_type), critical, body })
    })
}

fn chain() -> impl Strategy<Value = Vec<Payload>> {
    vec(prop_oneof![8 => known_payload(), 1 => unknown_payload()], 0..6)
}

fn header() -> impl Strategy<Value = Header> {
    (any::<[u8; 8]>(), any::<[u8; 8]>(), any::<u8>(), any::<[bool; 3]>(), any::<u32>()).prop_map(
        |(initiator, responder, exchange, [initiates, response, version], id)| {
            let flags = Flags { initiator: initiates, response, version };
            let exchange_type = ExchangeType(exchange);
            Header::new(IkeSpi(initiator), IkeSpi(responder), exchange_type, flags, MessageId(id))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_chain_reads_back(payloads in chain()) {
        let (first, bytes) = encode_chain(&payloads);
        prop_assert_eq!(decode_chain(first, &bytes), Ok(payloads));
    }

    #[test]
    fn every_truncation_of_a_chain_is_refused(payloads in chain()) {
        let (first, bytes) = encode_chain(&payloads);
        for len in 0..bytes.len() {
            prop_assert!(decode_chain(first, &bytes[..len]).is_err());
        }
    }

    #[test]
    fn a_message_reads_back(header in header(), payloads in chain(), sealed in octets()) {
        let mut message = Message { header, payloads };
        message.payloads.push(Payload::Encrypted(EncryptedBody {
            first_inner: PayloadType::NOTIFY,
            body: sealed,
        }));
        let bytes = message.encode();
        let decoded = Message::decode(&bytes).unwrap();
        prop_assert_eq!(&decoded.payloads, &message.payloads);
        prop_assert_eq!(decoded.header.length as usize, bytes.len());
        prop_assert_eq!(decoded.encode(), bytes);
    }

    #[test]
    fn a_draft_reads_back(header in header(), payloads in chain(), block_len in 1..33_usize) {
        let geometry = SealedGeometry { iv_len: 8, block_len, icv_len: 16 };
        let mut bytes = Draft::new(&header, &payloads, geometry).into_bytes();
        let message = Message::decode(&bytes).unwrap();
        let first = message.encrypted().unwrap().first_inner;
        let protected = Protected::locate(&message, &mut bytes, geometry).unwrap();
        let plaintext = protected.ciphertext_and_icv.split_last_chunk::<16>().unwrap().0;
        prop_assert_eq!(decode_chain(first, strip_padding(plaintext).unwrap()), Ok(payloads));
    }

    #[test]
    fn no_octets_make_a_decoder_panic(first: u8, bytes: Vec<u8>) {
        let _ = Message::decode(&bytes);
        let _ = decode_chain(PayloadType(first), &bytes);
    }

    #[test]
    fn no_change_to_a_chain_makes_the_decoder_panic(
        payloads in chain(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (first, mut bytes) = encode_chain(&payloads);
        for (at, value) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
        }
        if let Ok(decoded) = decode_chain(first, &bytes) {
            let (first, encoded) = encode_chain(&decoded);
            prop_assert_eq!(decode_chain(first, &encoded), Ok(decoded));
        }
    }
}
