//! A namespace has one keeper.

use super::*;

fn credentials(pid: i32, uid: u32) -> UnixCredentials {
    nix::libc::ucred { pid, uid, gid: uid }.into()
}

#[test]
fn another_gateway_is_named_and_a_squatter_is_not_obeyed() {
    let ours = std::process::id().cast_signed();
    assert!(respect(credentials(ours, 0)).is_ok());
    let refused = respect(credentials(1, 0)).expect_err("another one");
    assert!(refused.to_string().starts_with("process 1 keeps the routes"), "{refused}");
    // No process has this number.
    assert!(respect(credentials(i32::MAX, 54_321)).is_ok());
}
