//! Small inputs to start fuzzing from: one of each message kind, and a few that are broken.

mod certificates;
mod engines;

use crate::crypto::secret::Secret;
use crate::esp::{InboundSa, Limits, NEXT_HEADER_IPV4, OutboundSa, Reservation, SaConfig};
use crate::net::{EspSpi, MacAddress};
use crate::offload::samples::Sample;
use crate::routing::vrrp::neighbor;
use crate::wire::bfd::{ControlPacket, Diagnostic, State};
use crate::wire::icmp;
use crate::wire::ike::*;
use crate::wire::ip::protocol;
use crate::wire::neighbor::*;
use crate::wire::vrrp::{self, Advertisement};
use hex_literal::hex;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The lengths of AES-GCM.
const AEAD: SealedGeometry = SealedGeometry { iv_len: 8, block_len: 1, icv_len: 16 };

type Seed = (&'static str, String, Vec<u8>);

/// Target, file name and octets of every seed; each also cut short and with an octet changed.
pub(super) fn all() -> Vec<Seed> {
    let of_codecs =
        [messages(), chains(), packets(), datagrams(), states(), advertisements(), frames(), bfd()]
            .concat();
    let of_codecs = [of_codecs, aggregates()].concat();
    let whole = [of_codecs, engines::all(), certificates::all()].concat();
    whole.into_iter().flat_map(with_broken_ones).collect()
}

fn with_broken_ones((target, name, bytes): Seed) -> Vec<Seed> {
    let middle = bytes.len() / 2;
    let cut = bytes[..middle].to_vec();
    let mut changed = bytes.clone();
    if let Some(octet) = changed.get_mut(middle) {
        *octet ^= 0xff;
    }
    vec![
        (target, format!("{name}-cut"), cut),
        (target, format!("{name}-changed"), changed),
        (target, name, bytes),
    ]
}

fn seed(target: &'static str, name: &str, bytes: impl Into<Vec<u8>>) -> Seed {
    (target, name.to_owned(), bytes.into())
}

fn proposals() -> Payload {
    let proposal = |number, protocol, spi: &[u8], transforms| Proposal {
        number,
        protocol,
        spi: spi.to_vec(),
        transforms,
    };
    let encr =
        || Transform::new(TransformType::ENCR, EncryptionId::AES_GCM_16).with_key_length(256);
    let ke = Transform::new(TransformType::KE, KeyExchangeMethod::CURVE25519);
    let prf = Transform::new(TransformType::PRF, PrfId::HMAC_SHA2_384);
    let mut odd = Transform::new(TransformType::ESN, EsnId::ESN);
    odd.attributes.push(Attribute { attribute_type: 99, value: AttributeValue::Long(vec![1, 2]) });
    Payload::SecurityAssociation(SecurityAssociation {
        proposals: vec![
            proposal(1, ProtocolId::IKE, &[], vec![encr(), prf, ke]),
            proposal(2, ProtocolId::ESP, &[0xc0, 0, 0, 1], vec![encr(), odd]),
        ],
    })
}

fn selectors() -> TrafficSelectors {
    let all =
        |prefix: &str| TrafficSelector::any_protocol(prefix.parse::<crate::net::Prefix>().unwrap());
    let unknown =
        UnknownTrafficSelector { ts_type: TsType::SECLABEL, protocol: 0, body: vec![1, 2] };
    TrafficSelectors {
        selectors: vec![all("10.1.0.0/16"), all("fd00::/8")],
        unknown: vec![unknown],
    }
}

/// One payload of every kind that may stand in an encrypted chain.
fn every_payload() -> Vec<(&'static str, Payload)> {
    let id = Identification::new(IdType::FQDN, *b"east-a");
    let certificate = Certificate { encoding: CertEncoding::RAW_PUBLIC_KEY, data: vec![0x30, 0] };
    let auth = Authentication { method: AuthMethod::DIGITAL_SIGNATURE, data: vec![7; 12] };
    let ke = KeyExchange { method: KeyExchangeMethod::CURVE25519, data: vec![1; 32] };
    let spis = vec![vec![0xc0, 0, 0, 1], vec![0xc0, 0, 0, 2]];
    let attributes = hex!("0001 0000").to_vec();
    let unknown =
        UnknownPayload { payload_type: PayloadType(200), critical: true, body: vec![1, 2] };
    vec![
        ("sa", proposals()),
        ("ke", Payload::KeyExchange(ke)),
        ("nonce", Payload::Nonce(vec![2; 32])),
        ("id-i", Payload::IdInitiator(id.clone())),
        ("id-r", Payload::IdResponder(id)),
        ("cert", Payload::Certificate(certificate.clone())),
        ("certreq", Payload::CertificateRequest(certificate)),
        ("auth", Payload::Authentication(auth)),
        ("notify", Payload::Notify(Notify::new(NotifyType::COOKIE, [9; 16]))),
        ("delete", Payload::Delete(Delete { protocol: ProtocolId::ESP, spis })),
        ("vendor", Payload::VendorId(b"vpngw".to_vec())),
        ("ts-i", Payload::TrafficSelectorsInitiator(selectors())),
        ("ts-r", Payload::TrafficSelectorsResponder(selectors())),
        (
            "cp",
            Payload::Configuration(Configuration {
                cfg_type: ConfigurationType::CFG_REQUEST,
                attributes,
            }),
        ),
        ("eap", Payload::Eap(vec![1, 0, 0, 4])),
        ("unknown", Payload::Unknown(unknown)),
    ]
}

fn header(exchange_type: ExchangeType) -> Header {
    let flags = Flags { initiator: true, response: false, version: false };
    Header::new(IkeSpi([1; 8]), IkeSpi([2; 8]), exchange_type, flags, MessageId(3))
}

fn messages() -> Vec<Seed> {
    let payloads: Vec<_> = every_payload().into_iter().map(|(_, payload)| payload).collect();
    let init =
        Message { header: header(ExchangeType::IKE_SA_INIT), payloads: payloads[..3].into() };
    let sealed = Draft::new(&header(ExchangeType::IKE_AUTH), &payloads, AEAD);
    let probe = Draft::new(&header(ExchangeType::INFORMATIONAL), &[], AEAD);
    let fragment = Payload::EncryptedFragment(EncryptedFragment {
        first_inner: PayloadType::IDi,
        fragment_number: 1,
        total_fragments: 2,
        body: vec![5; 40],
    });
    let fragment = Message { header: header(ExchangeType::IKE_AUTH), payloads: vec![fragment] };
    vec![
        seed("ike_message", "ike-sa-init", init.encode()),
        seed("ike_message", "ike-auth", sealed.into_bytes()),
        seed("ike_message", "probe", probe.into_bytes()),
        seed("ike_message", "fragment", fragment.encode()),
    ]
}

fn chains() -> Vec<Seed> {
    let as_chain = |payloads: &[Payload]| {
        let (first, bytes) = encode_chain(payloads);
        [&[first.0], &bytes[..]].concat()
    };
    let every = every_payload();
    let all: Vec<_> = every.iter().map(|(_, payload)| payload.clone()).collect();
    let mut seeds = vec![seed("ike_chain", "all", as_chain(&all))];
    seeds.extend(
        every.into_iter().map(|(name, payload)| seed("ike_chain", name, as_chain(&[payload]))),
    );
    seeds
}

fn packets() -> Vec<Seed> {
    let tcp_syn = hex!(
        "4500 002c 0000 4000 40 06 26ca 0a010009 0a020009"
        "0016 c000 00000001 00000000 60 02 ffff 0000 0000 020405b4"
    );
    let v6_fragment = hex!(
        "60000000 0014 00 3f fd000000000000000000000000000009 fd010000000000000000000000000009"
        "2c 00 0104 00000000 06 00 0001 00000007 0016 c000"
    );
    let from = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 1));
    let error = icmp::error_about(&tcp_syn, icmp::Problem::TimeExceeded, from).unwrap();
    let advertisement =
        neighbor::announcement("fd00::1".parse().unwrap(), MacAddress([2; 6])).encode();
    let mut options = v6_fragment[..40].to_vec();
    options[6] = protocol::DESTINATION_OPTIONS;
    options.extend(hex!("11 00 0104 00000000 0035 0035 000c 0000 01020304"));
    vec![
        seed("ip_packet", "tcp-syn", tcp_syn),
        seed("ip_packet", "ipv6-fragment", v6_fragment),
        seed("ip_packet", "ipv6-options", options),
        seed("ip_packet", "icmp-error", error),
        seed("ip_packet", "neighbor-advertisement", &advertisement[14..]),
    ]
}

