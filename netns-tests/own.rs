//! A gateway as a host: what it says is heard behind the peer, and what it offers is not, unless it
//! is meant to be.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use vpngw::lab;
use vpngw::lab::traffic::Pinger;
use vpngw::net::Prefix;
use vpngw::os::capture::Capture;
use vpngw::os::netlink::{InterfaceAddress, Netlink};
use vpngw::os::netns;

use crate::support::eventually;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config, static_routes, write_keys};
use crate::support::wire::assert_sealed;

/// A port on which nothing of the host's listens.
const PORT: u16 = 8080;
/// How long an answer may take that shall not come.
const SILENCE: Duration = Duration::from_millis(700);

/// Two gateways that are up.
struct Scene {
    pair: Pair,
    gateways: Vec<Gateway>,
}

impl Scene {
    fn start(routing: fn(Side) -> String) -> Scene {
        let pair = Pair::new();
        write_keys(&pair);
        let start = |side| {
            let text = config(&pair, side, Auth::Psk, &routing(side), "");
            Gateway::start(&pair, side, &text)
        };
        let gateways = Side::BOTH.map(start).into();
        assert!(pair.comes_to_work());
        Scene { pair, gateways }
    }

    fn within<T: Send>(&self, node: &str, act: impl FnOnce() -> T + Send) -> T {
        netns::within(&self.pair.namespace(node), act).unwrap()
    }

    /// Whether a connection from a node stands.
    fn connects(&self, node: &str, to: SocketAddr) -> bool {
        self.within(node, || TcpStream::connect_timeout(&to, SILENCE).is_ok())
    }

    /// A service on every address of a node.
    fn service(&self, node: &str) -> TcpListener {
        self.within(node, || TcpListener::bind(("::", PORT))).unwrap()
    }

    /// The inside address of a side, as its peer knows it.
    fn inside(&self, side: Side) -> IpAddr {
        let of_side = |gateway: &&Gateway| gateway.side == side;
        let gateway = self.gateways.iter().find(of_side).unwrap();
        gateway.peer().bgp.unwrap().local
    }

    /// The ICMP messages that come to the left host while something is sent there, with their senders.
    fn told(&self, send: impl FnOnce() + Send, wait: Duration) -> Vec<(IpAddr, u8, u8)> {
        let capture = Capture::start(&self.pair.namespace(&Side::Left.host()), "eth0").unwrap();
        self.within(&Side::Left.host(), send);
        std::thread::sleep(wait);
        let frames = capture.finish().unwrap();
        frames.iter().filter_map(|frame| icmp(&frame.bytes)).collect()
    }
}

/// The sender, type and code of an ICMP message in a frame.
fn icmp(frame: &[u8]) -> Option<(IpAddr, u8, u8)> {
    let (ethernet, packet) = frame.split_at_checked(14)?;
    match ethernet.get(12..14)? {
        [0x08, 0x00] if packet.get(9)? == &1 => {
            let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
            Some((source.into(), *packet.get(20)?, *packet.get(21)?))
        }
        [0x86, 0xdd] if packet.get(6)? == &58 => {
            let source: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
            Some((source.into(), *packet.get(40)?, *packet.get(41)?))
        }
        _ => None,
    }
}

fn gateway_addresses(side: Side) -> [IpAddr; 2] {
    let number = side.number();
    [format!("10.{number}.0.1"), format!("fd00:{number}::1")].map(|text| text.parse().unwrap())
}

/// Sends a datagram that lives for so many hops.
fn send(to: IpAddr, hops: u32) {
    let domain = if to.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    match to {
        IpAddr::V4(_) => socket.set_ttl_v4(hops).unwrap(),
        IpAddr::V6(_) => socket.set_unicast_hops_v6(hops).unwrap(),
    }
    socket.send_to(b"hello", &SocketAddr::new(to, 33_434).into()).unwrap();
}

#[test]
fn the_far_gateway_shows_itself_as_a_hop_and_says_what_it_cannot_reach() {
    for routing in [bgp, static_routes] {
        let scene = Scene::start(routing);
        let hosts = Side::Right.host_addresses();
        let told = scene.told(|| hosts.iter().for_each(|host| send(*host, 2)), SILENCE);
        let [v4, v6] = gateway_addresses(Side::Right);
        assert!(told.contains(&(v4, 11, 0)), "{told:?}");
        assert!(told.contains(&(v6, 3, 0)), "{told:?}");
        let nobody = ["10.2.0.99", "fd00:2::99"].map(|text| text.parse().unwrap());
        // Nobody answers for these addresses, which the kernel believes after three seconds.
        let told = scene.told(|| nobody.iter().for_each(|to| send(*to, 64)), 6 * SILENCE);
        assert!(told.contains(&(v4, 3, 1)), "{told:?}");
        assert!(told.contains(&(v6, 1, 3)), "{told:?}");
    }
}

