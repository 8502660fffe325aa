//! What happened and what went wrong, with a code that stays, both values where two sides differ,
//! and what to do.

use serde::{Deserialize, Serialize};
use std::fmt;

/// `GET /v1/events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventsView {
    /// Who answers.
    pub gateway: String,
    /// The events that are remembered behind the asked number, the oldest first.
    pub events: Vec<EventView>,
    /// The number of the last event so far: what comes later has greater ones.
    pub last: u64,
    /// Events behind the asked number that are forgotten already.
    #[serde(default)]
    pub missed: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EventView {
    /// Its number; it grows by one from event to event, and begins anew with the daemon.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub number: u64,
    /// When.
    pub ago_ms: u64,
    /// What kind of event it is, for programs.
    #[serde(default)]
    pub code: Code,
    /// How bad it is.
    #[serde(default)]
    pub severity: Severity,
    /// The peer that it is about; empty when it is about the gateway as a whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub peer: String,
    /// What, with its cause.
    pub what: String,
    /// What this side has or wants, where the two sides differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<String>,
    /// What the other side has or wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theirs: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// In the view of a peer events have no numbers.
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Something that went wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FailureView {
    /// What kind of failure it is, for programs.
    #[serde(default)]
    pub code: Code,
    /// What and why.
    pub reason: String,
    /// What this side has or wants, where the two sides differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ours: Option<String>,
    /// What the other side has or wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub theirs: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// When.
    pub ago_ms: u64,
    /// Whether it was somebody at the peer's address who has not proved to be the peer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproven: bool,
}

/// How bad an event is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is as it should be, or better than before.
    #[default]
    Info,
    /// Somebody should look at it.
    Warning,
}

/// Makes the kinds of events with their names and severities; a name never changes its meaning.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $severity:ident;)*) => {
        /// A kind of event. Names stay from version to version.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $word)] $name,)*
            /// One that this version does not know.
            #[default]
            #[serde(other, rename = "unknown")]
            Unknown,
        }

        impl Code {
            /// All that this version knows.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Code::$name => $word,)*
                    Code::Unknown => "unknown",
                }
            }

            /// How bad it is.
            pub fn severity(self) -> Severity {
                match self {
                    $(Code::$name => Severity::$severity,)*
                    Code::Unknown => Severity::Info,
                }
            }
        }
    };
}