/// An IPv4 packet whole, the next in two pieces with padding between them; the same with a loss, and
/// a header with congestion control.
fn aggregates() -> Vec<Seed> {
    let whole = hex!(
        "05 00000000 45000014 00000000 40110000 0a010009 0a020009 4500 0020 00000000 40110000"
    );
    let pad = hex!("01 00000000 00000000");
    let end = hex!("03 00000014 0a010009 0a020009 0102 0304 0506 0708 090a 0b0c");
    let report = hex!(
        "06 01030000 000003e8 00000c00 00800003 aabbccdd 11223344 45000014 00000000 40110000 0a010009 0a020009 00000000"
    );
    let without_end = [&whole[..], &hex!("83"), &end[1..], &pad, &end].concat();
    vec![
        seed("aggfrag_payload", "pieces", [&whole[..], &pad, &end].concat()),
        seed("aggfrag_payload", "loss", without_end),
        seed("aggfrag_payload", "congestion", report),
    ]
}

fn datagrams() -> Vec<Seed> {
    let probe = Draft::new(&header(ExchangeType::INFORMATIONAL), &[], AEAD).into_bytes();
    vec![
        seed("esp_classify", "keepalive", hex!("ff")),
        seed("esp_classify", "ike", [&[0; 4], &probe[..]].concat()),
        seed(
            "ike_stream",
            "ike",
            [&b"\x09IKETCP\x00\x22\x00\x00\x00\x00"[..], &probe[..28]].concat(),
        ),
        seed("ike_stream", "esp", hex!("05 494b45544350 000a c000000100000001 0002 0003 ff")),
        seed("ike_stream", "answers", hex!("03 0003 ff 000a c000000100000001 0001")),
        seed(
            "esp_classify",
            "esp",
            hex!("c0000001 00000001 0000000000000001 00112233445566778899"),
        ),
    ]
}

