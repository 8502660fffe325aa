//! From what an engine says went wrong to what an operator needs: a code that stays, the cause,
//! both values where the two sides differ, and what to do about it.

mod child;
mod passing;

use super::Unsent;
use super::path::Loss;
use crate::config::{PeerConfig, Routing};
use crate::control::Code;
use crate::ike::{AuthFailure, DownReason, FailureReason, NoProposal, PpkFailure};
use crate::net::{Asn, Prefix};
use crate::pki::Refusal;
use crate::routing::bgp::{self, Cause, CeaseReason, Notification};
use crate::routing::{RejectReason, role_name};
use child::of_child;
use passing::{let_esp_pass, let_ike_pass, let_tcp_pass};
use std::fmt;
use std::net::IpAddr;

/// Who is at the other end of a BGP session, as remedies call it.
#[derive(Debug)]
pub(super) struct Party<'c> {
    /// The section of the configuration.
    pub name: &'c str,
    /// What it may announce.
    pub accept: &'c [Prefix],
    /// What to look at when no connection comes about.
    pub unreachable: Option<String>,
}

impl<'c> From<&'c PeerConfig> for Party<'c> {
    fn from(peer: &'c PeerConfig) -> Party<'c> {
        let unreachable = match &peer.routing {
            Routing::Bgp(bgp) => Some(format!(
                "does {} speak BGP at {} with {}? The `inside_…` addresses must mirror each \
                 other, and so must identities and VPC names that they follow from; the firewall \
                 there must let TCP port 179 pass in the tunnel",
                peer.gateway, bgp.inside_remote, bgp.inside_local
            )),
            Routing::Static { .. } => None,
        };
        Party { name: &peer.gateway, accept: &peer.accept, unreachable }
    }
}

