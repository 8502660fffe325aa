//! Two regions that use the same prefixes, and two hosts with the same address.
//!
//! ```text
//!   west-host ──┬── west-a ──┐                              narrow: 1300 bytes
//!   10.0.1.10   └── west-b ──┴─ underlay ── east ── east-router ── east-host
//!   VRRP 10.0.1.1                                10.0.0.254     10.0.1.10
//!
//!   known as 100.64.0.0/16, fd64:1::/48      known as 100.65.0.0/16, fd64:2::/48
//! ```

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread::{sleep, spawn};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use vpngw::control::{PeerState, PeersView, Request};
use vpngw::lab::topology::{Role, Topology, plug, port};
use vpngw::lab::traffic::{Journey, Transfer, transfer};
use vpngw::lab::{self, control, daemon, network};
use vpngw::os::process::Process;
use vpngw::os::{file, netns};

use crate::support::vpngwd::{PROGRAM, PSK};
use crate::support::{eventually, unique_prefix};

/// Gateways with the last part of their addresses, and how they rank.
const GATEWAYS: [(&str, u8, u8); 3] = [("west-a", 2, 200), ("west-b", 3, 150), ("east", 1, 200)];
/// Each family: the hosts' address in their own region, and that of the east's as the west knows it.
const HOSTS: [(&str, &str); 2] =
    [("10.0.1.10", "100.65.1.10"), ("fd00:7:0:1::10", "fd64:2:0:1::10")];
/// How the east knows the host in the west.
const WEST: [&str; 2] = ["100.64.1.10", "fd64:1:0:1::10"];

/// The namespaces and the daemons. Dropping it ends and removes all.
struct Scene {
    prefix: String,
    topology: Topology,
    folder: TempDir,
    daemons: Vec<(&'static str, Process)>,
}

impl Scene {
    fn start() -> Scene {
        let (prefix, topology) = (unique_prefix(), topology());
        network::remove(&prefix, &topology).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut scene = Scene { prefix, topology, folder, daemons: Vec::new() };
        lab::wait_for(network::build(&scene.prefix, &scene.topology)).unwrap();
        scene.write("shared.psk", PSK);
        for (gateway, ..) in GATEWAYS {
            scene.boot(gateway);
        }
        for (gateway, peers) in [("west-a", 1), ("west-b", 1), ("east", 2)] {
            assert!(eventually(|| scene.tunnels(gateway) == peers), "{gateway}\n{}", scene.logs());
        }
        for family in 0..2 {
            let journey = scene.journey(family);
            assert!(eventually(|| journey.succeeds()), "{}\n{}", journey.target, scene.logs());
        }
        scene
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        file::replace(&path, text.as_bytes(), 0o600).unwrap();
        path
    }

    fn namespace(&self, node: &str) -> String {
        network::namespace(&self.prefix, node)
    }

    fn socket(&self, gateway: &str) -> String {
        self.folder.path().join(format!("{gateway}.sock")).display().to_string()
    }

    fn boot(&mut self, gateway: &'static str) {
        let config = self.write(&format!("{gateway}.toml"), &self.config(gateway));
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(config).args(["--log", "debug"]);
        let log = self.folder.path().join(format!("{gateway}.log"));
        let daemon = daemon::start_in(&mut command, &self.namespace(gateway), &log).unwrap();
        self.daemons.push((gateway, daemon));
    }

    /// A gateway loses its power.
    fn kill(&mut self, gateway: &str) {
        let place = self.daemons.iter().position(|(name, _)| *name == gateway).unwrap();
        let (_, daemon) = self.daemons.remove(place);
        daemon.signal(Signal::SIGKILL).unwrap();
        assert!(daemon.wait(Duration::from_secs(10)), "{gateway} does not die");
    }

    fn config(&self, gateway: &str) -> String {
        let (_, last, priority) = GATEWAYS.into_iter().find(|(name, ..)| *name == gateway).unwrap();
        let is_west = gateway != "east";
        let (own, region) = if is_west { ([64, 1], "west") } else { ([65, 2], "east") };
        let other = if is_west { [65, 2] } else { [64, 1] };
        let map = |inside: &str, outside: String| {
            format!("[[vpc.map]]\ninside = \"{inside}\"\noutside = \"{outside}\"\n")
        };
        let vrrp = format!(
            "[[vpc.vrrp]]\nvrid = 1\npriority = {priority}\naddresses = [\"10.0.1.1\", \"fd00:7:0:1::1\"]\n"
        );
        let peers = GATEWAYS.into_iter().filter(|(name, ..)| (*name == "east") == is_west);
        let peers = peers.map(|(name, last, priority)| {
            format!(
                "[[peer]]\nname = \"{name}\"\nremote_address = \"10.79.0.{last}\"\n\
                 psk_file = \"shared.psk\"\nremote_asn = {}\nlocal_preference = {priority}\n\
                 accept = [\"100.{}.0.0/16\", \"fd64:{}::/48\"]\n",
                64_500 + u32::from(last),
                other[0],
                other[1]
            )
        });
        format!(
            "[gateway]\nname = \"{gateway}\"\nregion = \"{region}\"\nasn = {}\n\
             listen = [\"10.79.0.{last}\"]\ncontrol_socket = \"{}\"\n\
             [[vpc]]\nname = \"shop\"\ninterface = \"lan0\"\n\
             prefixes = [\"10.0.0.0/16\", \"fd00:7::/48\"]\n{}{}{}{}",
            64_500 + u32::from(last),
            self.socket(gateway),
            map("10.0.0.0/16", format!("100.{}.0.0/16", own[0])),
            map("fd00:7::/48", format!("fd64:{}::/48", own[1])),
            if is_west { &vrrp } else { "" },
            peers.collect::<String>(),
        )
    }

