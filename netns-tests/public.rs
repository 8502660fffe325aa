//! Public addresses of virtual machines: translated by whichever gateway is active, and nothing else gets
//! out.
//!
//! ```text
//!   world 198.51.100.2 ── underlay ══ gateways a, b ══ VXLAN ══ machines 10.R.1.10, 10.R.2.10
//!                         203.0.113.(16 R + 2): port 80 of red-a, and egress    + 3: all of red-b
//! ```

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use vpngw::control::{NatView, Request, VpcNatView};
use vpngw::lab::compute::{WORLD, machine, public_addresses};
use vpngw::lab::reference::UNDERLAY;
use vpngw::lab::{FaultKind, Lab};
use vpngw::os::capture::{Capture, Frame};
use vpngw::os::netns;

use crate::support::eventually;
use crate::support::region::Regions;

const PATIENCE: Duration = Duration::from_secs(3);
const WORLDLY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

/// A server that tells everybody its name and from where they come.
fn serve(lab: &Lab, node: &str, port: u16) {
    let listener = netns::within(&lab.namespace(node), || TcpListener::bind(("0.0.0.0", port)));
    let listener = listener.unwrap().unwrap();
    let name = node.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = write!(stream, "{name} {}", stream.peer_addr().unwrap());
        }
    });
}

/// Who answers at an address, and from where it sees us come.
fn call(lab: &Lab, from: &str, to: Ipv4Addr, port: u16) -> Option<(String, SocketAddr)> {
    let target = SocketAddr::new(to.into(), port);
    let connect = || TcpStream::connect_timeout(&target, PATIENCE);
    let mut stream = netns::within(&lab.namespace(from), connect).unwrap().ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (name, seen) = text.split_once(' ')?;
    Some((name.to_owned(), seen.parse().ok()?))
}

fn ip(arguments: &[&str]) -> String {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn within(lab: &Lab, node: &str, command: &[&str]) -> String {
    let namespace = lab.namespace(node);
    ip(&[&["netns", "exec", namespace.as_str()], command].concat())
}

/// Whether a frame is an IPv4 packet to or from a private address of the VPCs, in the clear.
fn is_private(frame: &Frame) -> bool {
    let bytes = &frame.bytes;
    let is_ipv4 = bytes.get(12..14) == Some(&[0x08, 0x00]);
    let of = |at: usize| matches!(bytes.get(at..at + 2), Some([10, 1..=3]));
    is_ipv4 && (of(26) || of(30))
}

#[test]
fn the_world_and_machines_reach_each_other_by_public_addresses_only() {
    let regions = Regions::with_compute_nodes();
    let lab = &regions.lab;
    let [service, whole, blue_service] = public_addresses("east").unwrap();
    let (red_a, red_b) = (machine("east", "red", "a"), machine("east", "red", "b"));
    let (blue_a, blue_b) = (machine("east", "blue", "a"), machine("east", "blue", "b"));
    [&red_a, &red_b, &blue_a].into_iter().for_each(|node| serve(lab, node, 8080));
    serve(lab, WORLD, 7000);
    let wires: Vec<Capture> = ["east-a", "east-b"]
        .map(|gateway| Capture::start(&lab.namespace(UNDERLAY), gateway).unwrap())
        .into();
    // From the world to machines of two tenants with one private address, by service and as a whole.
    let is_here = |(name, seen): (String, SocketAddr), who: &str| {
        assert_eq!((name.as_str(), seen.ip()), (who, IpAddr::V4(WORLDLY)));
    };
    assert!(
        eventually(|| call(lab, WORLD, service, 80).is_some()),
        "{}",
        within(lab, WORLD, &["ip", "neigh"])
    );
    is_here(call(lab, WORLD, service, 80).unwrap(), &red_a);
    is_here(call(lab, WORLD, blue_service, 80).unwrap(), &blue_a);
    is_here(call(lab, WORLD, whole, 8080).unwrap(), &red_b);
    within(lab, WORLD, &["ping", "-c1", "-W2", &whole.to_string()]);
    // What is not published is not reached.
    assert_eq!(call(lab, WORLD, service, 8080), None);
    // From machines to the world: from their own address, or from a port that is this gateway's.
    let speaks = |from: &str| call(lab, from, WORLDLY, 7000).map(|(_, seen)| seen);
    assert_eq!(speaks(&red_b).unwrap().ip(), whole);
    let (of_red, of_blue) = (speaks(&red_a).unwrap(), speaks(&blue_b).unwrap());
    assert_eq!((of_red.ip(), of_blue.ip()), (service.into(), blue_service.into()));
    assert!([of_red, of_blue].iter().all(|one| (1024..=32767).contains(&one.port())), "{of_red}");
    within(lab, &red_a, &["ping", "-c1", "-W2", &WORLDLY.to_string()]);
    // From machines to public addresses of their own VPC and of another.
    for (from, seen) in [(&red_b, whole), (&red_a, service), (&blue_b, blue_service)] {
        let (name, source) = call(lab, from, service, 80).unwrap();
        assert_eq!((name, source.ip()), (red_a.clone(), IpAddr::V4(seen)), "{from}");
    }
    for wire in wires {
        let frames = wire.finish().unwrap();
        assert!(frames.len() > 20);
        assert_eq!(frames.iter().filter(|frame| is_private(frame)).count(), 0, "a private address");
    }
}

/// What a server sends to one client every so often, so that a connection is never at rest.
const CHUNK: usize = 1024;
const PAUSE: Duration = Duration::from_millis(100);

/// A download that goes on until it is told to end; the server sends `CHUNK` bytes in every `PAUSE`.
fn open_downloads(lab: &Lab, to: SocketAddr, count: usize) -> Vec<TcpStream> {
    open_downloads_from(lab, WORLD, to, count)
}

fn open_downloads_from(lab: &Lab, from: &str, to: SocketAddr, count: usize) -> Vec<TcpStream> {
    let connect = || -> Vec<TcpStream> {
        (0..count).map(|_| TcpStream::connect_timeout(&to, PATIENCE).unwrap()).collect()
    };
    let streams = netns::within(&lab.namespace(from), connect).unwrap();
    streams.iter().for_each(|stream| stream.set_nonblocking(true).unwrap());
    streams
}

/// How many bytes have come by each; `None` when it has ended.
fn drain(streams: &mut [TcpStream], received: &mut [Option<usize>]) {
    let mut buffer = [0; 16 * CHUNK];
    for (stream, received) in streams.iter_mut().zip(received) {
        let Some(bytes) = received else { continue };
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break *received = None,
                Ok(read) => *bytes += read,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(_) => break *received = None,
            }
        }
    }
}

