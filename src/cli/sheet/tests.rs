use super::*;
use crate::cli::look::tests::{PLAIN, TABLE};

fn sheet() -> Sheet {
    let mut sheet = Sheet::new(&["NAME", "COUNT"]);
    sheet.row(["a".into(), Cell::right("1")]);
    sheet.row(["long name".into(), Cell::right("1000")]);
    sheet
}

#[test]
fn numbers_stand_under_each_other() {
    assert_eq!(sheet().render(TABLE), "NAME       COUNT\na              1\nlong name   1000");
}

#[test]
fn separators_never_come_from_a_cell() {
    let mut sheet = sheet();
    sheet.row(["tab\tand\nline".into(), Cell::right("2")]);
    sheet.note("for people", Tone::Bad);
    let text = sheet.render(PLAIN);
    assert_eq!(text, "NAME\tCOUNT\na\t1\nlong name\t1000\ntab and line\t2");
}

#[test]
fn a_column_can_be_left_out() {
    assert_eq!(sheet().without("COUNT").render(TABLE), "NAME\na\nlong name");
    assert_eq!(sheet().without("OTHER").render(TABLE), sheet().render(TABLE));
}

fn wide() -> Sheet {
    let mut sheet = Sheet::new(&["PEER", "REMOTE", "RTT", "WHY"]).spare(&["RTT"]).elastic(&["WHY"]);
    let cells = ["north-a", "2001:db8:1234:5678:9abc:def0:1234:5678", "1.5ms", "higher preference"];
    sheet.row(cells.map(Cell::from));
    sheet.note("the peer does not answer since its cable was pulled out", Tone::Bad);
    sheet
}

/// Every word of the whole that is still there is whole, but for elastic ones.
#[test]
fn a_narrow_terminal_costs_columns_then_letters_and_never_breaks_a_word() {
    let at = |width| wide().render(Look { width, ..TABLE });
    assert!(at(100).contains("RTT") && at(100).contains("higher preference"), "{}", at(100));
    assert!(!at(68).contains("RTT") && at(68).contains("higher preference"), "{}", at(68));
    assert!(at(60).contains("5678  higher pre…"), "{}", at(60));
    let narrow = at(50);
    assert!(narrow.contains("def0:1234:5678") && !narrow.contains("WHY"), "{narrow}");
    for width in [100, 68, 60, 50] {
        let text = at(width);
        assert!(text.lines().all(|line| length(line) <= width), "{width}: {text}");
    }
    assert!(
        narrow.contains("  the peer does not answer since its cable was\n  pulled out"),
        "{narrow}"
    );
}

#[test]
fn words_longer_than_the_room_stay_whole() {
    assert_eq!(wrapped("a verylongword b", 5), ["a", "verylongword", "b"]);
    assert_eq!(wrapped("", 5), Vec::<String>::new());
}