/// Something that happened, as an operator is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    /// What kind of thing.
    pub code: Code,
    /// What happened, with its cause.
    pub text: String,
    /// What this side has or wants, where the two sides differ.
    pub ours: Option<String>,
    /// What the other side has or wants.
    pub theirs: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Fact {
    /// Something of which no more is to be said.
    pub(super) fn new(code: Code, text: impl Into<String>) -> Fact {
        Fact { code, text: text.into(), ours: None, theirs: None, remedy: None }
    }

    /// What to do about it.
    pub(super) fn remedy(self, remedy: impl Into<String>) -> Fact {
        Fact { remedy: Some(remedy.into()), ..self }
    }

    /// What the two sides have or want.
    pub(super) fn sides(self, ours: impl ToString, theirs: impl ToString) -> Fact {
        Fact { ours: Some(ours.to_string()), theirs: Some(theirs.to_string()), ..self }
    }

    fn ours(self, ours: impl ToString) -> Fact {
        Fact { ours: Some(ours.to_string()), ..self }
    }

    /// An attempt to connect failed.
    pub(super) fn of_failure(reason: &FailureReason, peer: &PeerConfig) -> Fact {
        let text = reason.to_string();
        match reason {
            FailureReason::NoAnswer { in_tcp: true, .. } => {
                Fact::new(Code::NoAnswer, text).remedy(let_tcp_pass(peer))
            }
            FailureReason::NoAnswer { exchange: "IKE_AUTH" | "IKE_INTERMEDIATE", .. } => {
                Fact::new(Code::NoAnswerToAuth, text).remedy(let_esp_pass(peer))
            }
            FailureReason::NoAnswer { .. } => {
                Fact::new(Code::NoAnswer, text).remedy(let_ike_pass(peer))
            }
            FailureReason::IkeProposal(why) => {
                proposal(Code::IkeProposal, text, why, "ike_suites", peer)
            }
            FailureReason::Child(refusal) => of_child(refusal, text, peer),
            FailureReason::Authentication(failure) => of_authentication(failure, text, peer),
            FailureReason::Refused { .. } => Fact::new(Code::PeerNotified, text)
                .remedy("look into the peer's log for why it refused"),
            FailureReason::Breach(_) => Fact::new(Code::ProtocolBreach, text),
            FailureReason::NoNatTraversal => {
                Fact::new(Code::NoEncapsulation, text).remedy("turn NAT traversal on at the peer")
            }
            FailureReason::NoEncapsulation => Fact::new(Code::NoEncapsulation, text).remedy(
                format!("write force_encapsulation = true into the section of {}", peer.gateway),
            ),
            FailureReason::Withdrawn => Fact::new(Code::Replaced, text),
            FailureReason::Disabled => of_disabled(text, peer),
            FailureReason::DisabledByPeer => of_disabled_by_peer(text, peer),
            FailureReason::Ours(_) => Fact::new(Code::Internal, text),
        }
    }

    /// The IKE SA is gone.
    pub(super) fn of_end(reason: &DownReason, peer: &PeerConfig) -> Fact {
        let text = reason.to_string();
        match reason {
            DownReason::DeletedByPeer => Fact::new(Code::Closed, text)
                .remedy("look into the peer's log if nobody closed it there"),
            DownReason::Requested => Fact::new(Code::Closed, text)
                .remedy(format!("vpnctl initiate {} begins it again", peer.name)),
            DownReason::LostByPeer | DownReason::PeerRestarted => {
                Fact::new(Code::PeerRestarted, text)
            }
            DownReason::AddressRefused(address) => Fact::new(Code::Closed, text).remedy(format!(
                "let the peer take this gateway from {address}, or from any address"
            )),
            DownReason::AddressGone(address) => Fact::new(Code::HostAddressGone, text)
                .remedy(format!("give {address} back to this host, or change `listen`")),
            DownReason::Silent(_) => Fact::new(Code::PeerSilent, text).remedy(let_ike_pass(peer)),
            DownReason::Expired => Fact::new(Code::Expired, text),
            DownReason::Rekeyed | DownReason::Duplicate => Fact::new(Code::Replaced, text),
            DownReason::RejectedByPeer => Fact::new(Code::RefusedByPeer, text)
                .ours(&peer.local_identity)
                .remedy(trust_us(peer)),
            DownReason::Breach(_) => Fact::new(Code::ProtocolBreach, text),
            DownReason::Certificate(refusal) => {
                Fact::new(Code::Certificate, text).remedy(renewal(refusal, &peer.gateway))
            }
            DownReason::NoChild(refusal) => of_child(refusal, text, peer),
            DownReason::Ours(_) => Fact::new(Code::Internal, text),
        }
    }

    /// The IKE SA is gone because the operator wants nothing of the peer.
    pub(super) fn of_disabled_end(peer: &PeerConfig) -> Fact {
        let text = "the tunnel is closed: the peer is disabled here".to_owned();
        Fact { code: Code::Closed, ..of_disabled(text, peer) }
    }

    /// The interface that leads to a peer is down.
    pub(super) fn of_dead_link(name: &str) -> Fact {
        let text = format!("{name} of this host is down: nothing reaches the peer from here");
        let remedy = format!("look at the cable; ip link set {name} up, if somebody took it down");
        Fact::new(Code::HostLinkDown, text).remedy(remedy)
    }

    /// The host did not send what was for the peer.
    pub(super) fn of_unsent(why: Unsent, text: impl Into<String>, to: Option<IpAddr>) -> Fact {
        let to = to.map_or("the peer".to_owned(), |to| to.to_string());
        let remedy = match why {
            Unsent::NoRoute => format!("ip route get {to} must name a way to the underlay"),
            Unsent::Denied => "let UDP ports 500 and 4500 out of this host's firewall".to_owned(),
            Unsent::NoAddress => {
                "make `listen` and `local_address` addresses of this host".to_owned()
            }
            Unsent::TooBig => "raise the interface's MTU, or lower `underlay_mtu`".to_owned(),
            Unsent::Busy | Unsent::Other(_) => "vpnctl doctor looks at this host".to_owned(),
        };
        Fact::new(Code::HostDidNotSend, text).remedy(remedy)
    }

    /// Packets do not pass any more between this gateway and a peer at `remote`.
    pub(super) fn of_lost_path(why: Loss, remote: Option<IpAddr>) -> Fact {
        let code = match why {
            Loss::PeerSilent => Code::PeerSilent,
            Loss::NothingComes
            | Loss::NotHeard
            | Loss::NoAnswers
            | Loss::PeerLeaves
            | Loss::BeyondPeer
            | Loss::PeerSays(_) => Code::PathLost,
        };
        let whom = remote.map_or("the peer".to_owned(), |remote| remote.to_string());
        let pass = "packets of the whole MTU and fragments, too";
        let fact = Fact::new(code, format!("the path is lost, {why}"));
        match why {
            Loss::NothingComes | Loss::PeerSilent => fact.remedy(format!(
                "is the gateway at {whom} up? Does UDP port 4500 pass from there, {pass}?"
            )),
            Loss::NotHeard | Loss::NoAnswers => {
                fact.remedy(format!("let UDP port 4500 pass from here to {whom}, {pass}"))
            }
            Loss::PeerLeaves | Loss::PeerSays(_) | Loss::BeyondPeer => fact,
        }
    }

    /// The peer does not answer IKE, and its packets come.
    pub(super) fn of_silent_ike() -> Fact {
        let text = "the peer does not answer IKE, though its packets come: others go first";
        Fact::new(Code::PeerSilent, text).remedy("is the IKE daemon of the peer alive?")
    }

    /// Nothing comes back of what is sent in a Child SA, so often `before` already.
    pub(super) fn of_doubt(before: u32) -> Fact {
        let text = "packets go out, and nothing comes back";
        match before {
            0 => Fact::new(Code::SaDoubted, format!("{text}: new keys, if the peer has lost them")),
            _ => Fact::new(Code::NothingReturns, format!("{text}, with new keys neither")).remedy(
                "does the traffic have one direction only? If not, does the peer get it, and send \
                 its own this way?",
            ),
        }
    }

    /// The BGP session with a peer has ended, or does not come about.
    pub(super) fn of_bgp(reason: &bgp::DownReason, own: Option<Asn>, peer: &Party<'_>) -> Fact {
        let text = format!("BGP session down: {reason}");
        let name = peer.name;
        match reason {
            bgp::DownReason::Sent(Cause::BadPeerAs { got, expected }) => {
                let text = format!("BGP session refused: the peer is AS{got}, not AS{expected}");
                Fact::new(Code::BgpAsn, text)
                    .sides(format!("AS{expected}"), format!("AS{got}"))
                    .remedy(format!(
                        "write remote_asn = {got} for {name} here, or asn = {expected} there"
                    ))
            }
            bgp::DownReason::Received(Notification { code: 2, subcode: 2, .. }) => {
                let own = own.unwrap_or(Asn(0));
                let text = format!("BGP session refused by the peer: it does not expect AS{own}");
                Fact::new(Code::BgpAsn, text)
                    .ours(format!("AS{own}"))
                    .remedy(format!("write remote_asn = {own} at {name}, or change `asn` here"))
            }
            bgp::DownReason::Sent(Cause::RoleMismatch { ours, theirs }) => {
                let theirs: Vec<String> = theirs.iter().map(|role| role_name(*role)).collect();
                let (theirs, fits) = (theirs.join(", "), ours.counterpart());
                let text = format!(
                    "BGP session refused: we are {ours} to the peer, and it says that it is {theirs}"
                );
                Fact::new(Code::BgpRole, text).sides(ours, theirs).remedy(format!(
                    "`bgp_role` of {name} must mirror the peer's: {ours} here, {fits} there"
                ))
            }
            bgp::DownReason::Received(Notification { code: 2, subcode: 11, .. }) => Fact::new(
                Code::BgpRole,
                "BGP session refused by the peer: its role does not fit ours",
            )
            .remedy(format!("`bgp_role` of {name} must mirror what is configured there")),
            bgp::DownReason::Sent(Cause::Cease(CeaseReason::TooManyPrefixes))
            | bgp::DownReason::Received(Notification { code: 6, subcode: 1, .. }) => {
                Fact::new(Code::BgpTooManyPrefixes, text)
                    .remedy("have fewer prefixes announced: aggregate them, or filter")
            }
            bgp::DownReason::TransportClosed | bgp::DownReason::ConnectTimeout => {
                let fact = Fact::new(Code::BgpUnreachable, text);
                match &peer.unreachable {
                    Some(remedy) => fact.remedy(remedy.clone()),
                    None => fact,
                }
            }
            bgp::DownReason::Sent(_) | bgp::DownReason::Received(_) => {
                Fact::new(Code::BgpDown, text)
            }
        }
    }

    /// The peer has announced nearly as many prefixes as it may.
    pub(super) fn of_near_limit(count: usize, limit: usize, peer: &Party<'_>) -> Fact {
        let text = format!("the peer announces {count} prefixes; beyond {limit} its session ends");
        Fact::new(Code::BgpNearLimit, text)
            .sides(format!("max_prefixes = {limit}"), count)
            .remedy(format!("raise `max_prefixes` of {}, or have fewer announced", peer.name))
    }

    /// The peer announces a prefix that it may not.
    pub(super) fn of_rejection(prefix: Prefix, why: RejectReason, peer: &Party<'_>) -> Fact {
        let text = format!("announcement of {prefix} rejected: {why}");
        let fact = Fact::new(Code::PrefixRejected, text);
        let accept = || listed(peer.accept);
        match why {
            RejectReason::NotAccepted => {
                fact.sides(format!("accept = [{}]", accept()), prefix).remedy(format!(
                    "add \"{prefix}\" to `accept` of {}, or announce it no more there",
                    peer.name
                ))
            }
            RejectReason::Local => fact
                .theirs(prefix)
                .remedy("a prefix belongs to one side: change `prefixes` here or there"),
            RejectReason::Underlay => fact
                .theirs(prefix)
                .remedy("announce a prefix that leaves the gateways' own addresses out"),
            RejectReason::Ruled | RejectReason::Leak => fact.theirs(prefix),
            RejectReason::StrangeNextHop => fact.theirs(prefix).remedy(
                "its next hop must lie in the VPC's prefixes: have the router put itself there",
            ),
            RejectReason::Martian
            | RejectReason::Reflected
            | RejectReason::OwnNextHop
            | RejectReason::AsSet
            | RejectReason::AsLoop
            | RejectReason::ForeignFirstAs => fact.theirs(prefix),
        }
    }

    /// Whether this is why `other` happened: our own fault goes before "the peer does not answer".
    pub(super) fn explains(&self, other: &Fact) -> bool {
        let is_ours =
            matches!(self.code, Code::HostDidNotSend | Code::HostLinkDown | Code::HostAddressGone);
        let is_silence = matches!(
            other.code,
            Code::NoAnswer | Code::NoAnswerToAuth | Code::PeerSilent | Code::PathLost
        );
        is_ours && is_silence
    }

    fn theirs(self, theirs: impl ToString) -> Fact {
        Fact { theirs: Some(theirs.to_string()), ..self }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn of_disabled(text: String, peer: &PeerConfig) -> Fact {
    Fact::new(Code::Disabled, text).remedy(format!("vpnctl enable {} lets it in again", peer.name))
}

fn of_disabled_by_peer(text: String, peer: &PeerConfig) -> Fact {
    Fact::new(Code::DisabledByPeer, text)
        .remedy(format!("only {} can end that, by `vpnctl enable`", peer.gateway))
}

fn proposal(code: Code, text: String, why: &NoProposal, key: &str, peer: &PeerConfig) -> Fact {
    let name = &peer.gateway;
    match why {
        NoProposal::OursToRefuse { offered, accepted } => {
            Fact::new(code, text).sides(accepted, offered).remedy(format!(
                "add one that the peer offers to `{key}` of {name}, or one of ours there"
            ))
        }
        NoProposal::Theirs { offered } => {
            let accepted =
                format!("the peer's log says what it accepts: add it to `{key}` of {name}");
            // IKE_SA_INIT from an address that nobody expects is refused in the same words.
            let remedy = if code == Code::IkeProposal {
                format!(
                    "{accepted}; or that it knows no peer at this gateway's address: write that there"
                )
            } else {
                accepted
            };
            Fact::new(code, text).ours(offered).remedy(remedy)
        }
    }
}

fn of_authentication(failure: &AuthFailure, text: String, peer: &PeerConfig) -> Fact {
    let name = &peer.gateway;
    match failure {
        AuthFailure::RejectedByPeer => {
            Fact::new(Code::RefusedByPeer, text).ours(&peer.local_identity).remedy(trust_us(peer))
        }
        AuthFailure::PskMismatch(_) => Fact::new(Code::PskMismatch, text)
            .remedy(format!("give both sides the same secret: the file that `psk_file` of {name} names")),
        AuthFailure::BadSignature(_) => Fact::new(Code::KeyMismatch, text).remedy(format!(
            "run `vpnctl pubkey` over the private key at {name} and put the result into the file that \
             `public_key_file` names here"
        )),
        AuthFailure::WrongIdentity { presented, expected } => Fact::new(Code::PeerIdentity, text)
            .sides(expected, presented)
            .remedy(format!("write remote_identity = \"{presented}\" for {name} if that is the right one")),
        AuthFailure::WrongResponder { asked, own } => Fact::new(Code::OwnIdentity, text)
            .sides(own, asked)
            .remedy(format!("write identity = \"{asked}\" here, or remote_identity = \"{own}\" at {name}")),
        AuthFailure::Method { used, wanted } => Fact::new(Code::AuthMethod, text)
            .sides(wanted, used)
            .remedy("write `psk_file` on both sides, or keys on both sides"),
        AuthFailure::SignatureAlgorithm
        | AuthFailure::NoEd25519
        | AuthFailure::NoCommonHash => {
            Fact::new(Code::AuthMethod, text).remedy("use `psk_file` with this peer")
        }
        AuthFailure::Certificate { refusal, .. } => {
            Fact::new(Code::Certificate, text).remedy(renewal(refusal, name))
        }
        AuthFailure::Ppk(failure) => of_ppk(failure, text, peer),
        AuthFailure::Eap => {
            Fact::new(Code::AuthMethod, text).remedy("turn EAP off at the peer: use keys or a secret")
        }
    }
}

/// What to do about a post-quantum pre-shared key that both sides do not have alike.
fn of_ppk(failure: &PpkFailure, text: String, peer: &PeerConfig) -> Fact {
    let name = &peer.gateway;
    let fact = Fact::new(Code::PpkMismatch, text);
    match failure {
        PpkFailure::NotUsed | PpkFailure::NotTaken(_) => fact.remedy(format!(
            "give {name} the file that `ppk_file` names here, with the same `ppk_id`; or leave `ppk_required` \
             out until it has it"
        )),
        PpkFailure::NotNamed => fact,
        PpkFailure::Unknown { presented, ours } => {
            let ours = ours.as_deref().unwrap_or("none");
            fact.sides(ours, presented).remedy(format!(
                "write ppk_id = \"{presented}\" for {name} here, with the same file as there"
            ))
        }
        PpkFailure::Differs { .. } => {
            fact.remedy("give both sides the same files as `ppk_file` and `psk_file`")
        }
    }
}

/// What to do about the certificate of a peer that proves nothing.
fn renewal(refusal: &Refusal, name: &str) -> String {
    match refusal {
        Refusal::None => format!("write `certificate` and `private_key` at {name}"),
        Refusal::Expired { .. } => {
            format!(
                "renew it (`vpnctl ca renew`), and put it into the file of `certificate` at {name}"
            )
        }
        Refusal::NotYetValid { .. } => "set the clock of this host: timedatectl".to_owned(),
        Refusal::UnknownIssuer { .. } => {
            format!("add its authority to `ca` here, or the certificates between to that of {name}")
        }
        Refusal::Identity { .. } => {
            format!(
                "write one of its names as `remote_identity`, or issue {name} one for that name"
            )
        }
        Refusal::Revoked { .. } => format!("issue {name} a new certificate with a new key"),
        Refusal::CrlTooOld { .. } => "put the newest list into the file of `crl`".to_owned(),
        Refusal::KeyUsage { .. } | Refusal::Purpose { .. } => {
            format!("issue {name} one with digitalSignature and ipsecIKE")
        }
        Refusal::TooMuch { .. }
        | Refusal::Malformed { .. }
        | Refusal::Path { .. }
        | Refusal::Signature { .. } => {
            format!("look at `certificate` and `private_key` at {name}: do they fit each other?")
        }
    }
}

/// What the peer must believe of us.
fn trust_us(peer: &PeerConfig) -> String {
    format!(
        "at {}: it must expect {:?}, and have our public key or the same secret; `vpnctl events` there \
         says which",
        peer.gateway,
        peer.local_identity.to_string()
    )
}

fn listed(prefixes: &[Prefix]) -> String {
    let words: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests;
