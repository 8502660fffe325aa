use super::*;

const TABLE: Look = Look { json: false, aligned: true, colours: false, headings: true };

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
    let text = sheet.render(Look { aligned: false, ..TABLE });
    assert_eq!(text, "NAME\tCOUNT\na\t1\nlong name\t1000\ntab and line\t2");
}

#[test]
fn a_column_can_be_left_out() {
    assert_eq!(sheet().without("COUNT").render(TABLE), "NAME\na\nlong name");
    assert_eq!(sheet().without("OTHER").render(TABLE), sheet().render(TABLE));
}
