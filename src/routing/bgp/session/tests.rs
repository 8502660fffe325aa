//! Timers and waits of one session, against a peer that is played by the test.

use super::*;
use crate::net::Asn;
use crate::routing::bgp::Family;
use crate::routing::bgp::{Capabilities, FrameBuffer, Open};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

const START: Timestamp = Timestamp::from_millis(1000);

#[test]
fn an_attempt_that_hangs_is_given_up_and_repeated() {
    let mut session = session(|_| {});
    session.start(START);
    let [Output::Connect(first)] = drain(&mut session)[..] else { panic!("an attempt") };
    let (at, timer) = session.poll_timeout().expect("a timer");
    assert_eq!(timer, Timer::ConnectRetry);
    assert!((3750..=5000).contains(&at.since(START).as_millis()), "jittered: {at}");
    session.handle_timeout(at);
    let [
        Output::Failed(DownReason::ConnectTimeout),
        Output::Close(closed),
        Output::Connect(second),
    ] = drain(&mut session)[..]
    else {
        panic!("told, and another attempt")
    };
    assert_eq!(closed, first);
    assert_ne!(second, first);
    assert_eq!(session.last_failure(), Some(&DownReason::ConnectTimeout));
}

#[test]
fn waits_between_failures_double_up_to_the_configured_longest() {
    let mut session = session(|_| {});
    let mut now = START;
    session.start(now);
    let mut waits = Vec::new();
    for _ in 0..8 {
        let id = connect_of(&drain(&mut session));
        session.handle_closed(id, now);
        let (at, timer) = session.poll_timeout().expect("a wait");
        assert_eq!(timer, Timer::IdleHold);
        waits.push(at.since(now).as_millis());
        now = at;
        session.handle_timeout(now);
    }
    assert!((750..=1000).contains(&waits[0]), "{waits:?}");
    assert!((1500..=2000).contains(&waits[1]), "{waits:?}");
    assert!(waits[3..].iter().all(|wait| (3750..=5000).contains(wait)), "{waits:?}");
}

#[test]
fn a_peer_that_says_nothing_is_let_go_after_the_open_time() {
    let mut session = session(|_| {});
    session.start(START);
    let id = connect_of(&drain(&mut session));
    session.handle_connected(id, START);
    drain(&mut session);
    assert_eq!(session.poll_timeout(), Some((START + OPEN_HOLD_TIME, Timer::Hold)));
    session.handle_timeout(START + OPEN_HOLD_TIME);
    let [Output::Send(_, message), Output::Close(_), Output::Failed(why)] =
        &drain(&mut session)[..]
    else {
        panic!("told, then closed")
    };
    assert_eq!(message[18..21], [3, 4, 0], "NOTIFICATION: hold timer expired");
    assert_eq!(*why, DownReason::Sent(Cause::HoldTimerExpired));
}

#[test]
fn a_peer_of_another_system_is_told_of_with_both_numbers_and_one_that_is_away_not_at_once() {
    let mut session = session(|_| {});
    session.start(START);
    let id = connect_of(&drain(&mut session));
    session.handle_connected(id, START);
    session.handle_bytes(id, &codec::open(&peer(|open| open.asn = Asn(64_999))), START);
    let (got, expected) = (Asn(64_999), session.config.remote_asn);
    let cause = DownReason::Sent(Cause::BadPeerAs { got, expected });
    assert!(drain(&mut session).contains(&Output::Failed(cause)));

    let mut away = self::session(|_| {});
    away.start(START);
    let mut now = START;
    for attempt in 1..=TELLING {
        let id = connect_of(&drain(&mut away));
        away.handle_closed(id, now);
        now = away.poll_timeout().expect("a wait").0;
        let told = drain(&mut away).contains(&Output::Failed(DownReason::TransportClosed));
        assert_eq!(told, attempt == TELLING, "attempt {attempt}");
        away.handle_timeout(now);
    }
}

