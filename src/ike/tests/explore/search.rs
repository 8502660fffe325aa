//! Every schedule that the budget allows, the shortest first, and from every world the calm after
//! the adversary has gone: then one tunnel must come of it.

#![expect(clippy::disallowed_types, reason = "looked up by the million, and never walked over")]

use super::corners::Corner;
use super::ladder;
use super::node::Input;
use super::rules;
use super::scenario::{Scenario, Start};
use super::state::fingerprint;
use super::world::{Action, Universe, World};
use crate::ike::tests::net::{EAST, WEST};
use std::collections::HashSet as Set;
use std::collections::{BTreeSet, VecDeque};
use std::fmt;

/// In so many steps the calm has brought everything in order, or never will.
const MOST_CALM_STEPS: usize = 4000;
/// In so much time, in microseconds.
const LONGEST_CALM: i64 = 300_000_000;

/// What an exploration has seen.
pub(super) struct Report {
    pub name: &'static str,
    pub states: usize,
    pub moves: usize,
    pub depth: usize,
    pub nodes: [usize; 2],
    /// Whether there was nothing more to see.
    pub exhausted: bool,
    pub corners: BTreeSet<Corner>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { name, states, moves, depth, nodes: [west, east], exhausted, .. } = self;
        let all = if *exhausted { "all" } else { "the first" };
        write!(f, "{name}: {all} {states} states by {moves} moves, up to {depth} deep, ")?;
        write!(f, "of {west} states of West and {east} of East; {:?}", self.corners)
    }
}

/// How things went wrong.
pub(super) struct Failure {
    pub what: String,
    /// From the start.
    pub actions: Vec<Action>,
    /// After the adversary had gone.
    pub calm: Vec<(usize, Input)>,
}

/// Explores all schedules.
///
/// # Errors
///
/// The first schedule that breaks a rule, as a ladder.
pub(super) fn explore(scenario: &Scenario) -> Result<Report, String> {
    let mut search = Search::begin(scenario)?;
    search.run().map_err(|failure| {
        let ladder = ladder::draw(&search.universe, &search.root, &failure);
        format!("{ladder}     {}\n", replay(&search.universe, &failure))
    })
}

/// Whether a schedule breaks the same rule when no two states are taken for the same.
fn replay(known: &Universe, failure: &Failure) -> String {
    let mut universe = Universe::without_abstraction(known.scenario.clone());
    let (mut world, mut step) = match Search::root(&mut universe) {
        Ok(world) => (world, 0),
        Err(what) => return what,
    };
    for action in &failure.actions {
        step += 1;
        let Some(action) = known.translate(*action, &universe) else {
            return format!("without abstraction step {step} does not come about");
        };
        match universe.act(&world, action) {
            Ok(Some(next)) => world = next,
            Ok(None) => return format!("without abstraction step {step} changes nothing"),
            Err(what) => return format!("without abstraction, at step {step}: {what}"),
        }
    }
    let mut calm = Calm::of(&world);
    match calm.run(&mut universe, None) {
        Ok(()) => "without abstraction all comes in order".to_owned(),
        Err(what) => format!("without abstraction, in the calm: {what}"),
    }
}

struct Search {
    universe: Universe,
    root: World,
    seen: Set<u128>,
    /// Calm worlds from which all comes in order.
    good: Set<u128>,
    /// From which world each came, and how.
    parents: Vec<(u32, Option<Action>)>,
    frontier: VecDeque<(u32, u32, World)>,
    moves: usize,
    depth: u32,
}

impl Search {
    fn begin(scenario: &Scenario) -> Result<Search, String> {
        let mut universe = Universe::new(scenario.clone());
        let root = Search::root(&mut universe)?;
        universe.corners.clear();
        Ok(Search {
            universe,
            root,
            seen: Set::default(),
            good: Set::default(),
            parents: Vec::new(),
            frontier: VecDeque::new(),
            moves: 0,
            depth: 0,
        })
    }

    /// The world in which it begins.
    fn root(universe: &mut Universe) -> Result<World, String> {
        let cold = universe.cold()?;
        if universe.scenario.start == Start::Cold {
            return Ok(cold);
        }
        let mut calm = Calm::of(&cold);
        universe.watches = false;
        calm.run(universe, None).map_err(|what| format!("at the start: {what}"))?;
        universe.watches = true;
        Ok(World { ends: calm.world.ends, wire: Vec::new(), ..cold })
    }

