//! One end: an endpoint with a clock and dice of its own, and the owner of its Child SAs.

use super::corners::{self, Corner};
use super::message::{Datagram, Sent};
use super::owner::{Cause, Owner};
use super::scenario::{Scenario, Wish};
use super::state::Printed;
use crate::ike::fault::{self, Fault};
use crate::ike::tests::net::{CONNECTION, WEST};
use crate::ike::*;
use crate::moment::Moment;
use crate::net::EspSpi;
use crate::random::{Random, Seeded};
use crate::time::Timestamp;
use crate::wire::ike::{ExchangeType, Header};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

/// Draws that follow from how often was drawn at this end, and from nothing else: runs in which the
/// same happened at an end give it the same nonces, whatever happened at the other.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    seed: u64,
    drawn: u64,
}

impl Random for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.drawn += 1;
        Seeded::new(self.seed ^ self.drawn.wrapping_mul(0x2545_f491_4f6c_dd1d)).fill(bytes);
    }

    /// No jitter: which of two timers fires first is for the adversary to say.
    fn below(&mut self, _bound: u64) -> u64 {
        0
    }
}

/// What can happen to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Input {
    /// A datagram arrives.
    Datagram(u32),
    /// The next deadline is there.
    Timeout,
    /// A piece of public-key work is done.
    Work,
    /// Its operator wants something.
    Wish(Wish),
    /// An inner packet arrives under this SPI.
    Inner(EspSpi),
}

/// One end at one moment.
#[derive(Clone)]
pub(super) struct Node {
    end: usize,
    endpoint: Endpoint,
    pub now: Timestamp,
    dice: Dice,
    pub owner: Owner,
    /// Which of its configurations it has.
    pub variant: usize,
    /// Whether its operator has taken the connection down.
    pub terminated: bool,
    /// What was sent under which message ID.
    sent: BTreeMap<Sent, u64>,
    /// The fragment that came last: of which message, and which one.
    pub fragment: Option<(Sent, u16)>,
}

/// What an input brought about.
pub(super) struct Step {
    pub node: Node,
    pub sent: Vec<Datagram>,
    pub corners: Vec<Corner>,
    pub breaches: Vec<String>,
}

impl Node {
    /// An end that has just started.
    pub(super) fn start(scenario: &Scenario, end: usize) -> Step {
        let mut dice = Dice { seed: 2 * scenario.seed + end as u64, drawn: 0 };
        let now = Timestamp::from_millis(1);
        let settings = scenario.settings.clone();
        let endpoint = Endpoint::new(settings, &mut Moment::simulated(now, &mut dice));
        let (owner, sent) = (Owner::default(), BTreeMap::new());
        let (variant, terminated) = (0, false);
        let mut node =
            Node { end, endpoint, now, dice, owner, variant, terminated, sent, fragment: None };
        node.at(|endpoint, at| {
            endpoint.add_connection(CONNECTION, scenario.configs[end][0].clone(), at);
        });
        node.finish(Input::Timeout, scenario)
    }

