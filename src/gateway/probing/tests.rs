use super::*;

const LIVENESS: Liveness = Liveness {
    interval: Duration::from_secs(1),
    timeout: Duration::from_millis(1500),
    give_up: Duration::from_secs(30),
};

/// A tunnel whose peer answers as long as it is told to, looked at every 10 ms.
struct Rig {
    probing: Probing,
    now: Timestamp,
    /// What the questions have shown, and from when on, in milliseconds.
    turns: Vec<(u64, Echoes)>,
    asked: u32,
}

impl Rig {
    fn new(is_kin: bool) -> Rig {
        let mut probing = Probing::default();
        probing.on_established(is_kin);
        probing.on_sending(Some(ChildId(1)), Timestamp::ZERO);
        Rig { probing, now: Timestamp::ZERO, turns: Vec::new(), asked: 0 }
    }

    fn run(&mut self, millis: u64, answers: impl Fn(u64) -> bool) {
        let end = self.now + Duration::from_millis(millis);
        while self.now < end {
            let before = self.probing.say();
            if let Some(number) = self.probing.handle_timeout(&LIVENESS, self.now) {
                self.asked += 1;
                if answers(number) {
                    self.probing.on_answer(number, &LIVENESS, self.now);
                }
            }
            let after = self.probing.say();
            if before != after {
                self.turns.push((self.now.as_micros() / 1000, after));
            }
            self.now += Duration::from_millis(10);
        }
    }

    fn take_turns(&mut self) -> Vec<(u64, Echoes)> {
        std::mem::take(&mut self.turns)
    }

    fn is_broken(&self) -> bool {
        matches!(self.probing.say(), Echoes::Unanswered(_))
    }
}

#[test]
fn a_path_that_breaks_is_found_in_the_time_of_liveness_and_one_answer_ends_it() {
    let mut rig = Rig::new(true);
    rig.run(10_000, |_| true);
    assert_eq!(rig.probing.view(rig.now), DataPath::Passes);
    assert_eq!(rig.asked, 10, "one question each interval");
    rig.take_turns();
    rig.run(10_000, |_| false);
    let [(at, Echoes::Unanswered(Loss::NothingComes))] = rig.take_turns()[..] else {
        panic!("{:?}", rig.probing)
    };
    assert!((11_400..12_600).contains(&at), "{at}");
    rig.run(5_000, |_| true);
    let [(at, Echoes::Answered)] = rig.take_turns()[..] else { panic!("{:?}", rig.probing) };
    assert!((20_000..20_400).contains(&at), "{at}");
}

#[test]
fn a_peer_that_never_answered_is_not_judged_and_soon_left_alone() {
    let mut rig = Rig::new(false);
    rig.run(60_000, |_| false);
    assert_eq!((rig.asked, rig.turns.len()), (TRIES, 0));
    assert_eq!(rig.probing.view(rig.now), DataPath::Unknown);
    rig.probing.on_hint(rig.now);
    rig.run(1_000, |_| false);
    assert_eq!(rig.asked, TRIES, "whatever others say of the path");
    rig.probing.on_sending(Some(ChildId(2)), rig.now);
    rig.run(10_000, |_| true);
    assert_eq!(rig.probing.view(rig.now), DataPath::Passes);
    rig.run(5_000, |_| false);
    assert!(rig.is_broken(), "it has answered once");
}

#[test]
fn a_gateway_like_this_one_is_judged_from_the_first_question_on() {
    let mut rig = Rig::new(true);
    rig.run(3_000, |_| false);
    assert!(rig.is_broken());
    // Another IKE SA over the same path changes nothing about it.
    rig.probing.on_sending(None, rig.now);
    rig.probing.on_established(true);
    rig.probing.on_sending(Some(ChildId(3)), rig.now);
    rig.run(1_000, |_| false);
    assert!(rig.is_broken());
}

