use super::*;
use anyhow::Context;

fn told(errno: Errno) -> String {
    let refused: anyhow::Result<()> = Err(io::Error::from(errno)).context("speaking from fd00::1");
    denied(refused.unwrap_err(), "ping").to_string()
}

#[test]
fn who_may_not_is_told_who_may() {
    assert_eq!(told(Errno::EPERM), "run vpnctl as root (sudo vpnctl ping …)");
}

#[test]
fn who_is_elsewhere_is_told_where_to_be() {
    for errno in [Errno::EADDRNOTAVAIL, Errno::ENODEV] {
        assert!(told(errno).contains("ip netns exec NAME vpnctl ping …"), "{errno}");
    }
}
