use super::*;
use crate::wire::ike::IkeSpi;
use std::slice::from_ref;

const SECRET: [u8; 32] = [5; 32];

fn id(local: u8, remote: u8) -> IkeSaId {
    IkeSaId { local: IkeSpi([local; 8]), remote: IkeSpi([remote; 8]) }
}

fn token_of(id: IkeSaId, local: &str) -> Payload {
    token(&Secret::copy_of(&SECRET), id, local.parse().unwrap())
}

fn lost(tokens: &[Payload]) -> Vec<Payload> {
    let lost = Payload::Notify(Notify::new(NotifyType::INVALID_IKE_SPI, []));
    [&[lost], tokens].concat()
}

fn of_length(length: usize) -> Payload {
    Payload::Notify(Notify::new(NotifyType::QUICK_CRASH_DETECTION, vec![1; length]))
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn a_token_is_that_of_one_ike_sa_of_one_side_at_one_address() {
    let ours = token_of(id(1, 2), "192.0.2.1");
    assert_eq!(ours, token_of(id(1, 2), "192.0.2.1"));
    for other in [
        token_of(id(2, 1), "192.0.2.1"),
        token_of(id(1, 3), "192.0.2.1"),
        token_of(id(1, 2), "192.0.2.2"),
        token(&Secret::copy_of(&[6; 32]), id(1, 2), "192.0.2.1".parse().unwrap()),
    ] {
        assert_ne!(ours, other);
    }
    let Payload::Notify(notify) = ours else { unreachable!() };
    assert_eq!((notify.protocol, notify.spi.len()), (ProtocolId::IKE, 0));
    assert!(LENGTHS.contains(&notify.data.len()));
}

#[test]
fn the_token_shows_the_loss_beside_what_says_so_and_nothing_else_does() {
    let (ours, other) = (token_of(id(1, 2), "192.0.2.1"), token_of(id(1, 2), "192.0.2.2"));
    let told = [ours.clone()];
    let shows =
        |payloads: &[Payload]| PeerToken::of(Payloads(&told)).shows_loss(Payloads(payloads), at(1));
    assert!(shows(&lost(from_ref(&ours))));
    // One of several generations (RFC 6290 §4.5).
    let four = [other.clone(), other.clone(), other.clone(), ours.clone()];
    assert!(shows(&lost(&four)));
    assert!(!shows(&lost(from_ref(&other))));
    assert!(!shows(&lost(&[])));
    assert!(!shows(from_ref(&ours)));
    let five: Vec<Payload> = [other].into_iter().chain(four).collect();
    assert!(!shows(&lost(&five)), "more than anybody has");
    let nobody_told = PeerToken::of(Payloads(&[])).shows_loss(Payloads(&lost(&[ours])), at(1));
    assert!(!nobody_told);
}

#[test]
fn a_token_of_a_forbidden_length_is_none() {
    for length in [0, 15, 129, 1000] {
        let told = [of_length(length)];
        let mut token = PeerToken::of(Payloads(&told));
        assert!(!token.shows_loss(Payloads(&lost(&told)), at(1)), "{length}");
    }
    for length in [16, 128] {
        let told = [of_length(length)];
        let mut token = PeerToken::of(Payloads(&told));
        assert!(token.shows_loss(Payloads(&lost(&told)), at(1)), "{length}");
    }
}

#[test]
fn the_token_that_came_last_holds() {
    let (first, second) = ([token_of(id(1, 2), "192.0.2.1")], [token_of(id(1, 2), "192.0.2.2")]);
    let mut token = PeerToken::of(Payloads(&first));
    token.on_told(Payloads(&second));
    token.on_told(Payloads(&[]));
    assert!(!token.shows_loss(Payloads(&lost(&first)), at(1)));
    assert!(token.shows_loss(Payloads(&lost(&second)), at(1)));
}

#[test]
fn guesses_are_looked_at_so_often_at_most() {
    let told = [token_of(id(1, 2), "192.0.2.1")];
    let guess = lost(&[of_length(32)]);
    let mut token = PeerToken::of(Payloads(&told));
    for _ in 0..1000 {
        assert!(!token.shows_loss(Payloads(&guess), at(1)));
    }
    assert!(!token.shows_loss(Payloads(&lost(&told)), at(1)), "too many");
    assert!(token.shows_loss(Payloads(&lost(&told)), at(60_000)));
}
