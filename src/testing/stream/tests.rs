//! The stream delivers in order over a lossy link.

use super::*;
use crate::random::Seeded;

fn exchange(a: &mut Stack, b: &mut Stack, now: Timestamp, random: &mut Seeded, loss: u64) {
    loop {
        let to_b: Vec<_> = std::iter::from_fn(|| a.poll_packet()).collect();
        let to_a: Vec<_> = std::iter::from_fn(|| b.poll_packet()).collect();
        if to_a.is_empty() && to_b.is_empty() {
            return;
        }
        for packet in to_b.iter().filter(|_| random.below(100) >= loss).collect::<Vec<_>>() {
            b.handle_packet(&packet::read(packet), now);
        }
        for packet in to_a.iter().filter(|_| random.below(100) >= loss).collect::<Vec<_>>() {
            a.handle_packet(&packet::read(packet), now);
        }
    }
}

#[test]
fn a_lossy_link_still_delivers_everything_in_order() {
    let (local, remote): (IpAddr, IpAddr) =
        ("fd00::1".parse().expect("address"), "fd00::2".parse().expect("address"));
    let mut random = Seeded::new(7);
    let (mut a, mut b) = (Stack::default(), Stack::default());
    b.listen(remote);
    let mut now = Timestamp::ZERO;
    let id = a.connect(local, remote, now, &mut random);
    let sent: Vec<u8> = (0..20_000u32).map(|n| n as u8).collect();
    a.send(id, &sent, now);
    let mut received = Vec::new();
    while received.len() < sent.len() {
        exchange(&mut a, &mut b, now, &mut random, 20);
        while let Some(event) = b.poll_event() {
            if let StreamEvent::Bytes(_, bytes) = event {
                received.extend(bytes);
            }
        }
        now += Duration::from_millis(100);
        assert!(now < Timestamp::from_millis(600_000), "stuck at {} bytes", received.len());
        a.handle_timeout(now);
        b.handle_timeout(now);
    }
    assert_eq!(received, sent);
}

#[test]
fn connecting_where_nobody_listens_is_refused() {
    let (local, remote): (IpAddr, IpAddr) =
        ("10.0.0.1".parse().expect("address"), "10.0.0.2".parse().expect("address"));
    let mut random = Seeded::new(7);
    let (mut a, mut b) = (Stack::default(), Stack::default());
    let id = a.connect(local, remote, Timestamp::ZERO, &mut random);
    exchange(&mut a, &mut b, Timestamp::ZERO, &mut random, 0);
    assert_eq!(a.poll_event(), Some(StreamEvent::Refused(id)));
}
