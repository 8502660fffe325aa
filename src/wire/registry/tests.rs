registry! {
    /// A registry of two colours.
    pub struct Colour(u8) {
        RED = 1,
        /// The colour of grass.
        GREEN = 2,
    }
}

#[test]
fn a_known_number_shows_its_name() {
    assert_eq!(Colour::from(2), Colour::GREEN);
    assert_eq!(Colour::GREEN.to_string(), "GREEN");
    assert_eq!(Colour::RED.name(), Some("RED"));
}

#[test]
fn an_unknown_number_is_still_a_value() {
    let unknown = Colour::from(9);
    assert_eq!(unknown.name(), None);
    assert_eq!(format!("{unknown:?}"), "Colour(9)");
    assert_eq!(u8::from(unknown), 9);
}
