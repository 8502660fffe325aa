use super::*;

#[test]
fn what_is_missing_is_named() {
    // Capabilities belong to a thread; every test has one of its own.
    for missing in [NET_RAW, SYS_ADMIN] {
        ::caps::drop(None, CapSet::Effective, missing).unwrap();
    }
    let said = require(&[NET_RAW, SYS_ADMIN]).unwrap_err().to_string();
    assert!(said.contains("lacks CAP_NET_RAW and CAP_SYS_ADMIN:"), "{said}");
}

#[test]
fn nothing_needed_is_always_held() {
    assert!(require(&[]).is_ok());
}

#[test]
fn what_is_not_kept_cannot_be_had_again() {
    keep_only(&[NET_ADMIN]).unwrap();
    let held = ::caps::read(None, CapSet::Permitted).unwrap();
    assert!(held.iter().all(|cap| *cap == NET_ADMIN), "{held:?}");
    assert!(::caps::raise(None, CapSet::Effective, NET_RAW).is_err());
}