/// One thread serves all: whoever connects gets bytes for ever.
fn serve_downloads(lab: &Lab, node: &str, port: u16) {
    let bind = || TcpListener::bind(("0.0.0.0", port));
    let listener = netns::within(&lab.namespace(node), bind).unwrap().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let (mut clients, chunk) = (Vec::<TcpStream>::new(), [7; CHUNK]);
        loop {
            while let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(true).unwrap();
                clients.push(stream);
            }
            // One that takes nothing now takes more later.
            clients.retain_mut(|client| match client.write(&chunk) {
                Ok(_) => true,
                Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
            });
            std::thread::sleep(PAUSE);
        }
    });
}

/// Which of the connections that were open go on by `until` later.
fn survivors(streams: &mut [TcpStream], within: Duration) -> usize {
    let mut before = vec![Some(0); streams.len()];
    drain(streams, &mut before);
    let mut now = before.clone();
    let until = std::time::Instant::now() + within;
    while std::time::Instant::now() < until {
        std::thread::sleep(PAUSE);
        drain(streams, &mut now);
        // The first drain has taken what had come by then.
        if now.iter().zip(&before).all(|(now, before)| now > before) {
            break;
        }
    }
    now.iter().zip(&before).filter(|(now, before)| now.is_some() && now > before).count()
}

/// Downloads go on after the death of a gateway, and after its return.
fn outlive_the_gateway(regions: &mut Regions, streams: &mut [TcpStream], what: &str) {
    let all = streams.len();
    let mut go_on = |after: &str| {
        let alive = survivors(streams, Duration::from_secs(10));
        println!("  {alive} of {all} {what} go on after {after}");
        assert!(alive * 100 >= all * 99, "{alive} of {all}");
    };
    regions.lab.fail(FaultKind::Kill, "east-a").unwrap();
    std::thread::sleep(Duration::from_secs(1));
    go_on("the death of east-a");
    regions.lab.heal(None).unwrap();
    regions.settles();
    std::thread::sleep(Duration::from_secs(3));
    go_on("its return");
}

