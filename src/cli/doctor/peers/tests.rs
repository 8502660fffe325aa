use super::*;
use crate::control::tests::peer;

fn well() -> PeerSummary {
    let summary = peer().summary;
    PeerSummary { verdict: Verdict::Up, last_failure: None, prefixes_rejected: 0, ..summary }
}

fn failure(unproven: bool) -> FailureView {
    FailureView {
        reason: "the pre-shared keys differ".to_owned(),
        remedy: Some("the same psk_file at both".to_owned()),
        unproven,
        ago_ms: 3000,
        ..FailureView::default()
    }
}

fn said(peer: &PeerSummary) -> Vec<String> {
    let findings = of_peer("west", peer).into_iter();
    findings.map(|one| format!("{} → {}", one.what, one.remedy.unwrap())).collect()
}

#[test]
fn nothing_is_said_of_a_peer_that_is_well_or_of_what_is_over() {
    assert_eq!(said(&well()), Vec::<String>::new());
    let was_down = PeerSummary { last_failure: Some(failure(false)), ..well() };
    assert_eq!(said(&was_down), Vec::<String>::new());
}

#[test]
fn who_is_refused_beside_a_peer_that_is_up_is_told() {
    let beside = PeerSummary { last_failure: Some(failure(true)), ..well() };
    let [sentence] = said(&beside).try_into().unwrap();
    assert!(sentence.contains("somebody at the address of"), "{sentence}");
    assert!(sentence.ends_with("(3s ago) → the same psk_file at both"), "{sentence}");
    let long_ago = FailureView { ago_ms: LATELY_MS, ..failure(true) };
    assert_eq!(said(&PeerSummary { last_failure: Some(long_ago), ..well() }), Vec::<String>::new());
}

#[test]
fn announcements_that_are_rejected_are_told_though_all_else_is_well() {
    let rejecting = PeerSummary { verdict: Verdict::Rejecting, prefixes_rejected: 2, ..well() };
    let [sentence] = said(&rejecting).try_into().unwrap();
    assert!(sentence.contains("2 prefix(es) that it announces are rejected"), "{sentence}");
    assert!(sentence.contains("`accept`"), "{sentence}");
}

#[test]
fn a_peer_that_is_down_is_told_with_its_cause() {
    let down = PeerSummary { verdict: Verdict::Down, last_failure: Some(failure(false)), ..well() };
    let [sentence] = said(&down).try_into().unwrap();
    assert!(sentence.contains("is down: the pre-shared keys differ → the same"), "{sentence}");
}

#[test]
fn a_file_that_was_refused_is_told_until_one_is_taken() {
    let event = |code: Code| EventView {
        number: 1,
        ago_ms: 1000,
        code,
        severity: code.severity(),
        peer: String::new(),
        what: "line 3\nmore".to_owned(),
        ours: None,
        theirs: None,
        remedy: None,
    };
    let told = refused_file("west", &[event(Code::Reloaded), event(Code::ReloadFailed)]).unwrap();
    assert_eq!(told.what, "west runs by an older file: line 3");
    assert_eq!(refused_file("west", &[event(Code::ReloadFailed), event(Code::Reloaded)]), None);
    assert_eq!(refused_file("west", &[]), None);
}
