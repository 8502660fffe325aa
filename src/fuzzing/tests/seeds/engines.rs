//! Seeds for what has a state: sessions, endpoints, super-packets, and texts.

use super::{Seed, seed};
use crate::control::{Request, SaKind};
use crate::fuzzing::sessions::{IMPORT, NEIGHBOR_ASN, connection};
use crate::ike::{ConnectionConfig, ConnectionId, Endpoint, EndpointConfig};
use crate::moment::Moment;
use crate::net::Prefix;
use crate::offload::{Segmentation, VirtioNetHeader};
use crate::random::Seeded;
use crate::routing::bgp::{Capabilities, Family, Notification, Open, Refresh, codec};
use crate::routing::{AsPath, Attributes};
use crate::time::Timestamp;
use hex_literal::hex;
use std::net::Ipv4Addr;

pub(super) fn all() -> Vec<Seed> {
    [sessions(), streams(), strangers(), pairs(), super_packets(), configurations(), requests()]
        .concat()
}

fn open() -> Open {
    Open {
        asn: NEIGHBOR_ASN,
        four_octet: true,
        hold_time: 9,
        identifier: Ipv4Addr::new(10, 0, 0, 2),
        families: Family::ALL.into(),
        capabilities: Capabilities {
            route_refresh: true,
            extended_next_hop: false,
            ..Capabilities::default()
        },
    }
}

/// An external session over which both families go.
const AGREED: u8 = 0b1101;

fn context() -> codec::Context {
    let families = Family::ALL.into();
    codec::Context { four_octet: true, internal: false, families, ..codec::Context::default() }
}

fn update(prefixes: &[&str]) -> Vec<u8> {
    let prefixes: Vec<Prefix> = prefixes.iter().map(|text| text.parse().unwrap()).collect();
    let originated = Attributes::originated(Ipv4Addr::new(10, 0, 0, 2).into());
    let attributes = Attributes { as_path: AsPath::sequence([NEIGHBOR_ASN]), ..originated };
    codec::announcements(&attributes, Family::of(&prefixes[0]), &prefixes, &context()).concat()
}

fn conversation() -> Vec<(&'static str, Vec<u8>)> {
    let withdrawn: Prefix = "10.2.1.0/24".parse().unwrap();
    let farewell = Notification { code: 6, subcode: 2, data: vec![] };
    vec![
        ("open", codec::open(&open())),
        ("keepalive", codec::keepalive()),
        ("update-v4", update(&[IMPORT, "10.2.1.0/24", "10.3.0.0/16"])),
        ("update-v6", update(&["fd02::/48", "fd03::/48"])),
        ("withdrawal", codec::withdrawals(Family::Ipv4, &[withdrawn]).concat()),
        ("refresh", codec::route_refresh(Family::Ipv6, Refresh::Wanted)),
        ("notification", codec::notification(&farewell)),
    ]
}

fn sessions() -> Vec<Seed> {
    let messages: Vec<_> = conversation().into_iter().map(|(_, message)| message).collect();
    vec![
        seed("bgp_session", "established", messages[..2].concat()),
        seed("bgp_session", "announcing", messages[..4].concat()),
        seed("bgp_session", "whole", messages.concat()),
    ]
}

fn streams() -> Vec<Seed> {
    let stream = |(name, message): (&'static str, Vec<u8>)| {
        seed("bgp_stream", name, [&[AGREED], &message[..]].concat())
    };
    conversation().into_iter().map(stream).collect()
}

/// What an initiator sends first, also twice and an hour later.
fn strangers() -> Vec<Seed> {
    let (mut random, now) = (Seeded::new(2), Timestamp::from_millis(1000));
    let mut endpoint =
        Endpoint::new(EndpointConfig::default(), &mut Moment::simulated(now, &mut random));
    let config = ConnectionConfig { initiate: true, ..connection(2, 1) };
    endpoint.add_connection(ConnectionId(1), config, &mut Moment::simulated(now, &mut random));
    endpoint.handle_timeout(&mut Moment::simulated(now, &mut random));
    endpoint.run_jobs(&mut Moment::simulated(now, &mut random));
    let init = endpoint.poll_transmit().unwrap().bytes;
    let after = |seconds: u8, datagram: &[u8]| {
        [&(datagram.len() as u16).to_be_bytes()[..], &[seconds], datagram].concat()
    };
    let marked = [&[0; 4], &init[..]].concat();
    let (first, again) = (after(0, &init), after(1, &init));
    vec![
        seed("ike_endpoint", "init", first.clone()),
        seed("ike_endpoint", "init-again", [first.clone(), again].concat()),
        seed("ike_endpoint", "init-from-4500", [after(0, &marked), after(15, &marked)].concat()),
    ]
}

