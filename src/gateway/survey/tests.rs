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
                self.goes_to(way, reason);
                since = 0;
            }
            self.ask(&answers(self.rounds));
        }
        changes
    }

    /// What was proposed comes about.
    fn goes_to(&mut self, way: Way, reason: Reason) {
        let change = Change { from: self.here, to: way, reason };
        self.survey.on_trial(change);
        self.survey.on_arrived(way, self.now);
        assert_eq!(self.survey.poll_change(way), Some(change));
        self.here = way;
    }

    /// A question on each way, in their order, and a round passes.
    fn ask(&mut self, answers: &[Option<Duration>]) {
        let ways: Vec<Way> = self.survey.ways().collect();
        for (way, answer) in ways.into_iter().zip(answers) {
            self.survey.on_asked(way, self.now);
            if let Some(after) = answer {
                self.survey.on_answer(way, self.now, self.now + *after);
            }
        }
        self.now += INTERVAL;
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
    rig.survey.on_doubt(true, rig.now);
    for _ in 0..3 {
        let verdict = rig.survey.judge(FIRST, rig.now);
        assert_eq!(verdict, Some((SECOND, Reason::Dead)), "as long as nothing has come of it");
        rig.ask(&[None, Some(ms(90))]);
    }
    rig.goes_to(SECOND, Reason::Dead);
    assert_eq!(rig.survey.judge(SECOND, rig.now), None);
    let mut rig = Rig::on(FIRST);
    rig.go_on(20, |_| [Some(ms(10)), None]);
    rig.survey.on_doubt(true, rig.now);
    assert_eq!(rig.survey.judge(FIRST, rig.now), None, "nobody is there either");
    rig.survey.on_asked(SECOND, rig.now);
    rig.survey.on_answer(SECOND, rig.now, rig.now + ms(5));
    assert_eq!(rig.survey.judge(FIRST, rig.now), Some((SECOND, Reason::Dead)), "and then is");
    rig.survey.on_doubt(false, rig.now);
    assert_eq!(rig.survey.judge(FIRST, rig.now), None, "packets pass again");
}

/// A busy host: packets stop again and again, wherever the tunnel is, and questions are answered.
#[test]
fn who_was_left_for_nothing_is_left_again_only_when_questions_have_no_answer_either() {
    let mut rig = Rig::on(FIRST);
    rig.go_on(20, |_| [Some(ms(10)); 2]);
    rig.survey.on_doubt(true, rig.now);
    assert_eq!(rig.survey.judge(FIRST, rig.now), Some((SECOND, Reason::Dead)));
    rig.goes_to(SECOND, Reason::Dead);
    for _ in 0..20 {
        rig.ask(&[Some(ms(10)); 2]);
        assert_eq!(rig.survey.judge(SECOND, rig.now), None, "nothing passes here either");
    }
    rig.survey.on_doubt(false, rig.now);
    rig.go_on(5, |_| [Some(ms(10)); 2]);
    rig.survey.on_doubt(true, rig.now);
    assert_eq!(rig.survey.judge(SECOND, rig.now), None, "it was not asked since");
    for way in [FIRST, SECOND] {
        rig.survey.on_asked(way, rig.now);
    }
    assert_eq!(rig.survey.next_round(Some(SECOND), rig.now), rig.now + SHORTEST_PATIENCE);
    rig.survey.on_answer(FIRST, rig.now, rig.now + ms(10));
    let soon = rig.now + (SHORTEST_PATIENCE - ms(1));
    assert_eq!(rig.survey.judge(SECOND, soon), None, "an answer may be on its way");
    let later = rig.now + SHORTEST_PATIENCE;
    assert_eq!(rig.survey.judge(SECOND, later), Some((FIRST, Reason::Dead)));
}

#[test]
fn what_does_not_come_about_makes_nobody_wait() {
    let mut rig = Rig::on(FIRST);
    for _ in 0..20 {
        rig.ask(&[Some(ms(90)), Some(ms(10))]);
    }
    let mut proposed = Vec::new();
    for round in 0..60 {
        if let Some((way, reason)) = rig.survey.judge(FIRST, rig.now) {
            proposed.push(round);
            rig.survey.on_trial(Change { from: FIRST, to: way, reason });
            rig.survey.on_arrived(FIRST, rig.now);
            assert_eq!(rig.survey.poll_change(FIRST), None, "it stays where it was");
        }
        rig.ask(&[Some(ms(90)), Some(ms(10))]);
    }
    assert_eq!(proposed, [9, 19, 29, 39, 49, 59]);
    rig.survey.on_failed();
    rig.survey.on_arrived(SECOND, rig.now);
    assert_eq!(rig.survey.poll_change(SECOND), None, "for another reason");
}

