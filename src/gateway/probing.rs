//! Whether packets pass both ways in the SA that carries data, whatever IKE's probes say: the path
//! of ESP may be another one (a filter, a full queue, a peer that has lost its SA). Nobody is asked
//! while BFD tells as much ([`super::path`] joins all of it).
//!
//! A question goes out in the SA that sends and comes back in the one that the peer sends with
//! ([`crate::wire::echo`]). Only a peer that is one of us, or has answered one, is judged by them:
//! others discard them as the dummy packets that they are.
//!
//! ```text
//!                             an answer
//!      ┌────────────────────────┬────────────────────────┐
//!      ▼                        │                        │
//!   Passing ───────────────► Late ───────────────────► Broken
//!      │   none for `timeout`,      none for twice that  ▲
//!      │   while something comes                         │
//!      └─────────────────────────────────────────────────┘
//!            none for `timeout`, or soon after a hint
//! ```

use super::path::{Echoes, Loss};
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
/// The same when something says that the path may be lost: as fast as any peer looks at them.
const BURST: Duration = Duration::from_millis(60);
/// How long such a peer has to answer, beside the time to it and back.
const HINTED: Duration = Duration::from_millis(500);
/// So many questions are put to a peer that has not answered one yet, for each of its Child SAs.
const TRIES: u32 = 4;

/// What came so long ago came lately: a little more than from one question to the next.
const LATELY: Duration = Duration::from_millis(1300);

/// A peer that sends at all sends within this time.
const COMES: Duration = Duration::from_secs(3);

/// What the questions have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing: none was answered in this SA yet.
    Unproven { tries: u32 },
    /// They are answered.
    Passing,
    /// None was answered lately, and packets of the peer come.
    Late,
    /// They are not answered.
    Broken(Loss),
}

/// Questions that were put but not answered: the first of them, and when it went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    first: u64,
    at: Timestamp,
    /// They are put because something says that the path may be lost.
    hinted: bool,
}

/// Questions and answers of one tunnel.
#[derive(Debug)]
pub(super) struct Probing {
    verdict: Verdict,
    /// Whether the peer must know what a question is.
    is_kin: bool,
    /// The Child SA in which questions go out.
    sending: Option<ChildId>,
    /// The number of the next question.
    number: u64,
    asked: Option<Asked>,
    next: Option<Timestamp>,
    round_trip: Duration,
    last_heard: Option<Timestamp>,
    last_question: Option<Timestamp>,
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
            round_trip: Duration::ZERO,
            last_heard: None,
            last_question: None,
        }
    }
}

impl Probing {
    /// Packets are sent in this Child SA now, or in none.
    pub(super) fn on_sending(&mut self, sending: Option<ChildId>, now: Timestamp) {
        if self.sending == sending {
            return;
        }
        // After a while without, it may be another peer.
        let is_new = self.sending.is_none() && !self.is_kin;
        self.sending = sending;
        self.asked = None;
        self.next = sending.map(|_| now);
        if is_new || matches!(self.verdict, Verdict::Unproven { .. }) {
            self.verdict = Verdict::Unproven { tries: 0 };
        }
    }

    /// BFD tells as much: nobody is asked until it does not any more.
    pub(super) fn rest(&mut self) {
        (self.sending, self.asked, self.next) = (None, None, None);
        self.verdict = Verdict::Unproven { tries: 0 };
    }

    /// The peer has authenticated itself; `is_kin` says whether it is a gateway like this one.
    pub(super) fn on_established(&mut self, is_kin: bool) {
        self.is_kin = is_kin;
    }

    /// The SAs go another way through the underlay: what was seen of the old one says nothing.
    pub(super) fn on_moved(&mut self, now: Timestamp) {
        self.asked = None;
        self.next = self.sending.map(|_| now);
        self.verdict = Verdict::Unproven { tries: 0 };
    }

    /// Something says that the path may be lost: the peer is asked at once, several times.
    pub(super) fn on_hint(&mut self, now: Timestamp) {
        let is_asked = self.is_kin && self.sending.is_some();
        if is_asked && !self.asked.is_some_and(|asked| asked.hinted) {
            self.asked = Some(Asked { first: self.number, at: now, hinted: true });
            self.next = Some(now);
        }
    }

    /// Whether packets of the peer come.
    pub(super) fn hears(&self, now: Timestamp) -> bool {
        self.last_heard.is_some_and(|heard| now < heard + COMES)
    }

    /// Whether the peer that has authenticated itself is a gateway like this one.
    pub(super) fn is_kin(&self) -> bool {
        self.is_kin
    }

    /// Something authentic has come out of the tunnel.
    pub(super) fn on_heard(&mut self, now: Timestamp) {
        self.last_heard = Some(now);
    }

    /// The peer has asked.
    pub(super) fn on_question(&mut self, now: Timestamp) {
        self.on_heard(now);
        self.last_question = Some(now);
    }

    /// The peer has answered the question of this number.
    pub(super) fn on_answer(&mut self, number: u64, liveness: &Liveness, now: Timestamp) {
        self.on_heard(now);
        let is_open = |asked: &Asked| (asked.first..self.number).contains(&number);
        let Some(asked) = self.asked.filter(is_open) else { return };
        if self.number == asked.first + 1 {
            // Of several questions nobody knows how long each took.
            self.round_trip = now.since(asked.at);
        }
        self.asked = None;
        self.is_kin = true;
        self.verdict = Verdict::Passing;
        self.next = Some(now.max(asked.at + liveness.interval));
    }

