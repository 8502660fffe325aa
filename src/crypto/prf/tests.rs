//! RFC 4231 test cases, and PRF+ against its definition.

use super::*;
use hex_literal::hex;

#[test]
fn rfc4231_case_2_short_key() {
    let output = |prf: Prf| prf.compute(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
    // RFC 2202 §3, test case 2.
    assert_eq!(output(Prf::HmacSha1).as_bytes(), hex!("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
    assert_eq!(
        output(Prf::HmacSha256).as_bytes(),
        hex!("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    );
    assert_eq!(
        output(Prf::HmacSha384).as_bytes(),
        hex!(
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
            "8e2240ca5e69e2c78b3239ecfab21649"
        )
    );
    assert_eq!(
        output(Prf::HmacSha512).as_bytes(),
        hex!(
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        )
    );
}

#[test]
fn rfc4231_case_6_key_longer_than_a_block() {
    let output = Prf::HmacSha256
        .compute(&[0xaa; 131], &[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
    assert_eq!(
        output.as_bytes(),
        hex!("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    );
}

#[test]
fn prf_plus_follows_its_recurrence() {
    for prf in Prf::ALL {
        let t1 = prf.compute(b"key", &[b"seed", &[1]]);
        let t2 = prf.compute(b"key", &[t1.as_bytes(), b"seed", &[2]]);
        let t3 = prf.compute(b"key", &[t2.as_bytes(), b"seed", &[3]]);
        let expected = [t1.as_bytes(), t2.as_bytes(), t3.as_bytes()].concat();
        let len = expected.len() - 5;
        let stream = prf.prf_plus(b"key", &[b"se", b"ed"], len);
        assert_eq!(stream.as_bytes(), &expected[..len]);
    }
}

#[test]
fn prf_plus_reaches_exactly_255_blocks() {
    assert_eq!(Prf::HmacSha256.prf_plus(b"k", &[b"s"], 255 * 32).len(), 255 * 32);
    assert!(Prf::HmacSha256.prf_plus(b"k", &[b"s"], 0).is_empty());
}
