use super::*;
use std::time::Duration;

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
    assert!(watch.on_report(up(), true));
    assert_eq!(watch.says(), Bfd::Works);
    watch
}

#[test]
fn a_session_that_was_never_up_says_nothing_about_the_path() {
    let mut watch = Watch::default();
    for down in [silence(), told(State::Down, Diagnostic::NONE)] {
        assert!(!watch.on_report(down, true));
        assert_eq!((watch.says(), watch.report()), (Bfd::SaysNothing, Some(&down)));
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
        assert!(watch.on_report(report, true));
        assert_eq!(watch.says(), Bfd::Lost(loss));
        // What follows while it comes back is another story.
        let init = Report { state: State::Init, remote: Some((State::Down, expired)), ..report };
        assert!(!watch.on_report(init, true));
        assert_eq!(watch.says(), Bfd::Lost(loss));
        assert!(watch.on_report(up(), true));
        assert_eq!(watch.says(), Bfd::Works);
    }
}

#[test]
fn bfd_that_is_switched_off_says_nothing_about_the_path() {
    let off = Diagnostic::ADMINISTRATIVELY_DOWN;
    for report in [told(State::AdminDown, off), report(State::AdminDown, off, None)] {
        let mut watch = watched();
        watch.on_report(silence(), true);
        assert!(watch.on_report(report, true));
        assert_eq!(watch.says(), Bfd::SaysNothing);
    }
}

#[test]
fn a_new_connection_is_not_judged_by_the_old_one() {
    let mut watch = watched();
    watch.on_report(silence(), true);
    watch.begin_anew();
    assert_eq!(watch.says(), Bfd::SaysNothing);
    let mut works = watched();
    works.begin_anew();
    assert_eq!(works.says(), Bfd::Works, "the session is up and will not say so again");
}

#[test]
fn a_session_that_has_begun_anew_says_nothing_yet() {
    let mut watch = watched();
    assert!(watch.on_report(report(State::Down, Diagnostic::NONE, None), true));
    assert_eq!(watch.says(), Bfd::SaysNothing);
}

#[test]
fn a_peer_that_reaches_nothing_behind_it_counts_as_lost_unless_bgp_tells_more() {
    let said = [Diagnostic::CONCATENATED_PATH_DOWN, Diagnostic::REVERSE_CONCATENATED_PATH_DOWN];
    for why in said {
        let dead_end = report(State::Up, Diagnostic::NONE, Some((State::Up, why)));
        let mut watch = watched();
        assert!(!watch.on_report(dead_end, false));
        assert_eq!(watch.says(), Bfd::Works);
        assert!(watch.on_report(dead_end, true));
        assert_eq!(watch.says(), Bfd::Lost(Loss::BeyondPeer));
        assert!(watch.on_report(up(), true));
        assert_eq!(watch.says(), Bfd::Works);
        // From the first moment on.
        let mut new = Watch::default();
        assert!(new.on_report(dead_end, true));
        assert_eq!(new.says(), Bfd::Lost(Loss::BeyondPeer));
    }
}
