//! The AUTH vectors of RFC 4868 §2.7.2 and of RFC 2202, by their first case.

use super::*;
use hex_literal::hex;

fn icv(integrity: Integrity, parts: [&[u8]; 4]) -> Vec<u8> {
    let mut icv = vec![0; integrity.icv_len()];
    MacKey::new(integrity, &vec![0x0b; integrity.key_len()]).sign(parts, &mut icv);
    icv
}

#[test]
fn hi_there() {
    for (integrity, expected) in [
        (Integrity::HmacSha1_96, &hex!("b617318655057264e28bc0b6")[..]),
        (Integrity::HmacSha256_128, &hex!("198a607eb44bfbc69903a0f1cf2bbdc5")),
        (Integrity::HmacSha384_192, &hex!("b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973")),
        (
            Integrity::HmacSha512_256,
            &hex!("637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8"),
        ),
    ] {
        assert_eq!(icv(integrity, [b"Hi There", b"", b"", b""]), expected);
        assert_eq!(icv(integrity, [b"Hi", b" ", b"There", b""]), expected);
    }
}

#[test]
fn an_icv_that_is_short_long_or_changed_is_not_authentic() {
    for integrity in Integrity::ALL {
        let parts: [&[u8]; 4] = [b"Hi There", b"", b"", b""];
        let right = icv(integrity, parts);
        let key = MacKey::new(integrity, &vec![0x0b; integrity.key_len()]);
        assert_eq!(key.verify(parts, &right), Ok(()));
        assert!(key.verify(parts, &right[1..]).is_err());
        assert!(key.verify(parts, &right[..right.len() - 1]).is_err());
        assert!(key.verify(parts, &[&right[..], &[0]].concat()).is_err());
        assert!(key.verify(parts, &[]).is_err());
        for bit in 0..right.len() * 8 {
            let mut forged = right.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(key.verify(parts, &forged).is_err(), "bit {bit}");
        }
    }
}