    /// Time has passed: the number of the question to put now, if one is due.
    pub(super) fn handle_timeout(&mut self, liveness: &Liveness, now: Timestamp) -> Option<u64> {
        if self.next.is_none_or(|next| now < next) || self.sending.is_none() {
            return None;
        }
        self.judge(liveness, now);
        if let Verdict::Unproven { tries } = &mut self.verdict {
            *tries += 1;
            if *tries > TRIES && !self.is_kin {
                (self.next, self.asked) = (None, None);
                return None;
            }
        }
        let number = self.number;
        self.number += 1;
        let asked = *self.asked.get_or_insert(Asked { first: number, at: now, hinted: false });
        let bursts = asked.hinted && !matches!(self.verdict, Verdict::Broken(_));
        self.next = Some(now + if bursts { BURST } else { REPEAT });
        Some(number)
    }

    fn judge(&mut self, liveness: &Liveness, now: Timestamp) {
        let Some(asked) = self.asked.filter(|_| self.is_kin) else { return };
        let comes = self.last_heard.is_some_and(|heard| heard > asked.at);
        let Liveness { timeout, .. } = *liveness;
        let (late, broken) = match (asked.hinted, comes) {
            (true, _) => {
                let patience = timeout.min(HINTED + 2 * self.round_trip);
                (patience, patience)
            }
            (false, true) => (timeout, 2 * timeout),
            (false, false) => (timeout, timeout),
        };
        let waited = now.since(asked.at);
        match self.verdict {
            Verdict::Broken(_) => {}
            Verdict::Unproven { .. } | Verdict::Passing | Verdict::Late if waited >= broken => {
                self.verdict = Verdict::Broken(self.loss(now));
            }
            Verdict::Passing if waited >= late => self.verdict = Verdict::Late,
            Verdict::Unproven { .. } | Verdict::Passing | Verdict::Late => {}
        }
    }

    /// How the path is lost, as far as what comes in shows it.
    fn loss(&self, now: Timestamp) -> Loss {
        let asked = self.asked.map_or(Timestamp::ZERO, |asked| asked.at);
        let lately = |at: Option<Timestamp>| at.is_some_and(|at| at > asked && now < at + LATELY);
        if lately(self.last_question) {
            Loss::NotHeard
        } else if lately(self.last_heard) {
            Loss::NoAnswers
        } else {
            Loss::NothingComes
        }
    }

    /// When [`Probing::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.next
    }

    /// What the questions have shown.
    pub(super) fn say(&self) -> Echoes {
        match self.verdict {
            Verdict::Unproven { .. } => Echoes::SayNothing,
            Verdict::Passing => Echoes::Answered,
            Verdict::Late => Echoes::Late,
            Verdict::Broken(why) => Echoes::Unanswered(why),
        }
    }

    /// What is known, as an operator sees it at `now`.
    pub(super) fn view(&self, now: Timestamp) -> DataPath {
        match self.verdict {
            Verdict::Unproven { .. } => DataPath::Unknown,
            Verdict::Passing | Verdict::Late => DataPath::Passes,
            Verdict::Broken(_) => self.loss(now).into(),
        }
    }
}

impl From<Loss> for DataPath {
    fn from(loss: Loss) -> DataPath {
        match loss {
            Loss::NothingComes => DataPath::NothingComes,
            Loss::NotHeard => DataPath::NothingArrives,
            Loss::NoAnswers => DataPath::NoAnswers,
            Loss::PeerLeaves | Loss::PeerSays(_) | Loss::BeyondPeer => DataPath::PeerClosed,
            Loss::PeerSilent => DataPath::Unknown,
        }
    }
}

impl Gateway {
    /// Takes a peer's question about the SA that carries data, or its answer: whether packets pass, or
    /// how many did.
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
                tunnel.probing.on_answer(echo.number, &config.liveness, now);
                tunnel.judge_path(now);
                if let Some(child) = child {
                    self.ike.on_data_passes(child, now);
                }
                self.after_probing(peer, before);
                self.settle(now);
            }
            EchoKind::Inquiry => {
                tunnel.probing.on_heard(now);
                self.report_arrivals(peer, echo.number);
            }
            EchoKind::Report(there) => {
                tunnel.probing.on_heard(now);
                self.on_report(peer, echo.number, there);
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
        let number = tunnel.probing.handle_timeout(&config.liveness, now);
        tunnel.judge_path(now);
        self.after_probing(peer, before);
        if let Some(number) = number {
            self.send_echo(peer, Echo { kind: EchoKind::Question, number });
        }
    }

    pub(super) fn send_echo(&mut self, peer: PeerId, echo: Echo) {
        if let Some(tunnel) = self.publisher.tunnel(peer) {
            self.outputs.push_back(Output::Echo { tunnel, echo });
        }
    }

    /// Only what changes the way of packets is followed.
    pub(super) fn after_probing(&mut self, peer: PeerId, before: Health) {
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
