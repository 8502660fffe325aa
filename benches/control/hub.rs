//! The only place that knows the gateway's verbs: a hub whose work is timed, and spokes whose
//! work is not.

use crate::stopwatch::timed;
use crate::texts::{self, Remote, spoke_at};
use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use vpngw::config::Config;
use vpngw::control::{Page, Reply, Request};
use vpngw::forward::Snapshot;
use vpngw::gateway::{Datagram, Gateway, Health, Output, Why};
use vpngw::moment::Moment;
use vpngw::net::PeerId;
use vpngw::random::Seeded;
use vpngw::time::Timestamp;

/// A gateway with what the shell would have: a clock, dice, the last snapshot.
struct Host {
    gateway: Gateway,
    random: Seeded,
    now: Timestamp,
    snapshot: Arc<Snapshot>,
}

impl Host {
    fn start(config: Config, seed: u64) -> Host {
        let mut random = Seeded::new(seed);
        let now = Timestamp::from_millis(1_000);
        let gateway = Gateway::new(config, 1, &mut Moment::simulated(now, &mut random));
        Host { gateway, random, now, snapshot: Arc::default() }
    }

    /// One input, then everything that comes out of it, as the event loop does.
    fn step(&mut self, input: impl FnOnce(&mut Gateway, &mut Moment<'_>)) -> Vec<Datagram> {
        input(&mut self.gateway, &mut Moment::simulated(self.now, &mut self.random));
        let mut datagrams = Vec::new();
        loop {
            while let Some(output) = self.gateway.poll_output() {
                match output {
                    Output::Datagram(datagram) => datagrams.push(datagram),
                    Output::Publish(snapshot) => self.snapshot = snapshot,
                    _ => {}
                }
            }
            let Some(job) = self.gateway.poll_job() else { return datagrams };
            let at = &mut Moment::simulated(self.now, &mut self.random);
            self.gateway.handle_job(job.run(), at);
        }
    }

    fn receive(&mut self, datagram: &Datagram) -> Vec<Datagram> {
        // What one end calls remote is local to the other.
        let Datagram { local: remote, remote: local, bytes } = datagram;
        self.step(|gateway, at| gateway.handle_datagram(*local, *remote, bytes, at))
    }

    fn request(&mut self, request: &Request) -> Vec<Datagram> {
        self.step(|gateway, at| drop(gateway.handle_request(request, at)))
    }
}

/// A hub and its spokes.
pub(crate) struct Hub {
    host: Host,
    spokes: Vec<Host>,
}

/// What a timer of the hub was for, and what it cost.
pub(crate) enum Fired {
    /// The regular look at counters.
    Inspection(Duration),
    /// A probe of a peer, with the peer's answer.
    Probe(Duration),
    /// Something else.
    Other,
}

impl Hub {
    /// A hub that waits for `peers` spokes, none of which runs yet; and what it cost to begin.
    pub(crate) fn start(peers: u32, remote: Remote) -> Result<(Hub, Duration)> {
        let config = texts::hub(peers, remote)?;
        let (host, took) = timed(|| Host::start(config, 1));
        Ok((Hub { host, spokes: Vec::new() }, took))
    }

    /// Starts the next spoke and brings its tunnel up; what that cost the hub.
    pub(crate) fn establish_next(&mut self) -> Result<Duration> {
        let number = u32::try_from(self.spokes.len())?;
        let mut spoke = Host::start(texts::spoke(number)?, u64::from(number) + 2);
        let mut first = spoke.step(|_, _| {});
        if first.is_empty() {
            let (due, _) = spoke.gateway.poll_timeout().context("the spoke waits for nothing")?;
            spoke.now = due;
            first = spoke.step(|gateway, at| gateway.handle_timeout(at));
        }
        self.spokes.push(spoke);
        self.host.now += Duration::from_micros(10);
        let took = self.converse(first);
        let health = self.host.gateway.health(PeerId(number));
        // A new one is held for a moment, and carries packets all the same.
        let carries = matches!(health, Health::Usable | Health::Held);
        anyhow::ensure!(carries, "tunnel {number} is {health:?}");
        Ok(took)
    }

    /// How many tunnels were brought up.
    pub(crate) fn established(&self) -> usize {
        self.spokes.len()
    }

