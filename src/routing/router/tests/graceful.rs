//! Neighbours that restart and go on forwarding (RFC 4724), and that tell everything again (RFC 7313).

use super::hostile::{Stage, announce_own as announce, peer_open};
use super::*;
use crate::routing::bgp::codec;
use crate::routing::bgp::{Capabilities, Family, GracefulRestart, Message, Open, Refresh, State};

/// A peer that forwards while it restarts, for two minutes at most.
fn forwarding(families: &[(Family, bool)]) -> Open {
    let graceful_restart = GracefulRestart {
        restarted: false,
        time: 120,
        forwards: families.iter().copied().collect(),
    };
    let capabilities =
        Capabilities { graceful_restart: Some(graceful_restart), ..peer_open().capabilities };
    Open { capabilities, ..peer_open() }
}

const BOTH: [(Family, bool); 2] = [(Family::Ipv4, true), (Family::Ipv6, true)];

fn told(stage: &mut Stage) {
    for text in ["10.2.0.0/16", "10.3.0.0/16", "fd00:2::/48"] {
        stage.play(&announce(text));
    }
    assert_eq!(stage.ways(), 3);
}

#[test]
fn routes_of_a_peer_that_restarts_hold_on_until_it_has_told_all() {
    let mut stage = Stage::established(&forwarding(&BOTH), false);
    told(&mut stage);
    stage.hang_up();
    assert_eq!((stage.ways(), stage.stale()), (3, 3));
    assert_ne!(stage.state(), State::Established);
    stage.pass(Duration::from_secs(60));
    assert_eq!(stage.ways(), 3);

    stage.connect_again(&forwarding(&BOTH));
    stage.play(&announce("10.2.0.0/16"));
    assert_eq!((stage.ways(), stage.stale()), (3, 2));
    stage.play(&codec::end_of_rib(Family::Ipv4));
    assert_eq!((stage.ways(), stage.stale()), (2, 1), "10.3.0.0/16 was not announced again");
    stage.play(&codec::end_of_rib(Family::Ipv6));
    assert_eq!((stage.ways(), stage.stale()), (1, 0));
}

#[test]
fn a_peer_that_does_not_come_back_in_its_time_is_given_up() {
    let mut stage = Stage::established(&forwarding(&BOTH), false);
    told(&mut stage);
    stage.hang_up();
    stage.pass(Duration::from_secs(119));
    assert_eq!(stage.ways(), 3);
    stage.pass(Duration::from_secs(2));
    assert_eq!((stage.ways(), stage.stale()), (0, 0));
}

#[test]
fn a_family_that_was_not_forwarded_meanwhile_is_gone_at_once() {
    let mut stage = Stage::established(&forwarding(&BOTH), false);
    told(&mut stage);
    stage.hang_up();
    stage.connect_again(&forwarding(&[(Family::Ipv4, true), (Family::Ipv6, false)]));
    assert_eq!((stage.ways(), stage.stale()), (2, 2));

    let mut stage = Stage::established(&forwarding(&BOTH[..1]), false);
    told(&mut stage);
    stage.hang_up();
    assert_eq!((stage.ways(), stage.stale()), (2, 2), "only what was named is kept");
    stage.connect_again(&peer_open());
    assert_eq!((stage.ways(), stage.stale()), (0, 0), "it names nothing any more");
}

#[test]
fn who_says_why_it_goes_and_who_names_no_family_is_believed_at_once() {
    let mut stage = Stage::established(&forwarding(&BOTH), false);
    told(&mut stage);
    let cease = bgp::Notification { code: 6, subcode: 2, data: vec![] };
    stage.play(&codec::notification(&cease));
    assert_eq!((stage.ways(), stage.stale()), (0, 0));

    let mut stage = Stage::established(&forwarding(&[]), false);
    told(&mut stage);
    stage.hang_up();
    assert_eq!((stage.ways(), stage.stale()), (0, 0));
}

#[test]
fn a_peer_that_begins_anew_beside_a_session_that_still_stands_has_restarted() {
    let mut stage = Stage::established(&forwarding(&BOTH), false);
    told(&mut stage);
    stage.pass(Duration::from_secs(6));
    stage.connect_again(&forwarding(&BOTH));
    assert_eq!((stage.ways(), stage.stale()), (3, 3));
}

