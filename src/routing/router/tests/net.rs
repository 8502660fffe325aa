//! Some routers, the tunnels between them, and the time.

use super::*;
use crate::routing::bgp::State;

pub(super) const LATENCY: Duration = Duration::from_millis(10);

/// Inside address of router `n`.
pub(super) fn addr(n: usize) -> IpAddr {
    format!("fd00::{}", n + 1).parse().expect("an address")
}

/// The same of IPv4, for routers that are told so.
pub(super) fn ipv4_addr(n: usize) -> IpAddr {
    IpAddr::from([10, 255, 0, n as u8 + 1])
}

/// AS of router `n`.
pub(super) fn asn(n: usize) -> Asn {
    Asn(65001 + n as u32)
}

/// Something on its way.
#[derive(Clone, Debug)]
enum Parcel {
    Accepted(ConnectionId, IpAddr, IpAddr),
    Connected(ConnectionId),
    Bytes(ConnectionId, Vec<u8>),
    Closed(ConnectionId),
}

/// Router `n` knows router `m` as `PeerId(m)`.
pub(super) struct Net {
    pub now: Timestamp,
    pub routers: Vec<Router>,
    /// What each router said, but for its octets.
    pub said: Vec<Vec<Action>>,
    /// Ways of each router, as its data plane has them.
    pub fib: Vec<BTreeMap<Prefix, Vec<PeerId>>>,
    /// How many ways each router has changed at a time.
    pub changes: Vec<Vec<usize>>,
    /// Pairs between which nothing passes.
    cut: BTreeSet<(usize, usize)>,
    pipes: BTreeMap<(usize, ConnectionId), (usize, ConnectionId)>,
    parcels: BTreeMap<(Timestamp, u64), (usize, usize, Parcel)>,
    count: u64,
}

impl Net {
    /// `count` routers, each of an AS of its own, without neighbours.
    pub(super) fn new(count: usize) -> Net {
        Net::with(count, |n| RouterConfig::new(asn(n), Ipv4Addr::new(192, 0, 2, n as u8 + 1)))
    }

    /// `count` routers with settings of their own.
    pub(super) fn with(count: usize, config: impl Fn(usize) -> RouterConfig) -> Net {
        let router = |n| Router::new(config(n), &mut Seeded::new(n as u64));
        Net {
            now: Timestamp::from_millis(1000),
            routers: (0..count).map(router).collect(),
            said: vec![Vec::new(); count],
            fib: vec![BTreeMap::new(); count],
            changes: vec![Vec::new(); count],
            cut: BTreeSet::new(),
            pipes: BTreeMap::new(),
            parcels: BTreeMap::new(),
            count: 0,
        }
    }

    /// What router `n` is told of router `m`.
    fn neighbor(&self, n: usize, m: usize) -> NeighborConfig {
        NeighborConfig {
            kind: NeighborKind::Bgp {
                remote_asn: self.routers[m].config.asn,
                local: addr(n),
                remote: addr(m),
                role: None,
                strict_role: false,
                hold_time: Duration::from_secs(9),
                passive: n > m,
            },
            side: Side::Tunnel,
            import: anything(),
            maps: Mappings::default(),
            import_rules: [].into(),
            export_rules: [].into(),
            local_preference: 100,
            max_prefixes: 20_000,
        }
    }

    /// Makes two routers neighbours with a tunnel between them. The lower one connects.
    pub(super) fn link(&mut self, n: usize, m: usize) {
        for (n, m) in [(n, m), (m, n)] {
            let config = self.neighbor(n, m);
            self.routers[n].add_neighbor(PeerId(m as u32), config, self.now);
            self.routers[n].on_tunnel(PeerId(m as u32), true, self.now);
        }
    }

    /// Router `n` forgets router `m`.
    pub(super) fn remove(&mut self, n: usize, m: usize) {
        self.routers[n].remove_neighbor(PeerId(m as u32), self.now);
    }

    /// Router `n` gets to know router `m`, otherwise than usual.
    pub(super) fn add(&mut self, n: usize, m: usize, change: impl Fn(&mut NeighborConfig)) {
        let mut config = self.neighbor(n, m);
        change(&mut config);
        self.routers[n].add_neighbor(PeerId(m as u32), config, self.now);
        self.routers[n].on_tunnel(PeerId(m as u32), true, self.now);
    }

    /// Changes what router `n` is told of router `m`.
    pub(super) fn change(&mut self, n: usize, m: usize, change: impl Fn(&mut NeighborConfig)) {
        let mut config =
            self.routers[n].neighbors.get(&PeerId(m as u32)).expect("a neighbour").config.clone();
        change(&mut config);
        self.routers[n].update_neighbor(PeerId(m as u32), config, self.now);
    }

    /// Both routers connect.
    pub(super) fn make_active(&mut self, n: usize, m: usize) {
        for (n, m) in [(n, m), (m, n)] {
            self.change(n, m, |config| {
                if let NeighborKind::Bgp { passive, .. } = &mut config.kind {
                    *passive = false;
                }
            });
        }
    }

    /// The tunnel between two routers goes up or down, and both ends know.
    pub(super) fn tunnel(&mut self, n: usize, m: usize, up: bool) {
        self.set_cut(n, m, !up);
        self.routers[n].on_tunnel(PeerId(m as u32), up, self.now);
        self.routers[m].on_tunnel(PeerId(n as u32), up, self.now);
    }

    /// Whether packets between two routers vanish.
    pub(super) fn set_cut(&mut self, n: usize, m: usize, cut: bool) {
        for pair in [(n, m), (m, n)] {
            if cut {
                self.cut.insert(pair)
            } else {
                self.cut.remove(&pair)
            };
        }
    }

