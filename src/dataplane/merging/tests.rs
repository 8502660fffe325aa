use super::*;

#[test]
fn a_device_that_refuses_merged_udp_still_gets_merged_tcp() {
    let (tcp, udp) = (protocol::TCP, protocol::UDP);
    let mut merging = Merging::new();
    assert!(merging.takes(tcp) && merging.takes(udp));
    assert!(merging.on_refused(Segmentation::Udp));
    assert!(!merging.on_refused(Segmentation::Udp));
    assert!(merging.takes(tcp) && !merging.takes(udp));
    assert!(merging.on_refused(Segmentation::TcpV6));
    assert!(!merging.takes(tcp));
}
