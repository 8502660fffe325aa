use super::*;
use std::thread;

fn group(local: &str, workers: usize) -> Vec<UdpSocket> {
    open_group(local.parse().unwrap(), workers).unwrap().workers
}

/// Free ports differ from run to run; the kernel gives one, which the group then takes.
fn free_port(host: &str) -> SocketAddr {
    let socket = std::net::UdpSocket::bind((host, 0)).unwrap();
    socket.local_addr().unwrap()
}

/// Receives until `wanted` datagrams have come, as (bytes, tos, sender).
fn receive(socket: &UdpSocket, wanted: usize) -> Vec<(Vec<u8>, u8, SocketAddr)> {
    let mut batch = ReceiveBatch::new();
    let mut datagrams = Vec::new();
    for _ in 0..1000 {
        batch.receive(socket).unwrap();
        for message in batch.messages() {
            let (tos, remote) = (message.tos, message.remote);
            let parts = message.bytes.chunks(message.segment);
            datagrams.extend(parts.map(|part| (part.to_vec(), tos, remote)));
        }
        if datagrams.len() >= wanted {
            break;
        }
        thread::yield_now();
    }
    datagrams
}

#[test]
fn trains_arrive_as_the_datagrams_they_stand_for() {
    for host in ["127.0.0.1", "::1"] {
        let sender = open_group(free_port(host), 1).unwrap().workers.remove(0);
        let receiver = open_group(free_port(host), 1).unwrap().workers.remove(0);
        let buffer: Vec<u8> = (0..2500u32).map(|i| i as u8).collect();
        let remote = receiver.local();
        let train = Train { start: 0, length: 2100, segment: 1000, count: 3, remote, tos: 0xba };
        let lone = Train { start: 2100, length: 400, segment: 400, count: 1, remote, tos: 1 };
        let sent = SendBatch::new().send(&sender, &buffer, &[train, lone]).unwrap();
        assert_eq!(sent, 2);
        let datagrams = receive(&receiver, 4);
        let from = sender.local();
        let expected = [
            (buffer[..1000].to_vec(), 0xba, from),
            (buffer[1000..2000].to_vec(), 0xba, from),
            (buffer[2000..2100].to_vec(), 0xba, from),
            (buffer[2100..].to_vec(), 1, from),
        ];
        assert_eq!(datagrams, expected);
    }
}

#[test]
fn the_spi_names_the_socket_and_ike_goes_to_the_first() {
    let sockets = group(&free_port("127.0.0.1").to_string(), 3);
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for (first, worker) in [(0u32, 0usize), (0x1001, 2), (0x1002, 0), (0xc000_0001, 1)] {
        let datagram = [first.to_be_bytes(), [9; 4]].concat();
        sender.send_to(&datagram, sockets[0].local()).unwrap();
        let got = receive(&sockets[worker], 1);
        assert_eq!(got.len(), 1, "{first:x}");
    }
    sender.send_to(&[0xff], sockets[0].local()).unwrap();
    assert_eq!(receive(&sockets[0], 1).len(), 1);
}

#[test]
fn a_datagram_of_any_length_leaves_and_nobody_but_the_workers_gets_one() {
    for host in ["127.0.0.1", "::1"] {
        let receiver = open_group(free_port(host), 1).unwrap();
        let sender = open_group(free_port(host), 2).unwrap();
        let mtu =
            usize::from(route_mtu(host.parse().unwrap(), receiver.workers[0].local()).unwrap());
        let length = (mtu + 100).min(65_000);
        sender.fragmenting.send_to(receiver.workers[0].local(), &vec![7; length]).unwrap();
        let got = receive(&receiver.workers[0], 1);
        assert_eq!(got.iter().map(|(bytes, ..)| bytes.len()).collect::<Vec<_>>(), [length]);
        // What the gateway says itself is network control.
        assert_eq!((got[0].1, got[0].2), (0xc0, sender.fragmenting.local()));
        for number in 0..64u32 {
            let datagram = [number.to_be_bytes(), [9; 4]].concat();
            receiver.workers[0].send_to(sender.fragmenting.local(), &datagram).unwrap();
        }
        let got: usize = sender.workers.iter().map(|worker| receive(worker, 32).len()).sum();
        assert_eq!(got, 64);
    }
}

#[test]
fn a_busy_port_and_a_foreign_address_are_named() {
    let port = free_port("127.0.0.1");
    let _group = open_group(port, 1).unwrap();
    let busy = open_group(port, 1).unwrap_err().to_string();
    assert!(busy.contains("in use"), "{busy}");
    let foreign = open_group("192.0.2.77:4500".parse().unwrap(), 1).unwrap_err().to_string();
    assert!(foreign.contains("does not have the address"), "{foreign}");
}

#[test]
fn a_train_outside_the_buffer_is_refused() {
    let socket = open_group(free_port("127.0.0.1"), 1).unwrap().workers.remove(0);
    let remote = socket.local();
    let train = Train { start: 10, length: 100, segment: 100, count: 1, remote, tos: 0 };
    assert!(SendBatch::new().send(&socket, &[0; 50], &[train]).is_err());
    assert_eq!(ReceiveBatch::new().receive(&socket).unwrap(), 0);
}

#[test]
fn what_is_longer_than_every_ipv6_path_carries_leaves_in_fragments() {
    let receiver = open_group(free_port("::1"), 1).unwrap().workers.remove(0);
    let sender = open_group(free_port("::1"), 1).unwrap().fragmenting;
    assert!(!sender.takes_trains(), "raw sockets need CAP_NET_RAW");
    let bytes: Vec<u8> = (0..5000u32).map(|i| (i % 251) as u8).collect();
    let remote = receiver.local();
    for length in [1, 1232, 1233, 2464, 5000] {
        let train = Train { start: 0, length, segment: length, count: 1, remote, tos: 0xb8 };
        assert_eq!(SendBatch::new().send(&sender, &bytes, &[train, train]).unwrap(), 1);
        let whole = bytes[..length].to_vec();
        assert_eq!(receive(&receiver, 1), [(whole, 0xb8, sender.local())], "{length}");
    }
    sender.send_to(remote, &bytes).unwrap();
    assert_eq!(receive(&receiver, 1), [(bytes, 0xc0, sender.local())]);
    let longest = vec![0; 65_528];
    assert_eq!(sender.send_to(remote, &longest).unwrap_err().raw_os_error(), Some(libc::EMSGSIZE));
}
