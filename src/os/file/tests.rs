use super::*;

#[test]
fn what_is_written_is_read_with_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    write_new(&path, b"secret", 0o600).unwrap();
    let contents = read(&path, 1024).unwrap();
    assert_eq!((contents.bytes.as_slice(), contents.mode), (&b"secret"[..], 0o600));
}

#[test]
fn a_key_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    write_new(&path, b"old", 0o600).unwrap();
    assert!(write_new(&path, b"new", 0o600).is_err());
    assert_eq!(read(&path, 1024).unwrap().bytes, b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_replaced_file_leaves_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    replace(&path, b"one", 0o644).unwrap();
    replace(&path, b"two", 0o644).unwrap();
    assert_eq!(read(&path, 1024).unwrap().bytes, b"two");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_folder_is_not_a_file() {
    let folder = tempfile::tempdir().unwrap();
    assert!(read(folder.path(), 1024).unwrap_err().to_string().contains("regular file"));
}

#[test]
fn debug_output_hides_the_bytes() {
    let contents = Contents { bytes: b"secret".to_vec(), mode: 0o644, owner: 0, group: 0 };
    assert!(!format!("{contents:?}").contains("secret"));
}

#[test]
fn nobody_waits_for_a_fifo() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert!(read(&path, 1024).unwrap_err().to_string().contains("regular file"));
    assert!(read(Path::new("/dev/zero"), 1024).unwrap_err().to_string().contains("regular file"));
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    write_new(&path, &[0; 2048], 0o600).unwrap();
    assert_eq!(read(&path, 2048).unwrap().bytes.len(), 2048);
    assert!(read(&path, 2047).unwrap_err().to_string().contains("larger than 1 KiB"));
}

#[test]
fn a_folder_is_locked_by_one_and_who_waits_says_so() {
    let home = tempfile::tempdir().unwrap();
    let held = lock(home.path(), || panic!("nobody else has it")).unwrap();
    let (says, said) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| lock(home.path(), || says.send(()).unwrap()).map(|_| ()));
        said.recv().unwrap();
        assert!(!waiting.is_finished());
        drop(held);
        waiting.join().unwrap().unwrap();
    });
    assert!(lock(&home.path().join("nowhere"), || ()).is_err());
}
