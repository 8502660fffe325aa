//! BGP messages as values (RFC 4271 §4, RFC 2918).

use super::Notification;
use crate::net::{Asn, Prefix};
use crate::routing::attributes::{Attributes, role_name};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The type octet of a message header (RFC 4271 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    /// OPEN.
    Open,
    /// UPDATE.
    Update,
    /// NOTIFICATION.
    Notification,
    /// KEEPALIVE.
    Keepalive,
    /// ROUTE-REFRESH (RFC 2918).
    RouteRefresh,
}

/// An address family that can be carried: the AFI of SAFI unicast (RFC 4760).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// AFI 1, SAFI 1.
    Ipv4,
    /// AFI 2, SAFI 1.
    Ipv6,
}

impl Family {
    /// Both families.
    pub const ALL: [Family; 2] = [Family::Ipv4, Family::Ipv6];

    /// The family of a prefix.
    pub fn of(prefix: &Prefix) -> Family {
        if prefix.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
    }

    /// The unicast family of this AFI and SAFI, if it is one of ours.
    pub fn from_afi_safi(afi: u16, safi: u8) -> Option<Family> {
        match (afi, safi) {
            (1, 1) => Some(Family::Ipv4),
            (2, 1) => Some(Family::Ipv6),
            _ => None,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Ipv4 => "IPv4 unicast",
            Family::Ipv6 => "IPv6 unicast",
        })
    }
}

/// A message of any type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// OPEN.
    Open(Open),
    /// UPDATE.
    Update(Update),
    /// NOTIFICATION.
    Notification(Notification),
    /// KEEPALIVE.
    Keepalive,
    /// ROUTE-REFRESH; `None` names a family that is not ours, or says what we do not know.
    RouteRefresh(Option<(Family, Refresh)>),
}

/// OPEN with the capabilities that matter here (RFC 4271 §4.2, RFC 5492).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The speaker's AS: from the four-octet capability when it is there.
    pub asn: Asn,
    /// Whether the speaker writes AS numbers in four octets (RFC 6793).
    pub four_octet: bool,
    /// Proposed hold time in seconds; 0 or at least 3.
    pub hold_time: u16,
    /// BGP Identifier.
    pub identifier: Ipv4Addr,
    /// Families that the speaker carries; IPv4 alone when it names none (RFC 4760 §8).
    pub families: BTreeSet<Family>,
    /// What else the speaker can.
    pub capabilities: Capabilities,
}

/// What a speaker can beside what every speaker can (RFC 5492).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// It answers ROUTE-REFRESH (RFC 2918).
    pub route_refresh: bool,
    /// It says where such an answer begins and ends (RFC 7313).
    pub enhanced_refresh: bool,
    /// It takes IPv4 routes with an IPv6 next hop (RFC 8950).
    pub extended_next_hop: bool,
    /// What it says that it is to us, by the values of RFC 9234 §4.1; one, unless it is mistaken.
    pub roles: BTreeSet<u8>,
    /// It takes messages of up to 65,535 octets (RFC 8654).
    pub extended_messages: bool,
    /// It says when it has told everything, and bears with peers that restart (RFC 4724).
    pub graceful_restart: Option<GracefulRestart>,
}

impl Capabilities {
    /// What it can, in words.
    pub(crate) fn words(&self) -> Vec<String> {
        let flags = [
            (self.route_refresh, "route refresh"),
            (self.enhanced_refresh, "enhanced route refresh"),
            (self.extended_next_hop, "IPv4 by IPv6 next hops"),
            (self.extended_messages, "extended messages"),
        ];
        let words = flags.into_iter().filter(|(can, _)| *can).map(|(_, word)| word.to_owned());
        let restart =
            self.graceful_restart.as_ref().map(|restart| match restart.forwards.is_empty() {
                true => "graceful restart (as helper)".to_owned(),
                false => format!("graceful restart ({} s)", restart.time),
            });
        let roles = self.roles.iter().map(|role| format!("its role is {}", role_name(*role)));
        words.chain(restart).chain(roles).collect()
    }
}

/// What a speaker says of its restarts (RFC 4724 §3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GracefulRestart {
    /// It has restarted.
    pub restarted: bool,
    /// How long its sessions may take to come back, in seconds, 12 bits.
    pub time: u16,
    /// The families that it forwards packets of while it restarts, and whether it has gone on doing so
    /// when it restarted last.
    pub forwards: BTreeMap<Family, bool>,
}

/// What a ROUTE-REFRESH says (RFC 7313 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// The speaker wants to hear our routes again.
    Wanted,
    /// The speaker tells all its routes again from here.
    Begins,
    /// It has told them all.
    Ends,
}

/// Prefixes that became reachable with the same attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The attributes of the path.
    pub attributes: Arc<Attributes>,
    /// What is reachable by it.
    pub prefixes: Vec<Prefix>,
}

/// What an UPDATE changes (RFC 4271 §4.3, RFC 4760 §3-§4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// Prefixes that are no longer reachable, also those withdrawn because of `fault`.
    pub withdrawn: Vec<Prefix>,
    /// Prefixes that are reachable: of NLRI and of MP_REACH_NLRI.
    pub announced: Vec<Announcement>,
    /// Why the message was treated as a withdrawal (RFC 7606 §2).
    pub fault: Option<AttributeFault>,
    /// Attributes that were ignored because they were malformed or out of place.
    pub discarded: u32,
    /// Prefixes that were ignored because they are not unicast, or of a family not agreed.
    pub ignored: u32,
    /// The family whose End-of-RIB marker this is (RFC 4724 §2).
    pub end_of_rib: Option<Family>,
    /// Whether it is the rest of one whose beginning stood alone.
    pub is_continued: bool,
}

impl Update {
    /// How many prefixes it speaks of.
    pub fn prefix_count(&self) -> usize {
        let announced = self.announced.iter().map(|announcement| announcement.prefixes.len());
        self.withdrawn.len() + announced.sum::<usize>()
    }

    /// Leaves the first prefixes, at most so many, and comes back with the others, if any. What
    /// else the message says stays with what comes first.
    pub fn split_off(&mut self, most: usize) -> Option<Update> {
        if self.prefix_count() <= most {
            return None;
        }
        let withdrawn = self.withdrawn.split_off(most.min(self.withdrawn.len()));
        let mut room = most - self.withdrawn.len();
        let mut announced = Vec::new();
        for announcement in &mut self.announced {
            let prefixes = announcement.prefixes.split_off(room.min(announcement.prefixes.len()));
            room -= announcement.prefixes.len();
            if !prefixes.is_empty() {
                let attributes = Arc::clone(&announcement.attributes);
                announced.push(Announcement { attributes, prefixes });
            }
        }
        Some(Update { withdrawn, announced, is_continued: true, ..Update::default() })
    }
}

/// What was wrong with an UPDATE whose routes are withdrawn without ending the session (RFC 7606).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeFault {
    /// Optional or transitive bit against the attribute's definition (§3 c).
    #[error("attribute {0} has wrong flags")]
    Flags(u8),
    /// A mandatory attribute is not there (§3 d).
    #[error("mandatory attribute {0} is missing")]
    Missing(u8),
    /// The value did not parse or is out of range (§7).
    #[error("attribute {0} is malformed")]
    Malformed(u8),
    /// An attribute is longer than the list that it stands in (§4).
    #[error("an attribute overruns the attribute list")]
    Overrun,
}
