//! Two gateways of a region that share the flows of another region's hosts.
//!
//! ```text
//!                                        ┌── two thirds ── north-a ──┐
//!   east-host-a: a hundred flows ── east-a                           ├── north-host-a: echoes
//!                                        └── one third ─── north-b ──┘
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use vpngw::control::{PeerSummary, PeersView, Ports, Request, RoutesView, ShareView, WhyView};
use vpngw::lab::{FaultKind, Lab, control};
use vpngw::os::netns;

use crate::support::eventually;
use crate::support::region::Regions;

const PORTS: std::ops::Range<u16> = 20_000..20_100;
const ECHO_PORT: u16 = 7;
const INTERVAL: Duration = Duration::from_millis(40);
/// What BFD at 50 ms by 3 promises, and what a machine with two busy cores adds to it.
const TARGET: Duration = Duration::from_millis(600);
const SHARING: [&str; 2] = ["north-a", "north-b"];

/// Peers of the north that rank alike, the first with twice the weight.
fn sharing(text: String) -> String {
    let heavy = "name = \"north-a\"\nweight = 2\n";
    let text = text.replace("local_preference = 200\n", "").replace("local_preference = 100\n", "");
    text.replace("name = \"north-a\"\n", heavy).replace("[[vpc]]\n", "[[vpc]]\nmultipath = true\n")
}

/// One socket for each flow, by its port; a word goes out by each at every interval.
struct Flows {
    client: JoinHandle<BTreeMap<u16, Vec<Option<Instant>>>>,
    ending: Arc<AtomicBool>,
    server: JoinHandle<()>,
    /// The last words have been answered.
    closing: Arc<AtomicBool>,
    sent_from: Instant,
}

impl Flows {
    fn start(lab: &Lab, (from, local): (&str, IpAddr), (to, remote): (&str, IpAddr)) -> Flows {
        let [ending, closing] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let server = bind(lab, to, (remote, ECHO_PORT).into());
        let sockets = PORTS.map(|port| (port, bind(lab, from, (local, port).into())));
        let sockets: Vec<(u16, UdpSocket)> = sockets.collect();
        let (seen, over) = (Arc::clone(&ending), Arc::clone(&closing));
        let sent_from = Instant::now();
        let remote = SocketAddr::from((remote, ECHO_PORT));
        Flows {
            client: std::thread::spawn(move || send_all(&sockets, remote, sent_from, &seen)),
            server: std::thread::spawn(move || echo(&server, &over)),
            ending,
            closing,
            sent_from,
        }
    }

    /// Ends them; for each flow how many words were lost, and the longest time without an answer.
    fn finish(self) -> BTreeMap<u16, (usize, Duration)> {
        self.ending.store(true, Ordering::Relaxed);
        let answered = self.client.join().unwrap();
        self.closing.store(true, Ordering::Relaxed);
        self.server.join().unwrap();
        let verdict = |answers: &Vec<Option<Instant>>| {
            let lost = answers.iter().filter(|answer| answer.is_none()).count();
            let mut times: Vec<Instant> = answers.iter().flatten().copied().collect();
            times.insert(0, self.sent_from);
            times.sort_unstable();
            let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
            (lost, gaps.max().unwrap_or_default())
        };
        answered.iter().map(|(port, answers)| (*port, verdict(answers))).collect()
    }
}

fn bind(lab: &Lab, host: &str, address: SocketAddr) -> UdpSocket {
    let socket = netns::within(&lab.namespace(host), move || UdpSocket::bind(address));
    let socket = socket.unwrap().unwrap();
    socket.set_nonblocking(true).unwrap();
    // Who waits for a processor for a tenth of a second loses none of what came meanwhile; without the right
    // to that the usual room has to do.
    let _ = setsockopt(&socket, RcvBufForce, &(4 << 20));
    socket
}

/// When the answer to each word of each flow came.
fn send_all(
    sockets: &[(u16, UdpSocket)],
    remote: SocketAddr,
    begin: Instant,
    ending: &AtomicBool,
) -> BTreeMap<u16, Vec<Option<Instant>>> {
    let mut answers: BTreeMap<u16, Vec<Option<Instant>>> = BTreeMap::new();
    let mut collect = |until: Instant, word: Option<u32>| {
        for (port, socket) in sockets {
            let of_flow = answers.entry(*port).or_default();
            if let Some(word) = word {
                of_flow.push(None);
                // "Unreachable" is an answer to an earlier word.
                let _ = socket.send_to(&word.to_be_bytes(), remote);
            }
        }
        while Instant::now() < until {
            for (port, socket) in sockets {
                let mut word = [0; 4];
                while let Ok((4, _)) = socket.recv_from(&mut word) {
                    let place = u32::from_be_bytes(word) as usize;
                    answers.get_mut(port).unwrap()[place] = Some(Instant::now());
                }
            }
            sleep(Duration::from_millis(2));
        }
    };
    let mut next = begin;
    for word in 0.. {
        if ending.load(Ordering::Relaxed) {
            break;
        }
        next += INTERVAL;
        collect(next, Some(word));
    }
    collect(Instant::now() + Duration::from_millis(500), None);
    answers
}

