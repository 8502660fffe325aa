use super::*;
use std::os::unix::fs::PermissionsExt;

const LOOK: Look = crate::cli::look::tests::PLAIN;

#[test]
fn a_new_key_pair_is_what_configurations_take() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.key");
    generate(false, Some(&path), LOOK).unwrap();

    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let key = SigningKey::from_pkcs8_pem(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let public = std::fs::read_to_string(folder.path().join("a.pub")).unwrap();
    assert_eq!(public.trim(), key.verifying_key().to_base64());
    assert_eq!(public.lines().count(), 1);
}

#[test]
fn a_key_that_exists_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.key");
    generate(false, Some(&path), LOOK).unwrap();
    let before = std::fs::read(&path).unwrap();
    assert!(generate(false, Some(&path), LOOK).is_err());
    assert!(generate(true, Some(&path), LOOK).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_private_key_is_not_called_like_a_public_one() {
    let folder = tempfile::tempdir().unwrap();
    assert!(generate(false, Some(&folder.path().join("a.pub")), LOOK).is_err());
    assert!(!folder.path().join("a.pub").exists());
}

#[test]
fn a_new_secret_is_private_and_long_enough() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.psk");
    generate(true, Some(&path), LOOK).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let secret = std::fs::read_to_string(&path).unwrap();
    assert_eq!(secret.trim().len(), 44, "32 bytes in base64");
    assert_ne!(secret.trim(), *super::secret(&mut OsRandom));
}
