//! Tests of secrets.

use super::*;

#[test]
fn debug_never_shows_the_bytes() {
    let secret = Secret::copy_of(b"hunter2");
    assert_eq!(format!("{secret:?}"), "«redacted»");
}

#[test]
fn equality_looks_at_every_byte_and_the_length() {
    let secret = Secret::copy_of(b"abcd");
    assert_eq!(secret, Secret::copy_of(b"abcd"));
    assert_ne!(secret, Secret::copy_of(b"abce"));
    assert_ne!(secret, Secret::copy_of(b"abc"));
}
