//! Why a connection did not come up or did not stay, in words for an operator.

use crate::pki::{Ppk, Refusal};
use crate::wire::ike::Identity;
use crate::wire::ike::{AuthMethod, NotifyType};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// Why an attempt to connect failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailureReason {
    /// Nothing came back.
    #[error("no answer to {exchange} for {} s ({}); {}", after.as_secs(), sent_as(*sent, *in_tcp), asked(exchange, *in_tcp))]
    NoAnswer {
        /// What was asked.
        exchange: &'static str,
        /// How often.
        sent: u32,
        /// For how long.
        after: Duration,
        /// Whether in TCP (RFC 9329).
        in_tcp: bool,
    },
    /// No common suite for the IKE SA.
    #[error("no common IKE proposal: {0}")]
    IkeProposal(NoProposal),
    /// The IKE SA would come up, but not the Child SA.
    #[error("the peer is authenticated, but the Child SA was refused: {0}")]
    Child(ChildRefusal),
    /// A side did not prove its identity.
    #[error("authentication failed: {0}")]
    Authentication(AuthFailure),
    /// The peer refused with a notification that says no more than its name.
    #[error("the peer refused {exchange} with {notify}")]
    Refused {
        /// What was asked.
        exchange: &'static str,
        /// The answer.
        notify: NotifyType,
    },
    /// The peer's messages break the protocol.
    #[error("the peer breaks the protocol: {0}")]
    Breach(String),
    /// The peer cannot do UDP encapsulation, the only ESP that we speak.
    #[error("the peer does not support NAT traversal, and ESP is only spoken inside UDP")]
    NoNatTraversal,
    /// There is no NAT and none is claimed, so the peer would send ESP as an IP protocol.
    #[error(
        "there is no NAT on the way, so the peer would send ESP without UDP, which this side does not speak: set force_encapsulation = true"
    )]
    NoEncapsulation,
    /// The connection went, or became another, while its peer proved who it is.
    #[error("the connection was changed while the peer authenticated itself")]
    Withdrawn,
    /// Our operator wants nothing of the peer, which has proved who it is.
    #[error("the peer is disabled here, and was refused")]
    Disabled,
    /// The peer's operator wants nothing of us.
    #[error("this gateway is disabled at the peer")]
    DisabledByPeer,
    /// Our own side could not go on.
    #[error("internal: {0}")]
    Ours(&'static str),
}

fn sent_as(sent: u32, in_tcp: bool) -> String {
    let what = if in_tcp { "messages sent in TCP" } else { "datagrams sent" };
    format!("{sent} {what}")
}

/// What to find out when a request had no answer. IKE_AUTH, or IKE_INTERMEDIATE before it, is the
/// first that goes to port 4500, and the first that is long.
fn asked(exchange: &str, in_tcp: bool) -> &'static str {
    match exchange {
        _ if in_tcp => "does the peer take IKE in TCP, and does its TCP port pass?",
        "IKE_AUTH" | "IKE_INTERMEDIATE" => {
            "IKE_SA_INIT was answered: does UDP port 4500 pass, and do long datagrams?"
        }
        _ => "is the peer up, and do UDP ports 500 and 4500 pass?",
    }
}

/// What was offered and what would have been accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoProposal {
    /// We refused the peer's offer.
    OursToRefuse {
        /// What the peer offered.
        offered: String,
        /// What we would have taken.
        accepted: String,
    },
    /// The peer refused our offer.
    Theirs {
        /// What we offered.
        offered: String,
    },
}

impl fmt::Display for NoProposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoProposal::OursToRefuse { offered, accepted } => {
                write!(f, "the peer offers {offered}; this side accepts {accepted}")
            }
            NoProposal::Theirs { offered } => {
                write!(f, "the peer accepts none of what this side offers: {offered}")
            }
        }
    }
}

/// Why there is no Child SA.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChildRefusal {
    /// No common suite.
    #[error("no common ESP proposal: {0}")]
    Proposal(NoProposal),
    /// No common traffic.
    #[error("no common traffic selectors: {0}")]
    Selectors(String),
    /// The peer names a slot that is not configured here.
    #[error("the peer asks for {asked:?}, but this side has {ours} with it")]
    Slot {
        /// The name that the peer gave.
        asked: String,
        /// The names that this side has.
        ours: String,
    },
    /// Our operator wants no Child SA for this slot.
    #[error("the tunnel for {0:?} is disabled here, and was refused")]
    Disabled(String),
    /// The peer's operator wants no Child SA for this slot.
    #[error("the tunnel is disabled at the peer")]
    DisabledByPeer,
    /// The peer refused with a notification that says no more than its name.
    #[error("the peer answered {0}")]
    Notified(NotifyType),
    /// Packets are to share datagrams (RFC 9347), and the peer does not agree.
    #[error("a constant rate needs AGGFRAG, to which the peer does not agree")]
    NoAggfrag,
    /// The request or the answer is not what the protocol wants.
    #[error("{0}")]
    Breach(&'static str),
    /// The peer's public value for the key exchange is not usable.
    #[error("the peer's public value is not acceptable")]
    PublicValue,
}

