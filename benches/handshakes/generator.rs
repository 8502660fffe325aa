//! Initiators by the thousand in one process: this package's IKE engine, without anything behind it.

use crate::papers::Papers;
use crate::paths::{Paths, Sealed};
use crate::rig::{BEHIND_RESPONDER, Node, RESPONDER, Rig, address_of, behind, identity_of, inside};
use crate::socket::{Arrival, Socket};
use anyhow::{Context, Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use vpngw::ike::{
    ConnectionConfig, ConnectionId, ConnectionState, Endpoint, EndpointConfig, Event, Lifetime,
    LivenessConfig, PostQuantum, RemoteAddress,
};
use vpngw::moment::Moment;
use vpngw::net::Prefix;
use vpngw::os::clock::Clock;
use vpngw::os::netns;
use vpngw::os::random::OsRandom;
use vpngw::wire::esp::{Encapsulated, classify};
use vpngw::wire::ike::{Identity, TrafficSelector};

/// So long nothing may happen.
const PATIENCE: Duration = Duration::from_secs(120);
/// Nothing that has its time comes due during a measurement.
const NEVER: Duration = Duration::from_secs(24 * 3600);
/// Answers taken before what they bring about is sent.
const BATCH: usize = 64;
const IKE_PORT: u16 = 500;
const NATT_PORT: u16 = 4500;

/// What is told of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Up(ConnectionId),
    Gone(ConnectionId),
}

pub(crate) struct Generator {
    endpoint: Endpoint,
    sockets: [Socket; 2],
    clock: Clock,
    random: OsRandom,
    /// What answers inside the tunnels, if anything does.
    paths: Option<Paths>,
    peers: u32,
    /// The last failure, for who waits in vain.
    failure: Option<String>,
}

impl Generator {
    /// All initiators that `papers` are for, none of which has begun. With `bfd` each shows in its tunnel
    /// that often that it is there.
    pub(crate) fn open(
        rig: &Rig,
        papers: &Papers,
        ml_kem: bool,
        bfd: Option<Duration>,
    ) -> Result<Generator> {
        let bind = || [Socket::bind(IKE_PORT), Socket::bind(NATT_PORT)];
        let [ike, natt] = netns::within(&rig.namespace(Node::Initiators), bind)?;
        let (clock, mut random) = (Clock::start(), OsRandom);
        let mut at = Moment::new(clock.now(), Clock::wall(), &mut random);
        let mut endpoint = Endpoint::new(EndpointConfig::default(), &mut at);
        for number in 0..papers.peers() {
            let config = connection(papers, number, ml_kem, bfd.is_some())?;
            endpoint.add_connection(ConnectionId(number), config, &mut at);
        }
        let sockets = [ike?, natt?];
        let (paths, peers) = (bfd.map(Paths::new), papers.peers());
        Ok(Generator { endpoint, sockets, clock, random, paths, peers, failure: None })
    }

