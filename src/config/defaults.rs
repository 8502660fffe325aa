//! What holds when the file says nothing, and why.

use super::{Bfd, Lifetimes, Liveness};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// IKE's port (RFC 7296 §2).
pub const IKE_PORT: u16 = 500;
/// The port of IKE behind NAT and of ESP in UDP (RFC 3948 §2). Our ESP always goes over UDP, so
/// that it passes every NAT and firewall and spreads over receive queues.
pub const NATT_PORT: u16 = 4500;
/// The TCP port of IKE and ESP where UDP does not pass (RFC 9329 §2).
pub const TCP_PORT: u16 = 4500;

/// VXLAN's port (RFC 7348 §5). Linux's own 8472 is older, and silently dropped by some networks.
pub const VXLAN_PORT: u16 = 4789;
/// UDP port by which gateways of a region share connections: conntrackd's own.
pub const SHARING_PORT: u16 = 3780;

/// Everything that arrives at this host.
pub const LISTEN: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];

/// What an underlay carries unless somebody built it otherwise: Ethernet's 1500 bytes.
pub const UNDERLAY_MTU: u16 = 1500;

/// A dead peer is noticed within 1.5 s of silence. A probe a second costs about 100 bytes a
/// second and gives the round-trip time; 1.5 s leaves room for one lost probe and its
/// retransmissions. What comes back within 30 s finds its SAs still there.
pub const LIVENESS: Liveness = Liveness {
    interval: Duration::from_secs(1),
    timeout: Duration::from_millis(1500),
    give_up: Duration::from_secs(30),
};

/// A host behind a peer is asked so often whether it answers.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// Two lost packets in a row are no broken network.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// A path that carries nothing is noticed within 150 ms. Twenty packets of about 130 bytes a second
/// are 2 kB/s each way, and every other packet of the peer counts, too.
pub const BFD: Bfd = Bfd { interval: Duration::from_millis(50), multiplier: 3 };

/// An IKE SA lives for 4 hours and a Child SA for one, the usual values of clouds. The limits
/// in bytes and packets are far below what AES-GCM stands (RFC 8645; 2^32 packets is also where
/// sequence numbers without ESN end), and still minutes apart at 10 Gbit/s.
pub const LIFETIMES: Lifetimes = Lifetimes {
    ike: Duration::from_secs(4 * 3600),
    child: Duration::from_secs(3600),
    child_bytes: 1 << 40,
    child_packets: (1 << 32) - 1,
};

/// Enough for the reordering of a path with several queues at 10 Gbit/s; strongSwan's 32 is not.
pub const REPLAY_WINDOW: u32 = 8192;

/// Most prefixes that a peer may announce.
pub const MAX_PREFIXES: u32 = 100_000;

/// LOCAL_PREF where nothing is said, the value that BGP speakers agree on.
pub const LOCAL_PREFERENCE: u32 = 100;

/// Liveness of IKE notices a dead peer first; BGP is the second line (RFC 4271 §10 suggests 90 s,
/// which is from times when a session cost something).
pub const BGP_HOLD_TIME: Duration = Duration::from_secs(9);

/// VRRP's default priority for a router that does not own the addresses (RFC 9568 §5.2.4).
pub const VRRP_PRIORITY: u8 = 100;
/// A gateway that reaches no peer is worse than any other.
pub const VRRP_ISOLATED_PRIORITY: u8 = 1;
/// 5 cs: a dead gateway's addresses move within 0.15 s to 0.2 s (Active_Down_Interval, RFC 9568
/// §6.1), as fast as BFD moves paths; the RFC's default of 1 s would make it three to four.
pub const VRRP_INTERVAL: Duration = Duration::from_millis(50);

/// Control sockets live here, each named after its gateway.
pub const RUN_DIR: &str = "/run/vpngw";

/// The path of the control socket of the gateway `name`.
pub fn control_socket(name: &str) -> String {
    format!("{RUN_DIR}/{name}.sock")
}