#[test]
fn a_thousand_downloads_survive_the_death_of_the_gateway_and_its_return() {
    const DOWNLOADS: usize = 1000;
    let mut regions = Regions::with_compute_nodes();
    let [service, _, _] = public_addresses("east").unwrap();
    serve_downloads(&regions.lab, &machine("east", "red", "a"), 8080);
    let target = SocketAddr::new(service.into(), 80);
    assert!(eventually(|| {
        let connect = || TcpStream::connect_timeout(&target, PATIENCE);
        let outcome = netns::within(&regions.lab.namespace(WORLD), connect).unwrap();
        outcome.is_ok()
    }));
    let mut streams = open_downloads(&regions.lab, SocketAddr::new(service.into(), 80), DOWNLOADS);
    assert_eq!(survivors(&mut streams, PATIENCE), DOWNLOADS);
    outlive_the_gateway(&mut regions, &mut streams, "downloads");
}

/// The keys of a gateway's first VPC, with its connections shared with another.
fn sharing_with(sibling: &str) -> impl FnOnce(String) -> String {
    let section = format!("[vpc.conntrackd]\nsibling = \"{sibling}\"\n\n[[vpc.egress]]");
    move |text| text.replacen("[[vpc.egress]]", &section, 1)
}

/// Whether a gateway's `conntrackd` for the first tenant runs and what it was asked for stands.
fn shares(regions: &Regions, gateway: &str) -> bool {
    let folder = regions.lab.control_socket(gateway).unwrap();
    let folder = std::path::Path::new(&folder).parent().unwrap();
    folder.join(format!("{gateway}-red.conntrackd.ctl")).exists()
        && nat(regions, gateway).refusals.is_empty()
}

#[test]
fn connections_that_machines_have_begun_outlive_the_gateway_that_shares_them() {
    const DOWNLOADS: usize = 300;
    if !std::path::Path::new("/usr/sbin/conntrackd").exists() {
        println!("    conntrackd is not installed; ./test installs it");
        return;
    }
    let mut regions = Regions::with_compute_nodes();
    regions.reload("east-a", sharing_with("10.9.1.3"));
    regions.reload("east-b", sharing_with("10.9.1.2"));
    for gateway in ["east-a", "east-b"] {
        assert!(eventually(|| shares(&regions, gateway)), "{:?}", nat(&regions, gateway));
    }
    serve_downloads(&regions.lab, WORLD, 7000);
    let from = machine("east", "red", "a");
    let target = SocketAddr::new(WORLDLY.into(), 7000);
    assert!(eventually(|| {
        let connect = || TcpStream::connect_timeout(&target, PATIENCE).is_ok();
        netns::within(&regions.lab.namespace(&from), connect).unwrap()
            && nat(&regions, "east-a").egress[0].connections > 0
    }));
    let mut streams = open_downloads_from(&regions.lab, &from, target, DOWNLOADS);
    assert_eq!(survivors(&mut streams, PATIENCE), DOWNLOADS);
    outlive_the_gateway(&mut regions, &mut streams, "downloads of a machine");
    // An orderly end leaves no process and no file of it.
    assert!(eventually(|| shares(&regions, "east-a")));
    regions.lab.fail(FaultKind::Stop, "east-a").unwrap();
    assert!(eventually(|| !shares_files(&regions, "east-a")));
}

