//! A virtual router of VRRP version 3 (RFC 9568): one instance for each VRID and address family.
//!
//! ```text
//!                    ┌────────────┐  owner
//!          ┌────────►│ Initialize │─────────────┐
//!          │         └─────┬──────┘             │
//!          │ Shutdown      │ not owner          │ Startup
//!          │               ▼                    ▼
//!          │         ┌────────────┐  silence  ┌────────────┐
//!          ├─────────│   Backup   │──────────►│   Active   │────┐ Shutdown:
//!          │         └────────────┘◄──────────└────────────┘    │ resign
//!          └────────────────────────  superior  ────────────────┘
//! ```
//!
//! Frames carry the interface's own Ethernet address and not that of RFC 9568 §7.3, so bridges and
//! hosts learn from announcements alone where the virtual addresses are. They are repeated, and
//! made again whenever another router shows that it believes to be active (§6.4.3), since hosts
//! may have believed it.
//!
//! Time is in centiseconds on the wire and in configuration; nothing here rounds to them.
//! Checksum, version and hop limit are verified by whoever has the packet ([`crate::wire::vrrp`]).

mod machine;
pub mod neighbor;

pub use machine::{Claim, Event, State, Step, Transition, transition};

use crate::time::{Timers, Timestamp};
use crate::wire::vrrp::{Advertisement, PRIORITY_OWNER, PRIORITY_RESIGNING};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

/// Who is so late has not run meanwhile: its process was stopped, or its machine.
const OVERSLEPT: Duration = Duration::from_secs(2);

/// Settings of one virtual router (RFC 9568 §6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualRouterConfig {
    /// Virtual Router Identifier.
    pub vrid: u8,
    /// 1 to 254; 255 owns the addresses.
    pub priority: u8,
    /// Advertisement_Interval in centiseconds, 1 to 4095.
    pub interval: u16,
    /// Preempt_Mode: whether a higher priority takes over from a running Active Router.
    pub preempt: bool,
    /// Virtual addresses of one family; for IPv6 the link-local one first.
    pub addresses: Vec<IpAddr>,
    /// Our address that advertisements are sent from; decides between equal priorities.
    pub local: IpAddr,
}

/// What the virtual router wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Multicast an advertisement.
    Send(Advertisement),
    /// Answer for the virtual addresses, and announce them ([`neighbor::announcement`]).
    BecomeActive {
        /// The virtual addresses.
        addresses: Vec<IpAddr>,
    },
    /// Announce the virtual addresses again.
    Announce {
        /// The virtual addresses.
        addresses: Vec<IpAddr>,
    },
    /// Do not answer for the virtual addresses.
    BecomeBackup {
        /// The virtual addresses.
        addresses: Vec<IpAddr>,
    },
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// Time to advertise (Adver_Timer).
    Advertisement,
    /// The Active Router has been silent for too long (Active_Down_Timer).
    ActiveDown,
    /// Time to announce the addresses again.
    Announcement,
}

/// An announcement is repeated after this, for switches and hosts that missed it. Also the least
/// time between two announcements.
const REPETITION: Duration = Duration::from_secs(1);
/// Announcements of an Active Router that nobody disturbs, for hosts that believed another one
/// which died before the two could meet.
const REFRESH: Duration = Duration::from_secs(60);

/// Advertisements that were not taken in (RFC 9568 §7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discards {
    /// For another virtual router.
    pub other_vrid: u64,
    /// Max Advertise Interval of zero (erratum 8301).
    pub zero_interval: u64,
    /// Although we own the addresses.
    pub owner: u64,
    /// Our own, come back.
    pub own: u64,
}

/// One virtual router.
#[derive(Debug)]
pub struct VirtualRouter {
    config: VirtualRouterConfig,
    state: State,
    /// Active_Adver_Interval: that of whoever is active.
    active_interval: u16,
    timers: Timers<Timer>,
    since: Timestamp,
    /// When the addresses were last announced, and how often that is to be repeated.
    announced: Timestamp,
    repetitions: u8,
    discards: Discards,
    actions: VecDeque<Action>,
}

