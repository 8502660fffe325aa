use super::super::model::tests::answers;
use super::super::model::{Answers, Key};
use super::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Modifier;

fn model() -> Model {
    let mut model = Model::default();
    model.take(answers());
    model
}

fn screen(model: &Model, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(model, frame)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| line(y).trim_end().to_owned()).collect()
}

#[test]
fn peers_their_cause_and_what_happened_are_on_one_screen() {
    let expected = "\
2 gateways  2 of 3 up                                                                                          by name
GATEWAY  PEER     STATE         RECEIVING  SENDING    RTT  LOSS  SINCE  IN USE
east-a   north-a  up           2.5 Mbit/s  0 bit/s  1.5ms     -  1m01s       2
east-a   north-b  unreachable  2.5 Mbit/s  0 bit/s      -     -  1m01s       2
south-a  north-a  up           2.5 Mbit/s  0 bit/s  1.5ms     -  1m01s       2

east-a → north-b: no answer (1h01m ago)
some announcements are rejected: vpnctl routes says which and why

── last events ───────────────────────────────────────────────────────────────────────────────────────────────────────
2s ago     east-a  north-b: the path is lost, nothing comes from the peer [path-lost]
4s ago     south-a  north-a: the path is lost, nothing comes from the peer [path-lost]
9s ago     east-a  north-a: the path is lost, nothing comes from the peer [path-lost]
q quit  ↑↓ choose  s sort  d only down  e its events  p pause";
    assert_eq!(screen(&model(), 118, 14).join("\n"), expected);
}

#[test]
fn columns_go_where_there_is_no_room_and_words_stay_whole() {
    for (width, there, gone) in
        [(80, "SINCE", "nothing at all"), (60, "SENDING", "SINCE"), (30, "STATE", "RECEIVING")]
    {
        let text = screen(&model(), width, 24).join("\n");
        for word in ["north-a", "unreachable", there] {
            assert!(text.contains(word), "{width}: {text}");
        }
        assert!(!text.contains(gone), "{width}: {text}");
    }
    let narrow = screen(&model(), 60, 24).join("\n");
    assert!(narrow.contains("the path is lost, nothing …"), "{narrow}");
    assert!(narrow.ends_with("  e its events"), "no key is cut: {narrow}");
    assert!(!screen(&model(), 26, 24)[0].contains("by"), "nor what stands beside the tally");
}

#[test]
fn no_size_is_too_small() {
    for width in [1, 2, 7, 20, 300] {
        for height in [1, 2, 3, 6, 100] {
            screen(&model(), width, height);
            screen(&Model::default(), width, height);
        }
    }
}

#[test]
fn the_chosen_peer_is_always_in_sight() {
    let mut many = answers();
    let first = many.peers[0].peers[0].clone();
    many.peers[0].peers = (0..50)
        .map(|number| crate::control::PeerSummary {
            name: format!("peer-{number}"),
            ..first.clone()
        })
        .collect();
    let mut model = Model::default();
    model.take(many);
    let text = screen(&model, 80, 20).join("\n");
    assert!(text.contains("peer-0") && !text.contains("peer-49"), "{text}");
    assert!(
        text.contains("last events") && text.contains("2s ago"),
        "events keep their room: {text}"
    );
    model.press(Key::Last);
    let text = screen(&model, 80, 20).join("\n");
    assert!(
        text.contains("south-a") && text.contains("peer-49") && !text.contains("peer-0 "),
        "{text}"
    );
}

#[test]
fn colours_say_how_things_are() {
    let mut terminal = Terminal::new(TestBackend::new(80, 14)).unwrap();
    terminal.draw(|frame| draw(&model(), frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let (up, unreachable) = (&buffer[(18, 2)], &buffer[(18, 3)]);
    assert_eq!((up.symbol(), up.fg), ("u", Color::Green));
    assert!(up.modifier.contains(Modifier::REVERSED), "chosen");
    assert_eq!((unreachable.symbol(), unreachable.fg), ("u", Color::Red));
}

#[test]
fn gateways_that_do_not_answer_are_named() {
    let mut model = Model::default();
    let silent = vec![("east-b".to_owned(), "does not run".to_owned())];
    model.take(Answers { silent, ..answers() });
    assert!(screen(&model, 80, 20)[0].contains("2 of 3 up, east-b: does not run"));
    model.take(Answers::default());
    assert!(screen(&model, 80, 20)[0].contains("no gateway answers"));
}
