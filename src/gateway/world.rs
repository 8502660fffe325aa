//! What the gateway wants from its host, as a set of wishes, and what the host answers.
//!
//! ```text
//!              add                    Done
//!   (unwanted) ────► Asked ─────────────────────► Standing
//!                     ▲ │ Refused                   │
//!                     │ └──────────► Refused ◄──────┤ taken away by somebody else:
//!                     └── backoff ─────┘            └ asked for again
//! ```
//!
//! The whole desired set lives here, with the difference to what was asked for inside: out come
//! [`Change`]s in an order in which nothing depends on what comes later, in go [`Answer`]s. What
//! the host refuses is asked for again with growing pauses; until it stands, its prefix is not
//! usable. What somebody else takes away is put back. No netlink lives here.

mod foreign;
mod host;
mod lans;
mod looking;
mod plan;
mod public;
mod segment;
mod tables;
mod wish;

pub use foreign::{Entrances, ForeignRule};
pub use host::{Device as HostDevice, Host, Questions};
pub(super) use lans::Underlay;
use looking::Look;
pub use plan::{blind_to, guards, kept_out};
pub(super) use plan::{configured, has_default};
pub use public::{Mapping, NatCounters, Outlet, Ports, Sharing, Source, Translation};
pub(super) use public::{mappings, outer_devices, ways};
pub use segment::{Admission, Segment, SegmentCounters, VirtualMac, VtepCounters};
pub use tables::{guard_metric, guard_owner, home_metric, home_owner, metric, owner};
pub use wish::{Ground, Rule, Table, Then, When, Wish};

use crate::net::{Prefix, VpcId};
use crate::time::{Timers, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tracing::{info, warn};

/// Pause before the first repetition of what was refused; every further one is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(250);
/// The longest pause.
const LAST_RETRY: Duration = Duration::from_secs(30);

/// A change to make on the host. Changes are made in the order they come out, each is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Make sure that this is there.
    Set(Wish),
    /// Make sure that this is gone.
    Remove(Wish),
}

/// What the host says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The change is made.
    Done(Change),
    /// The change cannot be made.
    Refused(Change, String),
    /// Somebody else took this away.
    Lost(Wish),
    /// All of ours that stands in a network namespace (`None` is the daemon's), after every
    /// change that was asked for before.
    Found(Option<String>, BTreeSet<Wish>),
    /// What packets to peers may depend on is gone in the daemon's network namespace; what is left
    /// is told later.
    Trouble(Trouble),
    /// The policy rules of somebody else's in a network namespace.
    Rules(Option<String>, BTreeSet<ForeignRule>),
    /// The devices of a network namespace, with their addresses.
    Devices(Option<String>, BTreeMap<String, HostDevice>),
    /// The namespace of this name is gone, or another one now: nothing stands there.
    Replaced(Option<String>),
    /// What came to the segments of VPCs.
    Segments(BTreeMap<VpcId, SegmentCounters>),
    /// What was translated in a VPC.
    Translated(VpcId, NatCounters),
    /// The addresses from which the host would send to peers, see [`Questions::remotes`].
    Sources(BTreeMap<IpAddr, IpAddr>),
}

/// Something of the host that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A device, or its carrier.
    Device(String),
    /// An address.
    Address(IpAddr),
    /// A route, which was not ours.
    Route(Prefix),
}

/// How a wish stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// It was asked for and not answered yet; perhaps it was refused before.
    Asked(Option<Box<Refusal>>),
    /// It is there.
    Standing,
    /// The host refused; it is asked for again when its timer fires.
    Refused(Box<Refusal>),
}

/// Why the host does not do something, and how often it said so in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The host's words.
    pub why: String,
    /// How often in a row.
    pub times: u32,
}

/// What happened to wishes, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Changes that were refused.
    pub refused: u64,
    /// Wishes that somebody else took away, and that were put back.
    pub lost: u64,
    /// Refused wishes that were asked for again.
    pub repeated: u64,
}

/// The wishes of a gateway.
#[derive(Debug, Default)]
pub struct World {
    wanted: BTreeMap<Wish, State>,
    changes: VecDeque<Change>,
    refused: BTreeSet<Wish>,
    retries: Timers<Wish>,
    turns: BTreeMap<Wish, bool>,
    /// Rules that stand and are of no use, and why.
    overruled: BTreeMap<Wish, String>,
    looks: VecDeque<Look>,
    counters: Counters,
}

