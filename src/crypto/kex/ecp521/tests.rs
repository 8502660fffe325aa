//! RFC 5903 §8.3, and points that must be refused.

use super::*;
use hex_literal::hex;

const I: [u8; FIELD_LEN] = hex!(
    "0037ADE9319A89F4DABDB3EF411AACCCA5123C61ACAB57B5393DCE47608172A095AA85A30FE1C2952C6771D937BA9777F5957B26"
    "39BAB072462F68C27A57382D4A52"
);
const GI: [u8; PUBLIC_LEN] = hex!(
    "0015417E84DBF28C0AD3C278713349DC7DF153C897A1891BD98BAB4357C9ECBEE1E3BF42E00B8E380AEAE57C2D10756494188594"
    "2AF5A7F4601723C4195D176CED3E"
    "017CAE20B6641D2EEB695786D8C946146239D099E18E1D5A514C739D7CB4A10AD8A788015AC405D7799DC75E7B7D5B6CF2261A6A"
    "7F1507438BF01BEB6CA3926F9582"
);
const R: [u8; FIELD_LEN] = hex!(
    "0145BA99A847AF43793FDD0E872E7CDFA16BE30FDC780F97BCCC3F078380201E9C677D600B343757A3BDBF2A3163E4C2F869CCA7"
    "458AA4A4EFFC311F5CB151685EB9"
);
const GR: [u8; PUBLIC_LEN] = hex!(
    "00D0B3975AC4B799F5BEA16D5E13E9AF971D5E9B984C9F39728B5E5739735A219B97C356436ADC6E95BB0352F6BE64A6C2912D4E"
    "F2D0433CED2B6171640012D9460F"
    "015C68226383956E3BD066E797B623C27CE0EAC2F551A10C2C724D9852077B87220B6536C5C408A1D2AEBB8E86D678AE49CB5709"
    "1F4732296579AB44FCD17F0FC56A"
);
const GIR: [u8; FIELD_LEN] = hex!(
    "01144C7D79AE6956BC8EDB8E7C787C4521CB086FA64407F97894E5E6B2D79B04D1427E73CA4BAA240A34786859810C06B3C715A3"
    "A8CC3151F2BEE417996D19F3DDEA"
);

#[test]
fn rfc_5903_section_8_3() {
    let [i, r] = [I, R].map(|scalar| SecretKey::from_slice(&scalar).unwrap());
    assert_eq!((public_of(&i), public_of(&r)), (GI.to_vec(), GR.to_vec()));
    assert_eq!(agree_by(&i, &GR).unwrap().as_bytes(), GIR);
    assert_eq!(agree_by(&r, &GI).unwrap().as_bytes(), GIR);
}

/// The prime of the field, 2⁵²¹ − 1.
fn prime() -> [u8; FIELD_LEN] {
    let mut prime = [0xff; FIELD_LEN];
    prime[0] = 1;
    prime
}

/// The point (0, √b) is on the curve, and with the prime in place of 0 only for those who reduce it.
#[test]
fn coordinates_must_be_reduced() {
    let root_of_b = hex!(
        "00d20ec9fea6b577c10d26ca1bb446f40b299e648b1ad508aad068896fee3f8e614bc63054d5772bf01a65d412e0bcaa8e96"
        "5d2f5d332d7f39f846d440ae001f4f87"
    );
    assert!(agree(&[7; 32], &[&[0; FIELD_LEN][..], &root_of_b].concat()).is_some());
    assert_eq!(agree(&[7; 32], &[&prime()[..], &root_of_b].concat()), None);
}

#[test]
fn a_seed_always_makes_the_same_scalar_and_another_another() {
    assert_eq!(public(&[7; 32]), public(&[7; 32]));
    assert_ne!(public(&[7; 32]), public(&[8; 32]));
}