#[test]
fn a_way_on_which_the_peer_does_not_want_us_is_not_taken_before_a_new_ike_sa_stands() {
    let mut rig = Rig::on(FIRST);
    rig.survey.on_trial(Change { from: FIRST, to: SECOND, reason: Reason::First });
    rig.survey.on_arrived(SECOND, rig.now);
    rig.survey.on_refused(SECOND);
    rig.survey.on_arrived(FIRST, rig.now);
    assert_eq!([FIRST, SECOND].map(|way| rig.survey.poll_change(way)), [None, None]);
    assert_eq!(rig.go_on(200, |_| [Some(ms(90)), Some(ms(10))]), []);
    rig.survey.on_doubt(true, rig.now);
    assert_eq!(rig.survey.judge(FIRST, rig.now), None);
    rig.survey.on_doubt(false, rig.now);
    rig.survey.on_established();
    let changes = rig.go_on(200, |_| [Some(ms(90)), Some(ms(10))]);
    assert!(matches!(changes[..], [(_, SECOND, _)]), "{changes:?}");
}

#[test]
fn of_several_ways_one_alone_is_to_be_better_all_the_time() {
    let third = way(13);
    let mut rig = Rig::on(FIRST);
    rig.survey.follow([FIRST, SECOND, third]);
    // The means are of ten: for nine of nineteen rounds the second is better, and then for nine the third.
    let mut since = [0; 2];
    let (mut together, mut longest) = (0, 0);
    for round in 0..200 {
        let other = |slow| if round % 19 == slow { ms(400) } else { ms(10) };
        rig.ask(&[Some(ms(100)), Some(other(0)), Some(other(9))]);
        let better = [SECOND, third].map(|one| {
            let measures = |way| rig.survey.measure(way, rig.now).expect("a way");
            is_better(measures(one), measures(FIRST), false).is_some()
        });
        for (since, better) in since.iter_mut().zip(better) {
            *since = if better { *since + 1 } else { 0 };
        }
        together = if since == [0; 2] { 0 } else { together + 1 };
        longest = longest.max(together);
        assert!(since.iter().all(|since| *since < HOLD), "the case is another");
        assert_eq!(rig.survey.judge(FIRST, rig.now), None, "round {round}");
    }
    assert!(longest > HOLD, "one or the other was better for {longest} rounds");
}

/// After many changes the wait is longer than what is remembered of the questions.
#[test]
fn a_way_that_answers_nothing_any_more_is_left_however_often_there_were_changes() {
    let mut rig = Rig::on(FIRST);
    rig.go_on(20, |_| [Some(ms(10)), Some(ms(10))]);
    rig.survey.changes = MOST_DOUBLINGS;
    let changes = rig.go_on(500, |_| [None, Some(ms(10))]);
    assert!(
        matches!(changes[..], [(_, SECOND, Reason::Loss { there: 0, here: 100 })]),
        "{changes:?}"
    );
}

#[test]
fn whoever_is_asked_first_is_asked_last_the_next_time() {
    let mut rig = Rig::on(FIRST);
    let firsts: Vec<Way> = (0..4).map(|_| rig.survey.next_ways()[0]).collect();
    assert_eq!(firsts, [SECOND, FIRST, SECOND, FIRST]);
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

#[test]
fn a_way_that_answers_nothing_is_told_once_and_again_when_it_has_answered_meanwhile() {
    let mut rig = Rig::on(FIRST);
    let told = |rig: &mut Rig, rounds: usize, second: Option<Duration>| {
        let one = |rig: &mut Rig| {
            rig.ask(&[Some(ms(10)), second]);
            rig.survey.poll_silent(rig.now)
        };
        (0..rounds).filter_map(|_| one(rig)).collect::<Vec<Way>>()
    };
    assert_eq!(told(&mut rig, 26, None), []);
    assert_eq!(told(&mut rig, 100, None), [SECOND]);
    assert_eq!(told(&mut rig, 10, Some(ms(10))), []);
    assert_eq!(told(&mut rig, 100, None), [SECOND]);
    let mut rig = Rig::on(FIRST);
    for _ in 0..100 {
        rig.ask(&[None, None]);
        assert_eq!(rig.survey.poll_silent(rig.now), None, "nobody answers anywhere");
    }
}