impl World {
    /// Wants `wish` from now on. A route takes the place of the one with another source.
    pub fn add(&mut self, wish: Wish) {
        if self.wanted.contains_key(&wish) {
            return;
        }
        if let Some(before) = self.same_route(&wish).cloned() {
            self.forget(&before);
        }
        self.ask(wish, None);
    }

    /// Does not want `wish` any more.
    pub fn remove(&mut self, wish: &Wish) {
        if self.forget(wish) {
            self.changes.push_back(Change::Remove(wish.clone()));
        }
    }

    /// Does not want the route of a VPC to a prefix any more, whatever its source.
    pub fn remove_route(&mut self, vpc: VpcId, prefix: Prefix) {
        if let Some(wish) = self.route(vpc, prefix).cloned() {
            self.remove(&wish);
        }
    }

    /// The route of a VPC to a prefix, as it is wanted.
    pub fn route(&self, vpc: VpcId, prefix: Prefix) -> Option<&Wish> {
        let first = Wish::Route { vpc, prefix, source: None };
        let (next, _) = self.wanted.range(&first..).next()?;
        next.is_same_route(&first).then_some(next)
    }

    /// Does not want the route to a prefix by a router of the VPC any more, whichever it is.
    pub fn remove_onward(&mut self, vpc: VpcId, prefix: Prefix) {
        if let Some(wish) = self.onward(vpc, prefix).cloned() {
            self.remove(&wish);
        }
    }

    /// The route to a prefix by a router of the VPC, as it is wanted.
    pub fn onward(&self, vpc: VpcId, prefix: Prefix) -> Option<&Wish> {
        let first = Wish::Onward { vpc, prefix, router: Ipv4Addr::UNSPECIFIED.into() };
        let (next, _) = self.wanted.range(&first..).next()?;
        next.is_same_route(&first).then_some(next)
    }

    fn same_route(&self, wish: &Wish) -> Option<&Wish> {
        match wish {
            Wish::Route { vpc, prefix, .. } => self.route(*vpc, *prefix),
            Wish::Onward { vpc, prefix, .. } => self.onward(*vpc, *prefix),
            _ => None,
        }
    }

    /// Whether a segment is wanted in the place of this one, or its guard.
    fn same_segment(&self, wish: &Wish) -> bool {
        let Some(vpc) = wish.vpc().filter(|_| wish.is_of_segment()) else { return false };
        self.parts_of_segment(vpc).any(|(wanted, _)| wanted.is_same_device(wish))
    }

    /// Whether an outlet is wanted in the place of this one.
    fn same_outlet(&self, wish: &Wish) -> bool {
        matches!(wish, Wish::Outlet(_)) && self.wanted.keys().any(|next| next.is_same_device(wish))
    }

    /// Gives every route the source that `source_of` says.
    pub fn set_sources(&mut self, source_of: impl Fn(VpcId, &Prefix) -> Option<IpAddr>) {
        let routes = self.wanted.keys().filter_map(|wish| match wish {
            Wish::Route { vpc, prefix, source } => {
                let now = source_of(*vpc, prefix);
                let changed = Wish::Route { vpc: *vpc, prefix: *prefix, source: now };
                (now != *source).then_some(changed)
            }
            _ => None,
        });
        let routes: Vec<Wish> = routes.collect();
        routes.into_iter().for_each(|wish| self.add(wish));
    }

    /// Makes the wishes of the configuration (those that `is_configured` names) exactly
    /// `configured`: what is missing is added before what is superfluous is removed.
    pub fn reconcile(
        &mut self,
        configured: &BTreeSet<Wish>,
        is_configured: impl Fn(&Wish) -> bool,
    ) {
        let superfluous: Vec<Wish> = self.wanted.keys().rev().cloned().collect();
        let superfluous = superfluous
            .into_iter()
            .filter(|wish| is_configured(wish) && !configured.contains(wish));
        let superfluous: Vec<Wish> = superfluous.collect();
        self.free_places(&superfluous, configured);
        configured.iter().cloned().for_each(|wish| self.add(wish));
        superfluous.iter().for_each(|wish| self.remove(wish));
    }