#[test]
fn a_second_restart_keeps_nothing_that_the_first_had_left_stale() {
    let mut stage = Stage::established(&forwarding(&BOTH), false);
    told(&mut stage);
    stage.hang_up();
    stage.connect_again(&forwarding(&BOTH));
    stage.play(&announce("10.2.0.0/16"));
    stage.hang_up();
    assert_eq!((stage.ways(), stage.stale()), (1, 1));
}

#[test]
fn what_a_peer_does_not_tell_again_between_its_marks_is_gone() {
    let mut stage = Stage::established(&peer_open(), false);
    told(&mut stage);
    stage.play(&codec::route_refresh(Family::Ipv4, Refresh::Begins));
    assert_eq!((stage.ways(), stage.stale()), (3, 2));
    stage.play(&announce("10.3.0.0/16"));
    stage.play(&codec::route_refresh(Family::Ipv4, Refresh::Ends));
    assert_eq!((stage.ways(), stage.stale()), (2, 0));
    stage.play(&codec::route_refresh(Family::Ipv6, Refresh::Begins));
    stage.pass(Duration::from_secs(5));
    stage.play(&codec::keepalive());
    assert_eq!(stage.ways(), 2);
}

/// What the router said lately, without the prefixes.
fn said(stage: &Stage, after: usize) -> Vec<String> {
    let word = |frame| match codec::decode(frame, &super::hostile::context()) {
        Ok(Message::Update(update)) if update.end_of_rib.is_some() => "end".to_owned(),
        Ok(Message::Update(_)) => "update".to_owned(),
        Ok(Message::RouteRefresh(Some((_, refresh)))) => format!("{refresh:?}"),
        Ok(other) => format!("{other:?}"),
        Err(cause) => format!("{cause:?}"),
    };
    stage.received[after..].iter().map(word).collect()
}

#[test]
fn a_peer_is_told_where_everything_ends_and_where_it_begins_again() {
    let enhanced = Capabilities { enhanced_refresh: true, ..forwarding(&[]).capabilities };
    let open = Open { capabilities: enhanced, ..peer_open() };
    let mut stage = Stage::new(false);
    stage.router.set_local_prefixes(prefixes(&["10.1.0.0/16", "fd00:1::/48"]), stage.now);
    stage.play(&codec::open(&open));
    stage.play(&codec::keepalive());
    let all = said(&stage, 2);
    assert_eq!(all, ["update", "update", "end", "end"]);
    stage.play(&codec::route_refresh(Family::Ipv4, Refresh::Wanted));
    assert_eq!(said(&stage, 2 + all.len()), ["Begins", "update", "Ends"]);
}

/// Nobody is to keep our routes while we restart: our tunnels go with us.
#[test]
fn we_name_no_family_that_we_would_go_on_forwarding() {
    let stage = Stage::new(false);
    let Ok(Message::Open(open)) = codec::decode(&stage.received[0], &super::hostile::context())
    else {
        panic!("an OPEN")
    };
    let said = open.capabilities.graceful_restart.expect("the capability");
    assert!(said.forwards.is_empty() && said.restarted, "{said:?}");
    assert!(open.capabilities.extended_messages && open.capabilities.enhanced_refresh);
}

#[test]
fn longer_messages_go_both_ways_once_both_take_them() {
    let capabilities = Capabilities { extended_messages: true, ..peer_open().capabilities };
    let mut stage = Stage::established(&Open { capabilities, ..peer_open() }, false);
    stage.frames.extend();
    let many: BTreeSet<Prefix> = (0..5000_u32)
        .map(|n| Prefix::host(IpAddr::from(Ipv4Addr::from(0x0a01_0000 + n))))
        .collect();
    let before = stage.received.len();
    stage.router.set_local_prefixes(many.clone(), stage.now);
    stage.listen();
    let [update] = &stage.received[before..] else { panic!("one message") };
    assert!(update.body.len() > bgp::MAX_MESSAGE, "{}", update.body.len());

    let theirs: Vec<Prefix> =
        (0..900_u32).map(|n| Prefix::host(IpAddr::from(Ipv4Addr::from(0x0a02_0000 + n)))).collect();
    let context = codec::Context { extended_messages: true, ..super::hostile::context() };
    let path = super::hostile::path(&[65002]);
    let message = codec::announcements(&path, Family::Ipv4, &theirs, &context).concat();
    assert!(message.len() > bgp::MAX_MESSAGE);
    stage.play(&message);
    assert_eq!(stage.ways(), theirs.len());

    let mut stage = Stage::established(&peer_open(), false);
    stage.play(&message);
    assert_eq!(stage.notification(), Some((1, 2)), "it had not said that it sends such");
}
