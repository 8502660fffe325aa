//! One VPC with everything: a router that speaks BGP, prefixes that the peer knows by others, and public
//! addresses. What is behind the router is reached from the world and from the peer, and gets out translated
//! or not at all.
//!
//! ```text
//!   10.8.4.1 ── left-host ── lan0 │ office │ pub-office ── left ══ ESP ══ right ── right-host 10.2.0.10
//!               BIRD              │ netns  │               10.79.1.10
//!                                                          middle: the world, 198.51.100.2
//!
//!   10.1.0.0/16 is 100.64.0.0/16 to the right, and 10.8.0.0/16 is 100.65.0.0/16
//!   203.0.113.18: port 80 of 10.8.4.1.  203.0.113.19: everybody else, on the way out
//! ```

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use vpngw::control::{NatView, Request, RoutesView, VpcNatView};
use vpngw::lab::traffic::Journey;
use vpngw::os::capture::{Capture, Frame};
use vpngw::os::netns;

use crate::support::bird::Bird;
use crate::support::eventually;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config, write_keys};

const PATIENCE: Duration = Duration::from_secs(2);
const WORLDLY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const SERVICE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 18);
const EGRESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 19);
/// Behind the router.
const BEHIND: Ipv4Addr = Ipv4Addr::new(10, 8, 4, 1);
/// It could be behind the router, which does not announce it.
const NOWHERE: Ipv4Addr = Ipv4Addr::new(10, 8, 9, 9);

const BIRD: &str = r#"
log stderr all;
router id 10.1.0.10;
protocol device { scan time 1; }
protocol static behind { ipv4; route 10.8.4.0/24 blackhole; }
protocol bgp vpngw {
    local 10.1.0.10 as 65100;
    neighbor 10.1.0.1 as 64513;
    hold time 9;
    connect delay time 1;
    ipv4 { import all; export where proto = "behind"; next hop self; };
}
"#;

const SECTIONS: &str = r#"
[[vpc.router]]
name = "tor"
address = "10.1.0.10"
local_address = "10.1.0.1"
remote_asn = 65100
accept = ["10.8.0.0/16"]

[[vpc.map]]
inside = "10.1.0.0/16"
outside = "100.64.0.0/16"

[[vpc.map]]
inside = "10.8.0.0/16"
outside = "100.65.0.0/16"

[[vpc.public]]
address = "203.0.113.18"
ports = { tcp = "80" }
to = "10.8.4.1:8080"

[[vpc.egress]]
address = "203.0.113.19"

[[peer]]
"#;

/// Both sites, the left one's VPC in a namespace of its own.
struct Scene {
    /// Ended before their namespaces are taken down.
    _bird: Bird,
    left: Gateway,
    _right: Gateway,
    office: String,
    pair: Pair,
}

impl Scene {
    fn start() -> Scene {
        let pair = Pair::new();
        write_keys(&pair);
        let office = pair.namespace("office");
        netns::create(&office).unwrap();
        settle(&pair, &office);
        let text = config(&pair, Side::Left, Auth::Psk, &bgp(Side::Left), "");
        let place = "interface = \"lan0\"\n";
        let text = text.replace(place, &format!("{place}netns = \"{office}\"\n"));
        let left = Gateway::start(&pair, Side::Left, &text.replace("\n[[peer]]\n", SECTIONS));
        let accept = bgp(Side::Right).replace("10.1.0.0/16\"", "100.64.0.0/15\"");
        let text = config(&pair, Side::Right, Auth::Psk, &accept, "");
        let right = Gateway::start(&pair, Side::Right, &text);
        assert!(left.comes_up(), "{}", left.log());
        let bird = Bird::start_at(&pair, "left-host", BIRD);
        let scene = Scene { _bird: bird, left, _right: right, office, pair };
        assert!(eventually(|| scene.learns("10.8.4.0/24")), "{}", scene.left.log());
        scene
    }