    /// A datagram with SPIs that nobody has.
    pub(crate) fn receive_junk(&mut self) {
        let mut bytes = vec![0x5a; 28];
        // Version 2.0, INFORMATIONAL, a request of the initiator, 28 octets (RFC 7296 §3.1).
        bytes[16..20].copy_from_slice(&[0, 0x20, 37, 0x08]);
        bytes[24..28].copy_from_slice(&28u32.to_be_bytes());
        let local = SocketAddr::new(texts::spoke_address(0), 500);
        let remote = SocketAddr::new(texts::HUB, 500);
        self.host.receive(&Datagram { local, remote, bytes });
    }

    /// When the hub wants to be woken.
    pub(crate) fn poll_timeout(&self) -> Option<(Timestamp, Why)> {
        self.host.gateway.poll_timeout()
    }

    /// Wakes the hub although nothing is due.
    pub(crate) fn wake(&mut self) {
        self.host.step(|gateway, at| gateway.handle_timeout(at));
    }

    /// Waits for the hub's next timer and does what it is for.
    pub(crate) fn wait(&mut self) -> Result<Fired> {
        let (due, why) = self.poll_timeout().context("the hub waits for nothing")?;
        self.host.now = self.host.now.max(due);
        let (datagrams, took) = timed(|| self.host.step(|gateway, at| gateway.handle_timeout(at)));
        let probes = u32::try_from(datagrams.len())?;
        let answers: Vec<Datagram> =
            datagrams.iter().flat_map(|datagram| self.deliver(datagram)).collect();
        let took = took + self.converse(answers);
        Ok(match why {
            Why::Inspection if probes == 0 => Fired::Inspection(took),
            _ if probes > 0 => Fired::Probe(took / probes),
            _ => Fired::Other,
        })
    }

    /// Replaces the Child SA of a tunnel; what that cost the hub.
    pub(crate) fn rekey(&mut self, number: u32) -> Duration {
        let (peer, sa) = (texts::spoke_name(number), vpngw::control::SaKind::Child);
        let request = Request::Rekey { peer, sa };
        let (datagrams, took) = timed(|| self.host.request(&request));
        let answers = datagrams.iter().flat_map(|datagram| self.deliver(datagram)).collect();
        took + self.converse(answers)
    }

    /// A spoke closes its tunnel, and the hub moves its prefix to the spoke beside it; what that
    /// cost the hub until the snapshot was published.
    pub(crate) fn fail_over(&mut self, number: u32) -> Result<Duration> {
        let spoke = self.spokes.get_mut(number as usize).context("no such spoke")?;
        let before = Arc::clone(&self.host.snapshot);
        let farewell = spoke.request(&Request::Terminate { peer: "hub".to_owned() });
        let took = self.converse(farewell);
        let health = self.host.gateway.health(PeerId(number));
        anyhow::ensure!(health == Health::Down, "the closed tunnel {number} is {health:?}");
        anyhow::ensure!(!Arc::ptr_eq(&before, &self.host.snapshot), "nothing was published");
        Ok(took)
    }

    /// Answers a request page by page; the stretches of the loop that it took.
    pub(crate) fn answer(&mut self, request: &Request) -> Vec<Duration> {
        let host = &mut self.host;
        let mut at = Moment::simulated(host.now, &mut host.random);
        let (mut stretches, mut after) = (Vec::new(), None);
        loop {
            let make = || host.gateway.handle_page(request, after.as_ref(), &mut at);
            let (Page { reply, next }, took) = timed(make);
            assert!(!matches!(reply, Reply::Failed(_)), "{reply:?}");
            stretches.push(took);
            if next.is_none() {
                return stretches;
            }
            after = next;
        }
    }

    /// Hands datagrams for the hub over, and answers on, until both sides are quiet; what that
    /// cost the hub.
    fn converse(&mut self, datagrams: Vec<Datagram>) -> Duration {
        let mut for_hub = VecDeque::from(datagrams);
        let mut total = Duration::ZERO;
        while let Some(datagram) = for_hub.pop_front() {
            let (answers, took) = timed(|| self.host.receive(&datagram));
            total += took;
            for answer in answers {
                for_hub.extend(self.deliver(&answer));
            }
        }
        total
    }

    fn deliver(&mut self, datagram: &Datagram) -> Vec<Datagram> {
        let number = spoke_at(datagram.remote.ip()).map(|number| number as usize);
        let spoke = number.and_then(|number| self.spokes.get_mut(number));
        spoke.map(|spoke| spoke.receive(datagram)).unwrap_or_default()
    }
}
