//! Counters: every datagram that had no effect, by reason, and the few that did.

use std::fmt;

macro_rules! discards {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why a received datagram or request had no effect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Discard {
            $($(#[$doc])* $variant,)*
        }

        impl Discard {
            /// Every reason.
            pub const ALL: &'static [Discard] = &[$(Discard::$variant,)*];

            /// The reason in a metric's words.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Discard::$variant => $name,)*
                }
            }
        }
    };
}

discards! {
    /// It does not parse.
    Malformed = "malformed",
    /// Not IKE: on the NAT traversal port without the non-ESP marker.
    NoMarker = "no_marker",
    /// Another major version.
    Version = "version",
    /// No IKE SA has this SPI.
    UnknownSpi = "unknown_spi",
    /// The message does not belong in the state of its IKE SA.
    Unexpected = "unexpected",
    /// The integrity check failed.
    NotAuthentic = "not_authentic",
    /// A fragment (RFC 7383) that was not agreed on.
    Fragment = "fragment",
    /// A fragment that is there already, or of a message that was since cut anew.
    FragmentRepeated = "fragment_repeated",
    /// Too many fragments of one message, or too long together.
    FragmentLimit = "fragment_limit",
    /// A request outside the window (RFC 7296 §2.3).
    OutsideWindow = "outside_window",
    /// A response to no outstanding request.
    StrayResponse = "stray_response",
    /// A request that was already answered, and was answered again from the cache.
    Retransmission = "retransmission",
    /// A new IKE SA from an address that no connection has.
    UnknownPeer = "unknown_peer",
    /// A new IKE SA without the cookie that the load demands.
    CookieMissing = "cookie_missing",
    /// A cookie that we did not make, or long ago.
    CookieWrong = "cookie_wrong",
    /// Too many half-open IKE SAs.
    HalfOpenTotal = "half_open_total",
    /// Too many half-open IKE SAs of one address.
    HalfOpenPerSource = "half_open_per_source",
    /// A half-open IKE SA that gave its place to somebody who had fewer.
    HalfOpenDisplaced = "half_open_displaced",
    /// A new IKE SA from a source that has failed to authenticate too often.
    FailedBefore = "failed_before",
    /// A connection's peer establishes too many IKE SAs.
    TooManyIkeSas = "too_many_ike_sas",
    /// A peer asks for too many successors of its IKE SA.
    TooManyRekeyings = "too_many_rekeyings",
    /// A peer asks for too many Child SAs.
    TooManyChildSas = "too_many_child_sas",
    /// A peer asks too often for anything.
    TooManyRequests = "too_many_requests",
    /// So much public-key work waits that strangers must try again.
    Busy = "busy",
    /// No common suite.
    NoProposal = "no_proposal",
    /// The key exchange is of another group than the chosen one.
    OtherGroup = "other_group",
    /// A public value that is not acceptable.
    PublicValue = "public_value",
    /// An unknown payload marked critical (RFC 7296 §2.5).
    CriticalPayload = "critical_payload",
    /// A payload that must be there is not.
    MissingPayload = "missing_payload",
    /// The peer did not prove its identity.
    Authentication = "authentication",
    /// An answer that may be forged and is only remembered.
    UnprotectedHint = "unprotected_hint",
    /// A half-open IKE SA whose time ran out.
    HalfOpenExpired = "half_open_expired",
    /// An unprotected answer was due, but too many had been sent.
    ReplyLimit = "reply_limit",
    /// The queue of datagrams to send is full: its owner does not drain it.
    QueueFull = "queue_full",
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Counters since the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    discards: Vec<u64>,
    /// Datagrams handed in.
    pub received: u64,
    /// Datagrams handed out.
    pub sent: u64,
    /// Of these, repeated requests.
    pub retransmitted: u64,
}

impl Default for Stats {
    fn default() -> Self {
        Stats { discards: vec![0; Discard::ALL.len()], received: 0, sent: 0, retransmitted: 0 }
    }
}

impl Stats {
    /// How often something was discarded for `reason`.
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discards.get(reason as usize).copied().unwrap_or(0)
    }

    /// Every reason with its count.
    pub fn discards(&self) -> impl Iterator<Item = (Discard, u64)> + '_ {
        Discard::ALL.iter().map(|&reason| (reason, self.discarded(reason)))
    }

    pub(super) fn count(&mut self, reason: Discard) {
        if let Some(counter) = self.discards.get_mut(reason as usize) {
            *counter += 1;
        }
    }
}
