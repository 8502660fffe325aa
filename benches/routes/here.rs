//! The gateway in question, with what its shell would do: answer wishes, carry BGP, publish.

use crate::far::Far;
use crate::{Cost, texts};
use anyhow::{Context, Result};
use std::sync::Arc;
use std::time::Duration;
use vpngw::control::Request;
use vpngw::forward::Snapshot;
use vpngw::gateway::world::Answer;
use vpngw::gateway::{Datagram, Gateway, Health, Output, TcpInput, TcpOutput};
use vpngw::moment::Moment;
use vpngw::net::{PeerId, VpcId};
use vpngw::random::Seeded;
use vpngw::routing::ConnectionId;
use vpngw::time::Timestamp;

const VPC: VpcId = VpcId(0);
/// As the daemon's task answers at most at once.
const ANSWERS: usize = 1024;
/// How long a tunnel may take to be used.
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Here {
    gateway: Gateway,
    random: Seeded,
    now: Timestamp,
    snapshot: Arc<Snapshot>,
    datagrams: Vec<Datagram>,
    tcp: Vec<TcpOutput>,
    answers: Vec<Answer>,
    /// The connections to the far speakers.
    connections: [Option<ConnectionId>; 2],
}

impl Here {
    pub(crate) fn start() -> Result<Here> {
        let (mut random, now) = (Seeded::new(1), Timestamp::from_millis(1_000));
        let at = &mut Moment::simulated(now, &mut random);
        let gateway = Gateway::new(texts::here()?, 1, at);
        let (snapshot, connections) = (Arc::default(), [None; 2]);
        let (datagrams, tcp, answers) = (Vec::new(), Vec::new(), Vec::new());
        let mut here =
            Here { gateway, random, now, snapshot, datagrams, tcp, answers, connections };
        here.turns(|_, _| {});
        Ok(here)
    }

    /// Brings the tunnel and the session with a far end up.
    pub(crate) fn connect(&mut self, far: &mut Far) -> Result<()> {
        let end = self.now + PATIENCE;
        let peer = PeerId(far.number as u32);
        let first = far.step(self.now, |gateway, at| gateway.handle_timeout(at));
        self.converse(far, first);
        while self.gateway.health(peer) != Health::Usable || self.connections[far.number].is_none()
        {
            anyhow::ensure!(self.now < end, "the tunnel is {:?}", self.gateway.health(peer));
            self.now += Duration::from_millis(50);
            self.turns(|gateway, at| gateway.handle_timeout(at));
            let said = far.step(self.now, |gateway, at| gateway.handle_timeout(at));
            self.converse(far, said);
            self.carry(far);
        }
        self.carry(far);
        Ok(())
    }

    /// Hears what a speaker says; what that cost.
    pub(crate) fn hear(&mut self, far: &Far, reads: &[Vec<u8>]) -> Cost {
        let Some(connection) = self.connections[far.number] else { return Cost::default() };
        let mut cost = Cost::default();
        for read in reads {
            let (input, now) = (TcpInput::Bytes(read.clone()), self.now);
            let some = self.turns(|gateway, _| gateway.handle_tcp(VPC, connection, input, now));
            cost.total += some.total;
            cost.turn = cost.turn.max(some.turn);
        }
        cost
    }

    /// A far gateway closes its tunnel; what that cost, and the time until packets went elsewhere.
    pub(crate) fn lose(&mut self, far: &mut Far) -> Result<(Cost, Duration)> {
        let name = "here".to_owned();
        let farewell = far.step(self.now, |gateway, at| {
            gateway.handle_request(&Request::Terminate { peer: name }, at);
        });
        let before = Arc::clone(&self.snapshot);
        let (mut cost, mut flip) = (Cost::default(), None);
        for Datagram { local: remote, remote: local, bytes } in farewell {
            let at = self.now;
            let some = self.first_turn(|gateway, moment| {
                gateway.handle_datagram(local, remote, &bytes, moment);
            });
            let flipped = !Arc::ptr_eq(&before, &self.snapshot);
            flip = flip.or(flipped.then_some(some));
            cost.add(some);
            let rest = self.turns(|_, _| {});
            cost.total += rest.total;
            cost.turn = cost.turn.max(rest.turn);
            self.now = at;
        }
        Ok((cost, flip.context("nothing was published")?))
    }

