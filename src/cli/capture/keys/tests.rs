use super::*;
use crate::control::KeyText;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn key(first: u8, length: usize) -> KeyText {
    let octets: Vec<u8> = (0..length).map(|at| first.wrapping_add(at as u8)).collect();
    KeyText::from(octets.as_slice())
}

fn esp(suite: &str, length: usize) -> EspKeysView {
    EspKeysView {
        from: "10.79.1.10".parse().unwrap(),
        to: "10.79.2.10".parse().unwrap(),
        spi: "c0000001".to_owned(),
        suite: suite.to_owned(),
        key: key(0, length),
    }
}

#[test]
fn esp_keys_are_lines_that_wireshark_takes() {
    assert_eq!(
        *esp_line(&esp("aes128gcm16-esn", 20)).unwrap(),
        "\"IPv4\",\"10.79.1.10\",\"10.79.2.10\",\"0xc0000001\",\
         \"AES-GCM with 16 octet ICV [RFC4106]\",\"0x000102030405060708090a0b0c0d0e0f10111213\",\"NULL\",\"\"\n"
    );
    let cbc = esp_line(&esp("aes128-sha256", 48)).unwrap();
    assert!(
        cbc.contains("\"AES-CBC [RFC3602]\",\"0x000102030405060708090a0b0c0d0e0f\","),
        "{}",
        *cbc
    );
    assert!(cbc.contains("\"HMAC-SHA-256-128 [RFC4868]\",\"0x10111213"), "{}", *cbc);
    let six = EspKeysView { from: "fd00::1".parse().unwrap(), ..esp("aes256gcm16", 36) };
    assert!(esp_line(&six).unwrap().starts_with("\"IPv6\",\"fd00::1\","));
    assert!(esp_line(&esp("aes256gcm16", 20)).is_err(), "a key that is too short is no key");
    let unknown = esp_line(&esp("chacha20poly1305", 36)).unwrap();
    assert!(unknown.starts_with("# c0000001: ") && !unknown.contains("0001020304"), "{}", *unknown);
}

#[test]
fn ike_keys_are_lines_that_wireshark_takes() {
    let sa = |suite: &str, length| IkeKeysView {
        initiator_spi: "0102030405060708".to_owned(),
        responder_spi: "1112131415161718".to_owned(),
        suite: suite.to_owned(),
        initiator: key(0, length),
        responder: key(0x80, length),
    };
    let gcm = ike_line(&sa("aes128gcm16-prfsha256-ecp256", 20)).unwrap();
    assert_eq!(
        *gcm,
        "0102030405060708,1112131415161718,000102030405060708090a0b0c0d0e0f10111213,\
         808182838485868788898a8b8c8d8e8f90919293,\"AES-GCM-128 with 16 octet ICV [RFC5282]\",,,\
         \"NONE [RFC4306]\"\n"
    );
    let cbc = ike_line(&sa("aes256-sha384-modp2048", 80)).unwrap();
    assert!(
        cbc.ends_with("\"HMAC_SHA2_384_192 [RFC4868]\"\n")
            && cbc.contains("\"AES-CBC-256 [RFC3602]\"")
    );
}

#[test]
fn keys_are_for_their_owner_and_never_over_what_is_there() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("keys");
    let mut keys = Keys::begin(&folder).unwrap();
    let view = KeysView {
        gateway: "east-a".to_owned(),
        peer: "north-a".to_owned(),
        ike: Vec::new(),
        esp: vec![esp("aes128gcm16-esn", 20)],
    };
    keys.add(&view).unwrap();
    keys.add(&view).unwrap();
    assert_eq!(fs::read_to_string(folder.join("esp_sa")).unwrap().lines().count(), 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for name in ["esp_sa", "ikev2_decryption_table", "preferences"] {
        assert_eq!(mode(&folder.join(name)), 0o600, "{name}");
    }
    assert!(Keys::begin(&folder).is_err());
    assert!(!format!("{view:?}").contains("0001020304"), "keys are not for logs");
}