#[test]
fn nobody_behind_a_peer_reaches_a_service_of_the_gateway_that_is_not_offered() {
    let scene = Scene::start(bgp);
    let _service = scene.service(Side::Right.name());
    let inside = scene.inside(Side::Right);
    for address in gateway_addresses(Side::Right).into_iter().chain([inside]) {
        let pinger = Pinger::start(
            &scene.pair.namespace(&Side::Left.host()),
            address,
            Duration::from_millis(50),
        );
        for (node, port) in
            [(&*Side::Left.host(), 179), (&*Side::Left.host(), PORT), ("left", PORT)]
        {
            let to = SocketAddr::new(address, port);
            assert!(!scene.connects(node, to), "{node} → {to}");
        }
        let reports = Pinger::finish_all(vec![pinger.unwrap()]).unwrap();
        assert!(reports[0].lost() < reports[0].sent(), "{address} is there: {reports:?}");
    }
    let text = config(&scene.pair, Side::Right, Auth::Psk, &bgp(Side::Right), "");
    let offering = format!("services = [\"tcp/{PORT}\"]\ninterface = ");
    scene.gateways[1].reload(&text.replace("interface = ", &offering));
    for address in gateway_addresses(Side::Right) {
        let to = SocketAddr::new(address, PORT);
        assert!(eventually(|| scene.connects(&Side::Left.host(), to)), "{to} is offered");
    }
    assert!(!scene.connects(&Side::Left.host(), SocketAddr::new(inside, PORT)));
    // Nothing of this has disturbed the session between the inside addresses.
    let seen = scene.gateways[1].peer();
    assert_eq!(seen.bgp.unwrap().state, "Established");
    assert!(seen.discards.get("not_for_gateway").is_some_and(|count| *count > 0));
}

/// With all the world behind the tunnel, the kernel's complaint about a packet that came out of it
/// must not take the underlay's default route: it quotes the packet.
#[test]
fn what_the_gateway_says_about_a_packet_of_a_default_route_does_not_leave_in_the_clear() {
    let everything = |side: Side| match side {
        Side::Left => "static_routes = [\"0.0.0.0/0\", \"::/0\"]".to_owned(),
        Side::Right => static_routes(side),
    };
    let pair = Pair::new();
    write_keys(&pair);
    let gateways: Vec<Gateway> = Side::BOTH
        .into_iter()
        .map(|side| {
            let text = config(&pair, side, Auth::Psk, &everything(side), "");
            let more = "prefixes = [\"203.0.113.0/24\", \"2001:db8:c::/48\", ";
            let text = if side == Side::Right { text.replace("prefixes = [", more) } else { text };
            Gateway::start(&pair, side, &text)
        })
        .collect();
    assert!(pair.comes_to_work(), "{}", gateways[0].log());
    let capture = pair.watch_underlay();
    let host = Side::Right.host();
    for (own, to) in [("203.0.113.7", "10.1.0.99"), ("2001:db8:c::7", "fd00:1::99")] {
        let own: IpAddr = own.parse().unwrap();
        let add = async {
            let netlink = Netlink::open(Some(&pair.namespace(&host)))?;
            netlink.add_address("lo", InterfaceAddress::host(own)).await
        };
        lab::wait_for(add).unwrap();
        let send = || UdpSocket::bind((own, 0)).unwrap().send_to(b"hello", (to, 9)).unwrap();
        netns::within(&pair.namespace(&host), send).unwrap();
    }
    std::thread::sleep(6 * SILENCE);
    assert_sealed(&capture.finish().unwrap());
}

#[test]
fn the_gateway_itself_reaches_far_hosts_from_the_address_that_it_has_at_the_time() {
    let scene = Scene::start(static_routes);
    let service = scene.service(&Side::Right.host());
    let echo = scene.within(&Side::Right.host(), || UdpSocket::bind(("::", PORT))).unwrap();
    let caller = |target: IpAddr| {
        let to = SocketAddr::new(target, PORT);
        let connect = || TcpStream::connect_timeout(&to, 20 * SILENCE);
        let mut stream = scene.within(Side::Left.name(), connect).unwrap();
        let (mut accepted, from) = service.accept().unwrap();
        stream.write_all(b"question").unwrap();
        accepted.read_exact(&mut [0; 8]).unwrap();
        accepted.write_all(b"answer").unwrap();
        stream.read_exact(&mut [0; 6]).unwrap();
        from.ip().to_canonical()
    };
    for (target, own) in Side::Right.host_addresses().into_iter().zip(gateway_addresses(Side::Left))
    {
        assert_eq!(caller(target), own);
        let any = if target.is_ipv4() { "0.0.0.0" } else { "::" };
        let socket = scene.within(Side::Left.name(), || UdpSocket::bind((any, 0))).unwrap();
        socket.set_read_timeout(Some(20 * SILENCE)).unwrap();
        socket.send_to(b"question", (target, PORT)).unwrap();
        let (_, from) = echo.recv_from(&mut [0; 64]).unwrap();
        echo.send_to(b"answer", from).unwrap();
        assert_eq!(socket.recv_from(&mut [0; 64]).unwrap().0, 6);
    }
    let left = scene.pair.namespace(Side::Left.name());
    let change = async {
        let netlink = Netlink::open(Some(&left))?;
        netlink.remove_address("lan0", "10.1.0.1/24".parse()?).await?;
        netlink.add_address("lan0", "10.1.0.7/24".parse()?).await
    };
    lab::wait_for(change).unwrap();
    let target = Side::Right.host_addresses()[0];
    let new: IpAddr = "10.1.0.7".parse().unwrap();
    let source = || {
        lab::wait_for(async {
            let routes = Netlink::open(Some(&left))?.our_routes().await?;
            let prefix: Prefix = "10.2.0.0/16".parse()?;
            let route = routes.into_iter().find(|r| r.prefix == prefix && r.source.is_some());
            Ok(route.and_then(|route| route.source))
        })
    };
    assert!(eventually(|| source().unwrap() == Some(new)), "{}", scene.gateways[0].log());
    assert_eq!(caller(target), new);
}
