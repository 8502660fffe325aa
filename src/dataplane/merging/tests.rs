use super::*;
use crate::offload::samples::Sample;

#[test]
fn a_device_that_refuses_merged_udp_still_gets_merged_tcp() {
    let (tcp, udp) = ([Sample::tcp4(), Sample::tcp6()], [Sample::udp4(), Sample::udp6()]);
    let mut merging = Merging::new();
    assert!(tcp.iter().chain(&udp).all(|sample| merging.takes(&sample.build())));
    assert!(merging.on_refused(Segmentation::Udp));
    assert!(!merging.on_refused(Segmentation::Udp));
    assert!(tcp.iter().all(|sample| merging.takes(&sample.build())));
    assert!(!udp.iter().any(|sample| merging.takes(&sample.build())));
    assert!(merging.on_refused(Segmentation::TcpV6));
    assert!(!tcp.iter().any(|sample| merging.takes(&sample.build())));
}
