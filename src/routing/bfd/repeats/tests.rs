use super::*;
use crate::routing::bfd::samples::control;
use crate::wire::bfd::{PORT, State};
use crate::wire::udp::{self, Travel};
use std::net::SocketAddr;

fn packet(from: &str, control: ControlPacket, ttl: u8) -> Vec<u8> {
    let from: SocketAddr = from.parse().unwrap();
    let to = SocketAddr::new("10.0.0.1".parse().unwrap(), PORT);
    udp::packet(from, to, Travel { ttl, tos: 0 }, &control.encode()).unwrap()
}

const FROM: &str = "10.0.0.2:50000";

#[test]
fn who_says_the_same_says_the_same() {
    let up = packet(FROM, control(State::Up), TTL);
    let again = packet(FROM, control(State::Up), TTL);
    assert!(said(&up).is_some() && said(&up) == said(&again));
    let slower = ControlPacket { desired_min_tx: 60_000, ..control(State::Up) };
    for other in [
        packet(FROM, control(State::Down), TTL),
        packet(FROM, slower, TTL),
        packet("10.0.0.2:50001", control(State::Up), TTL),
        packet("10.0.0.3:50000", control(State::Up), TTL),
    ] {
        assert_ne!(said(&up), said(&other));
    }
}

#[test]
fn polls_their_answers_and_what_was_forwarded_always_say_something() {
    let poll = ControlPacket { poll: true, ..control(State::Up) };
    let is_final = ControlPacket { is_final: true, ..control(State::Up) };
    for news in [
        packet(FROM, poll, TTL),
        packet(FROM, is_final, TTL),
        packet(FROM, control(State::Up), TTL - 1),
        b"no packet".to_vec(),
    ] {
        assert_eq!(said(&news), None);
    }
}
