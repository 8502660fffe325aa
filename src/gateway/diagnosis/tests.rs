//! Every failure has its code, both values, and a remedy that names what to change.

use super::*;
use crate::ike::ChildRefusal;
use crate::ike::Identity;
use crate::testing::deployment::{self, Site};
use crate::wire::ike::{AuthMethod, NotifyType};
use std::time::Duration;

fn peer() -> PeerConfig {
    let sites = [Site { region: 1, zone: 1 }, Site { region: 2, zone: 1 }];
    let config = deployment::parse(&deployment::text(sites[0], &sites, &["shop"]));
    config.peers.into_values().next().unwrap()
}

fn name(text: &str) -> Identity {
    text.parse().unwrap()
}

#[test]
fn failures_of_ike_are_told_apart_and_each_has_a_remedy() {
    let (offered, accepted) = ("theirs".to_owned(), "ours".to_owned());
    let refused = NoProposal::OursToRefuse { offered, accepted };
    let (a, b) = (name("a.example"), name("b.example"));
    let silence = |exchange| {
        let (sent, after) = (4, Duration::from_secs(2));
        FailureReason::NoAnswer { exchange, sent, after, in_tcp: false }
    };
    let wrong = |presented: &Identity, expected: &Identity| {
        let (presented, expected) = (presented.clone(), expected.clone());
        AuthFailure::WrongIdentity { presented, expected }
    };
    let responder = AuthFailure::WrongResponder { asked: a.clone(), own: b.clone() };
    let method = AuthFailure::Method {
        used: AuthMethod::SHARED_KEY_MIC,
        wanted: AuthMethod::DIGITAL_SIGNATURE,
    };
    let unknown = PpkFailure::Unknown { presented: "red".to_owned(), ours: None };
    let auth = FailureReason::Authentication;
    let slot = ChildRefusal::Slot { asked: "red".to_owned(), ours: "blue".to_owned() };
    let selectors = ChildRefusal::Selectors("none".to_owned());
    let theirs = NoProposal::Theirs { offered: "ours".to_owned() };
    for (reason, code, named) in [
        (silence("IKE_SA_INIT"), Code::NoAnswer, "UDP ports 500 and 4500"),
        (silence("IKE_AUTH"), Code::NoAnswerToAuth, "UDP port 4500"),
        (silence("IKE_INTERMEDIATE"), Code::NoAnswerToAuth, "UDP port 4500"),
        (FailureReason::IkeProposal(refused.clone()), Code::IkeProposal, "ike_suites"),
        (FailureReason::IkeProposal(theirs), Code::IkeProposal, "this gateway's address"),
        (FailureReason::Child(ChildRefusal::Proposal(refused)), Code::EspProposal, "esp_suites"),
        (FailureReason::Child(ChildRefusal::NoAggfrag), Code::EspProposal, "aggfrag = true"),
        (FailureReason::Child(slot), Code::VpcName, "\"red\""),
        (FailureReason::Child(selectors), Code::TrafficSelectors, "remote_ts"),
        (auth(AuthFailure::PskMismatch(a.clone())), Code::PskMismatch, "psk_file"),
        (auth(AuthFailure::BadSignature(a.clone())), Code::KeyMismatch, "public_key_file"),
        (auth(AuthFailure::Ppk(PpkFailure::NotUsed)), Code::PpkMismatch, "ppk_file"),
        (auth(AuthFailure::Ppk(unknown)), Code::PpkMismatch, "ppk_id = \"red\""),
        (auth(wrong(&a, &b)), Code::PeerIdentity, "remote_identity = \"a.example\""),
        (auth(responder), Code::OwnIdentity, "identity = \"a.example\" here"),
        (auth(method), Code::AuthMethod, "psk_file"),
        (auth(AuthFailure::RejectedByPeer), Code::RefusedByPeer, "vpnctl events"),
        (FailureReason::NoEncapsulation, Code::NoEncapsulation, "force_encapsulation = true"),
        (
            FailureReason::Refused { exchange: "IKE_AUTH", notify: NotifyType::INVALID_SYNTAX },
            Code::PeerNotified,
            "peer's log",
        ),
    ] {
        let fact = Fact::of_failure(&reason, &peer());
        assert_eq!((fact.code, &fact.text), (code, &reason.to_string()));
        let remedy = fact.remedy.clone().unwrap_or_default();
        assert!(remedy.contains(named), "{fact:?}");
    }
}

#[test]
fn both_ends_of_a_bgp_session_between_the_wrong_systems_say_so() {
    let (got, expected) = (Asn(64_999), Asn(64_513));
    let here = bgp::DownReason::Sent(Cause::BadPeerAs { got, expected });
    let told = Cause::BadPeerAs { got, expected }.notification();
    let there = bgp::DownReason::Received(told);
    let here = Fact::of_bgp(&here, Some(Asn(64_512)), &(&peer()).into());
    assert_eq!((here.code, here.ours.as_deref()), (Code::BgpAsn, Some("AS64513")));
    assert_eq!(here.theirs.as_deref(), Some("AS64999"));
    assert!(here.remedy.unwrap().contains("remote_asn = 64999"));
    let there = Fact::of_bgp(&there, Some(got), &(&peer()).into());
    assert_eq!((there.code, there.ours.as_deref()), (Code::BgpAsn, Some("AS64999")));
    assert!(there.remedy.unwrap().contains("remote_asn = 64999"));
}

#[test]
fn a_rejected_prefix_names_the_rule() {
    let prefix: Prefix = "10.9.0.0/16".parse().unwrap();
    let fact = Fact::of_rejection(prefix, RejectReason::NotAccepted, &(&peer()).into());
    assert_eq!((fact.code, fact.theirs.as_deref()), (Code::PrefixRejected, Some("10.9.0.0/16")));
    assert!(fact.ours.unwrap().starts_with("accept = ["));
    assert!(fact.remedy.unwrap().contains("add \"10.9.0.0/16\" to `accept`"));
}

#[test]
fn our_own_fault_explains_silence_and_nothing_else() {
    let down = Fact::of_dead_link("wan0");
    let lost = |why| Fact::of_lost_path(why, None);
    assert!(down.explains(&lost(Loss::PeerSilent)) && down.explains(&lost(Loss::NothingComes)));
    assert!(!down.explains(&Fact::new(Code::PskMismatch, "")));
    assert!(!lost(Loss::PeerSilent).explains(&down));
}
