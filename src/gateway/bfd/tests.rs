use super::*;

const MS: Duration = Duration::from_millis(1);

fn report(state: State, diagnostic: Diagnostic, remote: Option<(State, Diagnostic)>) -> Report {
    Report {
        state,
        since: Timestamp::ZERO,
        diagnostic,
        remote,
        interval: 50 * MS,
        detection_time: 150 * MS,
        round_trip: None,
    }
}

fn up() -> Report {
    report(State::Up, Diagnostic::NONE, Some((State::Up, Diagnostic::NONE)))
}

fn silence() -> Report {
    report(State::Down, Diagnostic::CONTROL_DETECTION_TIME_EXPIRED, None)
}

fn told(remote: State, why: Diagnostic) -> Report {
    report(State::Down, Diagnostic::NEIGHBOR_SIGNALED_SESSION_DOWN, Some((remote, why)))
}

fn watched() -> Watch {
    let mut watch = Watch::default();
    assert_eq!(watch.on_report(up(), Timestamp::ZERO), Some(Turn::Quiet));
    assert_eq!(watch.verdict(), Verdict::Works);
    watch
}

#[test]
fn a_session_that_was_never_up_says_nothing_about_the_path() {
    let mut watch = Watch::default();
    for down in [silence(), told(State::Down, Diagnostic::NONE)] {
        assert_eq!(watch.on_report(down, Timestamp::ZERO), None);
        assert_eq!((watch.verdict(), watch.health()), (Verdict::SaysNothing, Health::Usable));
    }
}

#[test]
fn the_verdict_says_which_way_the_path_is_lost() {
    let expired = Diagnostic::CONTROL_DETECTION_TIME_EXPIRED;
    for (report, loss) in [
        (silence(), Loss::NothingComes),
        (told(State::Down, expired), Loss::NotHeard),
        (told(State::AdminDown, Diagnostic::PATH_DOWN), Loss::PeerLeaves),
        (told(State::Down, Diagnostic::NONE), Loss::PeerSays(Diagnostic::NONE)),
    ] {
        let mut watch = watched();
        assert_eq!(watch.on_report(report, Timestamp::from_millis(9)), Some(Turn::Lost(loss)));
        assert_eq!(watch.health(), Health::Unreachable);
        assert!(!loss.to_string().is_empty());
        // What follows says nothing new.
        let init = Report { state: State::Init, ..report };
        assert_eq!(watch.on_report(init, Timestamp::from_millis(10)), None);
    }
}

#[test]
fn bfd_that_is_switched_off_says_nothing_about_the_path() {
    let off = Diagnostic::ADMINISTRATIVELY_DOWN;
    for report in [told(State::AdminDown, off), report(State::AdminDown, off, None)] {
        let mut watch = watched();
        watch.on_report(silence(), Timestamp::ZERO);
        assert_eq!(watch.on_report(report, Timestamp::ZERO), Some(Turn::Quiet));
        assert_eq!((watch.verdict(), watch.health()), (Verdict::SaysNothing, Health::Usable));
    }
}

#[test]
fn a_path_that_comes_back_is_held_twice_as_long_with_every_loss() {
    let mut watch = watched();
    let mut now = Timestamp::ZERO;
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        now += Duration::from_millis(100);
        watch.on_report(silence(), now);
        now += Duration::from_millis(500);
        assert_eq!(watch.on_report(up(), now), Some(Turn::Back(Duration::from_millis(500))));
        assert_eq!(watch.health(), Health::Held);
        let until = watch.poll_timeout().expect("it is held");
        assert_eq!(until.since(now), Duration::from_secs(seconds));
        watch.handle_timeout(until);
        assert_eq!(watch.health(), Health::Usable);
    }
    // Half are forgotten with every quiet minute.
    now += Duration::from_secs(600);
    watch.on_report(silence(), now);
    assert_eq!(watch.losses(), 1);
}

#[test]
fn a_path_lost_while_it_is_held_is_lost_at_once() {
    let mut watch = watched();
    watch.on_report(silence(), Timestamp::from_millis(1));
    watch.on_report(up(), Timestamp::from_millis(2));
    assert_eq!(
        watch.on_report(silence(), Timestamp::from_millis(3)),
        Some(Turn::Lost(Loss::NothingComes))
    );
    assert_eq!(watch.poll_timeout(), None);
}

#[test]
fn a_new_connection_is_not_judged_by_the_old_one() {
    let mut watch = watched();
    watch.on_report(silence(), Timestamp::from_millis(1));
    watch.begin_anew();
    assert_eq!(watch.health(), Health::Usable);
    let mut works = watched();
    works.begin_anew();
    assert_eq!(works.verdict(), Verdict::Works);
    works.on_report(silence(), Timestamp::from_millis(1));
    works.on_report(up(), Timestamp::from_millis(2));
    works.begin_anew();
    assert_eq!(works.verdict(), Verdict::Works, "the session is up and will not say so again");
}

#[test]
fn a_session_that_has_begun_anew_says_nothing_yet() {
    let mut watch = watched();
    let new = report(State::Down, Diagnostic::NONE, None);
    assert_eq!(watch.on_report(new, Timestamp::from_millis(1)), Some(Turn::Quiet));
    assert_eq!(watch.health(), Health::Usable);
}