    fn learns(&self, prefix: &str) -> bool {
        let routes: RoutesView = self.left.ask(&Request::Routes);
        let mut routes = routes.vpcs.into_iter().flat_map(|vpc| vpc.routes);
        routes.any(|route| route.prefix.to_string() == prefix && route.active.is_some())
    }

    fn nat(&self) -> VpcNatView {
        let view: NatView = self.left.ask(&Request::Nat);
        view.vpcs.into_iter().next().unwrap()
    }

    /// Who answers at an address, and from where it sees us come.
    fn call(&self, from: (&str, Ipv4Addr), to: (Ipv4Addr, u16)) -> Option<(String, SocketAddr)> {
        let connect = || -> std::io::Result<TcpStream> {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&SocketAddr::from((from.1, 0)).into())?;
            socket.connect_timeout(&SocketAddr::from(to).into(), PATIENCE)?;
            Ok(socket.into())
        };
        let mut stream = netns::within(&self.pair.namespace(from.0), connect).unwrap().ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (name, seen) = text.split_once(' ')?;
        Some((name.to_owned(), seen.parse().ok()?))
    }

    /// Sends a datagram, whose source may be forged.
    fn send(&self, from: (&str, Ipv4Addr), to: Ipv4Addr) {
        let send = || UdpSocket::bind((from.1, 0)).unwrap().send_to(b"hello", (to, 80)).unwrap();
        netns::within(&self.pair.namespace(from.0), send).unwrap();
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if let Err(error) = netns::delete(&self.office) {
            eprintln!("{} stays behind: {error:#}", self.office);
        }
    }
}

/// The VPC's network goes into its namespace, and the world gets an address and ways.
fn settle(pair: &Pair, office: &str) {
    let (left, middle) = (pair.namespace("left"), pair.namespace("middle"));
    ip(&format!("-n {left} link set lan0 netns {office}"));
    ip(&format!("-n {office} addr add 10.1.0.1/24 dev lan0"));
    ip(&format!("-n {office} addr add fd00:1::1/64 dev lan0 nodad"));
    ip(&format!("-n {office} link set lo up"));
    ip(&format!("-n {office} link set lan0 up"));
    for forwarding in ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"] {
        ip(&format!("netns exec {office} sysctl -qw {forwarding}"));
    }
    ip(&format!("-n {} addr add {BEHIND}/24 dev lo", pair.namespace("left-host")));
    ip(&format!("-n {middle} addr add {WORLDLY}/32 dev lo"));
    ip(&format!("-n {middle} route add 203.0.113.16/28 via 10.79.1.10"));
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {output:?}");
}

/// A server that tells everybody its name and from where they come.
fn serve(pair: &Pair, node: &'static str, port: u16) {
    let bind = || TcpListener::bind(("0.0.0.0", port));
    let listener = netns::within(&pair.namespace(node), bind).unwrap().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = write!(stream, "{node} {}", stream.peer_addr().unwrap());
        }
    });
}

/// Whether an IPv4 frame has an address of these first octets at one end.
fn has_end(frame: &Frame, first: &[[u8; 2]]) -> bool {
    let bytes = &frame.bytes;
    let is_ipv4 = bytes.get(12..14) == Some(&[0x08, 0x00]);
    let is_of =
        |at: usize| bytes.get(at..at + 2).is_some_and(|two| first.iter().any(|one| one == two));
    is_ipv4 && (is_of(26) || is_of(30))
}

