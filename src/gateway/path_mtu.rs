//! The MTU of the path to a remote gateway (RFC 8899, RFC 4301 §8.2): how long a datagram may be
//! that is not fragmented on its way.
//!
//! It is found by probes that the peer answers, and by what routers say. A probe is a message of
//! IKE, padded to the size in question, which leaves from the port of ESP with the DF bit:
//! it takes the way of ESP and needs no Child SA. A gateway like this one surely answers; a peer of
//! another make is asked more seldom and may answer nothing at all (`ike::sounding`). What routers
//! say (ICMP) carries no proof, so it only makes us probe at once, and is believed when that probe
//! is lost (RFC 8899 §4.6), or when nobody answers.
//!
//! ```text
//!              a probe of the limit arrives
//!   Trusting ────────────────────────────────► Settled ◄──────────────┐
//!      │ lost                              lost │    │ time to raise    │ nothing left to try
//!      │                       (3 ×, or after   ▼    ▼                  │
//!      └───────────────────────────────► Searching ─────────────────────┘
//!                                 ICMP)
//! ```
//!
//! Here are neither messages nor tunnels: sizes of whole IP packets go in and out.

use crate::time::{Timestamp, soonest};
use std::time::Duration;

/// Probes of one size that are lost before it is taken for too big (RFC 8899 §5.1.2).
const MAX_PROBES: u32 = 3;
/// A search ends when it knows the size so well, in octets.
const GRANULARITY: u16 = 8;
/// Time between two probes of a size in use, while packets are sent (RFC 8899 §5.1.1, §4.3).
pub(super) const CONFIRM: Duration = Duration::from_secs(5);
/// The same for peers that write every probe into their log.
pub(super) const CONFIRM_SELDOM: Duration = Duration::from_secs(30);
/// Time until a larger size is tried again (RFC 8899 §5.1.1).
const RAISE: Duration = Duration::from_secs(600);
/// What routers say makes us probe so often at most.
const HINT_PAUSE: Duration = Duration::from_millis(500);
/// Pause after a peer that has answered probes before answers none.
const SILENCE: Duration = Duration::from_secs(60);
/// A probe without a verdict for so long has gone with its IKE SA.
const PATIENCE: Duration = Duration::from_secs(20);
/// Sizes that links have: Ethernet, PPPoE, 6in4, GRE, clouds, VXLAN, WireGuard, mobile networks.
const COMMON: [u16; 13] =
    [1500, 1492, 1480, 1476, 1460, 1454, 1450, 1420, 1400, 1380, 1360, 1320, 1280];

/// What bounds the sizes of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// What every path carries: 576 octets (RFC 791 §3.1), 1280 for IPv6 (RFC 8200 §5).
    pub floor: u16,
    /// What nearly every path carries, used while there is doubt (RFC 8899 §5.1.2).
    pub base: u16,
    /// What the operator says that the path can carry at most.
    pub limit: u16,
}

impl Bounds {
    /// The bounds of a path over IPv4 or IPv6 of at most `limit`.
    pub(super) fn new(ipv4: bool, limit: u16) -> Bounds {
        let (floor, base) = if ipv4 { (576, 1200) } else { (1280, 1280) };
        Bounds { floor: floor.min(limit), base: base.min(limit), limit }
    }
}

/// By what a size is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knowledge {
    /// By the configuration only.
    Configured,
    /// Routers have said it.
    Icmp,
    /// Probes have arrived, or been lost.
    Probed,
}

impl Knowledge {
    /// In words for views.
    pub(super) fn name(self) -> &'static str {
        match self {
            Knowledge::Configured => "configured",
            Knowledge::Icmp => "icmp",
            Knowledge::Probed => "probed",
        }
    }
}