    /// What must go before its successor can come: a device whose name or place the new one
    /// takes. A device that only changes its MTU is not removed at all.
    fn free_places(&mut self, superfluous: &[Wish], configured: &BTreeSet<Wish>) {
        for wish in superfluous {
            if configured.iter().any(|next| next.is_same_device(wish) || next.is_same_route(wish)) {
                self.forget(wish);
            } else if let Wish::Device { .. } | Wish::Segment(_) | Wish::Outlet(_) = wish {
                self.remove(wish);
            }
        }
    }

    /// Takes everything back except what keeps packets from leaving in the clear: while the
    /// daemon is stopped, for an upgrade for example, that must stand.
    pub fn clear_all_but_guards(&mut self) {
        let gone: Vec<Wish> = self.wanted.keys().rev().cloned().collect();
        gone.iter().filter(|wish| !wish.is_guard()).for_each(|wish| self.remove(wish));
    }

    /// Takes over what the host says about wishes. `lives_in` says whether a wish is one for a
    /// network namespace.
    pub fn on_answer(
        &mut self,
        answer: Answer,
        lives_in: impl Fn(&Wish, Option<&str>) -> bool,
        now: Timestamp,
    ) {
        match answer {
            Answer::Done(Change::Set(wish)) => self.on_done(wish),
            Answer::Refused(Change::Set(wish), why) => self.on_refused(wish, why, now),
            Answer::Done(Change::Remove(_))
            | Answer::Trouble(_)
            | Answer::Rules(..)
            | Answer::Devices(..)
            | Answer::Segments(_)
            | Answer::Translated(..)
            | Answer::Replaced(_)
            | Answer::Sources(_) => {}
            Answer::Refused(Change::Remove(wish), why) => {
                self.counters.refused += 1;
                warn!(%wish, why, "the host does not take this back");
            }
            Answer::Lost(wish) => self.on_lost(&wish),
            Answer::Found(namespace, found) => {
                self.on_found(namespace, found, &lives_in, now);
            }
        }
    }

    fn on_done(&mut self, wish: Wish) {
        let Some(state) = self.wanted.get_mut(&wish) else { return };
        *state = State::Standing;
        if let Some(why) = self.overruled.get(&wish) {
            let why = why.clone();
            self.refuse(wish, why);
            return;
        }
        if self.accept(&wish) {
            info!(%wish, "stands at last");
        }
    }

    fn on_refused(&mut self, wish: Wish, why: String, now: Timestamp) {
        if let Some(times) = self.refuse(wish.clone(), why) {
            self.retries.arm(wish, Some(now + pause(times)));
        }
    }

    /// Notes that the host does not do this; says how often in a row.
    fn refuse(&mut self, wish: Wish, why: String) -> Option<u32> {
        let state = self.wanted.get_mut(&wish)?;
        self.counters.refused += 1;
        let times = match state {
            State::Asked(Some(refusal)) | State::Refused(refusal) => refusal.times + 1,
            State::Asked(None) | State::Standing => 1,
        };
        *state = State::Refused(Box::new(Refusal { why: why.clone(), times }));
        if self.refused.insert(wish.clone()) {
            warn!(%wish, why, "the host refused; it is asked for again");
            self.turns.insert(wish, false);
        }
        Some(times)
    }

    /// From now on these rules are of no use although they stand, and no others.
    pub fn overrule(&mut self, overruled: BTreeMap<Wish, String>) {
        let before = std::mem::replace(&mut self.overruled, overruled);
        let free = before.into_keys().filter(|wish| !self.overruled.contains_key(wish));
        free.collect::<Vec<_>>().into_iter().for_each(|wish| self.repeat(wish));
        let standing = self.overruled.iter().filter(|(wish, _)| self.stands(wish));
        let standing: Vec<(Wish, String)> =
            standing.map(|(wish, why)| (wish.clone(), why.clone())).collect();
        for (wish, why) in standing {
            self.refuse(wish, why);
        }
    }

    /// Whether some rules are of no use.
    pub fn is_overruled(&self) -> bool {
        !self.overruled.is_empty()
    }

