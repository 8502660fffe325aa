//! What is explored: two configurations, where the run begins, what the operators want at some
//! time, and how much the adversary may do.

use super::corners::Corner;
use crate::ike::fault::Fault;
use crate::ike::*;

/// Something that an operator, or fate, wants of one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Wish {
    RekeyIke,
    RekeyChild(SlotId),
    /// A sign of life of the peer.
    Probe,
    Terminate,
    Initiate,
    /// Another of its configurations.
    Configure(usize),
    /// All state is lost.
    Restart,
    /// Ask for a Child SA while IKE_AUTH is under way, as no honest peer does.
    Presume,
    /// Its address is that of another of its configurations from now on, and the old one is gone.
    Renumber(usize),
    /// Somebody asks the other end in this one's name, with the roles of the IKE SA exchanged.
    Pretend,
}

/// What the adversary may still do. Delivering in any order costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Budget {
    /// Datagrams lost.
    pub losses: u8,
    /// Datagrams delivered of which a copy stays under way.
    pub copies: u8,
    /// Deadlines that pass at each end.
    pub timeouts: [u8; 2],
    /// Inner packets, from either end.
    pub inner: u8,
}

/// Where the run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Both ends have just started.
    Cold,
    /// The tunnel is up.
    Up,
}

impl Budget {
    /// An adversary that may do more.
    pub(super) fn wider(self) -> Budget {
        let Budget { losses, copies, timeouts, inner } = self;
        let timeouts = timeouts.map(|count| count + 1);
        Budget { losses: losses + 1, copies: copies + 1, timeouts, inner: inner.max(1) }
    }
}

/// Some of the ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    One(usize),
    Both,
}

impl Ends {
    pub(super) fn include(self, end: usize) -> bool {
        self == Ends::Both || self == Ends::One(end)
    }
}

/// One exploration.
#[derive(Clone)]
pub(super) struct Scenario {
    pub name: &'static str,
    pub seed: u64,
    /// The configurations that each end may have, the first one at the start.
    pub configs: [Vec<ConnectionConfig>; 2],
    pub settings: EndpointConfig,
    pub start: Start,
    /// Each of these comes once at most, at any time, those of one end in this order.
    pub wishes: Vec<(usize, Wish)>,
    pub budget: Budget,
    /// The tunnel that is up never stops carrying packets.
    pub keeps: bool,
    /// So many handshakes an end that has not restarted sees end well, at most.
    pub handshakes: usize,
    /// The peers cannot prove themselves to each other.
    pub strangers: bool,
    /// Whoever hears a token turns the message around, so that it names the IKE SA as the other end
    /// has it.
    pub turns_tokens: bool,
    /// Whatever West sends, somebody else sends, too, from an address of his own.
    pub thief: bool,
    /// Key exchanges are computed rather than plain to see.
    pub real_keys: bool,
    /// Public-key work is done when the adversary lets it be done.
    pub slow_work: bool,
    /// Distances in time count, not only their order.
    pub exact: bool,
    /// What goes wrong at which ends.
    pub fault: Option<(Ends, Fault)>,
    /// What its schedules must come by.
    pub corners: &'static [Corner],
    /// States at most.
    pub limit: usize,
}