    fn tunnels(&self, gateway: &str) -> usize {
        let view: Option<PeersView> = control::ask(&self.socket(gateway), &Request::Peers).ok();
        let peers = view.into_iter().flat_map(|view| view.peers);
        peers.filter(|peer| peer.state == PeerState::Up && peer.prefixes_accepted == 2).count()
    }

    /// From the host in the west to the one in the east.
    fn journey(&self, family: usize) -> Journey {
        let (from, to) = ("west-host".to_owned(), "east-host".to_owned());
        let namespace = self.namespace(&from);
        Journey { from, namespace, to, target: HOSTS[family].1.parse().unwrap() }
    }

    /// What `ping` of the host in the west says.
    fn ping(&self, family: usize, arguments: &str) -> String {
        let mut command = Command::new("ping");
        command.args(arguments.split(' ')).args(["-n", "-c", "1", "-W", "2", HOSTS[family].1]);
        netns::place(&mut command, &self.namespace("west-host")).unwrap();
        text(&command.output().unwrap())
    }

    /// A transfer from the west to the east, under way.
    fn transferring(&self, family: usize, bytes: u64) -> std::thread::JoinHandle<Transfer> {
        let [from, to] = ["west-host", "east-host"].map(|host| self.namespace(host));
        let target: IpAddr = HOSTS[family].1.parse().unwrap();
        spawn(move || transfer(&from, &to, target, bytes).unwrap())
    }