    /// The policy rules that are wanted.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.wanted.keys().filter_map(|wish| match wish {
            Wish::Rule(rule) => Some(rule.as_ref()),
            _ => None,
        })
    }

    fn on_lost(&mut self, wish: &Wish) {
        if self.stands(wish) {
            info!(%wish, "somebody took this away; it is put back");
            self.counters.lost += 1;
            self.ask(wish.clone(), None);
        }
    }

    /// Asks again for what was refused and is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some(wish) = self.retries.pop_due(now) {
            self.repeat(wish);
        }
    }

    /// When something is asked for again.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let looking = self.looks.front().map(|look| look.since);
        looking.into_iter().chain(self.retries.next().map(|(at, _)| at)).min()
    }

    /// The next change to make.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// The next wish that the host refused for the first time (`false`), or that stands, or is
    /// not wanted any more, after it was refused (`true`).
    pub fn poll_turn(&mut self) -> Option<(Wish, bool)> {
        self.turns.pop_first()
    }

    /// Whether `wish` is there, as far as we know.
    pub fn stands(&self, wish: &Wish) -> bool {
        self.wanted.get(wish) == Some(&State::Standing)
    }

    /// Whether the segment of a VPC is there, with its guard.
    pub fn segment_stands(&self, vpc: VpcId) -> bool {
        let mut parts = self.parts_of_segment(vpc).peekable();
        parts.peek().is_some() && parts.all(|(_, state)| *state == State::Standing)
    }

    /// The guard and the device of a VPC's segment, as far as they are wanted.
    fn parts_of_segment(&self, vpc: VpcId) -> impl Iterator<Item = (&Wish, &State)> {
        segment::first_of(vpc).into_iter().filter_map(move |first| {
            let (next, state) = self.wanted.range(first..).next()?;
            (next.is_of_segment() && next.vpc() == Some(vpc)).then_some((next, state))
        })
    }

    /// Whether the way between a VPC and its public addresses is there, with what translates on it.
    pub fn outlet_stands(&self, vpc: VpcId) -> bool {
        let of_vpc = |wish: &&Wish| wish.vpc() == Some(vpc);
        let stands = |which: fn(&Wish) -> bool| {
            self.wanted.keys().filter(of_vpc).any(|wish| which(wish) && self.stands(wish))
        };
        stands(|wish| matches!(wish, Wish::Translation(_)))
            && stands(|wish| matches!(wish, Wish::Outlet(_)))
            && stands(|wish| matches!(wish, Wish::Exit { .. }))
    }

    /// Why the host refuses `wish`, if it does.
    pub fn refusal(&self, wish: &Wish) -> Option<&Refusal> {
        match self.wanted.get(wish)? {
            State::Asked(Some(refusal)) | State::Refused(refusal) => Some(refusal),
            State::Asked(None) | State::Standing => None,
        }
    }

    /// What the host refuses now.
    pub fn refused_wishes(&self) -> impl Iterator<Item = &Wish> {
        self.refused.iter()
    }

    /// How much the host refuses now.
    pub fn refused(&self) -> usize {
        self.refused.len()
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Asks once more for what was refused.
    fn repeat(&mut self, wish: Wish) {
        if let Some(State::Refused(refusal)) = self.wanted.get(&wish) {
            let refusal = refusal.clone();
            self.counters.repeated += 1;
            self.retries.arm(wish.clone(), None);
            self.ask(wish, Some(refusal));
        }
    }

    fn ask(&mut self, wish: Wish, refusal: Option<Box<Refusal>>) {
        self.changes.push_back(Change::Set(wish.clone()));
        self.wanted.insert(wish, State::Asked(refusal));
    }

    fn forget(&mut self, wish: &Wish) -> bool {
        self.accept(wish);
        self.wanted.remove(wish).is_some()
    }

    /// Nothing is refused about `wish` any more; whether something was.
    fn accept(&mut self, wish: &Wish) -> bool {
        let was_refused = self.refused.remove(wish);
        if was_refused {
            self.retries.arm(wish.clone(), None);
            self.turns.insert(wish.clone(), true);
        }
        was_refused
    }

    /// Whether `wish` is wanted now.
    #[cfg(test)]
    pub fn wants(&self, wish: &Wish) -> bool {
        self.wanted.contains_key(wish)
    }
}

fn pause(times: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1 << (times - 1).min(10)).min(LAST_RETRY)
}

#[cfg(test)]
mod tests;
