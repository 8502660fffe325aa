//! FIPS 180 examples.

use super::*;
use hex_literal::hex;

#[test]
fn sha1_of_abc() {
    assert_eq!(sha1(&[b"a", b"bc"]), hex!("a9993e364706816aba3e25717850c26c9cd0d89d"));
}

#[test]
fn sha256_of_abc() {
    let expected = hex!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(sha256(&[b"abc"]), expected);
    assert_eq!(sha256(&[b"", b"a", b"b", b"c"]), expected);
}