    /// Prefixes that packets find a tunnel for, beside the peers' own addresses.
    pub(crate) fn prefixes(&self) -> usize {
        let table = self.snapshot.vpcs.get(usize::from(VPC.0));
        table.map_or(0, |table| table.fib.len() - texts::PEERS)
    }

    /// An input, and turns until nothing is left to do.
    fn turns(&mut self, act: impl FnOnce(&mut Gateway, &mut Moment<'_>)) -> Cost {
        let mut cost = Cost::default();
        cost.add(self.first_turn(act));
        loop {
            let now = self.now;
            if !self.answers.is_empty() {
                let rest = self.answers.split_off(self.answers.len().min(ANSWERS));
                let answers = std::mem::replace(&mut self.answers, rest);
                cost.add(self.first_turn(|gateway, _| gateway.handle_world(answers, now)));
            } else if self.gateway.is_busy() {
                cost.add(self.first_turn(|gateway, _| gateway.go_on(now)));
            } else {
                return cost;
            }
        }
    }

    /// One turn of the loop, and the CPU time that it took.
    fn first_turn(&mut self, act: impl FnOnce(&mut Gateway, &mut Moment<'_>)) -> Duration {
        let begin = cpu_time();
        act(&mut self.gateway, &mut Moment::simulated(self.now, &mut self.random));
        while let Some(output) = self.gateway.poll_output() {
            match output {
                Output::Datagram(datagram) | Output::Probe(datagram) => {
                    self.datagrams.push(datagram);
                }
                Output::Publish(snapshot) => self.snapshot = snapshot,
                Output::World(change) => self.answers.push(Answer::Done(change)),
                Output::Tcp(output) => self.tcp.push(output),
                _ => {}
            }
        }
        let took = cpu_time() - begin;
        while let Some(job) = self.gateway.poll_job() {
            let at = &mut Moment::simulated(self.now, &mut self.random);
            self.gateway.handle_job(job.run(), at);
        }
        took
    }

    /// Hands datagrams over until both sides are quiet.
    fn converse(&mut self, far: &mut Far, mut said: Vec<Datagram>) {
        loop {
            for Datagram { local: remote, remote: local, bytes } in said {
                self.turns(|gateway, at| gateway.handle_datagram(local, remote, &bytes, at));
            }
            self.turns(|_, _| {});
            let (here, now) = (std::mem::take(&mut self.datagrams), self.now);
            said = Vec::new();
            for Datagram { local: remote, remote: local, bytes } in here {
                if texts::number_of(local.ip()) == Some(far.number) {
                    let act = |gateway: &mut Gateway, at: &mut Moment<'_>| {
                        gateway.handle_datagram(local, remote, &bytes, at);
                    };
                    said.extend(far.step(now, act));
                }
            }
            if said.is_empty() {
                return;
            }
        }
    }

    /// Carries what the session says in both directions.
    fn carry(&mut self, far: &mut Far) {
        let now = self.now;
        while !self.tcp.is_empty() {
            for output in std::mem::take(&mut self.tcp) {
                match output {
                    TcpOutput::Connect { connection, local, remote, .. }
                        if remote == texts::inside(far.number).1 =>
                    {
                        self.connections[far.number] = Some(connection);
                        let said = far.accept(remote, local, now);
                        self.turns(|gateway, _| {
                            gateway.handle_tcp(VPC, connection, TcpInput::Connected, now);
                        });
                        self.tell(connection, said);
                    }
                    TcpOutput::Send { connection, bytes, .. }
                        if self.connections[far.number] == Some(connection) =>
                    {
                        let said = far.hear(&bytes, now);
                        self.tell(connection, said);
                    }
                    _ => {}
                }
            }
        }
    }

    fn tell(&mut self, connection: ConnectionId, said: Vec<u8>) {
        let now = self.now;
        if !said.is_empty() {
            let input = TcpInput::Bytes(said);
            self.turns(|gateway, _| gateway.handle_tcp(VPC, connection, input, now));
        }
    }
}

/// CPU time that this thread has used.
fn cpu_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    nix::time::clock_gettime(clock).map_or(Duration::ZERO, Duration::from)
}