    fn at<T>(&mut self, act: impl FnOnce(&mut Endpoint, &mut Moment<'_>) -> T) -> T {
        act(&mut self.endpoint, &mut Moment::simulated(self.now, &mut self.dice))
    }

    /// The same end after an input; with `fault` it is one that has this fault.
    pub(super) fn step(
        &self,
        input: Input,
        datagram: Option<&Datagram>,
        scenario: &Scenario,
        fault: Option<Fault>,
    ) -> Step {
        fault::with(fault, || {
            let mut node = self.clone();
            node.take(input, datagram, scenario);
            let mut step = node.finish(input, scenario);
            if input != Input::Work {
                step.breaches.extend(self.unfounded(datagram, &step.node));
            }
            step.breaches.extend(self.believes(datagram, &step.node, scenario));
            step.corners.extend(corners::of_step(self, input, datagram, &step));
            step
        })
    }

    fn take(&mut self, input: Input, datagram: Option<&Datagram>, scenario: &Scenario) {
        match input {
            Input::Datagram(_) => {
                let Some(Datagram { from, to, bytes }) = datagram else { return };
                if to.ip() != scenario.configs[self.end][self.variant].local {
                    return; // It has that address no longer.
                }
                self.now += A_MOMENT;
                self.at(|endpoint, at| endpoint.handle_datagram(*to, *from, bytes, at));
                let part = datagram.and_then(Datagram::fragment);
                self.fragment = part.map(|(message, (number, _))| (message, number));
            }
            Input::Timeout => {
                self.now = self.deadline().unwrap_or(self.now);
                self.at(|endpoint, at| endpoint.handle_timeout(at));
            }
            Input::Work => self.work(scenario),
            Input::Inner(spi) => {
                if let Some((child, _)) = self.owner.inbound.get(&spi) {
                    self.endpoint.on_inbound_traffic(*child, self.now);
                }
            }
            Input::Wish(wish) => self.wish(wish, scenario),
        }
    }

    fn wish(&mut self, wish: Wish, scenario: &Scenario) {
        match wish {
            Wish::RekeyIke => self.at(|endpoint, at| endpoint.rekey_ike(CONNECTION, at)),
            Wish::RekeyChild(slot) => {
                self.at(|endpoint, at| endpoint.rekey_child(CONNECTION, slot, at));
            }
            Wish::Probe => self.at(|endpoint, at| endpoint.probe(CONNECTION, at)),
            Wish::Terminate => {
                self.terminated = true;
                self.at(|endpoint, at| endpoint.terminate(CONNECTION, at));
            }
            Wish::Initiate => {
                self.terminated = false;
                self.at(|endpoint, at| endpoint.initiate(CONNECTION, at));
            }
            Wish::Configure(variant) => {
                self.variant = variant;
                let config = scenario.configs[self.end][variant].clone();
                self.at(|endpoint, at| endpoint.update_connection(CONNECTION, config, at));
            }
            Wish::Presume => self.at(|endpoint, at| endpoint.presume(at)),
            Wish::Renumber(variant) => {
                let old = scenario.configs[self.end][self.variant].local;
                self.variant = variant;
                let config = scenario.configs[self.end][variant].clone();
                self.at(|endpoint, at| {
                    endpoint.update_connection(CONNECTION, config, at);
                    endpoint.on_addresses_gone(&[old].into(), at);
                });
            }
            Wish::Pretend => self.at(|endpoint, at| endpoint.pretend(at)),
            Wish::Restart => self.restart(scenario),
        }
    }

    /// All state is lost.
    fn restart(&mut self, scenario: &Scenario) {
        let settings = scenario.settings.clone();
        self.endpoint = self.at(|_, at| Endpoint::new(settings, at));
        self.owner.lose_all(Cause::Restart);
        self.terminated = false;
        let config = scenario.configs[self.end][self.variant].clone();
        self.at(|endpoint, at| endpoint.add_connection(CONNECTION, config, at));
    }

    /// Work is done, events are told to the owner, datagrams leave.
    fn finish(mut self, input: Input, scenario: &Scenario) -> Step {
        let (mut breaches, mut corners) = (Vec::new(), Vec::new());
        while !scenario.slow_work && self.has_work() {
            self.work(scenario);
        }
        self.endpoint.assert_sound();
        while let Some((_, event)) = self.endpoint.poll_event() {
            corners.extend(corners::of_event(&self, &event));
            breaches.extend(self.owner.on_event(event).err());
        }
        let mut sent = Vec::new();
        while let Some(Transmit { local, remote, bytes, .. }) = self.endpoint.poll_transmit() {
            let datagram = Datagram { from: local, to: remote, bytes };
            if input != Input::Wish(Wish::Presume) {
                breaches.extend(self.note_sent(&datagram));
            }
            sent.extend(datagram.turned().filter(|_| scenario.turns_tokens));
            let steals = scenario.thief && self.end == WEST && self.variant != 0;
            let stolen = Datagram { from: THIEF, ..datagram.clone() };
            sent.extend(Some(datagram).filter(|datagram| datagram.to.ip() != THIEF.ip()));
            sent.extend(Some(stolen).filter(|_| steals));
        }
        breaches.extend(self.bounds());
        Step { node: self, sent, corners, breaches }
    }

    /// Does the next piece of public-key work.
    fn work(&mut self, scenario: &Scenario) {
        let Some(job) = self.endpoint.poll_job() else { return };
        let answer = if scenario.real_keys { job.run() } else { job.run_transparently() };
        self.now += A_MOMENT;
        self.at(|endpoint, at| endpoint.handle_job(answer, at));
    }

    /// Whether public-key work waits to be done.
    pub(super) fn has_work(&self) -> bool {
        self.endpoint.unanswered_jobs() > 0
    }

    /// "Message IDs … are never reused" with other octets (RFC 7296 §2.2).
    fn note_sent(&mut self, datagram: &Datagram) -> Option<String> {
        let (sent, digest) = datagram.sent()?;
        let before = *self.sent.entry(sent).or_insert(digest);
        (before != digest)
            .then(|| format!("a message ID is used again with other octets: {sent:?}"))
    }

    /// Whether `after` has an IKE SA or a Child SA that this datagram cannot have made: only IKE_AUTH
    /// proves an identity, and only under an IKE SA whose peer has done so CREATE_CHILD_SA and
    /// IKE_FOLLOWUP_KE make a Child SA (CVE-2026-78135).
    fn unfounded(&self, datagram: Option<&Datagram>, after: &Node) -> Option<String> {
        let header = datagram.and_then(|datagram| Header::decode(datagram.message()).ok());
        let is = |exchange| header.as_ref().is_some_and(|header| header.exchange_type == exchange);
        let proved = is(ExchangeType::IKE_AUTH);
        let known = header.as_ref().is_some_and(|header| {
            let spis = [header.initiator_spi, header.responder_spi];
            let is_it =
                |id: &IkeSaId| spis == [id.local, id.remote] || spis == [id.remote, id.local];
            self.owner.authenticated.iter().any(is_it)
        });
        let makes = is(ExchangeType::CREATE_CHILD_SA) || is(ExchangeType::IKE_FOLLOWUP_KE);
        let asked = makes && known;
        let before = &self.owner;
        let new_sa = after.owner.handshakes > before.handshakes;
        let new_child = after.owner.outbound.keys().find(|new| !before.outbound.contains_key(new));
        let founded = proved || asked || !new_sa && new_child.is_none();
        (!founded).then(|| "an SA comes up without proof of identity".to_owned())
    }

    /// Nobody disturbs a datagram here, so all that are protected are authentic and well-formed.
    fn believes(
        &self,
        datagram: Option<&Datagram>,
        after: &Node,
        scenario: &Scenario,
    ) -> Option<String> {
        datagram.and_then(Datagram::sent)?;
        let mut discards =
            vec![Discard::NotAuthentic, Discard::Malformed, Discard::CriticalPayload];
        discards.extend((!scenario.strangers).then_some(Discard::Authentication));
        let counted = |reason: &&Discard| after.discarded(**reason) > self.discarded(**reason);
        let reason = discards.iter().find(counted)?;
        Some(format!("an honest datagram is discarded: {}", reason.name()))
    }

    /// Nothing piles up.
    fn bounds(&self) -> Option<String> {
        let (ike, children) = (self.endpoint.established(), self.owner.outbound.len());
        if ike > MOST_IKE_SAS || children > MOST_CHILD_SAS {
            return Some(format!("{ike} IKE SAs and {children} Child SAs at one end"));
        }
        None
    }

    /// When the next thing is due.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.endpoint.poll_timeout().map(|(at, _)| at.max(self.now))
    }

    /// How long until then.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.deadline().map(|at| at.since(self.now))
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What was counted so far.
    pub(super) fn discarded(&self, reason: Discard) -> u64 {
        self.endpoint.stats().discarded(reason)
    }

    /// 128 bits that tell this end from any that would do something else.
    pub(super) fn fingerprint(&self, exact: bool) -> u128 {
        let mut printed = Printed::default();
        let Node { dice, owner, variant, terminated, .. } = self;
        let rest = write!(printed, "{}{owner:?}{variant}{terminated}", dice.drawn);
        let work = write!(printed, "{}", self.endpoint.unanswered_jobs());
        let state = self.endpoint.write_state(&mut printed);
        rest.and(work).and(state).expect("a printed state takes any text");
        printed.fingerprint(self.now, exact)
    }
}

/// Where somebody is who is neither end.
pub(super) const THIEF: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 66), 4500));
/// From one datagram to the next some time passes, however little.
const A_MOMENT: Duration = Duration::from_micros(1);
/// More than so many IKE SAs at once no schedule of these scenarios brings about.
const MOST_IKE_SAS: usize = 8;
/// The same of Child SAs.
const MOST_CHILD_SAS: usize = 10;
