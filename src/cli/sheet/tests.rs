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

/// What stands on the lines of a terminal whose tab stops are eight columns apart.
fn shown(line: &str) -> String {
    let mut shown = String::new();
    for (index, cell) in line.split('\t').enumerate() {
        if index > 0 {
            let gap = STOP - length(&shown) % STOP;
            shown.extend(std::iter::repeat_n(' ', gap));
        }
        shown += cell;
    }
    shown
}

#[test]
fn separated_columns_stand_under_each_other_and_can_be_cut() {
    let mut sheet = Sheet::new(&["PEER", "REMOTE", "STATE"]);
    sheet.row(["a", "10.0.0.1:500", "up"].map(Cell::from));
    sheet.row(["a-longer-name", "[2001:db8::1]:4500", "connecting"].map(Cell::from));
    let look = Look { stops: true, ..PLAIN };
    let text = finished(sheet.render(look), look);
    let at = |word: &str| {
        let line = text.lines().map(shown).find(|line| line.contains(word));
        line.and_then(|line| line.find(word)).unwrap()
    };
    assert_eq!((at("STATE"), at("up"), at("connecting")), (40, 40, 40), "{text}");
    assert_eq!((at("REMOTE"), at("10.0.0.1"), at("[2001")), (16, 16, 16), "{text}");
    for (line, whole) in text.lines().zip(sheet.render(PLAIN).lines()) {
        assert_eq!(
            line.split_whitespace().collect::<Vec<_>>(),
            whole.split('\t').collect::<Vec<_>>()
        );
        let cut: Vec<&str> = line.split('\t').map(str::trim).collect();
        assert_eq!(cut, whole.split('\t').collect::<Vec<_>>(), "one tab between two columns");
    }
}

#[test]
fn tables_below_each_other_have_stops_of_their_own_and_short_columns_need_no_blanks() {
    let look = Look { stops: true, ..PLAIN };
    let text =
        "peer\tnorth-a\nlast failure\tnone\nshop\tvpc0\tIPv4\tactive\nshop\tvpc0\tIPv6\tbackup";
    let expected = "peer\t        north-a\nlast failure\tnone\nshop\tvpc0\tIPv4\tactive\nshop\tvpc0\tIPv6\tbackup";
    assert_eq!(finished(text.to_owned(), look), expected);
    assert_eq!(
        finished(text.to_owned(), PLAIN),
        text,
        "nothing is added where tabs alone are wanted"
    );
}

#[test]
fn several_addresses_in_a_cell_are_folded_and_never_cut() {
    let mut sheet = Sheet::new(&["VPC", "ADDRESSES", "WHO"]).folding(&["ADDRESSES"]);
    sheet.row(["shop", "10.1.1.1 2001:db8:1234:5678::1 fe80::1", "us"].map(Cell::from));
    let text = sheet.render(Look { width: 40, ..TABLE });
    let expected = "VPC   ADDRESSES               WHO\n\
                    shop  10.1.1.1                us\n      2001:db8:1234:5678::1\n      fe80::1";
    assert!(text.lines().all(|line| length(line) <= 40), "{text}");
    for word in ["10.1.1.1", "2001:db8:1234:5678::1", "fe80::1", "us"] {
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(text.lines().count(), expected.lines().count() - 1, "{text}");
}