impl VirtualRouter {
    /// A virtual router that waits for its startup.
    pub fn new(config: VirtualRouterConfig) -> VirtualRouter {
        VirtualRouter {
            active_interval: config.interval.max(1),
            config,
            state: State::Initialize,
            timers: Timers::default(),
            since: Timestamp::ZERO,
            announced: Timestamp::ZERO,
            repetitions: 0,
            discards: Discards::default(),
            actions: VecDeque::new(),
        }
    }

    /// Begins to take part (RFC 9568 §6.4.1).
    pub fn startup(&mut self, now: Timestamp) {
        let owner = self.config.priority == PRIORITY_OWNER;
        self.fire(Event::Startup { owner }, now);
    }

    /// Stops taking part; an Active Router resigns.
    pub fn shutdown(&mut self, now: Timestamp) {
        self.fire(Event::Shutdown, now);
    }

    /// Sets the priority, as what is tracked comes and goes. An Active Router says so at once,
    /// and before a lower one it resigns: a better router then takes over after its Skew_Time
    /// instead of three intervals (RFC 9568 §6.4.2), and none but a better one does.
    pub fn set_priority(&mut self, priority: u8, now: Timestamp) {
        let before = std::mem::replace(&mut self.config.priority, priority);
        if priority < before && self.state == State::Active {
            self.advertise(PRIORITY_RESIGNING);
        }
        if priority != before {
            self.fire(Event::PriorityChanged, now);
        }
    }

    /// Sends from another address from now on, and at once when active.
    pub fn set_local(&mut self, local: IpAddr, now: Timestamp) {
        if std::mem::replace(&mut self.config.local, local) != local {
            self.fire(Event::LocalAddressChanged, now);
        }
    }

    /// An Active Router announces its addresses, at once or within a second when it has just
    /// done so: hosts may have learned something else.
    pub fn announce_again(&mut self, now: Timestamp) {
        if self.state != State::Active {
            return;
        }
        self.repetitions = 1;
        let due = self.announced + REPETITION;
        if due <= now {
            self.announce(now);
        } else {
            self.timers.arm(Timer::Announcement, Some(due));
        }
    }

    /// Whether it answers for an address.
    pub fn answers_for(&self, address: IpAddr) -> bool {
        self.state == State::Active && self.config.addresses.contains(&address)
    }

    /// An advertisement came from `source`.
    pub fn handle_advertisement(
        &mut self,
        source: IpAddr,
        advertisement: &Advertisement,
        now: Timestamp,
    ) {
        if let Some(counter) = self.discards_as(source, advertisement) {
            *counter += 1;
            return;
        }
        let claim = self.claim(source, advertisement);
        if claim == Claim::Superior {
            self.active_interval = advertisement.interval;
        }
        self.fire(Event::Advertisement(claim), now);
    }

