use super::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn whoever_was_asked_is_not_asked_again_at_once() {
    let mut hints = Hints::default();
    let (one, other) = (RemoteId(1), RemoteId(2));
    assert!(hints.ask(one, at(0)) && !hints.ask(one, at(499)));
    assert!(hints.ask(other, at(499)), "another is another");
    assert!(hints.ask(one, at(500)) && !hints.ask(one, at(501)));
    hints.forget(one);
    assert!(hints.ask(one, at(502)));
}
