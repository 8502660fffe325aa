use super::*;
use crate::os::udp::{self, ReceiveBatch};
use std::thread;

fn socket() -> UdpSocket {
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    udp::open_group(free, 1).unwrap().workers.remove(0)
}

fn push(outbox: &mut Outbox, remote: SocketAddr, tos: u8, length: usize) {
    let fill = |room: &mut [u8]| {
        room.fill(length as u8);
        Ok(room.len())
    };
    outbox.push(remote, tos, length, fill).unwrap();
}

fn shape(outbox: &Outbox) -> Vec<(usize, usize)> {
    outbox.trains.iter().map(|train| (train.count, train.length)).collect()
}

#[test]
fn equal_datagrams_and_a_shorter_one_make_a_train() {
    let mut outbox = Outbox::new(socket(), 0);
    let peer = "192.0.2.1:4500".parse().unwrap();
    for length in [1000, 1000, 500, 500, 1000] {
        push(&mut outbox, peer, 0, length);
    }
    assert_eq!(shape(&outbox), [(3, 2500), (1, 500), (1, 1000)]);
}

#[test]
fn another_peer_and_another_tos_begin_a_train() {
    let mut outbox = Outbox::new(socket(), 0);
    let (a, b) = ("192.0.2.1:4500".parse().unwrap(), "192.0.2.2:4500".parse().unwrap());
    for (peer, tos) in [(a, 0), (b, 0), (b, 1)] {
        push(&mut outbox, peer, tos, 100);
    }
    assert_eq!(shape(&outbox).len(), 3);
}

#[test]
fn trains_end_at_128_datagrams_and_65507_bytes() {
    let mut outbox = Outbox::new(socket(), 0);
    let peer = "192.0.2.1:4500".parse().unwrap();
    (0..129).for_each(|_| push(&mut outbox, peer, 0, 100));
    (0..45).for_each(|_| push(&mut outbox, peer, 1, 1480));
    assert_eq!(shape(&outbox), [(128, 12800), (1, 100), (44, 65120), (1, 1480)]);
}

#[test]
fn a_refused_long_train_goes_out_in_trains_that_every_kernel_takes() {
    let (mut outbox, receiver) = (Outbox::new(socket(), 0), socket());
    (0..99).for_each(|_| push(&mut outbox, receiver.local(), 0, 100));
    push(&mut outbox, receiver.local(), 0, 60);
    let (mut batch, counters) = (SendBatch::new(), DataplaneCounters::default());
    let train = outbox.trains[0];
    outbox.send_refused(train, &io::Error::from_raw_os_error(libc::EINVAL), &mut batch, &counters);
    assert_eq!((outbox.longest, counters.train_fallbacks.read()), (64, 1));
    let all = received(&receiver, 100);
    assert_eq!((all.len(), all[98], all[99]), (100, 100, 60));
    (0..65).for_each(|_| push(&mut outbox, receiver.local(), 0, 100));
    assert_eq!(shape(&outbox)[1..], [(64, 6400), (1, 100)]);
}

#[test]
fn a_long_train_leaves_as_one_where_the_kernel_takes_it() {
    let (mut outbox, receiver) = (Outbox::new(socket(), 0), socket());
    (0..128).for_each(|_| push(&mut outbox, receiver.local(), 0, 100));
    let counters = DataplaneCounters::default();
    assert_eq!(outbox.flush(&mut SendBatch::new(), &counters), Flush::Done);
    assert_eq!(received(&receiver, 128), [100; 128]);
    assert_eq!(counters.send_failed.read(), 0);
}

#[test]
fn a_full_buffer_discards_and_says_so() {
    let mut outbox = Outbox::new(socket(), 0);
    let peer = "192.0.2.1:4500".parse().unwrap();
    let result = outbox.push(peer, 0, CAPACITY + 1, |_| Ok(1));
    assert_eq!(result, Err(Discard::NoBuffer));
}

#[test]
fn a_refused_train_goes_out_datagram_by_datagram() {
    let (mut outbox, receiver) = (Outbox::new(socket(), 0), socket());
    (0..3).for_each(|_| push(&mut outbox, receiver.local(), 0, 100));
    let (mut batch, counters) = (SendBatch::new(), DataplaneCounters::default());
    let train = outbox.trains[0];
    let error = io::Error::from_raw_os_error(libc::EIO);
    outbox.send_refused(train, &error, &mut batch, &counters);
    assert_eq!(outbox.longest, 1);
    assert_eq!((counters.train_fallbacks.read(), counters.send_failed.read()), (1, 0));
    assert_eq!(received(&receiver, 3), [100, 100, 100]);
    push(&mut outbox, receiver.local(), 0, 100);
    assert_eq!(shape(&outbox).len(), 2);
}

#[test]
fn a_flush_empties_the_outbox() {
    let (mut outbox, receiver) = (Outbox::new(socket(), 0), socket());
    (0..3).for_each(|_| push(&mut outbox, receiver.local(), 0, 100));
    push(&mut outbox, receiver.local(), 0, 40);
    let counters = DataplaneCounters::default();
    assert_eq!(outbox.flush(&mut SendBatch::new(), &counters), Flush::Done);
    assert_eq!((outbox.used, outbox.sent, outbox.trains.len()), (0, 0, 0));
    assert_eq!(received(&receiver, 4), [100, 100, 100, 40]);
}

/// The lengths of so many datagrams.
fn received(socket: &UdpSocket, count: usize) -> Vec<usize> {
    let mut batch = ReceiveBatch::new();
    let mut lengths = Vec::new();
    for _ in 0..1000 {
        batch.receive(socket).unwrap();
        for message in batch.messages() {
            lengths.extend(message.bytes.chunks(message.segment).map(<[u8]>::len));
        }
        if lengths.len() >= count {
            break;
        }
        thread::yield_now();
    }
    lengths
}