#[test]
fn keepalives_go_three_times_in_a_hold_time_and_none_without_one() {
    let mut session = session(|_| {});
    let id = establish(&mut session, &peer(|_| {}));
    let (at, timer) = session.poll_timeout().expect("a timer");
    assert_eq!(timer, Timer::Keepalive);
    assert!((2250..=3000).contains(&at.since(START).as_millis()));
    session.handle_timeout(at);
    assert_eq!(drain(&mut session), [Output::Send(id, codec::keepalive())]);

    let mut quiet = self::session(|_| {});
    establish(&mut quiet, &peer(|open| open.hold_time = 0));
    assert_eq!(quiet.poll_timeout(), None, "RFC 4271 §4.4: zero turns both timers off");
}

#[test]
fn the_hold_timer_is_restarted_by_what_is_heard_only() {
    let mut session = session(|_| {});
    let id = establish(&mut session, &peer(|_| {}));
    let mut now = START;
    for _ in 0..5 {
        now += Duration::from_secs(8);
        session.handle_bytes(id, &codec::keepalive(), now);
        session.handle_timeout(now);
    }
    assert_eq!(session.state(), State::Established);
    drain(&mut session);
    session.handle_timeout(now + Duration::from_secs(9));
    let down = DownReason::Sent(Cause::HoldTimerExpired);
    assert!(drain(&mut session).contains(&Output::Down(down)));
}

#[test]
fn a_passive_session_never_connects() {
    let mut session = session(|config| config.passive = true);
    session.start(START);
    assert_eq!((drain(&mut session).len(), session.poll_timeout()), (0, None));
    assert_eq!(session.state(), State::Active);
    let id = ConnectionId::accepted(1);
    session.handle_accepted(id, START);
    session.handle_bytes(id, &codec::open(&peer(|_| {})), START);
    session.handle_bytes(id, &codec::keepalive(), START);
    assert_eq!(session.state(), State::Established);
    session.handle_closed(id, START);
    assert_eq!((session.state(), session.poll_timeout()), (State::Active, None));
}

#[test]
fn of_two_connections_the_one_of_the_higher_identifier_stays() {
    for (theirs, ours_stays) in [([192, 0, 2, 9], false), ([192, 0, 2, 0], true)] {
        let open = peer(|open| open.identifier = theirs.into());
        let mut session = session(|_| {});
        session.start(START);
        let ours = connect_of(&drain(&mut session));
        session.handle_connected(ours, START);
        let their = ConnectionId::accepted(1);
        session.handle_accepted(their, START);
        for id in [ours, their] {
            session.handle_bytes(id, &codec::open(&open), START);
        }
        let (kept, lost) = if ours_stays { (ours, their) } else { (their, ours) };
        let outputs = drain(&mut session);
        let cease = codec::notification(&Cause::Cease(CeaseReason::Collision).notification());
        assert!(
            outputs.contains(&Output::Send(lost, cease)) && outputs.contains(&Output::Close(lost))
        );
        session.handle_bytes(kept, &codec::keepalive(), START);
        assert_eq!((session.state(), session.connections.len()), (State::Established, 1));
        assert_eq!(session.last_failure(), None, "a resolved collision is no failure");
    }
}

#[test]
fn equal_identifiers_are_told_apart_by_the_as() {
    // RFC 6286 §2.3: the connection of the larger AS number stays; 65002 is theirs.
    let open = peer(|open| open.identifier = Ipv4Addr::new(192, 0, 2, 1));
    let mut session = session(|_| {});
    session.start(START);
    let ours = connect_of(&drain(&mut session));
    session.handle_connected(ours, START);
    let their = ConnectionId::accepted(1);
    session.handle_accepted(their, START);
    session.handle_bytes(ours, &codec::open(&open), START);
    session.handle_bytes(their, &codec::open(&open), START);
    assert!(drain(&mut session).contains(&Output::Close(ours)));
}

#[test]
fn inside_one_as_identifiers_must_differ() {
    let mut session = session(|config| config.remote_asn = config.local_asn);
    let id = ConnectionId::accepted(1);
    session.start(START);
    session.handle_accepted(id, START);
    let same = peer(|open| {
        open.asn = Asn(65001);
        open.identifier = Ipv4Addr::new(192, 0, 2, 1);
    });
    session.handle_bytes(id, &codec::open(&same), START);
    let bad = codec::notification(&Cause::BadIdentifier.notification());
    assert!(drain(&mut session).contains(&Output::Send(id, bad)));
}

