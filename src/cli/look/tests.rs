use super::*;

/// A table for people, without colours, and with room for everything.
pub(in super::super) const TABLE: Look = Look {
    json: false,
    aligned: true,
    stops: false,
    colours: false,
    headings: true,
    width: usize::MAX,
    height: usize::MAX,
};

/// Columns for programs.
pub(in super::super) const PLAIN: Look = Look { aligned: false, ..TABLE };

#[test]
fn what_is_watched_fits_the_screen() {
    assert_eq!(on_screen("a\nb\nc", 4), "a\nb\nc");
    assert_eq!(on_screen("a\nb\nc\nd", 4), "a\nb\n… 2 more lines");
    assert_eq!(on_screen("a", usize::MAX), "a");
}