#[test]
fn another_path_is_not_judged_by_the_one_before() {
    let mut rig = Rig::new(true);
    rig.run(3_000, |_| false);
    assert!(rig.is_broken());
    rig.take_turns();
    rig.probing.on_moved(rig.now);
    assert_eq!(rig.probing.say(), Echoes::SayNothing);
    assert_eq!(rig.probing.poll_timeout(), Some(rig.now), "it is asked about at once");
    rig.run(1_000, |_| true);
    assert_eq!(rig.take_turns(), [(3_000, Echoes::Answered)]);
    rig.probing.on_moved(rig.now);
    rig.run(3_000, |_| false);
    assert!(rig.is_broken(), "it is judged like any other");
}

#[test]
fn nobody_is_asked_while_bfd_tells_as_much() {
    let mut rig = Rig::new(true);
    rig.run(3_000, |_| false);
    rig.probing.rest();
    assert_eq!((rig.probing.say(), rig.probing.poll_timeout()), (Echoes::SayNothing, None));
    rig.asked = 0;
    rig.run(3_000, |_| false);
    rig.probing.on_hint(rig.now);
    rig.run(3_000, |_| false);
    assert_eq!(rig.asked, 0);
    rig.probing.on_sending(Some(ChildId(1)), rig.now);
    rig.run(1_000, |_| true);
    assert_eq!(rig.probing.say(), Echoes::Answered, "and asked again when it does not");
}

#[test]
fn what_comes_in_says_which_way_is_broken() {
    let mut rig = Rig::new(true);
    rig.run(5_000, |_| true);
    rig.take_turns();
    for _ in 0..60 {
        rig.probing.on_question(rig.now);
        rig.run(100, |_| false);
    }
    assert_eq!(rig.probing.view(rig.now), DataPath::NothingArrives);
    let [(late, Echoes::Late), (at, Echoes::Unanswered(Loss::NotHeard))] = rig.take_turns()[..]
    else {
        panic!("{:?}", rig.probing)
    };
    assert!((6_400..7_600).contains(&late), "{late}: then IKE's word counts");
    assert!((7_900..9_200).contains(&at), "{at}: who still sends gets twice the time");
    rig.probing.on_heard(rig.now + Duration::from_secs(3));
    assert_eq!(rig.probing.view(rig.now + Duration::from_secs(4)), DataPath::NoAnswers);
    assert_eq!(rig.probing.view(rig.now + Duration::from_secs(9)), DataPath::NothingComes);
}

#[test]
fn lost_questions_break_nothing_while_some_are_answered() {
    let mut rig = Rig::new(true);
    rig.run(600_000, |number| number % 4 == 3);
    assert_eq!(rig.turns.len(), 1, "{:?}", rig.turns);
    assert_eq!(rig.probing.say(), Echoes::Answered);
}

#[test]
fn a_hint_has_the_peer_asked_at_once_and_is_no_proof() {
    let mut rig = Rig::new(true);
    rig.run(5_000, |_| true);
    rig.take_turns();
    rig.run(100, |_| false);
    rig.asked = 0;
    rig.probing.on_hint(rig.now);
    rig.probing.on_hint(rig.now);
    rig.run(50, |_| true);
    assert_eq!(rig.asked, 1);
    rig.run(20_000, |_| true);
    assert_eq!(rig.turns, []);
    // One answer in eight is enough.
    rig.probing.on_hint(rig.now);
    let from = rig.probing.number;
    rig.run(20_000, |number| number >= from + 7);
    assert_eq!(rig.turns, []);
}

#[test]
fn a_hint_that_is_right_shortens_the_wait() {
    let mut rig = Rig::new(true);
    rig.run(5_100, |_| true);
    rig.take_turns();
    rig.probing.on_hint(rig.now);
    rig.run(5_000, |_| false);
    let [(at, Echoes::Unanswered(Loss::NothingComes))] = rig.take_turns()[..] else {
        panic!("{:?}", rig.probing)
    };
    assert!((5_600..5_700).contains(&at), "{at}");
}
