//! The world at one moment, and what each move of the adversary makes of it.
//!
//! Each end has a clock of its own, so an end does what it does whatever the other does meanwhile:
//! a step of one end is computed once for each state of that end and each input, however many
//! worlds it happens in. A world is then a few numbers.

#![expect(clippy::disallowed_types, reason = "looked up by the million, and never walked over")]

use super::corners::Corner;
use super::message::Datagram;
use super::node::{Input, Node, Step};
use super::rules;
use super::scenario::{Budget, Scenario, Wish};
use super::state::fingerprint;
use crate::ike::tests::net::{EAST, WEST};
use std::collections::BTreeSet;
use std::collections::{HashMap as Map, HashSet as Set};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

/// Both ends and what is under way between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct World {
    /// States of West and East, by their numbers.
    pub ends: [u32; 2],
    /// Datagrams under way, by their numbers, in order. Two equal ones are one: the adversary can
    /// copy them.
    pub wire: Vec<u32>,
    pub budget: Budget,
    /// Wishes that have come true.
    pub granted: u32,
}

/// A move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Deliver(u32),
    /// Deliver, and keep a copy under way.
    Copy(u32),
    Lose(u32),
    /// The next deadline of an end is there.
    Timeout(usize),
    /// An end has done a piece of public-key work.
    Work(usize),
    /// A wish comes, by its number.
    Wish(usize),
    /// An end sends an inner packet, which arrives.
    Inner(usize),
}

/// The states of one end that were seen so far, and the steps between them.
#[derive(Default)]
struct States {
    nodes: Vec<Node>,
    numbers: Map<u128, u32>,
    steps: Map<(u32, Input), Known>,
}

/// The state to which a step leads, and what it sends.
type Known = (u32, Rc<[u32]>);

/// Everything that is known about the states of both ends.
pub(super) struct Universe {
    pub scenario: Scenario,
    ends: [States; 2],
    datagrams: Vec<Datagram>,
    numbers: Map<u128, u32>,
    sound: Set<(u32, u32)>,
    pub corners: BTreeSet<Corner>,
    /// Addresses of West.
    west: Vec<IpAddr>,
    /// No two states are taken for the same.
    distinct: bool,
    /// Rules about both ends are in force.
    pub watches: bool,
}

impl Universe {
    pub(super) fn new(scenario: Scenario) -> Universe {
        let west = scenario.configs[WEST].iter().map(|config| config.local).collect();
        Universe {
            scenario,
            ends: Default::default(),
            datagrams: Vec::new(),
            numbers: Map::default(),
            sound: Set::default(),
            corners: BTreeSet::new(),
            west,
            distinct: false,
            watches: true,
        }
    }

    /// One in which no two states are taken for the same, as long as a run is.
    pub(super) fn without_abstraction(scenario: Scenario) -> Universe {
        Universe { distinct: true, ..Universe::new(scenario) }
    }

    /// The move that is the same in another universe.
    pub(super) fn translate(&self, action: Action, into: &Universe) -> Option<Action> {
        let same = |number: u32| into.numbers.get(&self.datagram(number).fingerprint()).copied();
        Some(match action {
            Action::Deliver(number) => Action::Deliver(same(number)?),
            Action::Copy(number) => Action::Copy(same(number)?),
            Action::Lose(number) => Action::Lose(same(number)?),
            Action::Timeout(_) | Action::Work(_) | Action::Wish(_) | Action::Inner(_) => action,
        })
    }

    /// Both ends have just started.
    ///
    /// # Errors
    ///
    /// A rule that is broken already.
    pub(super) fn cold(&mut self) -> Result<World, String> {
        let (mut wire, mut ends) = (Vec::new(), [0; 2]);
        for end in [WEST, EAST] {
            let step = Node::start(&self.scenario, end);
            let (node, sent) = self.know(end, step)?;
            ends[end] = node;
            send(&mut wire, &sent);
        }
        Ok(World { ends, wire, budget: self.scenario.budget, granted: 0 })
    }

    pub(super) fn node(&self, end: usize, number: u32) -> &Node {
        &self.ends[end].nodes[number as usize]
    }

    pub(super) fn nodes(&self, world: &World) -> [&Node; 2] {
        [WEST, EAST].map(|end| self.node(end, world.ends[end]))
    }

