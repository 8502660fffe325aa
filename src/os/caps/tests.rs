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