fn echo(socket: &UdpSocket, ending: &AtomicBool) {
    let mut word = [0; 4];
    while !ending.load(Ordering::Relaxed) {
        match socket.recv_from(&mut word) {
            Ok((length, from)) => drop(socket.send_to(&word[..length], from)),
            Err(_) => sleep(Duration::from_millis(1)),
        }
    }
}

fn ask<T: serde::de::DeserializeOwned>(lab: &Lab, request: &Request) -> T {
    control::ask(&lab.control_socket("east-a").unwrap(), request).unwrap()
}

fn summary(lab: &Lab, peer: &str) -> PeerSummary {
    let view: PeersView = ask(lab, &Request::Peers);
    view.peers.into_iter().find(|one| one.name == peer).unwrap()
}

fn shares(lab: &Lab) -> Vec<ShareView> {
    let view: RoutesView = ask(lab, &Request::Routes);
    let mut routes = view.vpcs.into_iter().flat_map(|vpc| vpc.routes);
    routes.find(|route| route.prefix.to_string() == "10.2.0.0/16").unwrap().shared
}

/// The peer that each flow takes, as `vpnctl why` has it.
fn members(lab: &Lab, from: IpAddr, to: IpAddr) -> BTreeMap<u16, String> {
    let through = |port| {
        let ports = Some(Ports { protocol: 17, source: port, destination: ECHO_PORT });
        let view: WhyView = ask(lab, &Request::Why { to, from: Some(from), ports });
        (port, view.ways[0].through.clone())
    };
    PORTS.map(through).collect()
}

fn longest<'f>(flows: impl Iterator<Item = &'f (usize, Duration)>) -> Duration {
    flows.map(|(_, gap)| *gap).max().unwrap_or_default()
}

#[test]
fn flows_are_shared_by_weight_and_only_those_of_a_gateway_that_dies_notice() {
    let mut regions = Regions::up();
    // What comes up within the first second comes up one after the other.
    sleep(Duration::from_secs(2));
    for gateway in ["east-a", "east-b"] {
        regions.reload(gateway, sharing);
    }
    assert!(eventually(|| shares(&regions.lab).len() == 2), "{:?}", shares(&regions.lab));
    let (from, to) = (regions.addresses("east-host-a")[0], regions.addresses("north-host-a")[0]);
    let members = members(&regions.lab, from, to);
    let of = |peer: &str| members.values().filter(|member| *member == peer).count();
    println!("    {} flows by north-a, {} by north-b", of("north-a"), of("north-b"));
    assert!((56..=77).contains(&of("north-a")), "two thirds of {}", PORTS.len());
    assert_eq!(of("north-a") + of("north-b"), PORTS.len());

    let sent = |lab: &Lab| SHARING.map(|peer| summary(lab, peer).sent.packets);
    let before = sent(&regions.lab);
    let flows = Flows::start(&regions.lab, ("east-host-a", from), ("north-host-a", to));
    sleep(Duration::from_secs(2));
    let after = sent(&regions.lab);
    let [one, other] = [after[0] - before[0], after[1] - before[1]];
    let part = one as f64 / (one + other) as f64;
    let due = of("north-a") as f64 / PORTS.len() as f64;
    println!("    {one} packets by north-a, {other} by north-b");
    assert!((part - due).abs() < 0.05, "{part} of the packets, {due} of the flows");

    regions.lab.fail(FaultKind::Kill, "north-b").unwrap();
    sleep(Duration::from_secs(2));
    let verdicts = flows.finish();
    let (dead, alive): (Vec<_>, Vec<_>) =
        verdicts.iter().partition(|(port, _)| members[port] == "north-b");
    let lost: usize = alive.iter().map(|(_, (lost, _))| lost).sum();
    let gap = longest(dead.iter().map(|(_, verdict)| *verdict));
    let undisturbed = longest(alive.iter().map(|(_, verdict)| *verdict));
    println!(
        "    north-b killed: {} ms without an answer for its flows, {} ms for the others, of which {lost} \
         words were lost",
        gap.as_millis(),
        undisturbed.as_millis()
    );
    assert!(dead.iter().all(|(_, (lost, _))| *lost > 0), "a flow of north-b did not go that way");
    assert!(gap < TARGET, "{gap:?}");
    assert_eq!(lost, 0, "flows of north-a");
    assert!(eventually(|| shares(&regions.lab).is_empty()));

    let flows = Flows::start(&regions.lab, ("east-host-a", from), ("north-host-a", to));
    regions.lab.heal(None).unwrap();
    assert!(eventually(|| shares(&regions.lab).len() == 2));
    sleep(Duration::from_millis(500));
    let lost: usize = flows.finish().values().map(|(lost, _)| lost).sum();
    println!("    north-b back: {lost} words lost");
    assert_eq!(lost, 0, "the way back");
    assert_eq!(self::members(&regions.lab, from, to), members);
}