/// Both directions of an SA that has carried something.
fn states() -> Vec<Seed> {
    let config = SaConfig {
        spi: EspSpi(0xc000_0001),
        suite: "aes128gcm16-esn".parse().unwrap(),
        keymat: Secret::copy_of(&[7; 20]),
        hard: Limits { bytes: 1 << 40, packets: 1 << 30 },
        soft: Limits { bytes: 1 << 39, packets: 1 << 29 },
        replay_window: 64,
    };
    let (outbound, inbound) =
        (OutboundSa::new(Reservation::first_use(config.clone())), InboundSa::new(config));
    let (outbound, inbound) = (outbound.unwrap(), inbound.unwrap());
    let packet = Sample::udp4().build();
    let mut sealed = vec![0; outbound.layout().sealed_len(packet.len())];
    outbound.seal(NEXT_HEADER_IPV4, &packet, &[], &mut sealed).unwrap();
    inbound.open(&mut sealed).unwrap();
    vec![
        seed("esp_state", "outbound", outbound.export().encode().as_bytes()),
        seed("esp_state", "inbound", inbound.export().encode().as_bytes()),
    ]
}

fn advertisements() -> Vec<Seed> {
    let advertise = |addresses: Vec<IpAddr>, source: IpAddr, group: IpAddr| {
        let interval = 30;
        Advertisement { virtual_router_id: 7, priority: 100, interval, addresses }
            .encode(source, group)
    };
    let v4 = Ipv4Addr::new(10, 0, 0, 2).into();
    let v6 = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2).into();
    let over_v4 = advertise(vec![Ipv4Addr::new(10, 0, 0, 1).into()], v4, vrrp::GROUP_V4.into());
    let virtual_v6 = vec!["fe80::1".parse().unwrap(), "fd00::1".parse().unwrap()];
    vec![
        seed("vrrp_advertisement", "over-ipv4", over_v4),
        seed("vrrp_advertisement", "over-ipv6", advertise(virtual_v6, v6, vrrp::GROUP_V6.into())),
    ]
}

fn frames() -> Vec<Seed> {
    let (asker_mac, own) = (MacAddress([2, 0, 0, 0, 0, 9]), MacAddress([2, 0, 0, 0, 0, 1]));
    let arp = Arp {
        operation: ArpOperation::REQUEST,
        sender_mac: asker_mac,
        sender: Ipv4Addr::new(10, 1, 0, 10),
        target_mac: MacAddress::UNKNOWN,
        target: Ipv4Addr::new(10, 1, 0, 1),
    };
    let target = "fd00:1::1".parse().unwrap();
    let destination = solicited_node(target);
    let source = "fd00:1::10".parse().unwrap();
    let asked = NeighborSolicitation { source, destination, target, source_mac: Some(asker_mac) };
    let frame = |destination, message| NeighborFrame { destination, source: asker_mac, message };
    let request = frame(MacAddress::BROADCAST, NeighborMessage::Arp(arp));
    let solicitation = frame(group_mac(destination), NeighborMessage::Solicitation(asked));
    let reply = neighbor::answer(&request, own).unwrap();
    let advertisement = neighbor::answer(&solicitation, own).unwrap();
    vec![
        seed("neighbor_frame", "arp-request", request.encode()),
        seed("neighbor_frame", "arp-reply", reply.encode()),
        seed("neighbor_frame", "solicitation", solicitation.encode()),
        seed("neighbor_frame", "advertisement", advertisement.encode()),
    ]
}

fn bfd() -> Vec<Seed> {
    let down = ControlPacket {
        diagnostic: Diagnostic::NONE,
        state: State::Down,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_mult: 3,
        my_discriminator: 0x1122_3344,
        your_discriminator: 0,
        desired_min_tx: 1_000_000,
        required_min_rx: 50_000,
        required_min_echo_rx: 0,
    };
    let up = ControlPacket { state: State::Up, your_discriminator: 7, poll: true, ..down };
    let absurd = ControlPacket { desired_min_tx: u32::MAX, required_min_rx: 1, ..up };
    vec![
        seed("bfd_control", "down", down.encode()),
        seed("bfd_control", "up", up.encode()),
        seed("bfd_control", "absurd", absurd.encode()),
    ]
}
