use super::*;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

fn way(port: u16) -> StreamWay {
    ([192, 0, 2, 1].into(), SocketAddr::from(([198, 51, 100, 1], port)))
}

#[test]
fn who_looks_for_a_connection_does_not_wait_for_who_puts_one_in() {
    let table = Arc::<Table>::default();
    let pipe = table.open(way(4500), false);
    let _somebody_writes = table.last();
    let (found, is_found) = mpsc::channel();
    let looking = Arc::clone(&table);
    thread::spawn(move || found.send(looking.find(way(4500)).map(|outlet| outlet.number)));
    assert_eq!(is_found.recv_timeout(Duration::from_secs(10)), Ok(Some(pipe.number)));
}

#[test]
fn each_way_has_its_newest_connection_until_that_ends() {
    let table = Table::default();
    let pipes: Vec<Pipe> = (0..2000).map(|port| table.open(way(port), false)).collect();
    let newer = table.open(way(7), false);
    for (port, pipe) in (0..2000).zip(&pipes) {
        table.remove(way(port), pipe.number);
    }
    let left: Vec<u16> = (0..2000).filter(|port| table.find(way(*port)).is_some()).collect();
    assert_eq!(left, [7]);
    table.remove(way(7), newer.number);
    assert!(table.find(way(7)).is_none());
}

#[test]
fn a_connection_that_we_have_made_gives_way_to_no_stranger() {
    let table = Table::default();
    let pipe = table.open(way(4500), true);
    assert!(table.accept(way(4500)).is_none());
    assert_eq!(table.find(way(4500)).map(|outlet| outlet.number), Some(pipe.number));
    table.remove(way(4500), pipe.number);
    assert!(table.accept(way(4500)).is_some());
}

#[test]
fn a_tunnel_keeps_the_connection_that_takes_the_place_of_its_own() {
    let table = Table::default();
    let stranger = table.accept(way(20_000)).expect("a free way");
    let newer = table.accept(way(20_000)).expect("a way of the same stranger");
    assert_eq!([*stranger.kept.borrow(), *newer.kept.borrow()], [false, false]);
    table.find(way(20_000)).expect("it").kept.send_replace(true);
    let newest = table.accept(way(20_000)).expect("a way of the same peer");
    assert!(*newest.kept.borrow());
}
