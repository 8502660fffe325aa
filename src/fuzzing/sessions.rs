//! Engines: what a stranger, or a peer that has gone mad, may send them.

use crate::crypto::secret::Secret;
use crate::ike::{
    ConnectionConfig, ConnectionId, Credentials, Endpoint, EndpointConfig, Event, Identity,
    RemoteAddress,
};
use crate::moment::Moment;
use crate::net::{Asn, Mappings, PeerId, Prefix, PrefixSet};
use crate::random::Seeded;
use crate::routing::bgp::{self, Family, FrameBuffer, Message, codec};
use crate::routing::{Action, NeighborConfig, NeighborKind, Router, RouterConfig};
use crate::time::Timestamp;
use crate::wire::ike::TrafficSelector;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Octets of a piece in which TCP delivers a stream here.
const PIECE: usize = 61;

/// A stream of BGP messages, after an octet of what was agreed on: no message tells of more
/// prefixes than it has octets.
pub fn bgp_stream(bytes: &[u8]) {
    let Some((&agreed, stream)) = bytes.split_first() else { return };
    let context = codec::Context {
        four_octet: agreed & 1 != 0,
        internal: agreed & 2 != 0,
        families: Family::ALL.into_iter().filter(|&family| agreed & bit(family) != 0).collect(),
        extended_next_hop: agreed & 16 != 0,
        extended_messages: agreed & 32 != 0,
    };
    let mut frames = FrameBuffer::default();
    for mut piece in stream.chunks(PIECE) {
        while let Ok(Some(frame)) = frames.next(&mut piece) {
            let Ok(message) = codec::decode(&frame, &context) else { continue };
            if let Message::Update(update) = message {
                let announced: usize = update.announced.iter().map(|a| a.prefixes.len()).sum();
                assert!(update.withdrawn.len() + announced <= frame.body.len());
            }
        }
    }
}

fn bit(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 8,
    }
}

/// What a configured neighbour may announce in [`bgp_session`].
pub(super) const IMPORT: &str = "10.2.0.0/16";
/// Its AS.
pub(super) const NEIGHBOR_ASN: Asn = Asn(65_002);

/// Whatever a neighbour sends on its TCP connection, no prefix that it may not announce gets
/// into the forwarding table.
pub fn bgp_session(bytes: &[u8]) {
    let import: Prefix = IMPORT.parse().expect("a prefix");
    let (local, remote) = (address(1), address(2));
    let peer = PeerId(1);
    let now = Timestamp::from_millis(1000);
    let config = RouterConfig::new(Asn(65_001), Ipv4Addr::new(10, 0, 0, 1));
    let mut router = Router::new(config, &mut Seeded::new(1));
    let neighbor = NeighborConfig {
        kind: NeighborKind::Bgp {
            remote_asn: NEIGHBOR_ASN,
            local,
            remote,
            role: None,
            strict_role: false,
            hold_time: Duration::from_secs(9),
            passive: true,
        },
        side: crate::routing::Side::Tunnel,
        import: PrefixSet::from_iter([import]),
        maps: Mappings::default(),
        import_rules: [].into(),
        export_rules: [].into(),
        local_preference: 100,
        max_prefixes: 100,
    };
    router.add_neighbor(peer, neighbor, now);
    router.on_tunnel(peer, true, now);
    let connection = bgp::ConnectionId::accepted(1);
    router.handle_accepted(connection, local, remote, now);
    for piece in bytes.chunks(PIECE) {
        router.handle_bytes(connection, piece, now);
        while let Some(action) = router.poll_action() {
            let Action::Fib(changes) = action else { continue };
            assert!(changes.iter().all(|change| import.covers(&change.prefix)));
        }
    }
    router.handle_closed(connection, now);
    router.handle_timeout(now + Duration::from_secs(60));
    while router.poll_action().is_some() {}
}

fn address(last: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, last).into()
}

/// Datagrams of a stranger, each behind its length (16 bits) and an octet of the seconds that pass
/// before it: nothing comes up, and every datagram is answered once at most.
pub fn ike_endpoint(bytes: &[u8]) {
    let mut random = Seeded::new(1);
    let mut now = Timestamp::from_millis(1000);
    let mut endpoint =
        Endpoint::new(EndpointConfig::default(), &mut Moment::simulated(now, &mut random));
    endpoint.add_connection(
        ConnectionId(1),
        connection(1, 2),
        &mut Moment::simulated(now, &mut random),
    );
    let mut rest = bytes;
    while let [high, low, seconds, datagrams @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (datagram, others) = datagrams.split_at(datagrams.len().min(length));
        rest = others;
        now += Duration::from_secs(u64::from(seconds % 16));
        endpoint.handle_timeout(&mut Moment::simulated(now, &mut random));
        drain(&mut endpoint, &mut Moment::simulated(now, &mut random));
        let (local, remote) = match datagram {
            [0, 0, 0, 0, ..] => (4500, 4500),
            _ => (500, 500),
        };
        let local = SocketAddr::new(address(1), local);
        let remote = SocketAddr::new(address(2), remote);
        endpoint.handle_datagram(local, remote, datagram, &mut Moment::simulated(now, &mut random));
        assert!(drain(&mut endpoint, &mut Moment::simulated(now, &mut random)) <= 1);
    }
}

/// Takes all that the endpoint has to say; returns how many datagrams it sends.
fn drain(endpoint: &mut Endpoint, at: &mut Moment<'_>) -> usize {
    endpoint.run_jobs(at);
    while let Some((_, event)) = endpoint.poll_event() {
        assert!(!matches!(event, Event::Established(_) | Event::ChildUp(_)));
    }
    std::iter::from_fn(|| endpoint.poll_transmit()).count()
}

/// A connection between two of the test addresses that does not initiate.
pub(super) fn connection(local: u8, remote: u8) -> ConnectionConfig {
    let all: Prefix = Prefix::all_ipv4();
    let selectors = || vec![TrafficSelector::any_protocol(all)];
    let at = RemoteAddress::At(SocketAddr::new(address(remote), 500));
    let identities = (Identity::Address(address(local)), Identity::Address(address(remote)));
    let secret = Credentials::Psk(Secret::copy_of(b"correct horse battery staple"));
    let config =
        ConnectionConfig::new(address(local), at, identities, secret, (selectors(), selectors()));
    ConnectionConfig { initiate: false, ..config }
}