/// The path MTU of one remote gateway.
#[derive(Clone, Debug)]
pub(super) struct PathMtu {
    bounds: Bounds,
    phase: Phase,
    /// What a router has said since the last probe.
    hint: Option<u16>,
    hinted_at: Option<Timestamp>,
    /// A probe without a verdict yet, and until when it is waited for.
    asked: Option<Timestamp>,
    /// How often a size in use is confirmed; `None` while there is nobody to ask.
    confirm_every: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Phase {
    /// Nothing is probed: there is no IKE SA, or its peer has answered nothing. What routers say is
    /// all there is.
    Passive {
        mtu: u16,
        raise_at: Option<Timestamp>,
    },
    /// The limit is used in good faith until its first probe is answered or lost.
    Trusting,
    Searching(Search),
    Settled {
        mtu: u16,
        by: Knowledge,
        /// Probes lost in a row.
        lost: u32,
        /// When the size was confirmed last, and whether it is to be now.
        confirmed_at: Timestamp,
        confirm: bool,
        raise_at: Timestamp,
    },
}

/// What is known in the middle of a search.
#[derive(Clone, Copy, Debug)]
struct Search {
    /// In use: the largest size that has arrived, or a guess that is probed first.
    fits: u16,
    verified: bool,
    /// The smallest size that is too big.
    above: u16,
    /// Probes lost in a row of the size being tried.
    lost: u32,
    by: Knowledge,
}

impl PathMtu {
    /// A path of which nothing is known.
    pub(super) fn new(bounds: Bounds) -> PathMtu {
        let phase = Phase::Passive { mtu: bounds.limit, raise_at: None };
        PathMtu { bounds, phase, hint: None, hinted_at: None, asked: None, confirm_every: None }
    }

    /// The longest IP packet to send in one piece.
    pub(super) fn mtu(&self) -> u16 {
        match &self.phase {
            Phase::Passive { mtu, .. } | Phase::Settled { mtu, .. } => *mtu,
            Phase::Trusting => self.bounds.limit,
            Phase::Searching(search) => search.fits,
        }
    }

    /// By what that is known.
    pub(super) fn known_by(&self) -> Knowledge {
        match &self.phase {
            Phase::Passive { mtu, .. } if *mtu < self.bounds.limit => Knowledge::Icmp,
            Phase::Passive { .. } | Phase::Trusting => Knowledge::Configured,
            Phase::Searching(search) => search.by,
            Phase::Settled { by, .. } => *by,
        }
    }

    /// Whether other sizes are being tried now.
    pub(super) fn is_searching(&self) -> bool {
        matches!(self.phase, Phase::Trusting | Phase::Searching(_))
    }

    /// An IKE SA is there, whose peer can be asked so often. What is known of the path stays in use.
    pub(super) fn on_up(&mut self, confirm_every: Duration, now: Timestamp) {
        self.confirm_every = Some(confirm_every);
        self.begin(now);
    }

    fn begin(&mut self, now: Timestamp) {
        self.asked = None;
        self.phase = match self.phase {
            Phase::Passive { mtu, .. } if mtu < self.bounds.limit => {
                self.guess(mtu, mtu + 1, Knowledge::Icmp, now)
            }
            Phase::Passive { .. } | Phase::Trusting => Phase::Trusting,
            Phase::Searching(search) => Phase::Searching(Search { lost: 0, ..search }),
            Phase::Settled { mtu, by, raise_at, .. } => {
                Phase::Settled { mtu, by, lost: 0, confirmed_at: now, confirm: true, raise_at }
            }
        };
    }

    /// The path is another now: all that was known of the old one is worth nothing.
    pub(super) fn on_moved(&mut self, bounds: Bounds, now: Timestamp) {
        let asks = self.confirm_every;
        *self = PathMtu::new(bounds);
        if let Some(confirm_every) = asks {
            self.on_up(confirm_every, now);
        }
    }

    /// There is nobody to probe any more.
    pub(super) fn on_down(&mut self, now: Timestamp) {
        (self.asked, self.confirm_every) = (None, None);
        let mtu = self.mtu();
        let raise_at = (mtu < self.bounds.limit).then(|| now + RAISE);
        self.phase = Phase::Passive { mtu, raise_at };
    }

    /// The peer has answered neither the probe nor anything smaller. One that never did is asked
    /// again much later, and routers are believed meanwhile.
    pub(super) fn on_unanswered(&mut self, now: Timestamp) {
        self.asked = None;
        match self.phase {
            Phase::Trusting => {
                let said = self.hint.take().map(|mtu| mtu.max(self.bounds.base));
                let mtu = said.unwrap_or(self.bounds.limit);
                self.phase = Phase::Passive { mtu, raise_at: Some(now + RAISE) };
            }
            Phase::Searching(_) | Phase::Settled { .. } => self.asked = Some(now + SILENCE),
            Phase::Passive { .. } => {}
        }
    }

