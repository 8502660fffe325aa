//! Whether packets pass between this gateway and a peer: one verdict out of what BFD, questions
//! inside ESP and IKE's liveness say, and one damping of paths that come and go.
//!
//! ```text
//!   BFD ─────┐                            lost               back
//!   echoes ──┼─► judge (a table) ──► Fit ──────► Lost ─────────────► Held ──► Fit
//!   IKE ─────┘                                    ▲                   │
//!                                                 └────── lost ───────┘
//! ```
//!
//! A peer that does not answer IKE while its packets come, as when its IKE daemon restarts, leaves
//! doubt: what works is not taken away, and other paths are preferred.
//!
//! Who tests more of the path is believed: BFD sends packets both ways all the time (RFC 5882 §3),
//! questions inside ESP do so now and then, and IKE's messages may take another way through
//! firewalls and queues than ESP does.
//!
//! A path that comes back is held for a while, twice as long with every loss of late: other paths
//! are preferred meanwhile, and when there is none it is used (RFC 5882 §3.1). A new connection
//! does not end that: peers that come and go are damped like cables that do. The first connection is
//! held, too, as long as those are that came up in the same moment: else, when a gateway starts, routes would move
//! to whoever is ready first, and away again.

use super::failover::Health;
use crate::time::Timestamp;
use crate::wire::bfd::Diagnostic;
use std::fmt;
use std::time::Duration;

/// How long a path is held that was lost once.
const HOLD: Duration = Duration::from_secs(1);
/// How much longer a first connection may be held for the sake of those that follow it.
const TOGETHER: Duration = Duration::from_millis(500);
/// The longest time that a path is held.
const LONGEST_HOLD: Duration = Duration::from_secs(60);
/// Time without a loss that makes half of the losses forgotten.
const CALM: Duration = Duration::from_secs(60);
/// More losses of late than these change nothing.
const MOST_LOSSES: u32 = 16;

/// How a path was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing comes from the peer.
    NothingComes,
    /// What the peer sends comes, and it shows that what we send does not arrive.
    NotHeard,
    /// Packets of the peer come, but no answers to the questions inside ESP.
    NoAnswers,
    /// The peer says that the path ends: it is about to go.
    PeerLeaves,
    /// The peer says that its BFD session is down, for a reason of its own.
    PeerSays(Diagnostic),
    /// Packets pass, and the peer says that nothing behind it can be reached.
    BeyondPeer,
    /// The peer does not answer IKE, and nothing else says how the path is.
    PeerSilent,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Loss::NothingComes => "nothing comes from the peer",
            Loss::NotHeard => "one way only: they do not hear us",
            Loss::NoAnswers => "packets of the peer come, but no answers to ours",
            Loss::PeerLeaves => "the peer is about to go",
            Loss::PeerSays(Diagnostic::NONE) => "the peer has begun anew",
            Loss::PeerSays(why) => return write!(f, "the peer has taken its session down ({why})"),
            Loss::BeyondPeer => "the peer reaches nothing behind it",
            Loss::PeerSilent => "the peer does not answer",
        })
    }
}

/// What BFD says about a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Bfd {
    /// Nothing: it is off at one end, or was never up on this connection.
    #[default]
    SaysNothing,
    /// Packets get through in both directions.
    Works,
    /// They do not.
    Lost(Loss),
}

/// What questions inside ESP have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Echoes {
    /// Nothing: none was answered yet, or none is asked.
    SayNothing,
    /// They are answered.
    Answered,
    /// Answers are late, and packets of the peer come.
    Late,
    /// They are not answered.
    Unanswered(Loss),
}

/// What IKE's liveness says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ike {
    /// The peer answers.
    Answered,
    /// It does not, and packets of the peer come in its Child SAs.
    OnlyEsp,
    /// It does not, and nothing comes.
    Unanswered,
}

/// What all of them say together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opinion {
    /// Packets pass in both directions.
    Works,
    /// Nobody tests that; the peer answers, so they should.
    Believed,
    /// The peer is alive (RFC 7296 §2.4), and nobody knows whether it hears us.
    Doubted,
    /// They do not pass.
    Lost(Loss),
}

/// Joins what is known of a path.
pub(super) fn judge(bfd: Bfd, echoes: Echoes, ike: Ike) -> Opinion {
    match (bfd, echoes, ike) {
        (Bfd::Works, _, _) => Opinion::Works,
        (Bfd::Lost(why), _, _) => Opinion::Lost(why),
        (Bfd::SaysNothing, Echoes::Answered, _) => Opinion::Works,
        (Bfd::SaysNothing, Echoes::Unanswered(why), _) => Opinion::Lost(why),
        (Bfd::SaysNothing, Echoes::SayNothing | Echoes::Late, Ike::Answered) => Opinion::Believed,
        (Bfd::SaysNothing, Echoes::SayNothing, Ike::OnlyEsp) => Opinion::Doubted,
        (Bfd::SaysNothing, Echoes::Late, Ike::OnlyEsp)
        | (Bfd::SaysNothing, Echoes::SayNothing | Echoes::Late, Ike::Unanswered) => {
            Opinion::Lost(Loss::PeerSilent)
        }
    }
}

