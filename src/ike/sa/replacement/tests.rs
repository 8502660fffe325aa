use super::*;

fn nonces(initiator: u8, responder: u8) -> Nonces {
    Nonces { initiator: vec![initiator; 32], responder: vec![responder; 32] }
}

fn outcome(ours: (u8, u8), theirs: (u8, u8)) -> Outcome<u8> {
    let mut attempt = Attempt::new(vec![ours.0; 32], false);
    attempt.on_rival(1, &nonces(theirs.0, theirs.1));
    attempt.conclude(&[ours.1; 32]).1
}

#[test]
fn the_lowest_of_four_nonces_loses_wherever_it_is() {
    assert_eq!(outcome((2, 3), (1, 4)), Outcome::Ours { redundant: Some(1) });
    assert_eq!(outcome((2, 3), (4, 1)), Outcome::Ours { redundant: Some(1) });
    assert_eq!(outcome((1, 4), (2, 3)), Outcome::Theirs(1));
    assert_eq!(outcome((4, 1), (2, 3)), Outcome::Theirs(1));
}

#[test]
fn a_rival_that_is_gone_is_no_rival() {
    let mut attempt = Attempt::new(vec![1; 32], false);
    attempt.on_rival(1, &nonces(2, 3));
    attempt.forget_rival(2);
    assert_eq!(attempt.rival(), Some(1));
    attempt.forget_rival(1);
    assert_eq!(attempt.conclude(&[1; 32]).1, Outcome::Ours { redundant: None });
}