    /// The timers that are due fire, unless they were due very long ago.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let overslept = self.timers.next().is_some_and(|(at, _)| now.since(at) >= OVERSLEPT);
        if overslept && self.config.priority != PRIORITY_OWNER {
            self.fire(Event::Overslept, now);
        }
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Advertisement => self.fire(Event::AdvertisementTimer, now),
                Timer::ActiveDown => self.fire(Event::ActiveDownTimer, now),
                Timer::Announcement => self.announce(now),
            }
        }
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next deadline.
    pub fn poll_timeout(&self) -> Option<(Timestamp, Timer)> {
        self.timers.next()
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// When the state last changed.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// The settings, with the priority as it is now.
    pub fn config(&self) -> &VirtualRouterConfig {
        &self.config
    }

    /// What was not taken in.
    pub fn discards(&self) -> Discards {
        self.discards
    }

    /// The counter of the reason for which an advertisement is discarded unread.
    fn discards_as(&mut self, source: IpAddr, advertisement: &Advertisement) -> Option<&mut u64> {
        if advertisement.virtual_router_id != self.config.vrid {
            return Some(&mut self.discards.other_vrid);
        }
        if source == self.config.local {
            return Some(&mut self.discards.own);
        }
        if advertisement.interval == 0 {
            return Some(&mut self.discards.zero_interval);
        }
        if self.config.priority == PRIORITY_OWNER {
            return Some(&mut self.discards.owner);
        }
        None
    }

    /// How the sender stands to us. A Backup without Preempt_Mode lets every sender be active; an
    /// Active Router yields to a higher priority, or to an equal one from a higher address.
    fn claim(&self, source: IpAddr, advertisement: &Advertisement) -> Claim {
        let (theirs, ours) = (advertisement.priority, self.config.priority);
        let superior = match self.state {
            State::Initialize => true,
            State::Backup => !self.config.preempt || theirs >= ours,
            State::Active => (theirs, source) > (ours, self.config.local),
        };
        match theirs {
            PRIORITY_RESIGNING => Claim::Resigning,
            _ if superior => Claim::Superior,
            _ => Claim::Inferior,
        }
    }

    /// The one place where the state changes.
    fn fire(&mut self, event: Event, now: Timestamp) {
        let Transition { next, steps } = transition(self.state, event);
        if next != self.state {
            let (vrid, from) = (self.config.vrid, self.state);
            tracing::debug!(vrid, %from, to = %next, ?event, "VRRP state");
            self.since = now;
        }
        self.state = next;
        for step in steps {
            self.carry_out(*step, now);
        }
    }

    fn carry_out(&mut self, step: Step, now: Timestamp) {
        let addresses = || self.config.addresses.clone();
        match step {
            Step::Advertise => self.advertise(self.config.priority),
            Step::Resign => self.advertise(PRIORITY_RESIGNING),
            Step::StartAdvertisementTimer => {
                let interval = centiseconds(self.config.interval.max(1));
                self.wait(Timer::Advertisement, now + interval);
            }
            Step::ForgetActiveInterval => self.active_interval = self.config.interval.max(1),
            Step::StartActiveDownTimer => {
                let interval = self.active_interval();
                self.wait(Timer::ActiveDown, now + interval * 3 + self.skew());
            }
            Step::StartSkewTimer => self.wait(Timer::ActiveDown, now + self.skew()),
            Step::StopTimer => self.timers = Timers::default(),
            Step::TakeAddresses => {
                self.actions.push_back(Action::BecomeActive { addresses: addresses() });
                self.on_announced(now, 1);
            }
            Step::AnnounceAgain => self.announce_again(now),
            Step::LeaveAddresses => {
                self.actions.push_back(Action::BecomeBackup { addresses: addresses() });
                self.timers.arm(Timer::Announcement, None);
            }
        }
    }

    /// Waits for one of the two timers of the RFC, and no longer for the other.
    fn wait(&mut self, timer: Timer, at: Timestamp) {
        for other in [Timer::Advertisement, Timer::ActiveDown] {
            self.timers.arm(other, (other == timer).then_some(at));
        }
    }

    fn announce(&mut self, now: Timestamp) {
        self.actions.push_back(Action::Announce { addresses: self.config.addresses.clone() });
        self.on_announced(now, self.repetitions);
    }

    /// Plans the next announcement after one.
    fn on_announced(&mut self, now: Timestamp, repetitions: u8) {
        let pause = if repetitions > 0 { REPETITION } else { REFRESH };
        self.repetitions = repetitions.saturating_sub(1);
        self.announced = now;
        self.timers.arm(Timer::Announcement, Some(now + pause));
    }

    fn advertise(&mut self, priority: u8) {
        self.actions.push_back(Action::Send(Advertisement {
            virtual_router_id: self.config.vrid,
            priority,
            interval: self.config.interval,
            addresses: self.config.addresses.clone(),
        }));
    }

    fn active_interval(&self) -> Duration {
        centiseconds(self.active_interval)
    }

    /// Skew_Time: the lower the priority, the later one takes over (RFC 9568 §6.1).
    fn skew(&self) -> Duration {
        self.active_interval() * (256 - u32::from(self.config.priority)) / 256
    }
}

fn centiseconds(count: u16) -> Duration {
    Duration::from_millis(u64::from(count) * 10)
}

#[cfg(test)]
mod tests;
