//! How far the numbers of a configuration may go, and what sets the limit.

use std::ops::RangeInclusive;
use std::time::Duration;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const DAY: u64 = 86_400;

/// The longest file that is read: a thousand peers fit ten times.
pub(super) const FILE_BYTES: usize = 4 << 20;
/// VPCs have 16-bit numbers, and every one has a TUN device and its own workers' queues.
pub(super) const VPCS: usize = 4096;
/// IPv6 wants 1280 bytes of every link (RFC 8200 §5); jumbo frames end at 9216.
pub(super) const MTU: RangeInclusive<u16> = 1280..=9216;
/// Room for 1280 bytes inside and our headers outside.
pub(super) const UNDERLAY_MTU: RangeInclusive<u16> = 1400..=9216;
/// More threads than any host here has cores is a slip of the keyboard. The low bits of an SPI
/// name the worker.
pub(super) const WORKERS: RangeInclusive<u16> = 1..=256;
/// Every packet to or from a peer is held against its VPC's mappings.
pub(super) const MAPS: usize = 64;
/// Routers of one VPC: two or four are usual.
pub(super) const VPC_ROUTERS: usize = 64;
/// The key of TCP-MD5 as the kernel takes it (`TCP_MD5SIG_MAXKEYLEN`).
pub(super) const PASSWORD_MAX_BYTES: usize = 80;
/// A VNI has 24 bits (RFC 7348 §5); 0 is left to those that have none.
pub(super) const VNI: RangeInclusive<u32> = 1..=(1 << 24) - 1;
/// Each is a rule that the first packet of every connection is held against.
pub(super) const PUBLICS: usize = 256;
/// Ports from which hosts speak to the world where none are written: those that no service of the system
/// has (RFC 6335 §6).
pub(super) const EGRESS_PORTS: RangeInclusive<u16> = 1024..=u16::MAX;
/// VRID 0 does not exist (RFC 9568 §5.2.3).
pub(super) const VRID: RangeInclusive<u8> = 1..=255;
/// Round trips to a probed host, and differences between them.
pub(super) const QUALITY: RangeInclusive<Duration> = Duration::from_micros(100)..=seconds(60);
/// Percent of fifty questions: one of them is the least that can be lost.
pub(super) const LOSS: RangeInclusive<u8> = 2..=90;
/// Enough for any proportion in whole percents.
pub(super) const WEIGHT: RangeInclusive<u8> = 1..=100;
/// 0 means "I leave" and 255 "I own the addresses" (RFC 9568 §5.2.4).
pub(super) const VRRP_PRIORITY: RangeInclusive<u8> = 1..=254;
/// Max Advertise Interval has 12 bits of centiseconds (RFC 9568 §5.2.7).
pub(super) const VRRP_INTERVAL: RangeInclusive<Duration> =
    Duration::from_millis(10)..=Duration::from_millis(40_950);
/// Hold Time is zero or at least three seconds, in 16 bits (RFC 4271 §4.2); we want a watched
/// session.
pub(super) const BGP_HOLD_TIME: RangeInclusive<Duration> = seconds(3)..=seconds(65_535);
/// Probes faster than this find nothing that slower ones miss.
pub(super) const LIVENESS: RangeInclusive<Duration> = Duration::from_millis(50)..=seconds(DAY);
/// Below this a gateway would do little else; slower than this liveness is faster (RFC 7419 §3 names
/// 3.3 ms to 1 s as common).
pub(super) const BFD_INTERVAL: RangeInclusive<Duration> = Duration::from_millis(5)..=seconds(10);
/// With one, every lost packet is a lost path; more than 50 are none in use anywhere.
pub(super) const BFD_MULTIPLIER: RangeInclusive<u8> = 2..=50;
/// Rekeying takes a few round trips; below this it would never rest.
pub(super) const LIFETIME: RangeInclusive<Duration> = seconds(5)..=seconds(7 * DAY);
/// At least 64 KiB, so that a rekey is done before the next one is due.
pub(super) const CHILD_BYTES: RangeInclusive<u64> = (1 << 16)..=(1 << 60);
/// The sequence number of the last packet without ESN (RFC 4303 §3.3.3) is far enough.
pub(super) const CHILD_PACKETS: RangeInclusive<u64> = (1 << 10)..=(1 << 32) - 1;
/// Sizes of the replay window; RFC 4303 §3.4.3 asks for at least 32.
pub(super) const REPLAY_WINDOW: RangeInclusive<u32> = 64..=65_536;
/// A shared secret must hold against guessing offline (RFC 7296 §2.15): 16 characters.
pub(super) const PSK_MIN_BYTES: usize = 16;
/// The same of a post-quantum pre-shared key: 256 bits (RFC 8784 §6).
pub(super) const PPK_MIN_BYTES: usize = 32;
/// No secret needs more; a longer file is another file.
pub(super) const PSK_MAX_BYTES: usize = 512;
/// Authorities that one gateway believes: all of them are named in one IKE_SA_INIT.
pub(super) const AUTHORITIES: usize = 16;
