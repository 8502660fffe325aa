use super::*;

#[test]
fn what_is_written_is_read_with_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    write_new(&path, b"secret", 0o600).unwrap();
    let contents = read(&path).unwrap();
    assert_eq!((contents.bytes.as_slice(), contents.mode), (&b"secret"[..], 0o600));
    assert!(!contents.is_exposed());
}

#[test]
fn a_key_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    write_new(&path, b"old", 0o600).unwrap();
    assert!(write_new(&path, b"new", 0o600).is_err());
    assert_eq!(read(&path).unwrap().bytes, b"old");
}

#[test]
fn a_replaced_file_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    replace(&path, b"one", 0o644).unwrap();
    replace(&path, b"two", 0o644).unwrap();
    assert_eq!(read(&path).unwrap().bytes, b"two");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_is_not_a_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(read(folder.path()).unwrap_err().to_string().contains("regular file"));
}

#[test]
fn debug_output_hides_the_bytes() {
    let contents = Contents { bytes: b"secret".to_vec(), mode: 0o644, owner: 0 };
    assert!(!format!("{contents:?}").contains("secret"));
    assert!(contents.is_exposed());
}