    /// Packets were sent, and others came or not: a size that is not confirmed from time to time
    /// may have become too big without a word (RFC 8899 §4.3), the more so when nothing comes back.
    /// Says whether a probe is due now.
    pub(super) fn on_sent(&mut self, heard: bool, now: Timestamp) -> bool {
        let usual = self.confirm_every.unwrap_or(CONFIRM);
        let every = if heard { usual } else { usual.min(CONFIRM) };
        match &mut self.phase {
            Phase::Settled { confirmed_at, confirm, .. } => {
                *confirm |= now.since(*confirmed_at) >= every
            }
            Phase::Passive { .. } | Phase::Trusting | Phase::Searching(_) => return false,
        }
        self.wants_probe()
    }

    /// A router, or the host itself, says that a packet did not fit and that `mtu` does.
    pub(super) fn on_too_big(&mut self, mtu: u16, now: Timestamp) {
        let believable = (self.bounds.floor..self.mtu()).contains(&mtu);
        let soon = self.hinted_at.is_some_and(|last| now.since(last) < HINT_PAUSE);
        if !believable || soon {
            return;
        }
        self.hinted_at = Some(now);
        match &mut self.phase {
            // Nobody can be asked whether it is true. A liar gets us no lower than the base.
            Phase::Passive { mtu: known, raise_at } => {
                *known = mtu.max(self.bounds.base);
                *raise_at = Some(now + RAISE);
            }
            Phase::Trusting | Phase::Searching(_) => self.hint = Some(mtu),
            Phase::Settled { .. } => self.hint = Some(mtu),
        }
    }

    /// The size to probe now, if one is due; it counts as asked.
    pub(super) fn poll_probe(&mut self, now: Timestamp) -> Option<u16> {
        let size = self.due()?;
        self.asked = Some(now + PATIENCE);
        Some(size)
    }

    /// Whether a probe is due.
    pub(super) fn wants_probe(&self) -> bool {
        self.due().is_some()
    }

    fn due(&self) -> Option<u16> {
        if self.asked.is_some() {
            return None;
        }
        match &self.phase {
            Phase::Passive { .. } => None,
            Phase::Trusting => Some(self.bounds.limit),
            Phase::Searching(search) => self.candidate(search),
            Phase::Settled { mtu, lost, confirm, .. } => {
                let due = *lost > 0 || self.hint.is_some() || *confirm;
                due.then_some(*mtu)
            }
        }
    }

    /// A probe of `size` has arrived, or has not while a smaller message did.
    pub(super) fn on_verdict(&mut self, size: u16, arrived: bool, now: Timestamp) {
        if self.asked.take().is_none() {
            return;
        }
        let size = size.clamp(self.bounds.floor, self.bounds.limit);
        self.phase = match (&self.phase, arrived) {
            (Phase::Passive { .. }, _) => return,
            (Phase::Trusting, true) => self.settle(size, Knowledge::Probed, now),
            (Phase::Trusting, false) => match self.hint.take() {
                Some(hint) => self.guess(hint, hint + 1, Knowledge::Icmp, now),
                None => {
                    let (base, above) = (self.bounds.base, self.bounds.limit + 1);
                    self.guess(base, above, Knowledge::Probed, now)
                }
            },
            (Phase::Searching(search), true) => self.advance(*search, size, now),
            (Phase::Searching(search), false) => self.step_back(*search, size, now),
            (&Phase::Settled { mtu, by, raise_at, .. }, true) => {
                self.hint = None;
                Phase::Settled { mtu, by, lost: 0, confirmed_at: now, confirm: false, raise_at }
            }
            (&Phase::Settled { mtu, by, lost, confirmed_at, confirm, raise_at }, false) => {
                let lost = lost + 1;
                match self.hint.take().filter(|hint| *hint < mtu) {
                    Some(hint) => self.guess(hint, hint + 1, Knowledge::Icmp, now),
                    // A black hole (RFC 8899 §4.3).
                    None if lost >= MAX_PROBES => {
                        let base = self.bounds.base.min(mtu);
                        self.guess(base, mtu, Knowledge::Probed, now)
                    }
                    None => Phase::Settled { mtu, by, lost, confirmed_at, confirm, raise_at },
                }
            }
        };
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        self.asked = self.asked.filter(|until| *until > now);
        match &mut self.phase {
            Phase::Passive { mtu, raise_at } if raise_at.is_some_and(|at| at <= now) => {
                (*mtu, *raise_at) = (self.bounds.limit, None);
                if self.confirm_every.is_some() {
                    self.begin(now);
                }
            }
            Phase::Settled { mtu, by, raise_at, .. } if *raise_at <= now => {
                let (fits, by) = (*mtu, *by);
                let above = self.bounds.limit + 1;
                let search = Search { fits, verified: true, above, lost: 0, by };
                self.phase = match fits < self.bounds.limit {
                    true => Phase::Searching(search),
                    false => self.settle(fits, by, now),
                };
            }
            Phase::Passive { .. } | Phase::Settled { .. } => {}
            Phase::Trusting | Phase::Searching(_) => {}
        }
    }

