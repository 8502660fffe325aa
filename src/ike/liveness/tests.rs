use super::*;

fn config() -> LivenessConfig {
    LivenessConfig::default() // 1 s, 1.5 s, 30 s
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn nobody_is_judged_who_was_not_asked() {
    let mut liveness = Liveness::new(at(0));
    assert_eq!(liveness.judge(&config(), None, at(1_000_000)), None);
}

#[test]
fn a_silent_peer_is_unreachable_once_and_gone_later() {
    let mut liveness = Liveness::new(at(0));
    let asked = Some(at(1000));
    assert_eq!(liveness.judge(&config(), asked, at(2499)), None);
    let unreachable = Some(Change::Unreachable { since: at(1000) });
    assert_eq!(liveness.judge_at(&config(), at(1000)), at(2500));
    assert_eq!(liveness.judge(&config(), asked, at(2500)), unreachable);
    assert_eq!(liveness.judge(&config(), asked, at(2501)), None);
    assert_eq!(liveness.judge_at(&config(), at(1000)), at(31_000));
    let gone = liveness.judge(&config(), asked, at(31_000));
    assert!(matches!(gone, Some(Change::Gone { .. })));
}

#[test]
fn traffic_buys_a_timeout_from_its_last_packet_but_never_more_than_two() {
    let mut liveness = Liveness::new(at(0));
    liveness.on_heard(at(1600));
    assert_eq!(liveness.judge_at(&config(), at(1000)), at(3100));
    liveness.on_heard(at(3000));
    assert_eq!(liveness.judge_at(&config(), at(1000)), at(4000));
    assert_eq!(liveness.judge(&config(), Some(at(1000)), at(3999)), None);
    assert!(liveness.judge(&config(), Some(at(1000)), at(4000)).is_some());
}

#[test]
fn an_answer_restores_an_unreachable_peer() {
    let mut liveness = Liveness::new(at(0));
    assert!(!liveness.on_answer(at(1000), Some(Duration::from_millis(40))));
    liveness.judge(&config(), Some(at(2000)), at(3500));
    assert_eq!(liveness.verdict(), Verdict::Unreachable { since: at(2000) });
    assert!(liveness.on_answer(at(3600), None));
    assert_eq!(liveness.verdict(), Verdict::Reachable);
    assert_eq!(
        liveness.round_trip(),
        Some(Duration::from_millis(40)),
        "the last that was measured"
    );
    assert_eq!(liveness.probe_at(&config()), at(4600));
}

#[test]
fn a_peer_that_sends_but_never_answers_is_unreachable_and_gone_only_when_it_falls_silent() {
    let mut liveness = Liveness::new(at(0));
    assert!(liveness.judge(&config(), Some(at(1000)), at(4000)).is_some());
    for second in 4..600 {
        liveness.on_heard(at(second * 1000));
        assert_eq!(liveness.judge(&config(), Some(at(1000)), at(second * 1000 + 999)), None);
    }
    assert_eq!(liveness.judge(&config(), Some(at(1000)), at(628_999)), None);
    assert!(liveness.judge(&config(), Some(at(1000)), at(629_000)).is_some());
}

#[test]
fn a_path_that_works_in_one_direction_only_gets_no_grace() {
    let mut liveness = Liveness::new(at(0));
    liveness.on_heard(at(2400));
    liveness.on_repeat(at(900));
    assert_eq!(liveness.judge_at(&config(), at(1000)), at(3900), "repeated before we asked");
    liveness.on_repeat(at(2000));
    assert_eq!(liveness.judge_at(&config(), at(1000)), at(2500));
    assert!(liveness.judge(&config(), Some(at(1000)), at(2500)).is_some());
}
