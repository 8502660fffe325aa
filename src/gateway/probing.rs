//! Whether packets pass both ways in the SA that carries data, whatever IKE's probes say: the path
//! of ESP may be another one (a filter, a full queue, a peer that has lost its SA).
//!
//! A question goes out in the SA that sends and comes back in the one that the peer sends with
//! ([`crate::wire::echo`]). Only a peer that is one of us, or has answered one, is judged by them:
//! others discard them as the dummy packets that they are.
//!
//! ```text
//!              an answer              unanswered for `timeout`, twice as long if something comes
//!   Unproven ────────────► Passing ───────────────────────────────────────────► Broken
//!                             ▲                                                  │  ▲
//!                             │ every one for a while                     answer │  │ the same
//!                             └──────────────────────── Returning ◄──────────────┘  │
//!                                                           └───────────────────────┘
//! ```
//!
//! While it returns, the path is used only where there is no other. That while doubles with every break
//! that follows soon after another: a path that comes and goes does not take the traffic along each time.

use super::{Gateway, Health, Output, Why};
use crate::config::Liveness;
use crate::control::DataPath;
use crate::ike::ChildId;
use crate::net::PeerId;
use crate::time::Timestamp;
use crate::wire::echo::{Echo, EchoKind};
use std::time::Duration;

/// A question is repeated after this, as another one.
const REPEAT: Duration = Duration::from_millis(300);
/// From one question to the next while it is being found out whether packets pass again.
const EAGER: Duration = Duration::from_millis(250);
/// So many questions are put to a peer that has not answered one yet, for each of its Child SAs.
const TRIES: u32 = 4;
/// A break counts with the one before it if that is not longer ago.
const SOON: Duration = Duration::from_secs(60);
/// A path is watched for so long at most before others are left for it.
const LONGEST_WATCH: Duration = Duration::from_secs(30);

/// What came so long ago came lately: a little more than from one question to the next.
const LATELY: Duration = Duration::from_millis(1300);

/// What the questions have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing: the peer has answered none yet.
    Unproven { tries: u32 },
    /// They are answered.
    Passing,
    /// They are not.
    Broken { since: Timestamp },
    /// They are again, all of them since then.
    Returning { since: Timestamp, good_since: Timestamp },
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Packets do not pass any more: why, as an operator sees it.
    Broken(DataPath),
    /// They pass again, after so long.
    Mended(Duration),
}

/// Questions and answers of one tunnel.
#[derive(Debug)]
pub struct Probing {
    verdict: Verdict,
    /// Whether the peer must know what a question is.
    is_kin: bool,
    /// The Child SA in which questions go out.
    sending: Option<ChildId>,
    /// The number of the next question.
    number: u64,
    /// The first question without an answer, and when it went out.
    asked: Option<(u64, Timestamp)>,
    next: Option<Timestamp>,
    last_heard: Option<Timestamp>,
    last_question: Option<Timestamp>,
    breaks: u32,
    last_break: Option<Timestamp>,
}

impl Default for Probing {
    fn default() -> Self {
        Probing {
            verdict: Verdict::Unproven { tries: 0 },
            is_kin: false,
            sending: None,
            number: 0,
            asked: None,
            next: None,
            last_heard: None,
            last_question: None,
            breaks: 0,
            last_break: None,
        }
    }
}

impl Probing {
    /// Packets are sent in this Child SA now, or in none.
    pub fn on_sending(&mut self, sending: Option<ChildId>, now: Timestamp) {
        if self.sending == sending {
            return;
        }
        // After a while without, it may be another peer.
        let is_new = self.sending.is_none() && !self.is_kin;
        self.sending = sending;
        self.asked = None;
        self.next = sending.map(|_| now);
        self.verdict = match self.verdict {
            Verdict::Unproven { .. } if self.is_kin => Verdict::Passing,
            Verdict::Unproven { .. } => Verdict::Unproven { tries: 0 },
            _ if is_new => Verdict::Unproven { tries: 0 },
            known => known,
        };
    }

    /// The peer has authenticated itself; `is_kin` says whether it is a gateway like this one.
    pub fn on_established(&mut self, is_kin: bool) {
        self.is_kin = is_kin;
    }

    /// Something authentic has come out of the tunnel.
    pub fn on_heard(&mut self, now: Timestamp) {
        self.last_heard = Some(now);
    }

    /// The peer has asked.
    pub fn on_question(&mut self, now: Timestamp) {
        self.on_heard(now);
        self.last_question = Some(now);
    }

    /// The peer has answered the question of this number.
    pub fn on_answer(&mut self, number: u64, liveness: &Liveness, now: Timestamp) -> Option<Turn> {
        self.on_heard(now);
        let (_, asked_at) =
            self.asked.filter(|(first, _)| (*first..self.number).contains(&number))?;
        self.asked = None;
        match self.verdict {
            Verdict::Unproven { .. } | Verdict::Passing => {
                self.verdict = Verdict::Passing;
                self.next = Some(now.max(asked_at + liveness.interval));
                None
            }
            Verdict::Broken { since } => {
                self.verdict = Verdict::Returning { since, good_since: now };
                self.next = Some(now + EAGER.min(liveness.interval));
                None
            }
            Verdict::Returning { since, good_since } => {
                self.next = Some(now + EAGER.min(liveness.interval));
                if now < good_since + self.watch(liveness) {
                    return None;
                }
                self.verdict = Verdict::Passing;
                Some(Turn::Mended(now.since(since)))
            }
        }
    }

