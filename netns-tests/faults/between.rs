//! What is wrong between two gateways: secrets, keys, identities, suites, routes, ports, paths.

use vpngw::control::{Code, DataPath, Request, Verdict};

use super::{Fault, NONE, block, ip, replaced, stranger};
use crate::support::eventually;
use crate::support::pair::Side::{Left, Right};
use crate::support::vpngwd::{Auth, Gateway, static_routes};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "other secrets",
        edit: |pair, side, text| {
            let name = format!("{}.psk", side.name());
            pair.write(&name, &format!("a secret that only {} knows", side.name()));
            replaced(&text, "shared.psk", &name)
        },
        told: &[(Left, Code::RefusedByPeer, "secret"), (Right, Code::PskMismatch, "psk_file")],
        ..NONE
    },
    Fault {
        name: "wrong public key of the peer",
        auth: Auth::Ed25519,
        edit: |pair, side, text| match side {
            Left => {
                stranger(pair, "stranger.key");
                replaced(&text, "right.pub", "stranger.pub")
            }
            Right => text,
        },
        told: &[(Left, Code::KeyMismatch, "public_key_file")],
        ..NONE
    },
    Fault {
        name: "another private key than the peer knows",
        auth: Auth::Ed25519,
        edit: |pair, side, text| match side {
            Left => {
                stranger(pair, "stranger.key");
                replaced(&text, "left.key", "stranger.key")
            }
            Right => text,
        },
        told: &[(Left, Code::RefusedByPeer, "public key"), (Right, Code::KeyMismatch, "pubkey")],
        ..NONE
    },
    Fault {
        name: "secret here, key there",
        auth: Auth::Ed25519,
        edit: at!(Left, "public_key_file = \"right.pub\"", "psk_file = \"shared.psk\""),
        told: &[(Right, Code::AuthMethod, "psk_file")],
        ..NONE
    },
    Fault {
        name: "wrong remote_identity",
        edit: at!(Left, "remote_identity = \"right", "remote_identity = \"wrong"),
        told: &[(Left, Code::RefusedByPeer, ""), (Right, Code::OwnIdentity, "wrong.example.com")],
        ..NONE
    },
    Fault {
        name: "wrong identity of the responder",
        edit: at!(Right, "identity = \"right.", "identity = \"other."),
        told: &[(Right, Code::OwnIdentity, "identity = \"right.example.com\"")],
        ..NONE
    },
    Fault {
        name: "wrong identity of the initiator",
        edit: at!(Left, "identity = \"left.", "identity = \"other."),
        told: &[(Right, Code::PeerIdentity, "other.example.com")],
        ..NONE
    },
    Fault {
        name: "no common suite for IKE",
        edit: |_, side, text| {
            let suite = match side {
                Left => "aes128gcm16-prfsha256-ecp256",
                Right => "chacha20poly1305-prfsha512-ecp384",
            };
            format!("{text}\nike_suites = [\"{suite}\"]\n")
        },
        told: &[
            (Left, Code::IkeProposal, "aes128gcm16-prfsha256-ecp256"),
            (Right, Code::IkeProposal, "ike_suites"),
        ],
        ..NONE
    },
    Fault {
        name: "no common suite for ESP",
        edit: |_, side, text| {
            let suite = if side == Left { "aes128gcm16-esn" } else { "chacha20poly1305-esn" };
            format!("{text}\nesp_suites = [\"{suite}\"]\n")
        },
        told: &[(Left, Code::EspProposal, "esp_suites"), (Right, Code::EspProposal, "chacha20")],
        ..NONE
    },
    Fault {
        name: "wrong remote_asn",
        edit: at!(Left, "remote_asn = 64514", "remote_asn = 64999"),
        told: &[
            (Left, Code::BgpAsn, "remote_asn = 64514"),
            (Right, Code::BgpAsn, "remote_asn = 64514"),
        ],
        state: Some((Left, Verdict::NoBgp)),
        ..NONE
    },
    Fault {
        name: "wrong asn",
        edit: at!(Right, "asn = 64514", "asn = 64888"),
        told: &[
            (Left, Code::BgpAsn, "remote_asn = 64888"),
            (Right, Code::BgpAsn, "does not expect AS64888"),
        ],
        ..NONE
    },
    Fault {
        name: "a prefix is not accepted",
        edit: at!(Left, "accept = [\"10.2.0.0/16\", ", "accept = ["),
        told: &[(Left, Code::PrefixRejected, "add \"10.2.0.0/16\" to `accept`")],
        state: Some((Left, Verdict::Rejecting)),
        doctor: &[(Left, "1 prefix(es) that it announces are rejected")],
        ..NONE
    },
    Fault {
        name: "a longer prefix is accepted than is announced",
        edit: at!(Left, "accept = [\"10.2.0.0/16\"", "accept = [\"10.2.0.0/17\""),
        told: &[(Left, Code::PrefixRejected, "10.2.0.0/17")],
        ..NONE
    },
    Fault {
        name: "the peer announces what is ours",
        edit: |_, side, text| match side {
            Left => text,
            Right => {
                let text = replaced(&text, "prefixes = [", "prefixes = [\"10.1.128.0/17\", ");
                replaced(&text, "accept = [\"10.1.0.0/16\"", "accept = [\"10.1.0.0/17\"")
            }
        },
        told: &[(Left, Code::PrefixRejected, "a prefix belongs to one side")],
        ..NONE
    },
    Fault {
        name: "wrong remote_address",
        edit: |_, side, text| match side {
            Left => replaced(
                &text,
                "remote_address = \"10.79.2.10\"",
                "remote_address = \"10.79.2.99\"",
            ),
            Right => format!("{text}\ninitiate = false\n"),
        },
        told: &[(Left, Code::NoAnswer, "10.79.2.99")],
        ..NONE
    },
    Fault {
        name: "wrong remote_port",
        edit: |_, side, text| match side {
            Left => format!("{text}\nremote_port = 5999\n"),
            Right => format!("{text}\ninitiate = false\n"),
        },
        told: &[(Left, Code::NoAnswer, "5999")],
        ..NONE
    },
    Fault {
        name: "port 500 is blocked",
        edit: |pair, side, text| {
            block(pair, side.name(), "500");
            text
        },
        told: &[(Left, Code::NoAnswer, "500"), (Right, Code::NoAnswer, "500")],
        ..NONE
    },
    Fault {
        name: "port 4500 is blocked",
        edit: |pair, side, text| {
            block(pair, side.name(), "4500");
            text
        },
        told: &[(Left, Code::NoAnswerToAuth, "4500")],
        ..NONE
    },
    Fault {
        name: "neither side begins",
        edit: |_, _, text| format!("{text}\ninitiate = false\n"),
        told: &[(Left, Code::Closed, "initiate"), (Right, Code::Closed, "initiate")],
        state: Some((Left, Verdict::Down)),
        ..NONE
    },
    Fault {
        name: "VPCs of other names",
        edit: at!(Right, "name = \"office\"", "name = \"bureau\""),
        told: &[(Right, Code::VpcName, "office")],
        ..NONE
    },
    Fault {
        name: "selectors that have nothing in common",
        routing: static_routes,
        edit: |_, side, text| match side {
            Left => {
                let narrow = "remote_ts = [\"10.2.128.0/17\"]\nstatic_routes = [";
                replaced(&text, "static_routes = [", narrow)
            }
            Right => replaced(&text, "prefixes = [\"10.2.0.0/16\"", "prefixes = [\"10.2.0.0/17\""),
        },
        told: &[(Left, Code::TrafficSelectors, "remote_ts")],
        ..NONE
    },
    Fault {
        name: "inside addresses that do not mirror each other",
        edit: |_, side, text| {
            let own = if side == Left { 1 } else { 5 };
            format!("{text}\ninside_local = \"169.254.9.{own}\"\ninside_remote = \"169.254.9.2\"\n")
        },
        told: &[(Left, Code::BgpUnreachable, "mirror")],
        ..NONE
    },
    Fault {
        name: "the peer is killed",
        then: Some(|_, [_, right]| right.kill()),
        told: &[(Left, Code::PathLost, "nothing comes")],
        ..NONE
    },
    Fault {
        name: "the peer is stopped",
        then: Some(|_, [_, right]| right.stop()),
        told: &[(Left, Code::Closed, "deleted by the peer")],
        ..NONE
    },
    Fault {
        name: "own cable",
        then: Some(|pair, _| ip(pair, "left", "link set wan0 down")),
        told: &[(Left, Code::HostLinkDown, "wan0"), (Right, Code::PathLost, "nothing comes")],
        ..NONE
    },
    Fault {
        name: "own address",
        then: Some(|pair, _| ip(pair, "left", "address del 10.79.1.10/24 dev wan0")),
        told: &[(Left, Code::HostAddressGone, "10.79.1.10")],
        ..NONE
    },
    Fault {
        name: "own route",
        then: Some(|pair, _| ip(pair, "left", "route del default via 10.79.1.1")),
        told: &[(Left, Code::HostDidNotSend, "ip route get 10.79.2.10")],
        ..NONE
    },
    Fault {
        name: "nothing passes to the right",
        then: Some(|pair, _| block(pair, "left", "4500")),
        told: &[
            (Left, Code::PathLost, "they do not hear us"),
            (Right, Code::PathLost, "nothing comes from the peer"),
        ],
        state: Some((Left, Verdict::OneWay)),
        ..NONE
    },
    Fault {
        name: "nothing passes to the left, with static routes",
        routing: static_routes,
        then: Some(|pair, gateways| {
            let passes = |gateway: &Gateway| gateway.peer().data_path == DataPath::Passes;
            assert!(
                eventually(|| gateways.iter().all(passes)),
                "questions inside ESP are answered"
            );
            block(pair, "right", "4500");
        }),
        told: &[(Left, Code::PathLost, "nothing comes")],
        ..NONE
    },
    Fault {
        name: "an operator has closed the tunnel",
        then: Some(|_, [left, _]| {
            let peer = "right".to_owned();
            let _: serde_json::Value = left.ask(&Request::Terminate { peer });
        }),
        told: &[
            (Left, Code::Closed, "vpnctl initiate"),
            (Right, Code::Closed, "deleted by the peer"),
        ],
        ..NONE
    },
    Fault {
        name: "the path carries less",
        then: Some(|pair, _| {
            ip(pair, "middle", "link set right mtu 1300");
        }),
        told: &[(Left, Code::PathMtu, "1300")],
        ..NONE
    },
    Fault {
        name: "a reload of a bad file",
        then: Some(|pair, [left, _]| {
            let text = std::fs::read_to_string(pair.path("left.toml")).unwrap();
            left.reload(&text.replace("remote_asn", "remote_as"));
        }),
        told: &[(Left, Code::ReloadFailed, "remote_as")],
        ..NONE
    },
];
