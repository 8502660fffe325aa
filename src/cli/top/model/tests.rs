use super::*;
use crate::control::{Code, PeerState, Severity, TunnelSas, Verdict};

/// Two gateways: at the first all is well but for one peer, the second has events.
pub(in super::super) fn answers() -> Answers {
    let peer = crate::control::tests::peer();
    let mut well = peer.summary.clone();
    (well.verdict, well.last_failure) = (Verdict::Up, None);
    let mut lost = peer.summary.clone();
    lost.name = "north-b".to_owned();
    (lost.verdict, lost.state) = (Verdict::Unreachable, PeerState::Unreachable);
    lost.rtt_us = None;
    let mut gateway = crate::control::tests::gateway();
    let east = PeersView { gateway: gateway.clone(), peers: vec![well.clone(), lost] };
    gateway.name = "south-a".to_owned();
    let south = PeersView { gateway, peers: vec![well] };
    let event = |ago_ms, peer: &str, severity| EventView {
        number: 0,
        ago_ms,
        code: Code::PathLost,
        severity,
        peer: peer.to_owned(),
        what: "the path is lost, nothing comes from the peer".to_owned(),
        ours: None,
        theirs: None,
        remedy: None,
    };
    let events = |gateway: &str, events| EventsView {
        gateway: gateway.to_owned(),
        events,
        last: 9,
        missed: 0,
    };
    let warning = event(2000, "north-b", Severity::Warning);
    Answers {
        peers: vec![east, south],
        sas: vec![sas(100, 0)],
        events: vec![
            events("east-a", vec![event(9000, "north-a", Severity::Info), warning]),
            events("south-a", vec![event(4000, "north-a", Severity::Info)]),
        ],
        silent: Vec::new(),
    }
}

fn sas(came: u64, lost: u64) -> SasView {
    let mut child = crate::control::tests::peer().child_sas[0].clone();
    (child.received.packets, child.replay.lost) = (came, lost);
    let tunnel = TunnelSas {
        peer: "north-a".to_owned(),
        vpc: "shop".to_owned(),
        ike_sa: None,
        child_sas: vec![child],
    };
    SasView { gateway: "east-a".to_owned(), tunnels: vec![tunnel] }
}

fn model() -> Model {
    let mut model = Model::default();
    model.take(answers());
    model
}

fn names(model: &Model) -> Vec<String> {
    model.rows().iter().map(|row| format!("{}/{}", row.gateway, row.peer.name)).collect()
}

#[test]
fn keys_are_read_as_terminals_send_them() {
    assert_eq!(Key::read(b"\x1b[A\x1bOBq"), [Key::Up, Key::Down, Key::Quit]);
    assert_eq!(
        Key::read(b"sdpe\r"),
        [Key::Sort, Key::OnlyDown, Key::Pause, Key::OnlyEvents, Key::OnlyEvents]
    );
    assert_eq!(Key::read(b"\x1b"), [Key::Quit], "Escape");
    assert_eq!(Key::read(b"\x03"), [Key::Quit], "Ctrl-C");
    assert_eq!(Key::read(b"\x1b[15~x\x1b[200"), [], "what is not known does nothing");
    assert_eq!(Key::read(b""), []);
}

#[test]
fn peers_can_be_chosen_sorted_and_left_out() {
    let mut model = model();
    let all = ["east-a/north-a", "east-a/north-b", "south-a/north-a"];
    assert_eq!(names(&model), all);
    assert_eq!(model.index(), Some(0));
    assert!(model.press(Key::Down) && model.press(Key::Down) && model.press(Key::Down));
    assert_eq!(model.index(), Some(2), "the last one is the last one");
    model.press(Key::Sort);
    assert_eq!(names(&model)[0], "east-a/north-b", "the worst first");
    assert_eq!(model.index(), Some(2), "the chosen peer is still chosen");
    model.press(Key::OnlyDown);
    assert_eq!(names(&model), ["east-a/north-b"]);
    assert_eq!(model.index(), Some(0));
    assert!(model.manner().contains("only what is down"));
    assert!(!model.press(Key::Quit));
}

#[test]
fn a_peer_that_goes_leaves_another_one_chosen() {
    let mut model = model();
    model.press(Key::Last);
    let mut fewer = answers();
    fewer.peers.pop();
    model.take(fewer);
    assert_eq!(model.index(), Some(0));
    model.take(Answers::default());
    assert_eq!(model.index(), None);
    model.press(Key::Down);
    assert_eq!((model.tally(), model.rows().len()), ((0, 0), 0));
}

#[test]
fn events_of_all_or_of_the_chosen_one_come_newest_first() {
    let mut model = model();
    let ages =
        |model: &Model| model.events().iter().map(|(_, event)| event.ago_ms).collect::<Vec<_>>();
    assert_eq!(ages(&model), [2000, 4000, 9000]);
    model.press(Key::OnlyEvents);
    assert_eq!(ages(&model), [9000]);
    model.press(Key::Down);
    assert_eq!((ages(&model), model.events_of()), (vec![2000], Some("north-b")));
}

#[test]
fn loss_is_what_is_missing_of_what_was_sent_of_late() {
    let mut model = model();
    assert_eq!(model.rows()[0].loss, None, "nothing came between two looks");
    model.take(Answers { sas: vec![sas(190, 10)], ..answers() });
    assert_eq!(model.rows()[0].loss, Some(100));
    model.take(Answers { sas: vec![sas(5, 0)], ..answers() });
    assert_eq!(model.rows()[0].loss, None, "new SAs count anew");
    for _ in 0..LOSS_OVER {
        model.take(Answers { sas: vec![sas(5, 0)], ..answers() });
    }
    model.take(Answers { sas: vec![sas(1005, 0)], ..answers() });
    assert_eq!(model.rows()[0].loss, Some(0), "what was long ago is forgotten");
    model.take(Answers { sas: Vec::new(), ..answers() });
    assert!(model.counts.is_empty());
}

#[test]
fn while_it_is_paused_nothing_changes() {
    let mut model = model();
    model.press(Key::Pause);
    model.take(Answers::default());
    assert_eq!(model.rows().len(), 3);
    model.press(Key::Pause);
    model.take(Answers::default());
    assert!(model.rows().is_empty());
}
