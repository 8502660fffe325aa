use super::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn one_packet_is_known_until_its_time_is_over() {
    let familiar = Familiar::default();
    assert!(!familiar.knows(b"up", at(0)));
    familiar.learn(b"up", at(10));
    assert!(familiar.knows(b"up", at(9)) && !familiar.knows(b"up", at(10)));
    assert!(!familiar.knows(b"down", at(9)) && !familiar.knows(b"", at(9)));
    familiar.learn(b"down", at(20));
    assert!(familiar.knows(b"down", at(11)) && !familiar.knows(b"up", at(9)));
    familiar.forget();
    assert!(!familiar.knows(b"down", at(11)));
}
