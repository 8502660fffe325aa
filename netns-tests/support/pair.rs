//! Two sites with a router between them.
//!
//! ```text
//!   left-host ───────── left ─────────── middle ─────────── right ───────── right-host
//!   10.1.0.10     10.1.0.1│10.79.1.10    .1.1│.2.1    10.79.2.10│10.2.0.1    10.2.0.10
//!   fd00:1::10     fd00:1::1│fd79:1::10   ::1│::1     fd79:2::10│fd00:2::1   fd00:2::10
//!   eth0              lan0│wan0          left│right         wan0│lan0              eth0
//! ```

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use vpngw::lab::topology::{Role, Topology, plug};
use vpngw::lab::traffic::{Journey, Pinger, Report};
use vpngw::lab::{self, network};
use vpngw::os::capture::Capture;
use vpngw::os::file;

use super::{eventually, run, unique_prefix};

/// A side of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

impl Side {
    pub(crate) const BOTH: [Side; 2] = [Side::Left, Side::Right];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Side::Left => "left",
            Side::Right => "right",
        }
    }

    pub(crate) fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }

    pub(crate) fn number(self) -> u8 {
        match self {
            Side::Left => 1,
            Side::Right => 2,
        }
    }

    pub(crate) fn wan(self) -> String {
        format!("10.79.{}.10", self.number())
    }

    pub(crate) fn identity(self) -> String {
        format!("{}.example.com", self.name())
    }

    /// What is behind it.
    pub(crate) fn prefixes(self) -> [String; 2] {
        let number = self.number();
        [format!("10.{number}.0.0/16"), format!("fd00:{number}::/48")]
    }

    pub(crate) fn host(self) -> String {
        format!("{}-host", self.name())
    }

    pub(crate) fn host_addresses(self) -> [IpAddr; 2] {
        let number = self.number();
        [literal(&format!("10.{number}.0.10")), literal(&format!("fd00:{number}::10"))]
    }
}

/// The namespaces of one scenario, and a folder for its files. Dropping it removes all.
pub(crate) struct Pair {
    prefix: String,
    topology: Topology,
    folder: TempDir,
}

/// `ip` in the namespace of a node.
pub(crate) fn ip(pair: &Pair, node: &str, words: &str) {
    let namespace = pair.namespace(node);
    let words: Vec<&str> = ["-n", &namespace].into_iter().chain(words.split(' ')).collect();
    run("ip", &words);
}

impl Pair {
    pub(crate) fn new() -> Self {
        let (prefix, topology) = (unique_prefix(), topology());
        network::remove(&prefix, &topology).unwrap();
        let pair = Pair { prefix, topology, folder: tempfile::tempdir().unwrap() };
        lab::wait_for(network::build(&pair.prefix, &pair.topology)).unwrap();
        pair
    }

    /// The namespace of a node.
    pub(crate) fn namespace(&self, node: &str) -> String {
        network::namespace(&self.prefix, node)
    }

    /// The path of a file of this scenario.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that only its owner may read, or replaces it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        file::replace(&path, text.as_bytes(), 0o600).unwrap();
        path
    }

    /// What a gateway sends and receives on the underlay.
    pub(crate) fn watch_underlay(&self) -> Capture {
        Capture::start(&self.namespace("middle"), "left").unwrap()
    }

    /// A path between the hosts, by IPv4 (0) or IPv6 (1).
    pub(crate) fn journey(&self, from: Side, family: usize) -> Journey {
        Journey {
            from: from.host(),
            namespace: self.namespace(&from.host()),
            to: from.other().host(),
            target: from.other().host_addresses()[family],
        }
    }

    /// True when all four paths between the hosts come to work.
    pub(crate) fn comes_to_work(&self) -> bool {
        let mut missing: Vec<Journey> = Side::BOTH
            .into_iter()
            .flat_map(|side| [self.journey(side, 0), self.journey(side, 1)])
            .collect();
        eventually(|| {
            missing.retain(|journey| !journey.succeeds());
            missing.is_empty()
        })
    }

    /// True when no path between the hosts works.
    pub(crate) fn is_silent(&self) -> bool {
        !Side::BOTH.into_iter().any(|side| self.journey(side, 0).succeeds())
    }

    /// Probes both ways in both families, every `interval`, while `act` runs.
    pub(crate) fn probing(&self, interval: Duration, act: impl FnOnce()) -> Vec<Report> {
        let pingers: Vec<Pinger> = Side::BOTH
            .into_iter()
            .flat_map(|side| [self.journey(side, 0), self.journey(side, 1)])
            .map(|journey| Pinger::start(&journey.namespace, journey.target, interval).unwrap())
            .collect();
        act();
        Pinger::finish_all(pingers).unwrap()
    }

    /// Prints the end of every log, when a scenario has failed.
    fn tell(&self) {
        let files = walk(self.folder.path());
        for log in files.iter().filter(|path| path.extension().is_some_and(|e| e == "log")) {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(60)..];
            eprintln!("─── {}\n{}", log.display(), last.join("\n"));
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
        }
        if let Err(error) = network::remove(&self.prefix, &self.topology) {
            eprintln!("the namespaces of {} stay behind: {error:#}", self.prefix);
        }
    }
}

fn topology() -> Topology {
    let mut topology = Topology::default();
    topology
        .node("middle", Role::Router)
        .address("left", "10.79.1.1/24")
        .address("left", "fd79:1::1/64")
        .address("right", "10.79.2.1/24")
        .address("right", "fd79:2::1/64");
    for side in Side::BOTH {
        add_site(&mut topology, side);
    }
    topology
}

fn add_site(topology: &mut Topology, side: Side) {
    let number = side.number();
    topology
        .node(side.name(), Role::Gateway)
        .address("wan0", &format!("10.79.{number}.10/24"))
        .address("wan0", &format!("fd79:{number}::10/64"))
        .address("lan0", &format!("10.{number}.0.1/24"))
        .address("lan0", &format!("fd00:{number}::1/64"))
        .route("0.0.0.0/0", &format!("10.79.{number}.1"))
        .route("::/0", &format!("fd79:{number}::1"));
    topology
        .node(side.host(), Role::Host)
        .address("eth0", &format!("10.{number}.0.10/24"))
        .address("eth0", &format!("fd00:{number}::10/64"))
        .route("0.0.0.0/0", &format!("10.{number}.0.1"))
        .route("::/0", &format!("fd00:{number}::1"));
    topology.cable(plug(side.name(), "wan0"), plug("middle", side.name()));
    topology.cable(plug(side.name(), "lan0"), plug(&side.host(), "eth0"));
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => walk(&path),
            path => vec![path],
        })
        .collect()
}

fn literal(text: &str) -> IpAddr {
    text.parse().unwrap()
}
