//! Names, numbers and bits.

use super::*;

#[test]
fn codepoints_are_written_by_name_or_number() {
    for number in 0..64_u8 {
        let dscp: Dscp = number.to_string().parse().unwrap();
        assert_eq!(dscp.to_string().parse(), Ok(dscp));
        assert_eq!(Dscp::of(dscp.put_into(0b11)), dscp);
    }
    for (text, tos) in [("cs6", 0xc0), ("ef", 0xb8), ("af41", 0x88), ("le", 0x04), ("5", 0x14)] {
        assert_eq!(text.parse::<Dscp>().unwrap().put_into(0), tos, "{text}");
    }
    for text in ["", "64", "-1", "CS6", "af14", "gold"] {
        assert!(text.parse::<Dscp>().is_err(), "{text}");
    }
}

#[test]
fn dscp_is_copied_or_fixed_and_ecn_always_copied() {
    for tos in 0..=u8::MAX {
        assert_eq!(OuterDscp::Copied.tos_for(tos), tos);
        assert_eq!(OuterDscp::Fixed(Dscp::EF).tos_for(tos), 0xb8 | tos & 0b11);
    }
}