#[test]
fn a_second_connection_to_a_young_session_is_closed_and_to_an_old_one_replaces_it() {
    for (age, replaced) in [(1, false), (60, true)] {
        let mut session = session(|config| config.passive = true);
        let old = establish_passive(&mut session, ConnectionId::accepted(1), START);
        let now = START + Duration::from_secs(age);
        session.handle_bytes(old, &codec::keepalive(), now);
        let new = ConnectionId::accepted(2);
        session.handle_accepted(new, now);
        session.handle_bytes(new, &codec::open(&peer(|_| {})), now);
        let lost = if replaced { old } else { new };
        assert!(drain(&mut session).contains(&Output::Close(lost)), "after {age} s");
    }
}

#[test]
fn a_peer_that_opens_many_connections_holds_few() {
    let mut session = session(|_| {});
    session.start(START);
    for n in 0..50 {
        session.handle_accepted(ConnectionId::accepted(n), START);
    }
    assert!(session.connections.len() <= 1 + MAX_INCOMING);
}

#[test]
fn a_stopped_session_refuses_and_a_paused_one_accepts() {
    let mut session = session(|_| {});
    let id = ConnectionId::accepted(1);
    session.handle_accepted(id, START);
    assert_eq!(drain(&mut session), [Output::Close(id)], "never started");
    session.start(START);
    session.pause(START);
    assert_eq!(session.poll_timeout(), None);
    drain(&mut session);
    let id = ConnectionId::accepted(2);
    session.handle_accepted(id, START);
    assert!(matches!(drain(&mut session)[..], [Output::Send(..)]), "our OPEN");
}

fn session(change: impl Fn(&mut SessionConfig)) -> Session {
    let mut config = SessionConfig {
        serial: 7,
        local_asn: Asn(65001),
        remote_asn: Asn(65002),
        identifier: Ipv4Addr::new(192, 0, 2, 1),
        role: None,
        strict_role: false,
        families: BTreeSet::from(Family::ALL),
        hold_time: Duration::from_secs(9),
        connect_retry: Duration::from_secs(5),
        passive: false,
    };
    change(&mut config);
    Session::new(config, 42)
}

fn peer(change: impl Fn(&mut Open)) -> Open {
    let mut open = Open {
        asn: Asn(65002),
        four_octet: true,
        hold_time: 90,
        identifier: Ipv4Addr::new(192, 0, 2, 2),
        families: Family::ALL.into(),
        capabilities: Capabilities {
            route_refresh: true,
            extended_next_hop: true,
            ..Capabilities::default()
        },
    };
    change(&mut open);
    open
}

fn drain(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

fn connect_of(outputs: &[Output]) -> ConnectionId {
    let connect = |output: &Output| match output {
        Output::Connect(id) => Some(*id),
        _ => None,
    };
    outputs.iter().find_map(connect).expect("an attempt")
}

/// Brings a session that connects to Established; everything at the start.
fn establish(session: &mut Session, open: &Open) -> ConnectionId {
    session.start(START);
    let id = connect_of(&drain(session));
    session.handle_connected(id, START);
    session.handle_bytes(id, &codec::open(open), START);
    session.handle_bytes(id, &codec::keepalive(), START);
    assert_eq!(session.state(), State::Established);
    let sent = drain(session);
    assert!(matches!(sent[..], [Output::Send(..), Output::Send(..), Output::Up]));
    assert!(sent.iter().all(is_sound));
    id
}

fn establish_passive(session: &mut Session, id: ConnectionId, now: Timestamp) -> ConnectionId {
    session.start(now);
    session.handle_accepted(id, now);
    session.handle_bytes(id, &codec::open(&peer(|_| {})), now);
    session.handle_bytes(id, &codec::keepalive(), now);
    assert_eq!(session.state(), State::Established);
    drain(session);
    id
}

fn is_sound(output: &Output) -> bool {
    match output {
        Output::Send(_, bytes) => FrameBuffer::default().next(&mut &bytes[..]).is_ok(),
        _ => true,
    }
}
