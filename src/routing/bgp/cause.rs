//! Why a session ends, and the one table that says it to the peer: [`Cause::notification`]
//! (RFC 4271 §6, RFC 4486, RFC 6608).

use super::fsm::State;
use crate::net::Asn;
use crate::routing::attributes::Role;
use std::collections::BTreeSet;
use std::fmt;

/// A NOTIFICATION (RFC 4271 §4.5); codes that we do not know survive.
#[derive(Clone, PartialEq, Eq)]
pub struct Notification {
    /// Error code.
    pub code: u8,
    /// Error subcode.
    pub subcode: u8,
    /// What shows the error.
    pub data: Vec<u8>,
}

impl Notification {
    /// Whether the peer does not speak our version: it may try another (RFC 4271 §8.1.5 event 24).
    pub fn is_version_error(&self) -> bool {
        (self.code, self.subcode) == (2, 1)
    }

    /// The name of code and subcode in the IANA registries.
    fn words(&self) -> (&'static str, &'static str) {
        let code = match self.code {
            1 => "Message Header Error",
            2 => "OPEN Message Error",
            3 => "UPDATE Message Error",
            4 => "Hold Timer Expired",
            5 => "Finite State Machine Error",
            6 => "Cease",
            7 => "ROUTE-REFRESH Message Error",
            8 => "Send Hold Timer Expired",
            _ => "unknown error",
        };
        let subcode = match (self.code, self.subcode) {
            (1, 1) => "Connection Not Synchronized",
            (1, 2) => "Bad Message Length",
            (1, 3) => "Bad Message Type",
            (2, 1) => "Unsupported Version Number",
            (2, 2) => "Bad Peer AS",
            (2, 3) => "Bad BGP Identifier",
            (2, 4) => "Unsupported Optional Parameter",
            (2, 6) => "Unacceptable Hold Time",
            (2, 7) => "Unsupported Capability",
            (2, 11) => "Role Mismatch",
            (3, 1) => "Malformed Attribute List",
            (3, 2) => "Unrecognized Well-known Attribute",
            (3, 3) => "Missing Well-known Attribute",
            (3, 4) => "Attribute Flags Error",
            (3, 5) => "Attribute Length Error",
            (3, 6) => "Invalid ORIGIN Attribute",
            (3, 8) => "Invalid NEXT_HOP Attribute",
            (3, 9) => "Optional Attribute Error",
            (3, 10) => "Invalid Network Field",
            (3, 11) => "Malformed AS_PATH",
            (5, 1) => "Unexpected Message in OpenSent",
            (5, 2) => "Unexpected Message in OpenConfirm",
            (5, 3) => "Unexpected Message in Established",
            (6, 1) => "Maximum Number of Prefixes Reached",
            (6, 2) => "Administrative Shutdown",
            (6, 3) => "Peer De-configured",
            (6, 4) => "Administrative Reset",
            (6, 5) => "Connection Rejected",
            (6, 6) => "Other Configuration Change",
            (6, 7) => "Connection Collision Resolution",
            (6, 8) => "Out of Resources",
            (6, 9) => "Hard Reset",
            (6, 10) => "BFD Down",
            _ => "",
        };
        (code, subcode)
    }
}

impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.words() {
            ("unknown error", _) => write!(f, "error {}/{}", self.code, self.subcode),
            (code, "") if self.subcode == 0 => f.write_str(code),
            (code, "") => write!(f, "{code} (subcode {})", self.subcode),
            (code, subcode) => write!(f, "{code}: {subcode}"),
        }
    }
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ({self}) {:02x?}", self.code, self.subcode, self.data)
    }
}

/// Why we let go of a session that has no fault (RFC 4486 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CeaseReason {
    /// More prefixes than the neighbour may announce.
    TooManyPrefixes,
    /// The gateway stops, or the neighbour is switched off.
    Shutdown,
    /// The neighbour is no longer configured.
    Deconfigured,
    /// The operator asked for a fresh session.
    Reset,
    /// A setting changed that a running session cannot take over.
    ConfigurationChange,
    /// Another connection to the same peer goes on (RFC 4271 §6.8).
    Collision,
    /// What the neighbour announces takes more memory than it may.
    OutOfResources,
}

