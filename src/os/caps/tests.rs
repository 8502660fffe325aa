use super::*;

#[test]
fn the_effective_set_is_read_from_the_status_file() {
    let status = "Name:\tvpngwd\nCapPrm:\t0000000000003000\nCapEff:\t0000000000001000\n";
    assert_eq!(effective(status), Some(1 << NET_ADMIN.bit));
    assert_eq!(effective("Name:\tvpngwd\n"), None);
}

#[test]
fn nothing_needed_is_always_held() {
    assert!(require(&[]).is_ok());
}