    /// When [`PathMtu::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let raise_at = match &self.phase {
            Phase::Passive { raise_at, .. } => *raise_at,
            Phase::Settled { mtu, raise_at, .. } if *mtu < self.bounds.limit => Some(*raise_at),
            Phase::Settled { .. } | Phase::Trusting | Phase::Searching(_) => None,
        };
        soonest([raise_at.map(|at| (at, ())), self.asked.map(|at| (at, ()))]).map(|(at, ())| at)
    }

    /// Uses `fits`, which is to be verified unless every path carries it, and looks below `above`.
    fn guess(&self, fits: u16, above: u16, by: Knowledge, now: Timestamp) -> Phase {
        let verified = fits <= self.bounds.floor;
        self.go_on(Search { fits, verified, above, lost: 0, by }, now)
    }

    /// The search, or its end.
    fn go_on(&self, search: Search, now: Timestamp) -> Phase {
        match self.candidate(&search) {
            Some(_) => Phase::Searching(search),
            None => self.settle(search.fits, search.by, now),
        }
    }

    fn settle(&self, mtu: u16, by: Knowledge, now: Timestamp) -> Phase {
        let (confirmed_at, raise_at) = (now, now + RAISE);
        Phase::Settled { mtu, by, lost: 0, confirmed_at, confirm: false, raise_at }
    }

    /// A size has arrived: the next one, or the search is over.
    fn advance(&mut self, search: Search, size: u16, now: Timestamp) -> Phase {
        let grown = size > search.fits;
        let hinted = self.hint.take() == Some(size);
        let by = if hinted { Knowledge::Icmp } else { search.by };
        let by = if grown && !hinted { Knowledge::Probed } else { by };
        let fits = search.fits.max(size);
        let found = Search { fits, verified: true, lost: 0, by, ..search };
        // A size between the one that a router named and one that was lost is not worth the time.
        let exact = hinted && search.above <= self.bounds.limit;
        let stuck = search.verified && !grown;
        if exact || stuck { self.settle(fits, by, now) } else { self.go_on(found, now) }
    }

    /// A size was lost once more.
    fn step_back(&mut self, search: Search, size: u16, now: Timestamp) -> Phase {
        let lost = search.lost + 1;
        if lost < MAX_PROBES {
            return Phase::Searching(Search { lost, ..search });
        }
        self.hint = self.hint.filter(|hint| *hint != size);
        if !search.verified {
            let Bounds { floor, base, .. } = self.bounds;
            let below = if search.fits > base { base } else { floor };
            return self.guess(below, search.fits, Knowledge::Probed, now);
        }
        self.go_on(Search { above: size.min(search.above), lost: 0, ..search }, now)
    }

    /// The size to try next: a guess first, then what a router said, then the limit, then the
    /// middle; `None` when the size is known well enough.
    fn candidate(&self, search: &Search) -> Option<u16> {
        let &Search { fits, verified, above, .. } = search;
        if !verified {
            return Some(fits);
        }
        if let Some(hint) = self.hint.filter(|hint| (fits + 1..above).contains(hint)) {
            return Some(hint);
        }
        if above == self.bounds.limit + 1 {
            return (fits < self.bounds.limit).then_some(self.bounds.limit);
        }
        if above.saturating_sub(fits) <= GRANULARITY {
            return None;
        }
        let middle = fits + (above - fits) / 2;
        let between = COMMON.into_iter().filter(|size| (fits + 1..above).contains(size));
        Some(between.min_by_key(|size| size.abs_diff(middle)).unwrap_or(middle))
    }
}

#[cfg(test)]
mod tests;
