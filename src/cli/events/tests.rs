use super::*;
use crate::cli::look::tests::{PLAIN, TABLE};
use crate::control::Code;

fn event(code: Code, peer: &str, what: &str) -> EventView {
    EventView {
        number: 1,
        ago_ms: 3000,
        code,
        severity: code.severity(),
        peer: peer.to_owned(),
        what: what.to_owned(),
        ours: None,
        theirs: None,
        remedy: None,
    }
}

fn view() -> EventsView {
    let asn = EventView {
        ours: Some("AS64513".to_owned()),
        theirs: Some("AS64999".to_owned()),
        remedy: Some("write remote_asn = 64999 for north-a here".to_owned()),
        ..event(Code::BgpAsn, "north-a", "BGP session refused: the peer is AS64999, not AS64513")
    };
    let events = vec![event(Code::Started, "", "started"), asn];
    EventsView { gateway: "east-a".to_owned(), events, last: 2, missed: 0 }
}

const ALL: Wanted<'_> = Wanted { peer: None, warnings: false };

fn texts(wanted: Wanted<'_>, look: Look) -> Vec<String> {
    lines_of(&view(), wanted, false, look).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn an_event_has_its_values_and_its_remedy_below_it() {
    let texts = texts(ALL, Look { width: 50, ..TABLE });
    let lines: Vec<&str> = texts[1].lines().map(|line| &line[10..]).collect();
    let expected = [
        "north-a: BGP session refused: the peer",
        "is AS64999, not AS64513 [bgp-asn]",
        "ours: AS64513",
        "theirs: AS64999",
        "do: write remote_asn = 64999 for north-a",
        "here",
    ];
    assert_eq!(lines, expected);
    assert_eq!(texts[1].split_once("  ").unwrap().0.len(), "12:34:56".len());
}

#[test]
fn events_can_be_chosen() {
    let of_peer = |peer| texts(Wanted { peer: Some(peer), ..ALL }, TABLE).len();
    assert_eq!((of_peer("north-a"), of_peer("north-b")), (1, 0));
    assert_eq!(texts(Wanted { warnings: true, ..ALL }, TABLE).len(), 1);
}

#[test]
fn programs_get_columns_or_objects() {
    let columns: Vec<String> = texts(ALL, PLAIN)[1].split('\t').map(str::to_owned).collect();
    assert_eq!(columns[1..5], ["east-a", "warning", "bgp-asn", "north-a"]);
    assert_eq!(columns.len(), 9);
    let object = &texts(ALL, Look { json: true, ..TABLE })[1];
    let object: serde_json::Value = serde_json::from_str(object).unwrap();
    assert_eq!((&object["schema"], &object["code"]), (&1.into(), &"bgp-asn".into()));
}