    /// So many handshakes, each with its deletion, `at_once` under way at any time.
    pub(crate) fn shake_hands(&mut self, count: usize, at_once: usize) -> Result<()> {
        let mut waiting: Vec<ConnectionId> = self.connections().collect();
        let (mut begun, mut ended) = (0, 0);
        while ended < count {
            while begun < count && begun - ended < at_once {
                let Some(next) = waiting.pop() else { break };
                self.with(|endpoint, at| endpoint.initiate(next, at));
                begun += 1;
            }
            for told in self.next()? {
                match told {
                    Told::Up(id) => self.with(|endpoint, at| endpoint.terminate(id, at)),
                    Told::Gone(id) => {
                        waiting.insert(0, id);
                        ended += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// Begins with all, `at_once` under way at any time, until all are up.
    pub(crate) fn bring_all_up(&mut self, at_once: usize) -> Result<()> {
        let mut waiting: Vec<ConnectionId> = self.connections().collect();
        waiting.reverse();
        let (mut under_way, mut up) = (0, 0);
        while up < self.peers {
            while under_way < at_once {
                let Some(next) = waiting.pop() else { break };
                self.with(|endpoint, at| endpoint.initiate(next, at));
                under_way += 1;
            }
            for told in self.next()? {
                match told {
                    Told::Up(_) => (under_way, up) = (under_way - 1, up + 1),
                    Told::Gone(id) => bail!("the responder has deleted {id:?}"),
                }
            }
        }
        Ok(())
    }

    /// Answers for a while.
    pub(crate) fn serve(&mut self, duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        while let left = end.saturating_duration_since(Instant::now())
            && !left.is_zero()
        {
            self.turn(left)?;
        }
        Ok(())
    }

    /// How many are up.
    pub(crate) fn standing(&self) -> usize {
        let is_up = |id: &ConnectionId| {
            self.endpoint.view(*id).is_some_and(|view| view.state == ConnectionState::Up)
        };
        self.connections().filter(is_up).count()
    }

    /// How many BFD sessions are up, if there are to be any.
    pub(crate) fn watched(&self) -> Option<usize> {
        self.paths.as_ref().map(Paths::standing)
    }

    fn connections(&self) -> impl Iterator<Item = ConnectionId> + use<> {
        (0..self.peers).map(ConnectionId)
    }

    fn with(&mut self, act: impl FnOnce(&mut Endpoint, &mut Moment<'_>)) {
        let mut at = Moment::new(self.clock.now(), Clock::wall(), &mut self.random);
        act(&mut self.endpoint, &mut at);
    }

    /// What comes next.
    fn next(&mut self) -> Result<Vec<Told>> {
        let end = Instant::now() + PATIENCE;
        loop {
            let told = self.turn(Duration::from_secs(1))?;
            if !told.is_empty() {
                return Ok(told);
            }
            if Instant::now() > end {
                let why = self.failure.take().unwrap_or_else(|| "no word".to_owned());
                bail!("nothing has come up or gone for {} s: {why}", PATIENCE.as_secs());
            }
        }
    }

    /// Sends what is to be sent, waits for datagrams or for what is due, and takes them.
    fn turn(&mut self, longest: Duration) -> Result<Vec<Told>> {
        let mut told = self.drain()?;
        if told.is_empty() {
            self.wait(longest)?;
        }
        let mut buffer = vec![0; usize::from(u16::MAX)];
        for place in 0..self.sockets.len() {
            for _ in 0..BATCH {
                let Some(arrival) = self.sockets[place].receive(&mut buffer)? else { break };
                let Arrival { local, remote, length } = arrival;
                let datagram = &mut buffer[..length];
                let natt = local.port() == NATT_PORT;
                match (natt.then(|| classify(datagram)), &mut self.paths) {
                    (Some(Encapsulated::Esp(header)), Some(paths)) => {
                        let at =
                            &mut Moment::new(self.clock.now(), Clock::wall(), &mut self.random);
                        paths.receive(header, datagram, at);
                    }
                    _ => {
                        self.with(|endpoint, at| {
                            endpoint.handle_datagram(local, remote, datagram, at);
                        });
                    }
                }
            }
        }
        let now = self.clock.now();
        if self.endpoint.poll_timeout().is_some_and(|(due, _)| due <= now) {
            self.with(|endpoint, at| endpoint.handle_timeout(at));
        }
        if let Some(paths) = &mut self.paths {
            paths.handle_timeout(&mut Moment::new(now, Clock::wall(), &mut self.random));
        }
        told.extend(self.drain()?);
        Ok(told)
    }

    fn wait(&self, longest: Duration) -> Result<()> {
        let of_ike = self.endpoint.poll_timeout().map(|(due, _)| due);
        let of_paths = self.paths.as_ref().and_then(Paths::poll_timeout);
        let due = of_ike.into_iter().chain(of_paths).min();
        let wait = due.map(|due| due.since(self.clock.now()));
        let wait = wait.map_or(longest, |due| due.min(longest));
        let wait = PollTimeout::try_from(wait.as_millis() + 1).context("a wait without end")?;
        let mut all = self
            .sockets
            .each_ref()
            .map(|socket| PollFd::new(socket.descriptor(), PollFlags::POLLIN));
        match poll(&mut all, wait) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn drain(&mut self) -> Result<Vec<Told>> {
        let mut told = Vec::new();
        while let Some(job) = self.endpoint.poll_job() {
            let answer = job.run();
            self.with(|endpoint, at| endpoint.handle_job(answer, at));
        }
        while let Some((id, event)) = self.endpoint.poll_event() {
            match event {
                Event::ChildUp(up) => {
                    if let Some(paths) = &mut self.paths {
                        let now = self.clock.now();
                        let at = &mut Moment::new(now, Clock::wall(), &mut self.random);
                        paths.begin(id, &up, at)?;
                    }
                    told.push(Told::Up(id));
                }
                Event::Down { .. } => told.push(Told::Gone(id)),
                Event::Failed { reason, .. } => self.failure = Some(reason.to_string()),
                _ => {}
            }
        }
        while let Some(sealed) = self.paths.as_mut().map_or(Ok(None), Paths::poll_transmit)? {
            let Sealed { local, remote, packet } = sealed;
            self.sockets[1].send(local, remote, &packet)?;
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            let place = usize::from(transmit.local.port() == NATT_PORT);
            self.sockets[place].send(transmit.local, transmit.remote, &transmit.bytes)?;
        }
        Ok(told)
    }
}

fn connection(papers: &Papers, number: u32, ml_kem: bool, bfd: bool) -> Result<ConnectionConfig> {
    let traffic = |prefix: &str, inside: IpAddr| -> Result<Vec<TrafficSelector>> {
        let inside = bfd.then(|| Prefix::host(inside));
        let all = [Some(prefix.parse::<Prefix>()?), inside].into_iter().flatten();
        Ok(all.map(TrafficSelector::any_protocol).collect())
    };
    let (far, near) = inside(number);
    let remote = RemoteAddress::At(SocketAddr::new(RESPONDER, IKE_PORT));
    let identities = (Identity::Fqdn(identity_of(number)), Identity::Fqdn("gw.test".to_owned()));
    let selectors = (traffic(&behind(number), near)?, traffic(BEHIND_RESPONDER, far)?);
    let credentials = papers.credentials(number)?;
    let mut config =
        ConnectionConfig::new(address_of(number), remote, identities, credentials, selectors);
    for slot in config.slots.values_mut() {
        slot.esp_suites = vec![papers.esp_suite()];
        slot.lifetime = Lifetime::of(NEVER);
    }
    Ok(ConnectionConfig {
        initiate: false,
        mobike: false,
        ike_suites: vec![papers.ike_suite()],
        post_quantum: if ml_kem { PostQuantum::Require } else { PostQuantum::Off },
        ike_lifetime: Lifetime::of(NEVER),
        liveness: LivenessConfig {
            interval: NEVER,
            timeout: NEVER,
            give_up: NEVER,
            restart_after: NEVER,
            keepalive: NEVER,
        },
        ..config
    })
}
