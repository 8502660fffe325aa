//! What is wrong with one of the two hosts: devices, addresses, routes, rules, the kernel's settings, its
//! firewall, files; or what an operator has done.

use std::fs::{Permissions, remove_file, set_permissions};
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use vpngw::control::{Code, Request, Verdict};

use super::{Fault, NONE, block, drop_at, ip, replaced, sh};
use crate::support::pair::Pair;
use crate::support::pair::Side::{Left, Right};
use crate::support::vpngwd::Gateway;

/// Reads the same file again.
fn reload(pair: &Pair, gateway: &Gateway) {
    let name = format!("{}.toml", gateway.side.name());
    gateway.reload(&std::fs::read_to_string(pair.path(&name)).unwrap());
}

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "hosts' interface is down",
        then: Some(|pair, _| ip(pair, "left", "link set lan0 down")),
        told: &[(Right, Code::RouteLost, "10.1.0.0/16")],
        doctor: &[(Left, "ip link set lan0 up")],
        ..NONE
    },
    Fault {
        name: "hosts' interface has another name",
        edit: at!(Left, "interface = \"lan0\"", "interface = \"lan9\""),
        doctor: &[(Left, "there is no lan9")],
        ..NONE
    },
    Fault {
        name: "own cable, by the doctor",
        then: Some(|pair, _| ip(pair, "left", "link set wan0 down")),
        told: &[(Left, Code::HostLinkDown, "wan0")],
        doctor: &[(Left, "ip link set wan0 up")],
        ..NONE
    },
    Fault {
        name: "own address, by the doctor",
        then: Some(|pair, _| ip(pair, "left", "address del 10.79.1.10/24 dev wan0")),
        doctor: &[(Left, "ip address add 10.79.1.10")],
        ..NONE
    },
    Fault {
        name: "packets are not forwarded",
        then: Some(|pair, _| sh(pair, "left", "sysctl -qw net.ipv4.ip_forward=0")),
        doctor: &[(Left, "net.ipv4.ip_forward=1")],
        ..NONE
    },
    Fault {
        name: "strict reverse path filter",
        then: Some(|pair, _| sh(pair, "left", "sysctl -qw net.ipv4.conf.lan0.rp_filter=1")),
        doctor: &[(Left, "rp_filter=2")],
        ..NONE
    },
    Fault {
        name: "the interface takes less than the file says",
        then: Some(|pair, _| ip(pair, "left", "link set wan0 mtu 1400")),
        doctor: &[(Left, "underlay_mtu = 1400")],
        ..NONE
    },
    Fault {
        name: "checksums are left to a switch that adds none",
        then: Some(|pair, _| ip(pair, "left", "tuntap add dev ovs-netdev mode tap")),
        doctor: &[(Left, "ethtool -K lan0 tx off")],
        ..NONE
    },
    Fault {
        name: "another route to where the peer is",
        then: Some(|pair, _| ip(pair, "left", "route add 10.2.7.0/24 dev lan0")),
        doctor: &[(Left, "ip route del 10.2.7.0/24")],
        ..NONE
    },
    Fault {
        name: "a rule of somebody else's leads past the tunnel",
        then: Some(|pair, _| ip(pair, "left", "rule add pref 10 to 10.2.0.0/16 lookup main")),
        told: &[(Left, Code::HostRefuses, "its own rule 10")],
        state: Some((Left, Verdict::HostRefuses)),
        doctor: &[(Left, "host refuses")],
        ..NONE
    },
    Fault {
        name: "a route that swallows what is for the peer",
        then: Some(|pair, _| ip(pair, "left", "route add blackhole 10.79.2.0/24")),
        told: &[(Left, Code::HostDidNotSend, "ip route get 10.79.2.10")],
        ..NONE
    },
    Fault {
        name: "own firewall drops what leaves",
        then: Some(|pair, _| drop_at(pair, "left", "output", "udp dport 4500")),
        told: &[(Left, Code::HostDidNotSend, "firewall")],
        ..NONE
    },
    Fault {
        name: "own firewall drops what comes",
        then: Some(|pair, _| drop_at(pair, "left", "input", "udp dport 4500")),
        told: &[(Left, Code::PathLost, "nothing comes"), (Right, Code::PathLost, "do not hear us")],
        ..NONE
    },
    Fault {
        name: "own firewall forwards nothing",
        then: Some(|pair, _| {
            let chain = "{ type filter hook forward priority 0; policy drop; }";
            let answers = "ct state established,related accept";
            let make = format!(
                "nft add table inet own && nft add chain inet own forward '{chain}' && \
                 nft add rule inet own forward {answers}"
            );
            sh(pair, "left", &make);
        }),
        doctor: &[
            (Left, "chain forward of table inet own accepts none of it"),
            (Left, "nft insert rule inet own forward iifname lan0 oifname vpn0 accept"),
        ],
        ..NONE
    },
    Fault {
        name: "own firewall lets hosts in and not out",
        then: Some(|pair, _| drop_at(pair, "left", "forward", "oifname vpn0")),
        doctor: &[(Left, "nft insert rule inet fault forward iifname lan0 oifname vpn0 accept")],
        ..NONE
    },
    Fault {
        name: "the peer's firewall drops BGP",
        then: Some(|pair, _| drop_at(pair, "right", "input", "iifname vpn0 meta l4proto tcp")),
        told: &[(Left, Code::BgpDown, "Hold Timer"), (Left, Code::BgpUnreachable, "firewall")],
        state: Some((Left, Verdict::NoBgp)),
        ..NONE
    },
    Fault {
        name: "both ports are blocked",
        edit: |pair, side, text| {
            if side == Left {
                sh(pair, "middle", "ip rule add pref 10 iif left ipproto udp type blackhole");
            }
            text
        },
        told: &[(Left, Code::NoAnswer, "UDP ports 500 and 4500")],
        ..NONE
    },
    Fault {
        name: "the way back is blocked",
        then: Some(|pair, _| block(pair, "right", "4500")),
        told: &[(Left, Code::PathLost, "nothing comes"), (Right, Code::PathLost, "do not hear us")],
        ..NONE
    },
    Fault {
        name: "the path carries less and does not say so",
        then: Some(|pair, _| {
            drop_at(pair, "middle", "output", "icmp type destination-unreachable");
            ip(pair, "middle", "link set right mtu 1300");
        }),
        told: &[(Left, Code::PathMtu, "bytes")],
        ..NONE
    },
    Fault {
        name: "the peer hangs",
        then: Some(|_, [_, right]| right.process.signal(Signal::SIGSTOP).unwrap()),
        told: &[(Left, Code::PathLost, "nothing comes")],
        ..NONE
    },
    Fault {
        name: "the peer is drained",
        then: Some(|_, [_, right]| {
            let _: serde_json::Value = right.ask(&Request::Drain);
        }),
        told: &[(Left, Code::PeerDrains, "drained")],
        ..NONE
    },
    Fault {
        name: "disabled here",
        then: Some(|_, [left, _]| {
            let _: serde_json::Value = left.ask(&Request::Disable { peer: "right".to_owned() });
        }),
        told: &[(Left, Code::Disabled, "vpnctl enable right")],
        ..NONE
    },
    Fault {
        name: "a family of prefixes is not accepted",
        edit: at!(Left, ", \"fd00:2::/48\"]", "]"),
        told: &[(Left, Code::PrefixRejected, "fd00:2::/48")],
        state: Some((Left, Verdict::Rejecting)),
        ..NONE
    },
    Fault {
        name: "extended sequence numbers at one end only",
        edit: |_, side, text| {
            let suite = if side == Left { "aes256gcm16-esn" } else { "aes256gcm16-noesn" };
            format!("{text}\nesp_suites = [\"{suite}\"]\n")
        },
        told: &[(Left, Code::EspProposal, "esn"), (Right, Code::EspProposal, "esn")],
        ..NONE
    },
    Fault {
        name: "a secret that everybody may read",
        then: Some(|pair, [left, _]| {
            set_permissions(pair.path("shared.psk"), Permissions::from_mode(0o644)).unwrap();
            reload(pair, left);
        }),
        told: &[(Left, Code::ReloadFailed, "chmod 600")],
        doctor: &[(Left, "others may read or write")],
        ..NONE
    },
    Fault {
        name: "a secret that is gone",
        then: Some(|pair, [left, _]| {
            remove_file(pair.path("shared.psk")).unwrap();
            reload(pair, left);
        }),
        told: &[(Left, Code::ReloadFailed, "there is no such file")],
        doctor: &[(Left, "shared.psk")],
        ..NONE
    },
];