    /// Time has passed: the question to put now, if one is due, and what has changed.
    pub fn handle_timeout(
        &mut self,
        liveness: &Liveness,
        now: Timestamp,
    ) -> (Option<u64>, Option<Turn>) {
        if self.next.is_none_or(|next| now < next) || self.sending.is_none() {
            return (None, None);
        }
        let turn = self.judge(liveness, now);
        if let Verdict::Unproven { tries } = &mut self.verdict {
            *tries += 1;
            if *tries > TRIES {
                (self.next, self.asked) = (None, None);
                return (None, turn);
            }
        }
        let number = self.number;
        self.number += 1;
        self.asked.get_or_insert((number, now));
        self.next = Some(now + REPEAT);
        (Some(number), turn)
    }

    fn judge(&mut self, liveness: &Liveness, now: Timestamp) -> Option<Turn> {
        let (_, asked_at) = self.asked?;
        match self.verdict {
            Verdict::Unproven { .. } | Verdict::Broken { .. } => None,
            Verdict::Passing | Verdict::Returning { .. } => {
                if let Verdict::Returning { good_since, .. } = &mut self.verdict
                    && now >= asked_at + 2 * REPEAT
                {
                    *good_since = now;
                }
                let comes = self.last_heard.is_some_and(|heard| heard > asked_at);
                let patience = if comes { 2 * liveness.timeout } else { liveness.timeout };
                if now < asked_at + patience {
                    return None;
                }
                self.break_at(now);
                self.verdict = Verdict::Broken { since: asked_at };
                Some(Turn::Broken(self.view(now)))
            }
        }
    }

    fn break_at(&mut self, now: Timestamp) {
        let soon = self.last_break.is_some_and(|last| now < last + SOON);
        self.breaks = if soon { self.breaks.saturating_add(1) } else { 0 };
        self.last_break = Some(now);
    }

    /// For how long everything must be answered before the path is used again.
    fn watch(&self, liveness: &Liveness) -> Duration {
        liveness.timeout.saturating_mul(1 << self.breaks.min(16)).min(LONGEST_WATCH)
    }

    /// When [`Probing::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.next
    }

    /// Since when packets are known not to pass.
    pub fn broken_since(&self) -> Option<Timestamp> {
        match self.verdict {
            Verdict::Broken { since } => Some(since),
            Verdict::Unproven { .. } | Verdict::Passing | Verdict::Returning { .. } => None,
        }
    }

    /// Whether packets pass again, but not for long.
    pub fn is_returning(&self) -> bool {
        matches!(self.verdict, Verdict::Returning { .. })
    }

    /// Whether packets pass, as far as can be known: no question had to be repeated.
    pub fn is_passing(&self) -> bool {
        let repeated = self.asked.is_some_and(|(first, _)| self.number > first + 1);
        self.verdict == Verdict::Passing && !repeated
    }

    /// What is known, as an operator sees it at `now`.
    pub fn view(&self, now: Timestamp) -> DataPath {
        let lately = |at: Option<Timestamp>| at.is_some_and(|at| now < at + LATELY);
        match self.verdict {
            Verdict::Unproven { .. } => DataPath::Unknown,
            Verdict::Passing => DataPath::Passes,
            Verdict::Returning { .. } => DataPath::PassesAgain,
            Verdict::Broken { .. } if lately(self.last_question) => DataPath::NothingArrives,
            Verdict::Broken { .. } if lately(self.last_heard) => DataPath::NoAnswers,
            Verdict::Broken { .. } => DataPath::NothingComes,
        }
    }
}

impl Gateway {
    /// Takes a peer's question about the SA that carries data, or its answer.
    pub fn handle_echo(&mut self, peer: PeerId, echo: Echo, now: Timestamp) {
        let (Some(tunnel), Some(config)) =
            (self.tunnels.get_mut(&peer), self.config.peers.get(&peer))
        else {
            return;
        };
        match echo.kind {
            EchoKind::Question => {
                tunnel.probing.on_question(now);
                let echo = Echo { kind: EchoKind::Answer, ..echo };
                self.send_echo(peer, echo);
            }
            EchoKind::Answer => {
                let before = tunnel.health();
                let child = tunnel.sas.sending().next().map(|(child, _)| child);
                let turn = tunnel.probing.on_answer(echo.number, &config.liveness, now);
                tunnel.on_turn(turn, now);
                if let Some(child) = child {
                    self.ike.on_data_passes(child, now);
                }
                self.after_probing(peer, before);
                self.settle(now);
            }
        }
    }

    /// A question may be due.
    pub(super) fn probe(&mut self, peer: PeerId, now: Timestamp) {
        let (Some(tunnel), Some(config)) =
            (self.tunnels.get_mut(&peer), self.config.peers.get(&peer))
        else {
            return;
        };
        let before = tunnel.health();
        let (number, turn) = tunnel.probing.handle_timeout(&config.liveness, now);
        tunnel.on_turn(turn, now);
        self.after_probing(peer, before);
        if let Some(number) = number {
            self.send_echo(peer, Echo { kind: EchoKind::Question, number });
        }
    }

    fn send_echo(&mut self, peer: PeerId, echo: Echo) {
        if let Some(tunnel) = self.publisher.tunnel(peer) {
            self.outputs.push_back(Output::Echo { tunnel, echo });
        }
    }

    /// Only what changes the way of packets is followed.
    fn after_probing(&mut self, peer: PeerId, before: Health) {
        if self.health(peer) != before {
            self.dirty.tunnels.insert(peer);
        }
        self.plan_probe(peer);
    }

    /// Plans the next question to a peer.
    pub(super) fn plan_probe(&mut self, peer: PeerId) {
        let next = self.tunnels.get(&peer).and_then(|tunnel| tunnel.probing.poll_timeout());
        self.timers.arm(Why::Probe(peer), next);
    }
}

#[cfg(test)]
mod tests;