    /// Router `n` forgets everything and starts anew; its peers do not notice by themselves.
    pub(super) fn restart(&mut self, n: usize) {
        let fresh = Router::new(self.routers[n].config.clone(), &mut Seeded::new(99));
        let mut before = std::mem::replace(&mut self.routers[n], fresh);
        self.pipes.retain(|(at, _), (to, _)| *at != n && *to != n);
        self.fib[n].clear();
        for (&peer, neighbor) in before.neighbors.iter_mut() {
            self.routers[n].add_neighbor(peer, neighbor.config.clone(), self.now);
            self.routers[n].on_tunnel(peer, true, self.now);
        }
    }

    /// Sets the local prefixes of router `n`.
    pub(super) fn announce(&mut self, n: usize, texts: &[&str]) {
        self.routers[n].set_local_prefixes(prefixes(texts), self.now);
    }

    /// Everything that happens in the next `millis` milliseconds.
    pub(super) fn run(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        loop {
            (0..self.routers.len()).for_each(|n| self.pump(n));
            let timers = self.routers.iter().filter_map(|r| Some(r.poll_timeout()?.0)).min();
            let arrival = self.parcels.first_key_value().map(|((at, _), _)| *at);
            let Some(next) = timers.into_iter().chain(arrival).min().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                self.deliver();
            } else {
                self.routers.iter_mut().for_each(|router| router.handle_timeout(self.now));
            }
        }
    }

    pub(super) fn state(&self, n: usize, m: usize) -> State {
        self.view(n, m).state.expect("a session")
    }

    pub(super) fn view(&self, n: usize, m: usize) -> NeighborView {
        let views = self.routers[n].neighbors();
        views.into_iter().find(|view| view.peer == PeerId(m as u32)).expect("the neighbour")
    }

    /// The routers through which router `n` reaches `prefix`, best first.
    pub(super) fn ways(&self, n: usize, text: &str) -> Vec<u32> {
        let paths = self.fib[n].get(&prefix(text));
        paths.into_iter().flatten().map(|peer| peer.0).collect()
    }

    /// Why router `n` lost its sessions with `m`, the latest last.
    pub(super) fn downs(&self, n: usize, m: usize) -> Vec<String> {
        let reason = |action: &Action| match action {
            Action::NeighborDown { peer, reason } if peer.0 == m as u32 => Some(reason.to_string()),
            _ => None,
        };
        self.said[n].iter().filter_map(reason).collect()
    }

    /// How often router `n` tried to connect.
    pub(super) fn attempts(&self, n: usize) -> usize {
        self.said[n].iter().filter(|action| matches!(action, Action::Connect { .. })).count()
    }

    fn pump(&mut self, n: usize) {
        while let Some(action) = self.routers[n].poll_action() {
            match action.clone() {
                Action::Connect { connection, local, remote, .. } => {
                    self.connect(n, connection, local, remote);
                    self.said[n].push(action);
                }
                Action::Send { connection, bytes } => {
                    self.post(n, connection, |to| Parcel::Bytes(to, bytes));
                }
                Action::Close { connection } => {
                    self.post(n, connection, Parcel::Closed);
                    self.pipes.remove(&(n, connection));
                }
                Action::Fib(changes) => {
                    self.changes[n].push(changes.len());
                    for FibChange { prefix, paths, .. } in changes {
                        if paths.is_empty() {
                            self.fib[n].remove(&prefix);
                        } else {
                            let peers = paths.iter().map(|path| path.peer).collect();
                            self.fib[n].insert(prefix, peers);
                        }
                    }
                }
                Action::NeighborUp { .. }
                | Action::NeighborDown { .. }
                | Action::NeighborFailed { .. }
                | Action::NearLimit { .. }
                | Action::Rejected { .. } => self.said[n].push(action),
            }
        }
    }

    fn connect(&mut self, n: usize, connection: ConnectionId, local: IpAddr, remote: IpAddr) {
        let Some(m) = (0..self.routers.len()).find(|m| [addr(*m), ipv4_addr(*m)].contains(&remote))
        else {
            return;
        };
        if self.cut.contains(&(n, m)) {
            return;
        }
        self.count += 1;
        let accepted = ConnectionId::accepted(self.count);
        self.pipes.insert((n, connection), (m, accepted));
        self.pipes.insert((m, accepted), (n, connection));
        self.queue(n, m, LATENCY, Parcel::Accepted(accepted, remote, local));
        self.queue(m, n, LATENCY * 2, Parcel::Connected(connection));
    }

    fn post(&mut self, n: usize, from: ConnectionId, parcel: impl FnOnce(ConnectionId) -> Parcel) {
        if let Some((m, to)) = self.pipes.get(&(n, from)).copied()
            && !self.cut.contains(&(n, m))
        {
            self.queue(n, m, LATENCY, parcel(to));
        }
    }

    fn queue(&mut self, n: usize, m: usize, after: Duration, parcel: Parcel) {
        self.count += 1;
        self.parcels.insert((self.now + after, self.count), (n, m, parcel));
    }

    fn deliver(&mut self) {
        let Some((_, (n, m, parcel))) = self.parcels.pop_first() else { return };
        if self.cut.contains(&(n, m)) {
            return;
        }
        let (router, now) = (&mut self.routers[m], self.now);
        match parcel {
            Parcel::Accepted(id, local, remote) => router.handle_accepted(id, local, remote, now),
            Parcel::Connected(id) => router.handle_connected(id, now),
            Parcel::Bytes(id, bytes) => router.handle_bytes(id, &bytes, now),
            Parcel::Closed(id) => {
                self.pipes.remove(&(m, id));
                router.handle_closed(id, now);
            }
        }
    }
}
