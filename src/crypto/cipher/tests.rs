//! Lengths of ciphers, and that every key takes exactly them.

use super::*;

#[test]
fn lengths_are_those_of_the_rfcs() {
    let of = |text: &str| {
        let suite: crate::crypto::suite::EspSuite = text.parse().unwrap();
        let Geometry { iv_len, block_len, icv_len } = suite.cipher.geometry();
        (iv_len, block_len, icv_len, suite.cipher.keymat_len())
    };
    assert_eq!(of("aes128gcm16"), (8, 1, 16, 20));
    assert_eq!(of("aes256gcm16"), (8, 1, 16, 36));
    assert_eq!(of("chacha20poly1305"), (8, 1, 16, 36));
    assert_eq!(of("aes128-sha1"), (16, 16, 12, 16 + 20));
    assert_eq!(of("aes256-sha256"), (16, 16, 16, 32 + 32));
    assert_eq!(of("aes256-sha384"), (16, 16, 24, 32 + 48));
    assert_eq!(of("aes128-sha512"), (16, 16, 32, 16 + 64));
}

#[test]
fn key_material_of_another_length_is_refused() {
    for cipher in Cipher::all() {
        for len in 0..130 {
            let keymat = vec![0; len];
            let fits = len == cipher.keymat_len();
            let refused = KeyError { cipher, given: len };
            assert_eq!(SealingKey::new(cipher, &keymat).err(), (!fits).then_some(refused));
            assert_eq!(OpeningKey::new(cipher, &keymat).err(), (!fits).then_some(refused));
            assert_eq!(SealingKey::for_control(cipher, &keymat).is_ok(), fits);
            assert_eq!(OpeningKey::for_control(cipher, &keymat).is_ok(), fits);
        }
    }
}

#[test]
fn keys_show_nothing_of_themselves() {
    for cipher in Cipher::all() {
        let keymat = vec![0x5a; cipher.keymat_len()];
        let words = format!(
            "{:?} {:?}",
            SealingKey::new(cipher, &keymat).unwrap(),
            OpeningKey::new(cipher, &keymat).unwrap()
        );
        assert_eq!(
            words,
            format!("SealingKey({cipher}, «redacted») OpeningKey({cipher}, «redacted»)")
        );
    }
}