/// Whether there is a file of a gateway's `conntrackd`.
fn shares_files(regions: &Regions, gateway: &str) -> bool {
    let folder = regions.lab.control_socket(gateway).unwrap();
    let folder = std::path::Path::new(&folder).parent().unwrap();
    let prefix = format!("{gateway}-red.conntrackd");
    let mut entries = std::fs::read_dir(folder).unwrap().flatten();
    entries.any(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
}

/// Nobody shares: the other gateway knows nothing of them, says so at once, and serves new ones by ports of
/// its own.
#[test]
fn connections_that_nobody_shares_end_at_once_and_new_ones_have_other_ports() {
    const DOWNLOADS: usize = 20;
    let mut regions = Regions::with_compute_nodes();
    serve_downloads(&regions.lab, WORLD, 7000);
    serve(&regions.lab, WORLD, 7001);
    let from = machine("east", "red", "a");
    let target = SocketAddr::new(WORLDLY.into(), 7000);
    // The gateway of higher rank takes its place a second after it is there.
    std::thread::sleep(Duration::from_secs(2));
    let by =
        |regions: &Regions| call(&regions.lab, &from, WORLDLY, 7001).map(|(_, seen)| seen.port());
    assert!(eventually(|| by(&regions).is_some_and(|port| (1024..=32767).contains(&port))));
    let mut streams = open_downloads_from(&regions.lab, &from, target, DOWNLOADS);
    assert_eq!(survivors(&mut streams, PATIENCE), DOWNLOADS);
    regions.lab.fail(FaultKind::Kill, "east-a").unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(eventually(|| by(&regions).is_some_and(|port| (32768..=65535).contains(&port))));
    assert_eq!(survivors(&mut streams, Duration::from_secs(2)), 0);
    // A machine that says something is told that nobody knows it.
    let reset = |stream: &mut TcpStream| {
        let _ = stream.write(b"?");
        std::thread::sleep(Duration::from_millis(20));
        let read = loop {
            match stream.read(&mut [0; 4096]) {
                Ok(1..) => {}
                other => break other,
            }
        };
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
    };
    assert!(eventually(|| reset(&mut streams[0])));
    assert!(eventually(|| nat(&regions, "east-b").lost > 0));
}

/// Packets of a kind that came to a wire.
fn count(frames: &[Frame], which: impl Fn(&Frame) -> bool) -> usize {
    frames.iter().filter(|frame| which(frame)).count()
}

/// Sends one datagram from an address of the world's, which may be forged.
fn forge(lab: &Lab, from: &str, to: Ipv4Addr) {
    let send = || UdpSocket::bind((from, 0)).unwrap().send_to(b"hello", (to, 80)).unwrap();
    netns::within(&lab.namespace(WORLD), send).unwrap();
}

fn nat(regions: &Regions, gateway: &str) -> VpcNatView {
    let view: NatView = regions.ask(gateway, &Request::Nat);
    view.vpcs.into_iter().find(|vpc| vpc.vpc == "red").unwrap()
}

#[test]
fn what_is_not_translated_never_leaves_and_strangers_are_counted() {
    let regions = Regions::with_compute_nodes();
    let lab = &regions.lab;
    let [service, whole, _] = public_addresses("east").unwrap();
    let (red_a, inside) = (machine("east", "red", "a"), "east-a-red");
    serve(lab, &red_a, 8080);
    // The other gateway may have answered first.
    let answers_by_east_a = || {
        call(lab, WORLD, service, 80).is_some() && nat(&regions, "east-a").public[0].connections > 0
    };
    assert!(eventually(answers_by_east_a));
    let before = nat(&regions, "east-a");
    assert!(before.serving && before.up, "{before:?}");
    assert!(!nat(&regions, "east-b").serving);
    // A source of the VPC's, and of what is behind its peers; a port that nobody has published.
    within(lab, WORLD, &["ip", "addr", "add", "10.1.2.10/32", "dev", "eth0"]);
    within(lab, WORLD, &["ip", "addr", "add", "10.2.1.10/32", "dev", "eth0"]);
    for _ in 0..5 {
        forge(lab, "10.1.2.10", whole);
        forge(lab, "10.2.1.10", whole);
        forge(lab, "198.51.100.2", service);
    }
    assert!(
        eventually(|| {
            let now = nat(&regions, "east-a");
            (now.spoofed, now.refused - before.refused) == (10, 5)
        }),
        "{:?}",
        nat(&regions, "east-a")
    );
    // Somebody empties the packet filter: nothing is marked, so nothing leaves, until the table is back.
    let wire = Capture::start(&lab.namespace(UNDERLAY), "east-a").unwrap();
    let namespace = lab.namespace(&red_a);
    let pings = ["netns", "exec", &namespace, "ping", "-i0.02", "-w1", "198.51.100.2"];
    let pings = Command::new("ip").args(pings).stdout(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    within(lab, inside, &["nft", "flush", "ruleset"]);
    pings.wait_with_output().unwrap();
    let table = || within(lab, inside, &["nft", "list", "ruleset"]);
    assert!(eventually(|| table().contains("203.0.113.18")), "{}", table());
    assert!(eventually(|| call(lab, WORLD, service, 80).is_some()));
    // Neither a route that somebody adds, nor what the namespace itself sends.
    within(lab, inside, &["ip", "route", "add", "default", "dev", "pub-red"]);
    let _ = Command::new("ip")
        .args([
            "netns",
            "exec",
            &lab.namespace(inside),
            "ping",
            "-c3",
            "-i0.1",
            "-W1",
            "198.51.100.2",
        ])
        .output();
    within(lab, inside, &["ip", "route", "del", "default", "dev", "pub-red"]);
    let frames = wire.finish().unwrap();
    assert!(count(&frames, |frame| frame.bytes.len() > 14) > 20);
    assert_eq!(count(&frames, is_private), 0, "a private address");
    regions.settles();
}

#[test]
fn public_addresses_come_change_and_go_while_the_gateway_runs_and_with_it() {
    let mut regions = Regions::with_compute_nodes();
    let [service, whole, _] = public_addresses("east").unwrap();
    let red_a = machine("east", "red", "a");
    serve(&regions.lab, &red_a, 8080);
    serve(&regions.lab, &red_a, 9090);
    let answers = |regions: &Regions, port| call(&regions.lab, WORLD, service, port).is_some();
    assert!(eventually(|| answers(&regions, 80)));
    let ports = |from: &str, to: &str| {
        let (from, to) =
            (format!("ports = {{ tcp = \"{from}\" }}"), format!("ports = {{ tcp = \"{to}\" }}"));
        move |text: String| text.replacen(&from, &to, 1)
    };
    regions.reload("east-a", ports("80", "81"));
    assert!(eventually(|| answers(&regions, 81)));
    assert!(!answers(&regions, 80));
    regions.reload("east-a", ports("81", "80"));
    assert!(eventually(|| answers(&regions, 80)));
    // What somebody takes away is put back.
    let (inside, outside) = ("east-a-red", "east-a");
    within(&regions.lab, outside, &["ip", "link", "del", "pub-red"]);
    assert!(eventually(|| answers(&regions, 80)));
    within(&regions.lab, outside, &["ip", "route", "flush", "table", "79003"]);
    assert!(eventually(|| answers(&regions, 80)));
    // An address that the host itself has is refused, in words.
    let address = format!("{whole}/32");
    within(&regions.lab, outside, &["ip", "addr", "add", &address, "dev", "wan0"]);
    regions.reload("east-a", ports("80", "82"));
    let refused = || {
        let refusals = nat(&regions, "east-a").refusals;
        refusals.iter().any(|one| one.reason.contains("203.0.113.19 is an address of wan0 itself"))
    };
    assert!(eventually(refused), "{:?}", nat(&regions, "east-a"));
    within(&regions.lab, outside, &["ip", "addr", "del", &address, "dev", "wan0"]);
    assert!(eventually(|| nat(&regions, "east-a").refusals.is_empty()));
    // An orderly end leaves nothing of it.
    within(&regions.lab, inside, &["nft", "add", "table", "ip", "theirs"]);
    regions.lab.fail(FaultKind::Stop, "east-a").unwrap();
    let left = |node: &str, command: &[&str]| within(&regions.lab, node, command);
    assert_eq!(left(inside, &["nft", "list", "tables"]).trim(), "table ip theirs");
    for node in [inside, outside] {
        assert!(!left(node, &["ip", "-o", "link"]).contains("pub-"), "{node}");
        assert!(!left(node, &["ip", "rule"]).contains("79003"), "{node}");
        assert!(!left(node, &["ip", "route", "show", "table", "all"]).contains("79003"), "{node}");
    }
    // A device of somebody else's is left alone, and the tunnels run without it.
    within(&regions.lab, outside, &["ip", "link", "add", "pub-red", "type", "bridge"]);
    regions.lab.heal(None).unwrap();
    regions.settles();
    let taken = || {
        let refusals = nat(&regions, "east-a").refusals;
        refusals.iter().any(|one| one.reason.contains("there is a device pub-red"))
    };
    assert!(eventually(taken), "{:?}", nat(&regions, "east-a"));
    within(&regions.lab, outside, &["ip", "link", "del", "pub-red"]);
    assert!(eventually(|| answers(&regions, 82)));
}
