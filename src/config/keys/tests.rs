use super::*;
use crate::crypto::sign::SigningKey;

fn message(fault: Fault) -> String {
    let mut report = super::super::diagnostics::Report::default();
    report.add(0..0, fault);
    report.into_errors("gateway.toml", "psk_file = \"x\"\n").to_string()
}

fn pem() -> String {
    SigningKey::from_seed(&[7; 32]).to_pkcs8_pem().to_string()
}

#[test]
fn a_public_key_is_not_taken_for_a_private_one() {
    let key = SigningKey::from_seed(&[7; 32]);
    let public = key.verifying_key().to_base64();
    let files = KeysInMemory::new().with("a.key", &pem()).with("a.pub", &public);
    assert_eq!(private_key(&files, "a.key").unwrap(), PrivateKey::Ed25519(key));
    let said = message(private_key(&files, "a.pub").unwrap_err());
    assert!(said.contains("a.pub does not hold a private key"), "{said}");
}

#[test]
fn a_public_key_is_pem_or_base64() {
    let key = SigningKey::from_seed(&[7; 32]).verifying_key();
    let files = KeysInMemory::new().with_mode("pem", 0o644, &key.to_spki_pem()).with_mode(
        "line",
        0o644,
        &format!("{key}\n"),
    );
    assert_eq!(public_key_file(&files, "pem").unwrap(), key);
    assert_eq!(public_key_file(&files, "line").unwrap(), key);
}

#[test]
fn a_secret_that_others_may_read_is_refused() {
    for mode in [0o640, 0o604, 0o620, 0o644, 0o777] {
        let files = KeysInMemory::new().with_mode("a.key", mode, &pem()).with_mode(
            "a.psk",
            mode,
            "0123456789abcdef",
        );
        let said = message(private_key(&files, "a.key").unwrap_err());
        assert!(said.contains("others may read or write a.key"), "{said}");
        assert!(said.contains("chmod 600 a.key"), "{said}");
        assert!(message(psk(&files, "a.psk").unwrap_err()).contains("chmod 600 a.psk"));
    }
}

#[test]
fn a_stricter_mode_is_fine() {
    let files = KeysInMemory::new().with_mode("a.key", 0o100400, &pem());
    assert!(private_key(&files, "a.key").is_ok());
}

#[test]
fn a_short_secret_is_refused_and_never_shown() {
    let files =
        KeysInMemory::new().with("short", "fifteen letters\n").with("long", &"x".repeat(513));
    let said = message(psk(&files, "short").unwrap_err());
    assert!(said.contains("has only 15 characters") && said.contains("at least 16"), "{said}");
    assert!(!said.contains("fifteen"), "{said}");
    assert!(message(psk(&files, "long").unwrap_err()).contains("no shared secret"));
}

#[test]
fn a_file_of_another_kind_is_refused() {
    let public = SigningKey::from_seed(&[7; 32]).verifying_key();
    let files = KeysInMemory::new()
        .with("pub.pem", &public.to_spki_pem())
        .with("text", "not a key")
        .with("empty", "");
    assert!(message(private_key(&files, "pub.pem").unwrap_err()).contains("does not hold"));
    assert!(message(public_key_file(&files, "text").unwrap_err()).contains("does not hold"));
    assert!(message(private_key(&files, "empty").unwrap_err()).contains("does not hold"));
}

#[test]
fn a_missing_file_is_told_how_to_be_made() {
    let files = KeysInMemory::new();
    assert!(message(private_key(&files, "a.key").unwrap_err()).contains("vpnctl keygen -o a.key"));
    assert!(message(psk(&files, "a.psk").unwrap_err()).contains("vpnctl keygen --psk -o a.psk"));
    assert!(message(public_key_file(&files, "a.pub").unwrap_err()).contains("vpnctl pubkey"));
}

#[test]
fn secrets_are_text_hexadecimal_or_base64() {
    let secret = |text: &str| psk(&KeysInMemory::new().with("psk", text), "psk");
    let octets = |text: &str| secret(text).unwrap().as_bytes().to_vec();
    assert_eq!(octets("sixteen letters!\n"), b"sixteen letters!");
    assert_eq!(octets(&"x".repeat(200)), [b'x'; 200]); // RFC 7296 §2.15: 64 at least
    let counted: Vec<u8> = (0..16).collect();
    assert_eq!(octets("0x000102030405060708090a0B0c0d0e0F\n"), counted);
    assert_eq!(octets("0sAAECAwQFBgcICQoLDA0ODw==\n"), counted);
    for wrong in ["0x0001020304050607zz", "0x000", "0sAAE*"] {
        let said = message(secret(wrong).unwrap_err());
        assert!(said.contains("begins like") && !said.contains(wrong), "{said}");
    }
    // What counts is the secret, not the length of its spelling.
    assert!(message(secret("0x00112233445566").unwrap_err()).contains("has only 7"));
}

#[test]
fn a_key_that_a_stranger_owns_is_refused() {
    struct OfStranger;
    impl KeyFiles for OfStranger {
        fn read(&self, _: &str) -> Result<KeyFile, String> {
            let contents = Secret::copy_of(pem().as_bytes());
            Ok(KeyFile { mode: 0o600, wanted: 0o600, stranger: Some(1000), contents })
        }
    }
    let said = message(private_key(&OfStranger, "a.key").unwrap_err());
    assert!(said.contains("the user with id 1000") && said.contains("chown root a.key"), "{said}");
}