/// Moves between two endpoints: see `fuzzing::pair`.
fn pairs() -> Vec<Seed> {
    const DELIVER: [u8; 3] = [0, 0, 0];
    const FLIP: u8 = 3;
    const REKEY_BOTH: [[u8; 3]; 2] = [[6, 0, 0], [6, 1, 0]];
    let up = [DELIVER; 4];
    let rekeyed = [&up[..], &REKEY_BOTH, &[DELIVER; 6]].concat();
    let child = [&up[..], &[[6, 0, 1], [6, 1, 1]], &[[0, 1, 0], DELIVER, DELIVER]].concat();
    let forged = (0..40u8).flat_map(|place| [[FLIP + (place << 5), 0, 6 * place], DELIVER]);
    let replayed = [&up[..], &[[7, 0, 0], [7, 2, 0], [7, 3, 1], [7, 1, 1], [4, 0, 90]]].concat();
    let lost = vec![DELIVER, [1, 0, 0], [5, 0, 5], DELIVER, [2, 0, 0], [1, 0, 0], [5, 0, 255]];
    let down = [&up[..], &[[6, 1, 2], [6, 0, 0], DELIVER, [6, 1, 3], DELIVER, [5, 0, 60]]].concat();
    let seed_of = |name: &str, moves: Vec<[u8; 3]>| seed("ike_pair", name, moves.concat());
    vec![
        seed_of("rekeys-cross", rekeyed),
        seed_of("child-rekeys-cross", child),
        seed_of("forged", forged.collect()),
        seed_of("replayed", replayed),
        seed_of("lost", lost),
        seed_of("down-and-up", down),
    ]
}

fn super_packets() -> Vec<Seed> {
    let tcp = hex!(
        "4500 0193 0001 4000 40 06 0000 0a010009 0a020009"
        "0016 c000 00000001 00000002 50 18 ffff 0000 0000"
    );
    let udp = hex!("4500 0187 0001 4000 40 11 0000 0a010009 0a020009 0035 c000 0173 0000");
    let train = |segmentation, checksum_offset, head: &[u8]| {
        let header = VirtioNetHeader {
            needs_checksum: true,
            segmentation,
            head_len: head.len() as u16,
            segment_size: 100,
            checksum_start: 20,
            checksum_offset,
        };
        let payload: Vec<u8> = (0..363u16).map(|n| n as u8).collect();
        [&header.encode()[..], head, &payload].concat()
    };
    let plain = [&VirtioNetHeader::PLAIN.encode()[..], &tcp].concat();
    vec![
        seed("super_packet", "tcp", train(Segmentation::TcpV4, 16, &tcp)),
        seed("super_packet", "udp", train(Segmentation::Udp, 6, &udp)),
        seed("super_packet", "plain", plain),
    ]
}

fn configurations() -> Vec<Seed> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let files = ["minimal.toml", "east-a.toml", "aws-like-bgp.toml", "strongswan-psk.toml"];
    let read = |name: &&str| seed("config_text", name, std::fs::read(folder.join(name)).unwrap());
    files.iter().map(read).collect()
}

fn requests() -> Vec<Seed> {
    let peer = || "north-a/ü".to_owned();
    let all = [
        ("peers", Request::Peers),
        ("peer", Request::Peer(peer())),
        ("routes", Request::Routes),
        ("metrics", Request::Metrics),
        ("reload", Request::Reload { confirm: None }),
        ("rekey", Request::Rekey { peer: peer(), sa: SaKind::Ike }),
        ("terminate", Request::Terminate { peer: peer() }),
    ];
    let text = |(name, request): (&str, Request)| {
        let (method, target) = request.to_http();
        seed("control_request", name, format!("{} {target}", method.as_str()))
    };
    all.into_iter().map(text).collect()
}
