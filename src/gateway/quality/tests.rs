use super::*;

const TIMEOUT: Duration = Duration::from_secs(3);

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

const NO_LIMITS: QualityLimits = QualityLimits { round_trip: None, jitter: None, loss: None };
const LIMITS: QualityLimits =
    QualityLimits { round_trip: Some(ms(100)), jitter: Some(ms(20)), loss: Some(10) };

/// A question a second.
struct Rig {
    quality: Quality,
    limits: QualityLimits,
    timeout: Duration,
    now: Timestamp,
}

impl Rig {
    fn with(limits: QualityLimits) -> Rig {
        Rig { quality: Quality::default(), limits, timeout: TIMEOUT, now: Timestamp::ZERO }
    }

    /// Asks once, and is answered after this time; what changed.
    fn ask(&mut self, answer: Option<Duration>) -> Option<Shift> {
        let shift = self.quality.judge(self.limits, self.timeout, self.now);
        self.quality.on_asked(self.now);
        if let Some(after) = answer {
            self.quality.on_answer(self.now, self.now + after);
        }
        self.now += Duration::from_secs(1);
        shift
    }

    /// Asks so many times; the shifts, with the number of the question at which they came.
    fn go_on(
        &mut self,
        count: usize,
        answer: impl Fn(usize) -> Option<Duration>,
    ) -> Vec<(usize, Shift)> {
        (0..count).filter_map(|number| Some((number, self.ask(answer(number))?))).collect()
    }
}

fn good(_: usize) -> Option<Duration> {
    Some(ms(40))
}

#[test]
fn what_is_within_the_limits_changes_nothing_and_without_limits_nothing_does() {
    let mut rig = Rig::with(LIMITS);
    assert_eq!(rig.go_on(500, good), []);
    // Every tenth is lost: exactly what is allowed.
    assert_eq!(rig.go_on(500, |number| good(number).filter(|_| number % 10 != 0)), []);
    let mut rig = Rig::with(NO_LIMITS);
    assert_eq!(rig.go_on(200, |number| (number % 3 == 0).then_some(ms(2900))), []);
    let measures = rig.quality.measure(TIMEOUT, rig.now);
    assert_eq!((measures.asked, measures.lost), (50, 34), "the last that are over");
    assert_eq!((measures.round_trip, measures.jitter), (Some(ms(2900)), Some(ms(0))));
}

#[test]
fn each_limit_is_found_to_be_exceeded_and_named() {
    let first = |answer: &dyn Fn(usize) -> Option<Duration>| {
        let mut rig = Rig::with(LIMITS);
        rig.go_on(100, good);
        let shifts = rig.go_on(60, answer);
        assert!(rig.quality.is_poor());
        shifts[0]
    };
    let (after, slow) = first(&|_| Some(ms(120)));
    assert!(after <= ANSWERS, "{after}");
    assert!(matches!(slow, Shift::Poor(Excess::RoundTrip(mean)) if mean > ms(100)), "{slow:?}");
    let (after, unsteady) = first(&|number| Some(ms(if number % 2 == 0 { 20 } else { 60 })));
    assert!(after <= ANSWERS, "{after}");
    assert!(matches!(unsteady, Shift::Poor(Excess::Jitter(mean)) if mean > ms(20)), "{unsteady:?}");
    let (_, lossy) = first(&|number| good(number).filter(|_| number % 4 != 0));
    assert_eq!(lossy, Shift::Poor(Excess::Loss(6)), "more than a tenth of the window");
}

#[test]
fn it_is_good_again_after_a_whole_window_well_within_the_limits() {
    let mut rig = Rig::with(LIMITS);
    rig.go_on(20, |_| Some(ms(150)));
    assert!(rig.quality.is_poor());
    assert_eq!(rig.go_on(300, |_| Some(ms(90))), [], "within the limit, and near to it");
    let back = rig.go_on(100, good);
    let [(after, Shift::Good)] = back.as_slice() else { panic!("{back:?}") };
    assert!((WINDOW..WINDOW + ANSWERS).contains(after), "{after}");
}

#[test]
fn what_gets_poor_again_and_again_waits_longer_and_calm_makes_it_forgotten() {
    let mut rig = Rig::with(LIMITS);
    let wait = |rig: &mut Rig| {
        let poor = rig.go_on(20, |_| Some(ms(400)));
        assert!(matches!(poor.as_slice(), [(_, Shift::Poor(_))]), "{poor:?}");
        let back = (0..2000).position(|_| rig.ask(Some(ms(40))) == Some(Shift::Good));
        back.expect("it comes back") / WINDOW
    };
    let waits: Vec<usize> = (0..7).map(|_| wait(&mut rig)).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 16, 16]);
    rig.go_on(CALM + 1, good);
    assert_eq!(wait(&mut rig), 1);
}

#[test]
fn a_pause_forgets_what_was_measured_and_keeps_the_verdict() {
    let mut rig = Rig::with(LIMITS);
    rig.go_on(20, |_| Some(ms(150)));
    rig.go_on(40, good);
    rig.quality.pause();
    assert_eq!(rig.quality.measure(TIMEOUT, rig.now), Measures::default());
    assert!(rig.quality.is_poor());
    assert_eq!(rig.go_on(ANSWERS + WINDOW - 1, good), [], "it begins to count anew");
    assert_eq!(rig.go_on(2, good).len(), 1);
}

#[test]
fn loss_counts_whatever_part_of_the_window_the_timeout_takes() {
    let limits = QualityLimits { loss: Some(50), ..NO_LIMITS };
    for seconds in [1, 25, 49, 50] {
        let mut rig = Rig::with(limits);
        rig.timeout = Duration::from_secs(seconds);
        let shifts = rig.go_on(300, |number| good(number).filter(|_| number % 3 == 0));
        let [(_, Shift::Poor(Excess::Loss(26)))] = shifts.as_slice() else {
            panic!("{seconds} s: {shifts:?}")
        };
    }
}

#[test]
fn who_hardly_answers_is_not_good_again() {
    let mut rig = Rig::with(QualityLimits { loss: None, ..LIMITS });
    rig.go_on(20, |_| Some(ms(150)));
    assert!(rig.quality.is_poor());
    // Too few to make a mean of.
    assert_eq!(rig.go_on(600, |number| good(number).filter(|_| number % 12 == 0)), []);
    assert_eq!(rig.go_on(WINDOW + ANSWERS, good).len(), 1);
}

#[test]
fn an_answer_counts_once_and_for_its_own_question() {
    let mut rig = Rig::with(NO_LIMITS);
    rig.go_on(5, |_| None);
    let asked = Timestamp::from_millis(2000);
    rig.quality.on_answer(Timestamp::from_millis(2001), rig.now);
    rig.quality.on_answer(asked, asked + ms(7));
    rig.quality.on_answer(asked, asked + ms(900));
    let measures = rig.quality.measure(TIMEOUT, rig.now);
    assert_eq!((measures.asked, measures.lost), (3, 2), "0 and 1 are over, 3 and 4 are not");
}