/// Why a session ends from our side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The marker is not all ones (RFC 4271 §6.1).
    NotSynchronized,
    /// The length is out of range for the type (§6.1).
    BadLength(u16),
    /// No message has this type (§6.1).
    BadType(u8),
    /// The OPEN does not parse (§6.2).
    MalformedOpen,
    /// Not BGP-4 (§6.2).
    UnsupportedVersion,
    /// Not the AS that is configured for the peer (§6.2).
    BadPeerAs {
        /// The one that the peer says.
        got: Asn,
        /// The one that is configured.
        expected: Asn,
    },
    /// What both say that they are to each other does not fit (RFC 9234 §4.2).
    RoleMismatch {
        /// What we are to the peer.
        ours: Role,
        /// What the peer says that it is to us.
        theirs: BTreeSet<u8>,
    },
    /// The identifier is zero, or our own inside one AS (RFC 6286 §2.2).
    BadIdentifier,
    /// An optional parameter that is not "capabilities" (§6.2).
    UnsupportedParameter,
    /// A hold time of one or two seconds (§6.2).
    UnacceptableHoldTime,
    /// The sections of the UPDATE overlap, or its attributes cannot be told apart (§6.3).
    MalformedAttributeList,
    /// A well-known attribute that nobody knows (§6.3); the attribute.
    UnrecognizedWellKnown(Vec<u8>),
    /// MP_REACH_NLRI or MP_UNREACH_NLRI does not parse (RFC 7606 §7.11, §7.12); the attribute.
    MalformedMultiprotocol(Vec<u8>),
    /// Withdrawn routes or NLRI do not parse (§6.3, RFC 7606 §3 i-j).
    InvalidNetworkField,
    /// Nothing was heard for the hold time (§6.5).
    HoldTimerExpired,
    /// A message, or an event, that has no place in this state (§6.6).
    Unexpected(State),
    /// No fault at all (§6.7).
    Cease(CeaseReason),
}

impl Cause {
    /// What the peer is told.
    pub fn notification(&self) -> Notification {
        let (code, subcode, data) = match self {
            Cause::NotSynchronized => (1, 1, Vec::new()),
            Cause::BadLength(length) => (1, 2, length.to_be_bytes().to_vec()),
            Cause::BadType(code) => (1, 3, vec![*code]),
            Cause::MalformedOpen => (2, 0, Vec::new()),
            Cause::UnsupportedVersion => (2, 1, 4_u16.to_be_bytes().to_vec()),
            Cause::BadPeerAs { .. } => (2, 2, Vec::new()),
            Cause::BadIdentifier => (2, 3, Vec::new()),
            Cause::RoleMismatch { .. } => (2, 11, Vec::new()),
            Cause::UnsupportedParameter => (2, 4, Vec::new()),
            Cause::UnacceptableHoldTime => (2, 6, Vec::new()),
            Cause::MalformedAttributeList => (3, 1, Vec::new()),
            Cause::UnrecognizedWellKnown(attribute) => (3, 2, attribute.clone()),
            Cause::MalformedMultiprotocol(attribute) => (3, 9, attribute.clone()),
            Cause::InvalidNetworkField => (3, 10, Vec::new()),
            Cause::HoldTimerExpired => (4, 0, Vec::new()),
            Cause::Unexpected(State::OpenSent) => (5, 1, Vec::new()),
            Cause::Unexpected(State::OpenConfirm) => (5, 2, Vec::new()),
            Cause::Unexpected(State::Established) => (5, 3, Vec::new()),
            Cause::Unexpected(State::Idle | State::Connect | State::Active) => (5, 0, Vec::new()),
            Cause::Cease(reason) => (6, reason.subcode(), Vec::new()),
        };
        Notification { code, subcode, data }
    }
}

impl CeaseReason {
    fn subcode(self) -> u8 {
        match self {
            CeaseReason::TooManyPrefixes => 1,
            CeaseReason::Shutdown => 2,
            CeaseReason::Deconfigured => 3,
            CeaseReason::Reset => 4,
            CeaseReason::ConfigurationChange => 6,
            CeaseReason::Collision => 7,
            CeaseReason::OutOfResources => 8,
        }
    }
}

#[cfg(test)]
mod tests;
