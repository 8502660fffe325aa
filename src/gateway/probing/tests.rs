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
    turns: Vec<(u64, Turn)>,
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
            let (number, turn) = self.probing.handle_timeout(&LIVENESS, self.now);
            self.note(turn);
            if let Some(number) = number {
                self.asked += 1;
                if answers(number) {
                    let turn = self.probing.on_answer(number, &LIVENESS, self.now);
                    self.note(turn);
                }
            }
            self.now += Duration::from_millis(10);
        }
    }

    fn note(&mut self, turn: Option<Turn>) {
        self.turns.extend(turn.map(|turn| (self.now.as_micros() / 1000, turn)));
    }
}

#[test]
fn a_path_that_breaks_is_found_in_the_time_of_liveness_and_used_again_after_a_while() {
    let mut rig = Rig::new(true);
    rig.run(10_000, |_| true);
    assert_eq!(rig.probing.view(rig.now), DataPath::Passes);
    assert_eq!(rig.asked, 10, "one question each interval");
    rig.run(10_000, |_| false);
    let [(at, Turn::Broken(DataPath::NothingComes))] = rig.turns[..] else {
        panic!("{:?}", rig.turns)
    };
    assert!((11_400..12_600).contains(&at), "{at}");
    assert!(!rig.probing.is_passing());
    rig.turns.clear();
    rig.run(5_000, |_| true);
    let [(at, Turn::Mended(gap))] = rig.turns[..] else { panic!("{:?}", rig.turns) };
    assert!((21_400..22_200).contains(&at), "{at}: watched for the time of liveness");
    assert!(gap > Duration::from_secs(10));
}

#[test]
fn a_peer_that_never_answered_is_not_judged_and_soon_left_alone() {
    let mut rig = Rig::new(false);
    rig.run(60_000, |_| false);
    assert_eq!((rig.asked, rig.turns.len()), (TRIES, 0));
    assert_eq!(rig.probing.view(rig.now), DataPath::Unknown);
    rig.probing.on_sending(Some(ChildId(2)), rig.now);
    rig.run(10_000, |_| true);
    assert_eq!(rig.probing.view(rig.now), DataPath::Passes);
    rig.run(5_000, |_| false);
    assert!(rig.probing.broken_since().is_some(), "it has answered once");
}

#[test]
fn a_gateway_like_this_one_is_judged_from_the_first_question_on() {
    let mut rig = Rig::new(true);
    rig.run(3_000, |_| false);
    assert!(rig.probing.broken_since().is_some());
    // Another IKE SA over the same path changes nothing about it.
    rig.probing.on_sending(None, rig.now);
    rig.probing.on_established(true);
    rig.probing.on_sending(Some(ChildId(3)), rig.now);
    rig.run(1_000, |_| false);
    assert!(rig.probing.broken_since().is_some());
}

#[test]
fn what_comes_in_says_which_way_is_broken() {
    let mut rig = Rig::new(true);
    rig.run(5_000, |_| true);
    for _ in 0..60 {
        rig.probing.on_question(rig.now);
        rig.run(100, |_| false);
    }
    assert_eq!(rig.probing.view(rig.now), DataPath::NothingArrives);
    let [(at, Turn::Broken(DataPath::NothingArrives))] = rig.turns[..] else {
        panic!("{:?}", rig.turns)
    };
    assert!((7_900..9_200).contains(&at), "{at}: who still sends gets twice the time");
    rig.probing.on_heard(rig.now + Duration::from_secs(3));
    assert_eq!(rig.probing.view(rig.now + Duration::from_secs(4)), DataPath::NoAnswers);
    assert_eq!(rig.probing.view(rig.now + Duration::from_secs(9)), DataPath::NothingComes);
}

#[test]
fn lost_questions_break_nothing_while_some_are_answered() {
    let mut rig = Rig::new(true);
    rig.run(600_000, |number| number % 4 == 3);
    assert_eq!(rig.turns, []);
}

#[test]
fn a_path_that_comes_and_goes_is_watched_ever_longer() {
    let mut rig = Rig::new(true);
    let mut gone = Vec::new();
    for _ in 0..4 {
        rig.run(3_000, |_| false);
        let before = rig.now;
        rig.turns.clear();
        while rig.turns.is_empty() {
            rig.run(100, |_| true);
        }
        gone.push(rig.now.since(before).as_millis());
    }
    assert!(gone.windows(2).all(|pair| pair[1] > pair[0] + 1000), "{gone:?}");
}
