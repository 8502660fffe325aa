use super::*;
use crate::config::QualityLimits;
use std::net::Ipv4Addr;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 2, 0, 10));
const PROBE: Probe = Probe {
    address: HOST,
    source: IpAddr::V4(Ipv4Addr::new(10, 1, 0, 1)),
    interval: Duration::from_secs(1),
    timeout: Duration::from_secs(3),
    limits: QualityLimits { round_trip: None, jitter: None, loss: None },
};

/// A host that is asked by the second.
struct Rig {
    beyond: Beyond,
    second: u64,
}

impl Rig {
    fn new() -> Rig {
        let mut beyond = Beyond::default();
        beyond.follow(Some(PROBE), Timestamp::ZERO);
        Rig { beyond, second: 0 }
    }

    fn view(&self) -> Option<ProbeView> {
        self.beyond.view(Timestamp::from_millis(1000 * self.second))
    }

    /// A second passes; what changed. The host answers within 5 ms if it `answers`.
    fn second(&mut self, passes: bool, answers: bool) -> Option<Turn> {
        let now = Timestamp::from_millis(1000 * self.second);
        self.second += 1;
        let (question, turn) = self.beyond.handle_timeout(passes, now);
        assert_eq!(question.is_some(), passes);
        let later = now + Duration::from_millis(5);
        let answer = question.filter(|_| answers);
        let answer = answer.and_then(|(_, number)| self.beyond.on_answer(HOST, number, later));
        turn.or(answer)
    }

    fn seconds(&mut self, count: u64, answers: bool) -> Vec<Turn> {
        (0..count).filter_map(|_| self.second(true, answers)).collect()
    }
}

#[test]
fn a_host_that_answers_is_asked_and_nothing_is_told() {
    let mut rig = Rig::new();
    assert_eq!(rig.view().unwrap().state, ProbeState::Unknown);
    assert_eq!(rig.seconds(20, true), []);
    let view = rig.view().unwrap();
    assert_eq!((view.state, view.rtt_us), (ProbeState::Answers, Some(5000)));
}

#[test]
fn silence_is_told_once_and_so_is_its_end_after_as_long_a_time() {
    let mut rig = Rig::new();
    rig.seconds(5, true);
    assert_eq!(rig.seconds(3, false), []);
    assert_eq!(rig.seconds(1, false), [Turn::Silent], "3 s after the last answer");
    assert_eq!(rig.seconds(60, false), []);
    assert_eq!(rig.seconds(3, true), []);
    assert!(rig.beyond.is_silent(), "it has answered for 2 s only");
    assert_eq!(rig.seconds(1, true), [Turn::Answers]);
    assert!(!rig.beyond.is_silent());
}

#[test]
fn two_lost_packets_are_no_silence_and_two_answers_no_end_of_it() {
    let mut rig = Rig::new();
    for _ in 0..10 {
        assert_eq!(rig.seconds(2, false), []);
        assert_eq!(rig.seconds(1, true), []);
    }
    assert_eq!(rig.seconds(4, false), [Turn::Silent]);
    for _ in 0..5 {
        assert_eq!(rig.seconds(2, true), []);
        assert_eq!(rig.seconds(4, false), [], "it begins anew");
    }
    assert!(rig.beyond.is_silent());
}

#[test]
fn a_host_that_never_answered_is_silent_too() {
    let mut rig = Rig::new();
    assert_eq!(rig.seconds(3, false), []);
    assert_eq!(rig.seconds(1, false), [Turn::Silent]);
}

#[test]
fn nobody_is_asked_through_a_tunnel_that_carries_nothing() {
    let mut rig = Rig::new();
    rig.seconds(5, true);
    assert!((0..60).all(|_| rig.second(false, false).is_none()));
    assert_eq!(rig.view().unwrap().state, ProbeState::Answers);
    assert_eq!(rig.seconds(3, false), [], "the time in which nobody asked does not count");
    assert_eq!(rig.seconds(1, false), [Turn::Silent]);
}

#[test]
fn answers_from_before_a_time_without_questions_do_not_end_a_silence() {
    let mut rig = Rig::new();
    rig.seconds(10, false);
    rig.seconds(1, true);
    (0..60).for_each(|_| assert_eq!(rig.second(false, false), None));
    assert_eq!(rig.seconds(3, true), []);
    assert_eq!(rig.seconds(1, true), [Turn::Answers]);
}

#[test]
fn what_nobody_has_asked_is_no_answer() {
    let mut rig = Rig::new();
    rig.seconds(2, false);
    let now = Timestamp::from_millis(1900);
    let other = IpAddr::V4(Ipv4Addr::new(10, 2, 0, 11));
    for (from, number) in [(other, 1_000_000), (HOST, 1_900_001), (HOST, u64::MAX)] {
        assert_eq!(rig.beyond.on_answer(from, number, now), None);
        assert_eq!(rig.view().unwrap().state, ProbeState::Unknown, "{from} {number}");
    }
    rig.beyond.on_answer(HOST, 1_000_000, now);
    assert_eq!(rig.view().unwrap().state, ProbeState::Answers);
}

#[test]
fn what_is_poor_when_a_silence_ends_is_told_then() {
    let limits = QualityLimits { round_trip: Some(Duration::from_millis(100)), ..PROBE.limits };
    let probe = Probe { interval: Duration::from_millis(200), limits, ..PROBE };
    let mut beyond = Beyond::default();
    beyond.follow(Some(probe), Timestamp::ZERO);
    let slow = Duration::from_millis(150);
    let mut turns = Vec::new();
    for number in 0..100 {
        let now = Timestamp::from_millis(200 * number);
        let (question, turn) = beyond.handle_timeout(true, now);
        turns.extend(turn);
        let question = question.filter(|_| number >= 20);
        turns.extend(question.and_then(|(_, asked)| beyond.on_answer(HOST, asked, now + slow)));
    }
    let poor = Turn::Quality(Shift::Poor(crate::gateway::quality::Excess::RoundTrip(slow)));
    assert_eq!(turns, [Turn::Silent, Turn::Answers, poor]);
}

#[test]
fn another_host_begins_anew() {
    let mut rig = Rig::new();
    rig.seconds(10, false);
    assert!(rig.beyond.is_silent());
    let other = Probe { interval: Duration::from_secs(2), ..PROBE };
    rig.beyond.follow(Some(other), Timestamp::from_millis(10_000));
    assert!(!rig.beyond.is_silent());
    rig.beyond.follow(None, Timestamp::from_millis(10_000));
    assert_eq!((rig.view(), rig.beyond.poll_timeout()), (None, None));
}
