use super::*;

const MS: Duration = Duration::from_millis(1);
const CAUSE: Loss = Loss::NotHeard;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Every cell.
#[test]
fn the_verdicts_of_all_who_say_something_are_joined_like_this() {
    use Echoes as E;
    use Opinion::Doubted;
    use Opinion::{Believed, Lost, Works};
    let (answered, silent, only_esp) = (Ike::Answered, Ike::Unanswered, Ike::OnlyEsp);
    let table = [
        (Bfd::Works, E::SayNothing, answered, Works),
        (Bfd::Works, E::SayNothing, silent, Works),
        (Bfd::Works, E::Answered, answered, Works),
        (Bfd::Works, E::Answered, silent, Works),
        (Bfd::Works, E::Late, answered, Works),
        (Bfd::Works, E::Late, silent, Works),
        (Bfd::Works, E::Unanswered(CAUSE), answered, Works),
        (Bfd::Works, E::Unanswered(CAUSE), silent, Works),
        (Bfd::Lost(CAUSE), E::SayNothing, answered, Lost(CAUSE)),
        (Bfd::Lost(CAUSE), E::SayNothing, silent, Lost(CAUSE)),
        (Bfd::Lost(CAUSE), E::Answered, answered, Lost(CAUSE)),
        (Bfd::Lost(CAUSE), E::Answered, silent, Lost(CAUSE)),
        (Bfd::Lost(CAUSE), E::Late, answered, Lost(CAUSE)),
        (Bfd::Lost(CAUSE), E::Late, silent, Lost(CAUSE)),
        (Bfd::Lost(CAUSE), E::Unanswered(Loss::NoAnswers), answered, Lost(CAUSE)),
        (Bfd::Lost(CAUSE), E::Unanswered(Loss::NoAnswers), silent, Lost(CAUSE)),
        (Bfd::SaysNothing, E::SayNothing, answered, Believed),
        (Bfd::SaysNothing, E::SayNothing, silent, Lost(Loss::PeerSilent)),
        (Bfd::SaysNothing, E::Answered, answered, Works),
        (Bfd::SaysNothing, E::Answered, silent, Works),
        (Bfd::SaysNothing, E::Late, answered, Believed),
        (Bfd::SaysNothing, E::Late, silent, Lost(Loss::PeerSilent)),
        (Bfd::SaysNothing, E::Unanswered(CAUSE), answered, Lost(CAUSE)),
        (Bfd::SaysNothing, E::Unanswered(CAUSE), silent, Lost(CAUSE)),
        (Bfd::Works, E::SayNothing, only_esp, Works),
        (Bfd::Works, E::Answered, only_esp, Works),
        (Bfd::Works, E::Late, only_esp, Works),
        (Bfd::Works, E::Unanswered(CAUSE), only_esp, Works),
        (Bfd::Lost(CAUSE), E::SayNothing, only_esp, Lost(CAUSE)),
        (Bfd::Lost(CAUSE), E::Answered, only_esp, Lost(CAUSE)),
        (Bfd::Lost(CAUSE), E::Late, only_esp, Lost(CAUSE)),
        (Bfd::Lost(CAUSE), E::Unanswered(CAUSE), only_esp, Lost(CAUSE)),
        (Bfd::SaysNothing, E::SayNothing, only_esp, Doubted),
        (Bfd::SaysNothing, E::Answered, only_esp, Works),
        (Bfd::SaysNothing, E::Late, only_esp, Lost(Loss::PeerSilent)),
        (Bfd::SaysNothing, E::Unanswered(CAUSE), only_esp, Lost(CAUSE)),
    ];
    for (bfd, echoes, ike, opinion) in table {
        assert_eq!(judge(bfd, echoes, ike), opinion, "{bfd:?}, {echoes:?}, {ike:?}");
    }
}

fn lost(now: Timestamp) -> Path {
    let mut path = Path::default();
    assert_eq!(path.on_opinion(Opinion::Lost(CAUSE), now), Some(Turn::Lost(CAUSE)));
    path
}

#[test]
fn a_loss_is_told_once_whoever_else_finds_it() {
    let mut path = lost(at(10));
    for why in [Loss::NothingComes, Loss::PeerSilent, Loss::NoAnswers] {
        assert_eq!(path.on_opinion(Opinion::Lost(why), at(20)), None);
    }
    assert_eq!((path.loss(), path.losses()), (Some((at(10), CAUSE)), 1));
    assert_eq!(path.health(), Health::Unreachable);
    assert_eq!(path.on_opinion(Opinion::Works, at(30)), Some(Turn::Works(20 * MS)));
    assert_eq!(path.on_opinion(Opinion::Believed, at(31)), None, "and so is its end");
}

#[test]
fn where_nobody_tests_the_path_it_is_the_peer_that_answers_again() {
    let mut path = lost(at(10));
    assert_eq!(path.on_opinion(Opinion::Believed, at(40)), Some(Turn::Answers(30 * MS)));
    assert_eq!(path.health(), Health::Held);
}

#[test]
fn a_path_that_comes_back_is_held_twice_as_long_with_every_loss() {
    let mut path = Path::default();
    let mut now = at(0);
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        now += 100 * MS;
        path.on_opinion(Opinion::Lost(CAUSE), now);
        now += 500 * MS;
        path.on_opinion(Opinion::Works, now);
        assert_eq!(path.health(), Health::Held);
        let until = path.poll_timeout().expect("it is held");
        assert_eq!(until.since(now), Duration::from_secs(seconds));
        path.handle_timeout(until);
        assert_eq!((path.health(), path.poll_timeout()), (Health::Usable, None));
    }
    // Half are forgotten with every quiet minute.
    now += Duration::from_secs(600);
    path.on_opinion(Opinion::Lost(CAUSE), now);
    assert_eq!(path.losses(), 1);
}