    pub(super) fn datagram(&self, number: u32) -> &Datagram {
        &self.datagrams[number as usize]
    }

    /// For which end a datagram is.
    pub(super) fn receiver(&self, number: u32) -> usize {
        self.datagram(number).end(&self.west)
    }

    /// States of each end.
    pub(super) fn sizes(&self) -> [usize; 2] {
        [WEST, EAST].map(|end| self.ends[end].nodes.len())
    }

    /// What the adversary may do now.
    pub(super) fn actions(&self, world: &World) -> Vec<Action> {
        let Budget { losses, copies, timeouts, inner } = world.budget;
        let mut actions: Vec<Action> = world.wire.iter().map(|one| Action::Deliver(*one)).collect();
        if losses > 0 {
            actions.extend(world.wire.iter().map(|one| Action::Lose(*one)));
        }
        if copies > 0 {
            actions.extend(world.wire.iter().map(|one| Action::Copy(*one)));
        }
        let due = |end: &usize| timeouts[*end] > 0 && self.may_be_due(world, *end);
        actions.extend([WEST, EAST].into_iter().filter(due).map(Action::Timeout));
        actions.extend(self.worker(world).into_iter().flatten().map(Action::Work));
        actions.extend(self.next_wishes(world).map(Action::Wish));
        let sends = |end: &usize| inner > 0 && self.packet(world, *end).is_some();
        actions.extend([WEST, EAST].into_iter().filter(sends).map(Action::Inner));
        actions
    }

    /// Whether the next deadline of an end may be there before the other end's: clocks run at one
    /// speed, and what an end does at its deadline takes the other a while to hear of.
    fn may_be_due(&self, world: &World, end: usize) -> bool {
        let wait = |end: usize| self.node(end, world.ends[end]).wait();
        let others = wait(1 - end).map_or(Duration::MAX, |wait| wait + AHEAD);
        let works = self.worker(world) != [None; 2];
        let latest = if works { AHEAD } else { others };
        wait(end).is_some_and(|wait| wait <= latest.min(others))
    }

    /// The ends that have public-key work to do.
    pub(super) fn worker(&self, world: &World) -> [Option<usize>; 2] {
        [WEST, EAST].map(|end| Some(end).filter(|_| self.node(end, world.ends[end]).has_work()))
    }

    /// Of each end the first wish that has not come.
    fn next_wishes(&self, world: &World) -> impl Iterator<Item = usize> + use<> {
        let next = |end: usize| {
            let wishes = self.scenario.wishes.iter().enumerate();
            let mut open = wishes.filter(|(number, _)| world.granted & 1 << number == 0);
            open.find(|(_, (whose, _))| *whose == end).map(|(number, _)| number)
        };
        [WEST, EAST].map(next).into_iter().flatten()
    }

    /// The SPI of an inner packet that the other end would open.
    fn packet(&self, world: &World, from: usize) -> Option<Input> {
        let to = self.node(1 - from, world.ends[1 - from]);
        let sending = self.node(from, world.ends[from]).owner.sending();
        let mut spis = sending.map(|(_, sa)| sa.keys.spi);
        spis.find(|spi| to.owner.inbound.contains_key(spi)).map(Input::Inner)
    }

