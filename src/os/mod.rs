//! The operating system, and nothing else: every socket, namespace, device and clock that
//! vpngw touches is made here. The only `unsafe` lives in this folder.
//!
//! Functions here know Linux and no protocol: they carry bytes and addresses. Errors say what
//! was being done, so that a person can act on the message alone.

pub mod account;
pub mod caps;
pub mod capture;
pub mod checksum;
pub mod claim;
pub mod clock;
pub mod conntrackd;
pub mod dns;
pub mod dscp;
pub mod file;
pub mod icmp;
mod ifreq;
pub mod memory;
pub mod neighbor;
pub mod netlink;
pub mod netns;
pub mod nft;
pub mod offload;
pub mod packet;
pub mod process;
pub mod random;
mod readiness;
pub mod signal;
pub mod stream;
pub mod sysctl;
pub mod tcp;
pub mod terminal;
pub mod tun;
pub mod udp;
pub mod vrrp;