#[test]
fn a_path_lost_while_it_is_held_is_lost_at_once() {
    let mut path = lost(at(1));
    path.on_opinion(Opinion::Works, at(2));
    assert_eq!(path.on_opinion(Opinion::Lost(CAUSE), at(3)), Some(Turn::Lost(CAUSE)));
    assert_eq!((path.poll_timeout(), path.losses()), (None, 2));
}

#[test]
fn a_new_connection_ends_a_loss_and_no_hold_down() {
    let mut path = lost(at(1));
    path.begin_anew(Opinion::Lost(CAUSE), at(2));
    assert_eq!(path.health(), Health::Unreachable, "the path is as it was");
    path.begin_anew(Opinion::Believed, at(3));
    let until = path.poll_timeout().expect("it is held");
    path.begin_anew(Opinion::Believed, at(4));
    assert_eq!((path.health(), path.poll_timeout()), (Health::Held, Some(until)));
    let mut fit = Path::default();
    fit.begin_anew(Opinion::Lost(CAUSE), at(5));
    assert_eq!(fit.health(), Health::Usable, "a loss is told when it is told, not here");
}

#[test]
fn a_first_connection_is_held_for_a_moment_and_a_lost_path_no_shorter() {
    let mut path = Path::default();
    path.begin(Opinion::Believed, at(0));
    assert_eq!((path.health(), path.poll_timeout()), (Health::Held, Some(at(1000))));
    assert_eq!(path.losses(), 0);
    path.handle_timeout(at(1000));
    for _ in 0..2 {
        path.on_opinion(Opinion::Lost(CAUSE), at(2000));
        path.on_opinion(Opinion::Works, at(2000));
    }
    path.begin(Opinion::Believed, at(2100));
    assert_eq!(path.poll_timeout(), Some(at(4000)), "it was lost twice");
    path.on_opinion(Opinion::Lost(CAUSE), at(2200));
    path.begin(Opinion::Lost(CAUSE), at(2300));
    assert_eq!(path.health(), Health::Unreachable);
}

#[test]
fn first_connections_of_one_moment_are_held_until_the_same_instant() {
    let mut beginnings = Beginnings::default();
    let mut begin = |now| {
        let mut path = Path::default();
        path.begin(Opinion::Believed, now);
        path.wait_for_others(&mut beginnings, now);
        path.poll_timeout().expect("it is held")
    };
    assert_eq!([0, 100, 500].map(|ms| begin(at(ms))), [at(1500); 3]);
    assert_eq!(begin(at(501)), at(2001), "nobody is held for less than before");

    let mut lost = Path::default();
    lost.on_opinion(Opinion::Lost(CAUSE), at(600));
    lost.on_opinion(Opinion::Works, at(600));
    lost.wait_for_others(&mut beginnings, at(600));
    assert_eq!(lost.poll_timeout(), Some(at(1600)), "it was lost, and waits for nobody");
}

#[test]
fn every_loss_says_in_words_what_is_lost() {
    let words = |loss: Loss| loss.to_string();
    assert_eq!(words(Loss::NotHeard), "one way only: they do not hear us");
    assert_eq!(words(Loss::NothingComes), "nothing comes from the peer");
    assert_eq!(words(Loss::NoAnswers), "packets of the peer come, but no answers to ours");
    assert_eq!(words(Loss::PeerLeaves), "the peer is about to go");
    assert_eq!(words(Loss::PeerSays(Diagnostic::NONE)), "the peer has begun anew");
    let reset = words(Loss::PeerSays(Diagnostic::FORWARDING_PLANE_RESET));
    assert!(reset.starts_with("the peer has taken its session down ("), "{reset}");
    assert_eq!(words(Loss::BeyondPeer), "the peer reaches nothing behind it");
    assert_eq!(words(Loss::PeerSilent), "the peer does not answer");
}

#[test]
fn a_path_in_doubt_is_used_when_there_is_no_other() {
    let mut path = Path::default();
    assert_eq!(path.on_opinion(Opinion::Doubted, at(10)), Some(Turn::Doubted));
    assert_eq!(path.on_opinion(Opinion::Doubted, at(20)), None);
    assert_eq!((path.health(), path.loss(), path.losses()), (Health::Held, None, 0));
    let answers = path.on_opinion(Opinion::Believed, at(30));
    assert_eq!(answers, Some(Turn::Answers(20 * MS)));
    path.handle_timeout(at(30) + HOLD);
    assert_eq!(path.health(), Health::Usable);
}

#[test]
fn doubt_ends_when_nothing_comes_any_more_and_begins_when_something_does() {
    let mut path = Path::default();
    path.on_opinion(Opinion::Doubted, at(10));
    let lost = Opinion::Lost(Loss::PeerSilent);
    assert_eq!(path.on_opinion(lost, at(20)), Some(Turn::Lost(Loss::PeerSilent)));
    assert_eq!(path.health(), Health::Unreachable);
    assert_eq!(path.on_opinion(Opinion::Doubted, at(30)), Some(Turn::Doubted));
    assert_eq!(path.health(), Health::Held);
}