/// What changed: one for each loss, and one for each end of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The path was lost.
    Lost(Loss),
    /// The peer does not answer IKE, and its packets come.
    Doubted,
    /// It works again after this time.
    Works(Duration),
    /// The peer answers again after this time.
    Answers(Duration),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Fit,
    Lost {
        since: Timestamp,
        why: Loss,
    },
    Held {
        until: Timestamp,
    },
    /// It may work: others are preferred.
    Doubted {
        since: Timestamp,
    },
}

/// Until when connections are held that come up now, none of which is a path that was lost.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    until: Timestamp,
}

impl Beginnings {
    fn until(&mut self, now: Timestamp) -> Timestamp {
        if self.until < now + HOLD {
            self.until = now + HOLD + TOGETHER;
        }
        self.until
    }
}

/// The path of one tunnel.
#[derive(Debug, Default)]
pub(super) struct Path {
    state: State,
    /// Losses of late, and when the last of them was.
    losses: u32,
    lost_at: Timestamp,
}

impl Path {
    /// Whether packets may go this way.
    pub(super) fn health(&self) -> Health {
        match self.state {
            State::Fit => Health::Usable,
            State::Held { .. } | State::Doubted { .. } => Health::Held,
            State::Lost { .. } => Health::Unreachable,
        }
    }

    /// Since when it is lost, and how.
    pub(super) fn loss(&self) -> Option<(Timestamp, Loss)> {
        match self.state {
            State::Lost { since, why } => Some((since, why)),
            State::Fit | State::Held { .. } | State::Doubted { .. } => None,
        }
    }

    /// Losses of late.
    pub(super) fn losses(&self) -> u32 {
        self.losses
    }

    /// Takes over what is known now; says what that changed. What is learned of a loss after it
    /// was told is not told again.
    pub(super) fn on_opinion(&mut self, opinion: Opinion, now: Timestamp) -> Option<Turn> {
        match (self.state, opinion) {
            (State::Fit | State::Held { .. }, Opinion::Works | Opinion::Believed)
            | (State::Doubted { .. }, Opinion::Doubted)
            | (State::Lost { .. }, Opinion::Lost(_)) => None,
            (State::Fit | State::Held { .. } | State::Lost { .. }, Opinion::Doubted) => {
                self.state = State::Doubted { since: now };
                Some(Turn::Doubted)
            }
            (State::Doubted { since }, Opinion::Works | Opinion::Believed) => {
                self.hold(now);
                Some(Turn::Answers(now.since(since)))
            }
            (State::Fit | State::Held { .. } | State::Doubted { .. }, Opinion::Lost(why)) => {
                self.count_loss(now);
                self.state = State::Lost { since: now, why };
                Some(Turn::Lost(why))
            }
            (State::Lost { since, .. }, Opinion::Works) => {
                self.hold(now);
                Some(Turn::Works(now.since(since)))
            }
            (State::Lost { since, .. }, Opinion::Believed) => {
                self.hold(now);
                Some(Turn::Answers(now.since(since)))
            }
        }
    }

    /// There is a new connection: that alone is told, and a lost path is held as any other that
    /// comes back.
    pub(super) fn begin_anew(&mut self, opinion: Opinion, now: Timestamp) {
        if let State::Lost { .. } | State::Doubted { .. } = self.state {
            // That it is over is what a new connection means.
            let _ = self.on_opinion(opinion, now);
        }
    }

    /// There is a connection where there was none: those to other peers may not be there yet, who
    /// have a moment to follow before hosts are drawn here.
    pub(super) fn begin(&mut self, opinion: Opinion, now: Timestamp) {
        self.begin_anew(opinion, now);
        if let State::Fit = self.state {
            self.state = State::Held { until: now + HOLD };
        }
    }

    /// A first connection that has begun now ends being held together with others.
    pub(super) fn wait_for_others(&mut self, others: &mut Beginnings, now: Timestamp) {
        if self.losses == 0 && self.state == (State::Held { until: now + HOLD }) {
            self.state = State::Held { until: others.until(now) };
        }
    }

    /// Ends the time for which the path is held.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        if let State::Held { until } = self.state
            && until <= now
        {
            self.state = State::Fit;
        }
    }

    /// When [`Path::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        match self.state {
            State::Held { until } => Some(until),
            State::Fit | State::Lost { .. } | State::Doubted { .. } => None,
        }
    }

    fn hold(&mut self, now: Timestamp) {
        let doublings = self.losses.saturating_sub(1);
        let time = (HOLD * 2_u32.saturating_pow(doublings)).min(LONGEST_HOLD);
        self.state = State::Held { until: now + time };
    }

    fn count_loss(&mut self, now: Timestamp) {
        let calm = now.since(self.lost_at).as_secs() / CALM.as_secs();
        let left = self.losses.checked_shr(u32::try_from(calm).unwrap_or(u32::MAX)).unwrap_or(0);
        (self.losses, self.lost_at) = ((left + 1).min(MOST_LOSSES), now);
    }
}

#[cfg(test)]
mod tests;