    /// The world after a move; `None` when that changes nothing.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub(super) fn act(&mut self, world: &World, action: Action) -> Result<Option<World>, String> {
        let mut next = world.clone();
        match action {
            Action::Deliver(number) => {
                next.wire.retain(|one| *one != number);
                let end = self.receiver(number);
                self.advance(&mut next, end, Input::Datagram(number))?;
            }
            Action::Copy(number) => {
                next.budget.copies -= 1;
                let end = self.receiver(number);
                self.advance(&mut next, end, Input::Datagram(number))?;
                send(&mut next.wire, &[number]);
            }
            Action::Lose(number) => {
                next.budget.losses -= 1;
                next.wire.retain(|one| *one != number);
            }
            Action::Timeout(end) => {
                next.budget.timeouts[end] -= 1;
                self.advance(&mut next, end, Input::Timeout)?;
            }
            Action::Work(end) => self.advance(&mut next, end, Input::Work)?,
            Action::Wish(number) => {
                next.granted |= 1 << number;
                let (end, wish) = self.scenario.wishes[number];
                self.advance(&mut next, end, Input::Wish(wish))?;
            }
            Action::Inner(from) => {
                let Some(packet) = self.packet(world, from) else { return Ok(None) };
                next.budget.inner -= 1;
                self.advance(&mut next, 1 - from, packet)?;
            }
        }
        Ok(Some(next))
    }

    /// One end takes an input.
    pub(super) fn advance(
        &mut self,
        world: &mut World,
        end: usize,
        input: Input,
    ) -> Result<(), String> {
        let before = world.ends[end];
        let known = self.ends[end].steps.get(&(before, input)).cloned();
        let (after, sent) = match known {
            Some(known) => known,
            None => {
                let step = self.compute(end, before, input)?;
                let known = self.know(end, step)?;
                self.ends[end].steps.insert((before, input), known.clone());
                known
            }
        };
        world.ends[end] = after;
        send(&mut world.wire, &sent);
        self.check(world)
    }

    /// What a step brought about, if it was taken.
    pub(super) fn known_step(&self, end: usize, before: u32, input: Input) -> Option<Known> {
        self.ends[end].steps.get(&(before, input)).cloned()
    }

    fn compute(&self, end: usize, before: u32, input: Input) -> Result<Step, String> {
        let datagram = match input {
            Input::Datagram(number) => Some(self.datagram(number)),
            Input::Timeout | Input::Work | Input::Wish(_) | Input::Inner(_) => None,
        };
        let fault = self.scenario.fault.filter(|(ends, _)| ends.include(end));
        let fault = fault.map(|(_, fault)| fault);
        let node = self.node(end, before);
        let act = || node.step(input, datagram, &self.scenario, fault);
        catch_unwind(AssertUnwindSafe(act)).map_err(|_| "the engine panics".to_owned())
    }

    /// Gives a state and what it has sent their numbers.
    fn know(&mut self, end: usize, step: Step) -> Result<Known, String> {
        if let Some(breach) = step.breaches.into_iter().next() {
            return Err(breach);
        }
        self.corners.extend(step.corners);
        let sent = step.sent.into_iter().map(|datagram| self.number(datagram)).collect();
        let states = &mut self.ends[end];
        let fingerprint = match self.distinct {
            true => states.nodes.len() as u128,
            false => step.node.fingerprint(self.scenario.exact),
        };
        let number = *states.numbers.entry(fingerprint).or_insert_with(|| {
            states.nodes.push(step.node);
            states.nodes.len() as u32 - 1
        });
        Ok((number, sent))
    }

    fn number(&mut self, datagram: Datagram) -> u32 {
        let fingerprint = datagram.fingerprint();
        *self.numbers.entry(fingerprint).or_insert_with(|| {
            self.datagrams.push(datagram);
            self.datagrams.len() as u32 - 1
        })
    }

    fn check(&mut self, world: &World) -> Result<(), String> {
        let [west, east] = world.ends;
        if !self.watches || self.sound.contains(&(west, east)) {
            return Ok(());
        }
        match rules::breach(self.nodes(world), &self.scenario) {
            Some(breach) => Err(breach),
            None => {
                self.sound.insert((west, east));
                Ok(())
            }
        }
    }

    /// The wishes by their number, for people.
    pub(super) fn wish(&self, number: usize) -> (usize, Wish) {
        self.scenario.wishes[number]
    }
}

/// No end gets further ahead of the other's next deadline, nor of work that waits.
const AHEAD: Duration = Duration::from_secs(3);

/// Puts datagrams on the wire.
fn send(wire: &mut Vec<u32>, sent: &[u32]) {
    for number in sent {
        if let Err(place) = wire.binary_search(number) {
            wire.insert(place, *number);
        }
    }
}

impl World {
    /// 128 bits that tell it from any other.
    pub(super) fn fingerprint(&self) -> u128 {
        let Budget { losses, copies, timeouts, inner } = self.budget;
        let mut bytes = Vec::with_capacity(32 + 4 * self.wire.len());
        for number in self.ends.iter().chain([&self.granted]).chain(&self.wire) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        fingerprint(&[&[losses, copies, timeouts[0], timeouts[1], inner], &bytes])
    }
}
