use super::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_secret_is_made_once_and_for_us_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/east-a.crash");
    let made = read_or_make(&path).unwrap();
    assert_eq!(read_or_make(&path).unwrap(), made);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let other = read_or_make(&folder.path().join("west-a.crash")).unwrap();
    assert_ne!(made, other);
}

#[test]
fn a_file_that_is_no_secret_is_left_alone_and_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("east-a.crash");
    for octets in [0, 31, 33, 1000] {
        std::fs::write(&path, vec![1; octets]).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(read_or_make(&path).is_none(), "{octets}");
        assert_eq!(std::fs::read(&path).unwrap().len(), octets);
    }
    std::fs::write(&path, [1; 32]).unwrap();
    assert!(read_or_make(&path).is_some());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(read_or_make(&path).is_none(), "others may read it");
}