    fn run(&mut self) -> Result<Report, Failure> {
        self.visit(self.root.clone(), 0, None, 0)?;
        while let Some((number, depth, world)) = self.frontier.pop_front() {
            if self.seen.len() >= self.universe.scenario.limit {
                return Ok(self.report(false));
            }
            self.depth = depth;
            for action in self.universe.actions(&world) {
                self.moves += 1;
                match self.universe.act(&world, action) {
                    Ok(None) => {}
                    Ok(Some(next)) => self.visit(next, number, Some(action), depth + 1)?,
                    Err(what) => return Err(self.failure(what, number, Some(action), Vec::new())),
                }
            }
        }
        Ok(self.report(true))
    }

    fn visit(
        &mut self,
        world: World,
        parent: u32,
        action: Option<Action>,
        depth: u32,
    ) -> Result<(), Failure> {
        if !self.seen.insert(world.fingerprint()) {
            return Ok(());
        }
        // What is under way arrives, and work is done, in worlds of their own, up to one that rests.
        let mut calm = Calm::of(&world);
        let rests = world.wire.is_empty() && self.universe.worker(&world) == [None; 2];
        if rests && let Err(what) = calm.run(&mut self.universe, Some(&mut self.good)) {
            return Err(self.failure(what, parent, action, calm.trail));
        }
        let number = self.parents.len() as u32;
        self.parents.push((parent, action));
        self.frontier.push_back((number, depth, world));
        Ok(())
    }

    fn failure(
        &self,
        what: String,
        parent: u32,
        action: Option<Action>,
        calm: Vec<(usize, Input)>,
    ) -> Failure {
        let mut actions: Vec<Action> = action.into_iter().collect();
        let mut number = parent;
        while let Some(&(parent, Some(action))) = self.parents.get(number as usize) {
            actions.push(action);
            number = parent;
        }
        actions.reverse();
        Failure { what, actions, calm }
    }

    fn report(&self, exhausted: bool) -> Report {
        Report {
            name: self.universe.scenario.name,
            states: self.seen.len(),
            moves: self.moves,
            depth: self.depth as usize,
            nodes: self.universe.sizes(),
            exhausted,
            corners: self.universe.corners.clone(),
        }
    }
}

/// The time after the adversary has gone: everything that is under way arrives, and the deadline
/// comes that is the nearest by the clock of both ends.
struct Calm {
    world: World,
    /// What has passed at each end, in microseconds.
    passed: [i64; 2],
    trail: Vec<(usize, Input)>,
}

impl Calm {
    fn of(world: &World) -> Calm {
        Calm { world: world.clone(), passed: [0; 2], trail: Vec::new() }
    }

    /// Runs until everything is in order; `good` knows from where that was seen, and learns it.
    fn run(
        &mut self,
        universe: &mut Universe,
        mut good: Option<&mut Set<u128>>,
    ) -> Result<(), String> {
        let (mut way, mut missing) = (Vec::new(), "");
        loop {
            let here = self.fingerprint();
            way.push(here);
            if good.as_ref().is_some_and(|good| good.contains(&here)) {
                break;
            }
            if self.world.wire.is_empty() {
                let lacks = rules::unsettled(universe.nodes(&self.world), &universe.scenario);
                let Some(lacks) = lacks else { break };
                missing = lacks;
            }
            let late = self.passed.iter().any(|passed| *passed > LONGEST_CALM);
            if late || self.trail.len() > MOST_CALM_STEPS {
                return Err(format!("it does not settle: {missing}"));
            }
            let (end, input) = self.next(universe).ok_or(format!("nothing happens: {missing}"))?;
            self.trail.push((end, input));
            universe.advance(&mut self.world, end, input)?;
        }
        if let Some(good) = &mut good {
            good.extend(way);
        }
        Ok(())
    }

    fn next(&mut self, universe: &Universe) -> Option<(usize, Input)> {
        if let Some(end) = universe.worker(&self.world).into_iter().flatten().next() {
            return Some((end, Input::Work));
        }
        if !self.world.wire.is_empty() {
            let number = self.world.wire.remove(0);
            return Some((universe.receiver(number), Input::Datagram(number)));
        }
        let due = |end: usize| {
            let wait = universe.node(end, self.world.ends[end]).wait()?;
            Some((self.passed[end] + wait.as_micros() as i64, end))
        };
        let (at, end) = [WEST, EAST].into_iter().filter_map(due).min()?;
        self.passed[end] = at;
        Some((end, Input::Timeout))
    }

    fn fingerprint(&self) -> u128 {
        let ahead = self.passed[WEST] - self.passed[EAST];
        let numbers = self.world.ends.iter().chain(&self.world.wire);
        let bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        fingerprint(&[&ahead.to_le_bytes(), &bytes])
    }
}
