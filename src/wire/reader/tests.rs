use super::*;

#[test]
fn fields_come_in_network_byte_order() {
    let mut reader = Reader::new("numbers", &[1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 5]);
    assert_eq!(reader.u8(), Ok(1));
    assert_eq!(reader.u16(), Ok(2));
    assert_eq!(reader.u32(), Ok(3));
    assert_eq!(reader.u64(), Ok(4));
    assert_eq!(reader.rest(), [5]);
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn an_error_points_at_the_octet_of_the_outermost_input() {
    let mut reader = Reader::new("outer", &[0, 0, 0, 9]);
    reader.take(2).unwrap();
    let mut inner = reader.nested("inner", 2).unwrap();
    inner.u8().unwrap();
    let why = Fault::Truncated { needed: 4, left: 1 };
    assert_eq!(inner.u32(), Err(DecodeError { what: "inner", why, at: 3 }));
}

#[test]
fn a_length_below_the_header_that_it_counts_is_refused() {
    let mut reader = Reader::new("outer", &[0, 0, 0, 9]);
    let error = reader.nested_after("inner", 3, 4).unwrap_err();
    assert_eq!(error.why, Fault::Length(3));
}

#[test]
fn trailing_octets_are_refused() {
    let mut reader = Reader::new("octet", &[1, 2]);
    reader.u8().unwrap();
    let error = reader.finish().unwrap_err();
    assert_eq!(error.why, Fault::Trailing { left: 1 });
    assert_eq!(error.to_string(), "octet: 1 octets too many (at octet 1)");
}
