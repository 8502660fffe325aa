use super::*;

#[test]
fn a_length_counts_what_was_written_through_its_guard() {
    let mut writer = Writer::new();
    writer.u8(7);
    let mut body = writer.length_u16(1);
    body.u32(0x01020304);
    drop(body);
    writer.u8(9);
    assert_eq!(writer.into_bytes(), [7, 0, 7, 1, 2, 3, 4, 9]);
}

#[test]
fn lengths_nest() {
    let mut writer = Writer::new();
    let mut outer = writer.length_u32(0);
    outer.u8(1);
    let mut inner = outer.length_u16(0);
    inner.zeros(1);
    drop(inner);
    drop(outer);
    assert_eq!(writer.into_bytes(), [0, 0, 0, 8, 1, 0, 3, 0]);
}

#[test]
fn a_length_that_does_not_fit_saturates() {
    let mut writer = Writer::new();
    let mut body = writer.length_u16(0);
    body.zeros(70_000);
    drop(body);
    assert_eq!(writer.into_bytes()[..2], [0xff, 0xff]);
}
