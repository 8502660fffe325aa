use super::*;

const AUTO: Encapsulation = Encapsulation::Auto;

fn at(seconds: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(seconds)
}

#[test]
fn udp_comes_first_tcp_after_silence_and_udp_after_both() {
    let mut carrier = Carrier::default();
    assert!(!carrier.is_streamed(AUTO));
    assert!(carrier.on_silence(AUTO, at(4)), "TCP at once");
    assert!(carrier.is_streamed(AUTO));
    assert!(!carrier.on_silence(AUTO, at(8)), "neither way: the usual pause");
    assert!(!carrier.is_streamed(AUTO));
}

#[test]
fn what_the_operator_has_said_is_not_changed_by_silence() {
    for (mode, streamed) in [(Encapsulation::Udp, false), (Encapsulation::Tcp, true)] {
        let mut carrier = Carrier::default();
        for second in 0..3 {
            assert_eq!(carrier.is_streamed(mode), streamed);
            assert!(!carrier.on_silence(mode, at(second)));
        }
        carrier.on_up(streamed, at(3));
        assert_eq!(carrier.again_at(mode), None);
    }
}

#[test]
fn udp_is_tried_again_and_again_beside_what_is_up_in_tcp() {
    let mut carrier = Carrier::default();
    carrier.on_silence(AUTO, at(4));
    carrier.on_up(true, at(5));
    assert_eq!(carrier.again_at(AUTO), Some(at(35)));
    carrier.try_again(at(35));
    assert!(!carrier.is_streamed(AUTO), "this attempt goes in UDP");
    assert_eq!(carrier.again_at(AUTO), None, "one at a time");
    carrier.leave_off();
    assert_eq!((carrier.again_at(AUTO), carrier.is_streamed(AUTO)), (Some(at(65)), true));
    carrier.try_again(at(65));
    carrier.leave_off();
    carrier.on_up(false, at(66));
    assert_eq!((carrier.again_at(AUTO), carrier.silent_since()), (None, None));
}