/// Why an AUTH payload was not accepted, or not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// The peer said AUTHENTICATION_FAILED.
    #[error(
        "the peer does not accept our identity or our key (AUTHENTICATION_FAILED); its log says which"
    )]
    RejectedByPeer,
    /// The keyed hash does not fit our pre-shared key.
    #[error("the pre-shared keys of {0} and of this side differ")]
    PskMismatch(Identity),
    /// The signature does not fit the configured public key.
    #[error("the signature of {0} does not fit the public key configured for it")]
    BadSignature(Identity),
    /// Somebody else answered or asked.
    #[error("the peer calls itself {presented}, but {expected} is configured")]
    WrongIdentity {
        /// As it said.
        presented: Identity,
        /// As configured.
        expected: Identity,
    },
    /// The peer wants to talk to somebody else.
    #[error("the peer asks for {asked}, but this side is {own}")]
    WrongResponder {
        /// As it said.
        asked: Identity,
        /// As configured.
        own: Identity,
    },
    /// The peer proves its identity in a way that is not configured.
    #[error("the peer authenticates by {used}, but {wanted} is configured")]
    Method {
        /// The peer's way.
        used: AuthMethod,
        /// Ours.
        wanted: AuthMethod,
    },
    /// The peer signs with an algorithm that we do not verify, or not with this kind of key.
    #[error("the peer signs with an algorithm that is not supported")]
    SignatureAlgorithm,
    /// The peer does not announce that it can verify Ed25519 signatures (RFC 8420 §2).
    #[error(
        "the peer does not support Ed25519 signatures (no Identity hash in SIGNATURE_HASH_ALGORITHMS)"
    )]
    NoEd25519,
    /// The peer verifies no hash that our key signs with.
    #[error(
        "the peer verifies none of the signatures that our key makes (SIGNATURE_HASH_ALGORITHMS)"
    )]
    NoCommonHash,
    /// The certificate does not prove it.
    #[error("{identity}: {refusal}")]
    Certificate {
        /// Who the peer says it is.
        identity: Identity,
        /// Why.
        refusal: Refusal,
    },
    /// The two sides do not agree on a post-quantum pre-shared key.
    #[error("{0}")]
    Ppk(PpkFailure),
    /// There is no AUTH payload: the peer wants EAP.
    #[error("the peer wants EAP, which is not supported")]
    Eap,
}

impl AuthFailure {
    /// The same of a proof that rests on a post-quantum pre-shared key, too: that may be another.
    pub(super) fn or_of_ppk(self, ppk: &Ppk) -> AuthFailure {
        match self {
            AuthFailure::PskMismatch(identity) | AuthFailure::BadSignature(identity) => {
                AuthFailure::Ppk(PpkFailure::Differs { identity, id: ppk.id.clone() })
            }
            other => other,
        }
    }
}

/// Why a post-quantum pre-shared key (RFC 8784) keeps a peer out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PpkFailure {
    /// The peer has none for us.
    #[error("the peer has no post-quantum pre-shared key for this side, and `ppk_required` is set")]
    NotUsed,
    /// The peer has one, but not ours, and goes on without.
    #[error(
        "the peer does not have the post-quantum pre-shared key {0:?}, and `ppk_required` is set"
    )]
    NotTaken(String),
    /// The peer has one, and does not say which.
    #[error("the peer does not name its post-quantum pre-shared key")]
    NotNamed,
    /// The peer names another than we have, and one side requires it.
    #[error(
        "the peer uses the post-quantum pre-shared key {presented:?}, but this side has {}",
        ours.as_ref().map_or("none for it".to_owned(), |ours| format!("{ours:?}"))
    )]
    Unknown {
        /// As the peer calls it.
        presented: String,
        /// As ours is called, if there is one.
        ours: Option<String>,
    },
    /// Both have one of this name, and AUTH, which rests on it, is wrong.
    #[error(
        "the proof of {identity} does not fit: its key, or the post-quantum pre-shared key {id:?}, differs"
    )]
    Differs {
        /// Who the peer says it is.
        identity: Identity,
        /// How both sides call the key.
        id: String,
    },
}

/// Why an SA ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DownReason {
    /// The peer deleted it.
    #[error("deleted by the peer")]
    DeletedByPeer,
    /// An operator or a reload wanted it gone.
    #[error("deleted on request")]
    Requested,
    /// The peer got ESP under it and does not know it (INVALID_SPI, RFC 7296 §1.5).
    #[error("the peer has lost it (INVALID_SPI)")]
    LostByPeer,
    /// Our address between which and the peer's it ran is gone.
    #[error("this gateway has lost its address {0}")]
    AddressGone(IpAddr),
    /// The peer does not take us from this address, to which we have moved (RFC 4555 §3.5).
    #[error("the peer does not accept this gateway at {0}")]
    AddressRefused(IpAddr),
    /// The peer is silent.
    #[error("the peer is silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// Its keys are too old and there are no new ones.
    #[error("its lifetime ended")]
    Expired,
    /// Another SA has taken its place.
    #[error("replaced by newer keys")]
    Rekeyed,
    /// Both sides had initiated, or the peer started anew; another IKE SA remains.
    #[error("another IKE SA to the same peer remains")]
    Duplicate,
    /// The peer says that it has no other IKE SA with us (RFC 7296 §2.4).
    #[error("the peer restarted")]
    PeerRestarted,
    /// The peer found our authentication wrong after we accepted its own.
    #[error("the peer does not accept our authentication")]
    RejectedByPeer,
    /// The peer's authentic messages break the protocol.
    #[error("the peer breaks the protocol: {0}")]
    Breach(String),
    /// The peer's certificate does not hold any more.
    #[error("the peer's certificate does not hold any more: {0}")]
    Certificate(Refusal),
    /// No Child SA could be made under it.
    #[error("no Child SA: {0}")]
    NoChild(ChildRefusal),
    /// Our own side could not go on.
    #[error("internal: {0}")]
    Ours(&'static str),
}