#[test]
fn what_is_behind_a_router_is_mapped_for_peers_and_public_for_the_world() {
    let scene = Scene::start();
    serve(&scene.pair, "left-host", 8080);
    serve(&scene.pair, "middle", 7000);
    serve(&scene.pair, "right-host", 7000);
    let wire = scene.pair.watch_underlay();
    // From the world to the host behind the router, which sees who speaks.
    let called = || scene.call(("middle", WORLDLY), (SERVICE, 80));
    assert!(eventually(|| called().is_some()), "{:#?}\n{}", scene.nat(), scene.left.log());
    let (name, seen) = called().unwrap();
    assert_eq!((name.as_str(), seen.ip()), ("left-host", IpAddr::V4(WORLDLY)));
    // From it to the world, and to its own public address.
    let speaks =
        |from, to| scene.call(("left-host", from), to).map(|(name, seen)| (name, seen.ip()));
    let world = Some(("middle".to_owned(), IpAddr::V4(EGRESS)));
    assert_eq!(speaks(BEHIND, (WORLDLY, 7000)), world);
    assert_eq!(speaks([10, 1, 0, 10].into(), (WORLDLY, 7000)), world);
    let itself = Some(("left-host".to_owned(), IpAddr::V4(SERVICE)));
    assert_eq!(speaks([10, 1, 0, 10].into(), (SERVICE, 80)), itself);
    // The peer knows both prefixes by others, in both directions, and no public address is in between.
    let journey = Journey { target: [100, 65, 4, 1].into(), ..scene.pair.journey(Side::Right, 0) };
    assert!(eventually(|| journey.succeeds()), "{}", scene.left.log());
    let far = ([10, 2, 0, 10].into(), 7000);
    let mapped = Some(("right-host".to_owned(), IpAddr::from([100, 65, 4, 1])));
    assert_eq!(speaks(BEHIND, far), mapped);
    assert_no_private_end(&scene, wire);
}

/// What the world sees has neither the hosts' own addresses nor those that peers know them by.
fn assert_no_private_end(scene: &Scene, wire: Capture) {
    let frames = wire.finish().unwrap();
    assert!(frames.len() > 20);
    let private = [[10, 1], [10, 8], [100, 64], [100, 65]];
    let seen = frames.iter().filter(|frame| has_end(frame, &private)).count();
    assert_eq!(seen, 0, "{:#?}", scene.nat());
}

#[test]
fn what_is_private_neither_comes_from_the_world_nor_gets_there() {
    let scene = Scene::start();
    serve(&scene.pair, "left-host", 8080);
    let called = || scene.call(("middle", WORLDLY), (SERVICE, 80)).is_some();
    assert!(eventually(called), "{:#?}\n{}", scene.nat(), scene.left.log());
    // Sources of the VPC's, of what its router may announce, of the peer's, and what the peer knows ours by.
    let middle = scene.pair.namespace("middle");
    let forged = [[10, 1, 0, 10], [10, 8, 9, 9], [10, 2, 0, 10], [100, 64, 0, 10], [100, 65, 4, 1]];
    let before = scene.nat().spoofed;
    for address in forged.map(Ipv4Addr::from) {
        ip(&format!("-n {middle} addr add {address}/32 dev lo"));
        scene.send(("middle", address), SERVICE);
        ip(&format!("-n {middle} addr del {address}/32 dev lo"));
    }
    assert!(eventually(|| scene.nat().spoofed - before == 5), "{:#?}", scene.nat());
    // Hosts speak to what the router does not announce, and to what only peers know them by.
    let wire = scene.pair.watch_underlay();
    for to in [NOWHERE, Ipv4Addr::new(100, 65, 4, 1), Ipv4Addr::new(100, 64, 0, 10)] {
        for _ in 0..5 {
            scene.send(("left-host", Ipv4Addr::new(10, 1, 0, 10)), to);
        }
    }
    // Behind them something that does get out, so that the capture is not blind.
    scene.send(("left-host", Ipv4Addr::new(10, 1, 0, 10)), WORLDLY);
    std::thread::sleep(Duration::from_millis(500));
    let frames = wire.finish().unwrap();
    assert!(frames.iter().any(|frame| has_end(frame, &[[198, 51]])), "nothing got out");
    let private = [[10, 1], [10, 8], [100, 64], [100, 65]];
    assert_eq!(frames.iter().filter(|frame| has_end(frame, &private)).count(), 0);
}
