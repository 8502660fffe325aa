use super::*;
use std::net::{IpAddr, SocketAddr};

fn way(host: u8) -> StreamWay {
    (IpAddr::from([192, 0, 2, 1]), SocketAddr::from(([198, 51, 100, host], 4500)))
}

#[test]
fn a_connection_is_kept_until_its_last_tunnel_leaves_it() {
    let (mut streams, [one, two]) = (Streams::default(), [1, 2].map(PeerId));
    let keep = vec![StreamOutput::Keep(way(1))];
    assert_eq!(streams.follow(one, BTreeSet::from([way(1)])), keep);
    assert_eq!(streams.follow(two, BTreeSet::from([way(1)])), []);
    assert_eq!(streams.follow(one, BTreeSet::new()), []);
    let moved = streams.follow(two, BTreeSet::from([way(2)]));
    assert_eq!(moved, [StreamOutput::Keep(way(2)), StreamOutput::Release(way(1))]);
    assert_eq!(streams.follow(two, BTreeSet::new()), [StreamOutput::Release(way(2))]);
    assert!(streams.of_peer.is_empty() && streams.users.is_empty());
}