    fn logs(&self) -> String {
        let log = |(gateway, ..): (&str, u8, u8)| self.folder.path().join(format!("{gateway}.log"));
        GATEWAYS.map(|one| std::fs::read_to_string(log(one)).unwrap_or_default()).join("\n")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = self.logs();
            let lines: Vec<&str> = logs.lines().collect();
            eprintln!("{}", lines[lines.len().saturating_sub(200)..].join("\n"));
        }
        self.daemons.clear();
        if let Err(error) = network::remove(&self.prefix, &self.topology) {
            eprintln!("the namespaces of {} stay behind: {error:#}", self.prefix);
        }
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn topology() -> Topology {
    let mut topology = Topology::default();
    topology.node("underlay", Role::Switch).bridge("br0");
    topology.node("west-lan", Role::Switch).bridge("br0");
    for (gateway, last, _) in GATEWAYS {
        let node = topology.node(gateway, Role::Gateway);
        node.address("wan0", &format!("10.79.0.{last}/24"));
        topology.cable(plug(gateway, "wan0"), port("underlay", gateway, "br0"));
    }
    for (gateway, last, _) in &GATEWAYS[..2] {
        let node = topology.nodes.iter_mut().find(|node| node.name == *gateway).unwrap();
        node.address("lan0", &format!("10.0.1.{last}/24"));
        node.address("lan0", &format!("fd00:7:0:1::{last}/64"));
        topology.cable(plug(gateway, "lan0"), port("west-lan", gateway, "br0"));
    }
    let east = topology.nodes.iter_mut().find(|node| node.name == "east").unwrap();
    east.address("lan0", "10.0.0.1/24").address("lan0", "fd00:7::1/64");
    east.route("10.0.1.0/24", "10.0.0.254").route("fd00:7:0:1::/64", "fd00:7::254");
    topology
        .node("east-router", Role::Router)
        .address("lan0", "10.0.0.254/24")
        .address("lan0", "fd00:7::254/64")
        .address("far0", "10.0.1.1/24")
        .address("far0", "fd00:7:0:1::1/64")
        .route("0.0.0.0/0", "10.0.0.1")
        .route("::/0", "fd00:7::1");
    topology.cable(plug("east", "lan0"), plug("east-router", "lan0"));
    for host in ["west-host", "east-host"] {
        topology
            .node(host, Role::Host)
            .address("eth0", &format!("{}/24", HOSTS[0].0))
            .address("eth0", &format!("{}/64", HOSTS[1].0))
            .route("0.0.0.0/0", "10.0.1.1")
            .route("::/0", "fd00:7:0:1::1");
    }
    topology.cable(plug("west-host", "eth0"), port("west-lan", "host", "br0"));
    topology.cable(plug("east-router", "far0"), plug("east-host", "eth0"));
    topology
}

/// The way from the east's router to its host carries less from now on.
fn narrow(scene: &Scene) {
    // The metrics are those of the kernel's own routes, in whose place these come.
    for (network, metric) in [("10.0.1.0/24", "0"), ("fd00:7:0:1::/64", "256")] {
        let mut command = Command::new("ip");
        command.args(["-n", &scene.namespace("east-router"), "route", "replace", network]);
        command.args(["dev", "far0", "metric", metric, "mtu", "1300"]);
        assert!(command.status().unwrap().success());
    }
}

/// Sends a datagram until it arrives, and says from whom: IPv6 hosts learn first in which pieces it fits.
fn deliver(from: &UdpSocket, to: &UdpSocket, target: SocketAddr, length: usize) -> SocketAddr {
    let mut octets = [0; 5000];
    let mut arrives = || {
        from.send_to(&vec![7; length], target).unwrap();
        to.recv_from(&mut octets).ok()
    };
    let (count, seen) = arrives().or_else(&mut arrives).or_else(arrives).unwrap();
    assert_eq!(count, length);
    seen
}

#[test]
fn hosts_with_one_address_speak_with_each_other_by_ping_tcp_and_udp() {
    let scene = Scene::start();
    for (family, (own, far)) in HOSTS.into_iter().enumerate() {
        let udp = |node: &str| {
            let any = if own.contains(':') { "[::]:0" } else { "0.0.0.0:0" };
            netns::within(&scene.namespace(node), || UdpSocket::bind(any)).unwrap().unwrap()
        };
        let (west, east) = (udp("west-host"), udp("east-host"));
        east.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        west.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let target = SocketAddr::new(far.parse().unwrap(), east.local_addr().unwrap().port());
        // The longer one goes in fragments.
        for length in [5, 4000] {
            let seen = deliver(&west, &east, target, length);
            assert_eq!(seen.ip(), WEST[family].parse::<IpAddr>().unwrap());
            assert_eq!(deliver(&east, &west, seen, length), target);
        }
        let done = scene.transferring(family, 40 << 20).join().unwrap();
        assert!(done.is_intact);
        println!("    {own} to {far}: 40 MB at {:.0} Mbit/s", done.rate() / 1e6);
    }
    // Nobody listens: the error finds its socket.
    for (_, far) in HOSTS {
        let any = if far.contains(':') { "[::]:0" } else { "0.0.0.0:0" };
        let socket = netns::within(&scene.namespace("west-host"), || UdpSocket::bind(any));
        let socket = socket.unwrap().unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.connect(SocketAddr::new(far.parse().unwrap(), 9)).unwrap();
        socket.send(b"anybody?").unwrap();
        let error = socket.recv(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{far}");
    }
}

#[test]
fn path_mtu_and_traceroute_work_through_the_translation() {
    let scene = Scene::start();
    narrow(&scene);
    let hops =
        [["10.0.1.2", "100.65.0.1", "100.65.0.254"], ["fd00:7:0:1::2", "fd64:2::1", "fd64:2::254"]];
    for (family, hops) in hops.into_iter().enumerate() {
        for (ttl, hop) in (1..).zip(hops) {
            // The gateway of lower rank answers until the other's path has held.
            let said = || scene.ping(family, &format!("-t {ttl}"));
            let answers = || said().contains(&format!("From {hop} "));
            assert!(eventually(answers), "hop {ttl}, not {hop}: {}", said());
        }
        let said = scene.ping(family, "-t 4");
        assert!(said.contains("1 received"), "{said}");
        let said = scene.ping(family, "-M do -s 1320");
        let router = hops[2];
        assert!(said.contains(&format!("From {router} ")) && said.contains("1300"), "{said}");
        let said = scene.ping(family, "-M do -s 1252");
        assert!(said.contains("1 received"), "{said}");
        let done = scene.transferring(family, 20 << 20).join().unwrap();
        assert!(done.is_intact, "TCP has found the size that fits");
    }
}

#[test]
fn a_connection_outlives_its_gateway_and_a_restart_of_the_other_end() {
    let mut scene = Scene::start();
    for family in 0..2 {
        let transfer = scene.transferring(family, 300 << 20);
        sleep(Duration::from_millis(500));
        scene.kill("west-a");
        sleep(Duration::from_millis(1500));
        scene.kill("east");
        scene.boot("east");
        assert!(!transfer.is_finished(), "it was over before anything happened");
        let done = transfer.join().unwrap();
        assert!(done.is_intact);
        println!("    300 MB intact in {:.1?} over a failover and a restart", done.took);
        scene.boot("west-a");
        assert!(eventually(|| scene.tunnels("west-a") == 1), "{}", scene.logs());
    }
}