codes! {
    /// The gateway has begun to work.
    Started = "started", Info;
    /// Another configuration is in use.
    Reloaded = "reloaded", Info;
    /// Another configuration was refused; the one before it goes on.
    ReloadFailed = "reload-failed", Warning;
    /// Another configuration was not confirmed; the one before it is back.
    RolledBack = "rolled-back", Warning;
    /// Other gateways and the hosts are led away from this gateway.
    Drained = "drained", Info;
    /// Nothing is carried any more by a gateway that is drained: it may stop.
    Quiet = "quiet", Info;
    /// This gateway is to be used again.
    Undrained = "undrained", Info;
    /// An operator here wants nothing of the peer any more; or the peer has tried all the same, and was
    /// refused.
    Disabled = "disabled", Warning;
    /// An operator here wants the peer again.
    Enabled = "enabled", Info;
    /// An operator at the peer wants nothing of this gateway.
    DisabledByPeer = "disabled-by-peer", Warning;
    /// The peer wants others to be used in its place.
    PeerDrains = "peer-drains", Info;
    /// The peer is to be used again.
    PeerUndrained = "peer-undrained", Info;
    /// Both sides are authenticated.
    Connected = "connected", Info;
    /// The tunnel goes in TCP.
    InTcp = "in-tcp", Info;
    /// The tunnel goes in UDP, and went in TCP before.
    InUdpAgain = "in-udp-again", Info;
    /// The peer does no ML-KEM, so the keys do not hold against a quantum computer.
    NotPostQuantum = "not-post-quantum", Info;
    /// An operator has been told the keys of the peer's SAs.
    KeysTold = "keys-told", Warning;
    /// The peer is at another address.
    PeerMoved = "peer-moved", Info;
    /// The tunnel went to another address of the peer, which is better, or because nothing passed at the one it left.
    PlaceLeft = "place-left", Info;
    /// An address of the peer has answered no question for a while, and another does.
    PlaceSilent = "place-silent", Warning;
    /// The host name of the peer means other addresses than before.
    NameChanged = "name-changed", Info;
    /// The host name of the peer means no address at which it can be.
    NameUnresolved = "name-unresolved", Warning;
    /// The host name of the peer means addresses at which it cannot be, or where another peer is.
    NameSuspect = "name-suspect", Warning;
    /// The peer answers IKE again.
    AnswersAgain = "answers-again", Info;
    /// The host behind the peer that `probe` names does not answer.
    BeyondSilent = "beyond-silent", Warning;
    /// The host behind the peer answers again.
    BeyondAnswers = "beyond-answers", Info;
    /// The way to the host behind the peer is poorer than `probe` allows: other peers go first.
    BeyondPoor = "beyond-poor", Warning;
    /// The way to the host behind the peer is good again.
    BeyondGood = "beyond-good", Info;
    /// Packets pass again.
    PathBack = "path-back", Info;
    /// The path carries larger or smaller packets than before.
    PathMtu = "path-mtu", Info;
    /// The BGP session is established.
    BgpUp = "bgp-up", Info;
    /// Prefixes are reached through another peer, or others share them than before.
    RouteMoved = "route-moved", Info;
    /// Prefixes are reached that were not.
    RouteUp = "route-up", Info;
    /// No tunnel leads to prefixes any more.
    RouteLost = "route-lost", Warning;
    /// This host did not send what was for the peer.
    HostDidNotSend = "host-did-not-send", Warning;
    /// The interface of this host that leads to the peer is down.
    HostLinkDown = "host-link-down", Warning;
    /// This host has lost the address from which the peer was spoken to.
    HostAddressGone = "host-address-gone", Warning;
    /// This host refuses something that the traffic needs.
    HostRefuses = "host-refuses", Warning;
    /// A policy rule of this host leads what it marks past what keeps a VPC's packets together.
    HostRule = "host-rule", Warning;
    /// The peer answers nothing at all.
    NoAnswer = "no-answer", Warning;
    /// The peer answers IKE_SA_INIT, but not what follows.
    NoAnswerToAuth = "no-answer-to-auth", Warning;
    /// The peer has answered before and does not any more.
    PeerSilent = "peer-silent", Warning;
    /// No common algorithms for IKE.
    IkeProposal = "ike-proposal", Warning;
    /// No common algorithms for ESP.
    EspProposal = "esp-proposal", Warning;
    /// No common traffic selectors.
    TrafficSelectors = "traffic-selectors", Warning;
    /// The two sides call their VPCs otherwise.
    VpcName = "vpc-name", Warning;
    /// The pre-shared keys differ.
    PskMismatch = "psk-mismatch", Warning;
    /// The two sides do not have the same post-quantum pre-shared key.
    PpkMismatch = "ppk-mismatch", Warning;
    /// The peer's signature does not fit the public key that is configured for it.
    KeyMismatch = "key-mismatch", Warning;
    /// The certificate of the peer does not prove who it is.
    Certificate = "certificate", Warning;
    /// A certificate, an authority or a revocation list of this gateway runs out.
    CertificateExpires = "certificate-expires", Warning;
    /// Files have other certificates, authorities or revocation lists, which are in use now.
    CertificateTaken = "certificate-taken", Info;
    /// Files have become of no use; the certificates, authorities or lists before go on.
    CertificateKept = "certificate-kept", Warning;
    /// Somebody else answers or asks than is configured.
    PeerIdentity = "peer-identity", Warning;
    /// The peer wants to speak with somebody else.
    OwnIdentity = "own-identity", Warning;
    /// The peer does not accept our identity or key.
    RefusedByPeer = "refused-by-peer", Warning;
    /// The peer proves its identity in another way than is configured.
    AuthMethod = "auth-method", Warning;
    /// The peer cannot or will not put ESP into UDP.
    NoEncapsulation = "no-encapsulation", Warning;
    /// The peer refused with a notification.
    PeerNotified = "peer-notified", Warning;
    /// The peer breaks the protocol.
    ProtocolBreach = "protocol-breach", Warning;
    /// This gateway could not go on: a bug, or a host without resources.
    Internal = "internal", Warning;
    /// The peer, or an operator here, has closed the tunnel.
    Closed = "closed", Warning;
    /// The peer has lost its SAs or begun anew.
    PeerRestarted = "peer-restarted", Warning;
    /// Keys have ended before there were new ones.
    Expired = "expired", Warning;
    /// Nothing comes back of what is sent: new keys are made, in case the peer has lost its SA.
    SaDoubted = "sa-doubted", Info;
    /// Nothing comes back of what is sent, with new keys neither.
    NothingReturns = "nothing-returns", Warning;
    /// SAs were replaced by others.
    Replaced = "replaced", Info;
    /// Packets do not pass any more, in one direction or both.
    PathLost = "path-lost", Warning;
    /// The BGP session has ended, or does not come about.
    BgpDown = "bgp-down", Warning;
    /// The two sides of a BGP session are not of the autonomous systems that are configured.
    BgpAsn = "bgp-asn", Warning;
    /// What the two sides of a BGP session are to each other does not fit.
    BgpRole = "bgp-role", Warning;
    /// The peer's BGP does not answer inside the tunnel.
    BgpUnreachable = "bgp-unreachable", Warning;
    /// The peer announces nearly as many prefixes as it may.
    BgpNearLimit = "bgp-near-limit", Warning;
    /// The peer announces more than it may.
    BgpTooManyPrefixes = "bgp-too-many-prefixes", Warning;
    /// The peer announces a prefix that it may not.
    PrefixRejected = "prefix-rejected", Warning;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
