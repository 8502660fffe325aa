//! What is wrong with other stations of a link: counted by kind, the last one kept for operators,
//! logged seldom. However much comes in, it takes the same room (RFC 9568 §7.1).

use crate::net::MacAddress;
use crate::time::Timestamp;
use crate::wire::vrrp::{Advertisement, has_pseudo_header_checksum, version};
use crate::wire::{DecodeError, Fault};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;
use tracing::warn;

/// Least time between two lines in the log about one virtual router.
const SILENCE: Duration = Duration::from_secs(30);
/// Addresses of an advertisement that are shown.
const SHOWN: usize = 4;

/// Something wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It speaks another version of VRRP.
    Version {
        /// Who.
        source: IpAddr,
        /// Which version.
        version: u8,
    },
    /// Its checksum does not match.
    Checksum {
        /// Who.
        source: IpAddr,
        /// Whether it would over a pseudo-header, as some have read RFC 5798.
        with_pseudo_header: bool,
    },
    /// Its packet is no advertisement.
    Malformed {
        /// Who.
        source: IpAddr,
        /// Why not.
        error: DecodeError,
    },
    /// It advertises the same VRID for other addresses. That counts all the same (RFC 9568 §7.1).
    Addresses {
        /// Who.
        source: IpAddr,
        /// The first of its addresses.
        theirs: Vec<IpAddr>,
    },
    /// It says that it has a virtual address for which we answer.
    Claimed {
        /// Who.
        mac: MacAddress,
        /// Which address.
        address: IpAddr,
    },
}

impl Trouble {
    /// What is wrong with a packet that is no advertisement.
    pub(crate) fn of_packet(
        source: IpAddr,
        group: IpAddr,
        bytes: &[u8],
        error: DecodeError,
    ) -> Trouble {
        match version(bytes) {
            Some(version) if version != 3 => Trouble::Version { source, version },
            _ if error.why == Fault::Checksum => Trouble::Checksum {
                source,
                with_pseudo_header: has_pseudo_header_checksum(bytes, source, group),
            },
            _ => Trouble::Malformed { source, error },
        }
    }

    /// What is wrong with an advertisement that should be for `ours`.
    pub(crate) fn of_addresses(
        source: IpAddr,
        advertisement: &Advertisement,
        ours: &[IpAddr],
    ) -> Option<Trouble> {
        let theirs = &advertisement.addresses;
        let same = theirs.len() == ours.len() && theirs.iter().all(|one| ours.contains(one));
        let theirs = || theirs.iter().copied().take(SHOWN).collect();
        (!same).then(|| Trouble::Addresses { source, theirs: theirs() })
    }

    /// The kind, as counters name it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Trouble::Version { .. } => "version",
            Trouble::Checksum { .. } => "checksum",
            Trouble::Malformed { .. } => "malformed",
            Trouble::Addresses { .. } => "addresses",
            Trouble::Claimed { .. } => "claimed",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Version { source, version } => write!(
                f,
                "{source} speaks VRRP version {version} with our VRID; set it to version 3, or to \
                 another VRID"
            ),
            Trouble::Checksum { source, with_pseudo_header: true } => write!(
                f,
                "{source} sends a checksum over a pseudo-header, which RFC 9568 §5.2.8 leaves out \
                 for IPv4; update it or set it to leave the pseudo-header out"
            ),
            Trouble::Checksum { source, with_pseudo_header: false } => {
                write!(f, "{source} sends advertisements with a wrong checksum")
            }
            Trouble::Malformed { source, error } => {
                write!(f, "{source} sends what is no advertisement: {error}")
            }
            Trouble::Addresses { source, theirs } => write!(
                f,
                "{source} has our VRID for other addresses ({theirs:?}); choose another VRID for \
                 one of them, or make the addresses equal"
            ),
            Trouble::Claimed { mac, address } => {
                write!(f, "{mac} says that it has {address}; only the active router may have it")
            }
        }
    }
}

/// The troubles of one virtual router.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    counts: BTreeMap<&'static str, u64>,
    last: Option<(Timestamp, Trouble)>,
    logged: Option<Timestamp>,
}

impl Troubles {
    /// Notes one.
    pub(crate) fn note(&mut self, trouble: Trouble, interface: &str, vrid: u8, now: Timestamp) {
        let count = self.counts.entry(trouble.kind()).or_default();
        *count += 1;
        if self.logged.is_none_or(|at| now.since(at) >= SILENCE) {
            self.logged = Some(now);
            warn!(interface, vrid, count = *count, "VRRP: {trouble}");
        }
        self.last = Some((now, trouble));
    }

    /// How many there were, by kind.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.counts.iter().map(|(kind, count)| (*kind, *count))
    }

    /// The last one, and when it was.
    pub(crate) fn last(&self) -> Option<&(Timestamp, Trouble)> {
        self.last.as_ref()
    }
}
