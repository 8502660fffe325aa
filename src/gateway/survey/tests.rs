use super::*;
use std::net::{IpAddr, Ipv4Addr};

const fn at(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
}

const fn way(last: u8) -> Way {
    Way { local: at(1), remote: at(last) }
}

const FIRST: Way = way(11);
const SECOND: Way = way(12);

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Two ways, a question a second on each.
struct Rig {
    survey: Survey,
    here: Way,
    now: Timestamp,
    rounds: usize,
}

impl Rig {
    fn on(here: Way) -> Rig {
        let mut survey = Survey::default();
        survey.follow([FIRST, SECOND]);
        Rig { survey, here, now: Timestamp::ZERO, rounds: 0 }
    }

    /// So many rounds in which a question is answered after a time on the first and on the second, or
    /// not; the changes, with the rounds since the last.
    fn go_on(
        &mut self,
        rounds: usize,
        answers: impl Fn(usize) -> [Option<Duration>; 2],
    ) -> Vec<(usize, Way, Reason)> {
        let mut changes = Vec::new();
        let mut since = 0;
        for _ in 0..rounds {
            self.rounds += 1;
            since += 1;
            if let Some((way, reason)) = self.survey.judge(self.here, self.now) {
                changes.push((since, way, reason));
                (self.here, since) = (way, 0);
            }
            for (way, answer) in [FIRST, SECOND].into_iter().zip(answers(self.rounds)) {
                self.survey.on_asked(way, self.now);
                if let Some(after) = answer {
                    self.survey.on_answer(way, self.now, self.now + after);
                }
            }
            self.now += INTERVAL;
        }
        changes
    }
}

#[test]
fn a_way_that_is_better_by_a_margin_is_taken_once_and_for_all() {
    for (first, second) in [(40, 20), (300, 200), (12, 4)] {
        let mut rig = Rig::on(FIRST);
        let changes = rig.go_on(2000, |_| [Some(ms(first)), Some(ms(second))]);
        let [(after, SECOND, Reason::Time { .. })] = changes[..] else { panic!("{changes:?}") };
        assert!((15..30).contains(&after), "{after}");
    }
}

#[test]
fn a_way_that_is_hardly_better_is_not_taken() {
    for (first, second) in [(20, 20), (20, 17), (300, 260), (6, 2)] {
        let changes = Rig::on(FIRST).go_on(500, |_| [Some(ms(first)), Some(ms(second))]);
        assert_eq!(changes, [], "{first} and {second}");
    }
}

#[test]
fn of_equal_ways_the_first_is_taken_and_one_that_is_no_worse() {
    for (first, second) in [(20, 20), (22, 20), (20, 30)] {
        let changes = Rig::on(SECOND).go_on(500, |_| [Some(ms(first)), Some(ms(second))]);
        assert!(matches!(changes[..], [(_, FIRST, _)]), "{first} and {second}: {changes:?}");
    }
    assert_eq!(Rig::on(SECOND).go_on(500, |_| [Some(ms(30)), Some(ms(20))]), []);
}

#[test]
fn loss_counts_more_than_time() {
    let mut rig = Rig::on(FIRST);
    let lossy = |round: usize| Some(ms(5)).filter(|_| !round.is_multiple_of(5));
    let changes = rig.go_on(500, |round| [lossy(round), Some(ms(80))]);
    let [(_, SECOND, Reason::Loss { there: 0, here })] = changes[..] else { panic!("{changes:?}") };
    assert!((6..=20).contains(&here), "{here}");
}

#[test]
fn jitter_counts() {
    let unsteady = |round: usize| Some(ms(if round.is_multiple_of(2) { 20 } else { 60 }));
    let changes = Rig::on(FIRST).go_on(500, |round| [unsteady(round), Some(ms(42))]);
    assert!(matches!(changes[..], [(_, SECOND, Reason::Time { .. })]), "{changes:?}");
}

#[test]
fn ways_that_are_better_by_turns_are_taken_ever_more_seldom() {
    let mut rig = Rig::on(FIRST);
    // A minute each.
    let turns = |round: usize| match (round / 60).is_multiple_of(2) {
        true => [Some(ms(80)), Some(ms(20))],
        false => [Some(ms(20)), Some(ms(80))],
    };
    let changes = rig.go_on(3600, turns);
    assert!((2..=8).contains(&changes.len()), "{changes:?}");
}

#[test]
fn a_dead_way_is_left_at_once_for_one_that_answers() {
    let mut rig = Rig::on(FIRST);
    rig.go_on(5, |_| [Some(ms(10)), Some(ms(90))]);
    rig.survey.is_dead = true;
    assert_eq!(rig.survey.judge(FIRST, rig.now), Some((SECOND, Reason::Dead)));
    assert!(!rig.survey.is_dead, "it is said once");
    let mut rig = Rig::on(FIRST);
    rig.go_on(20, |_| [Some(ms(10)), None]);
    rig.survey.is_dead = true;
    assert_eq!(rig.survey.judge(FIRST, rig.now), None, "nobody is there either");
    rig.survey.on_asked(SECOND, rig.now);
    rig.survey.on_answer(SECOND, rig.now, rig.now + ms(5));
    assert_eq!(rig.survey.judge(FIRST, rig.now), Some((SECOND, Reason::Dead)), "and then is");
}

#[test]
fn a_peer_that_answers_no_such_question_is_left_where_it_is() {
    assert_eq!(Rig::on(SECOND).go_on(500, |_| [None, None]), []);
    assert_eq!(Rig::on(SECOND).go_on(500, |_| [Some(ms(5)), None]), []);
}

#[test]
fn what_is_known_of_a_way_stays_when_others_come_and_go() {
    let mut rig = Rig::on(FIRST);
    rig.go_on(20, |_| [Some(ms(10)), Some(ms(11))]);
    rig.survey.follow([way(13), SECOND]);
    assert_eq!(rig.survey.measure(FIRST, rig.now), None);
    let measures = rig.survey.measure(SECOND, rig.now).unwrap();
    assert_eq!(measures.round_trip, Some(ms(11)));
    assert_eq!(rig.survey.measure(way(13), rig.now).unwrap().asked, 0);
}
