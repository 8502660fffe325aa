//! The whole matrix of RFC 6040 §4.2, figure 4.

use super::*;

const ORDER: [Ecn; 4] = [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce];

#[test]
fn decapsulation_matches_figure_4_in_every_cell() {
    use Ecn::{Ce, Ect0, Ect1, NotEct};
    #[rustfmt::skip]
    let figure = [
        //            outer: NotEct        ECT(0)        ECT(1)        CE
        (NotEct, [Some(NotEct), Some(NotEct), Some(NotEct), None]),
        (Ect0,   [Some(Ect0),   Some(Ect0),   Some(Ect1),   Some(Ce)]),
        (Ect1,   [Some(Ect1),   Some(Ect1),   Some(Ect1),   Some(Ce)]),
        (Ce,     [Some(Ce),     Some(Ce),     Some(Ce),     Some(Ce)]),
    ];
    for (inner, row) in figure {
        for (outer, expected) in ORDER.into_iter().zip(row) {
            let inner_tos = inner.put_into(0xb8);
            let outer_tos = outer.put_into(0x28);
            let expected = expected.map(|ecn| ecn.put_into(0xb8)).ok_or(Discard::EcnInvalid);
            assert_eq!(decapsulate(inner_tos, outer_tos), expected, "{inner:?} in {outer:?}");
        }
    }
}

#[test]
fn bits_of_ecn_survive_a_round_trip() {
    for tos in 0..=u8::MAX {
        assert_eq!(Ecn::of(tos).put_into(tos), tos);
    }
}
