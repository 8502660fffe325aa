//! Whether a host behind a peer answers: the tunnel may be well and what is behind it not. A host that the
//! configuration names is asked through the tunnel ([`crate::wire::probe`]). While it does not answer, other
//! peers are preferred; where there is no other, its silence takes nothing away, as it may be alone with it.
//!
//! ```text
//!                 an answer                      none for `timeout`
//!   Unknown ───────────────────► Answers ──────────────────────────► Silent
//!      │                            ▲                                  │ ▲
//!      │ none for `timeout`         └──── answers for `timeout` ───────┘ │
//!      └─────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Nobody is asked while packets do not pass anyway, and that counts as no silence. How good the way is by
//! the answers is judged beside it ([`super::quality`]), with the same consequence.

use super::diagnosis::Fact;
use super::quality::{Quality, Shift};
use super::{Gateway, Output, Why};
use crate::config::Probe;
use crate::control::{Code, ProbeState, ProbeView};
use crate::net::{PeerId, VpcId};
use crate::time::Timestamp;
use crate::wire::probe::{self, Question};
use std::net::IpAddr;
use std::time::Duration;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// It was not asked for long enough.
    #[default]
    Unknown,
    Answers,
    /// It answers again since then, if it does.
    Silent {
        answers_since: Option<Timestamp>,
    },
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Silent,
    Answers,
    Quality(Shift),
}

/// The host behind one peer.
#[derive(Debug, Default)]
pub(super) struct Beyond {
    probe: Option<Probe>,
    state: State,
    next: Option<Timestamp>,
    /// The last answer, or since when it was asked without a pause.
    heard: Option<Timestamp>,
    round_trip: Option<Duration>,
    quality: Quality,
}

impl Beyond {
    /// This host is asked from now on, or none.
    pub(super) fn follow(&mut self, probe: Option<Probe>, now: Timestamp) {
        if self.probe != probe {
            *self = Beyond { probe, next: probe.map(|_| now), ..Beyond::default() };
        }
    }

    /// Whether others are to be preferred.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.state, State::Silent { .. })
    }

    /// Whether it answers, and the way there is worse than the operator wants it.
    pub(super) fn is_poor(&self) -> bool {
        !self.is_silent() && self.quality.is_poor()
    }

    /// Time has passed: what to ask now, by its number, and what changed. `passes` says whether packets
    /// pass in the tunnel.
    fn handle_timeout(
        &mut self,
        passes: bool,
        now: Timestamp,
    ) -> (Option<(Probe, u64)>, Option<Turn>) {
        let Some(probe) = self.probe.filter(|_| self.next.is_some_and(|next| next <= now)) else {
            return (None, None);
        };
        self.next = Some(now + probe.interval);
        if !passes {
            self.heard = None;
            self.quality.pause();
            if self.is_silent() {
                self.state = State::Silent { answers_since: None };
            }
            return (None, None);
        }
        let heard = *self.heard.get_or_insert(now);
        let is_over = now.since(heard) >= probe.timeout;
        let turn = (is_over && !self.is_silent()).then_some(Turn::Silent);
        if is_over {
            self.state = State::Silent { answers_since: None };
            self.quality.pause();
        }
        // A verdict that comes while it is silent would be told to nobody.
        let shift = match self.is_silent() {
            true => None,
            false => self.quality.judge(probe.limits, probe.timeout, now),
        };
        let turn = turn.or(shift.map(Turn::Quality));
        self.quality.on_asked(now);
        // The number says when it was asked.
        (Some((probe, now.as_micros())), turn)
    }

    /// The host has answered the question of this number.
    fn on_answer(&mut self, from: IpAddr, number: u64, now: Timestamp) -> Option<Turn> {
        let probe = self.probe.filter(|probe| probe.address == from)?;
        let asked = Timestamp::from_micros(number);
        let heard = self.heard.filter(|_| asked <= now && now.since(asked) < probe.timeout)?;
        self.round_trip = Some(now.since(asked));
        self.quality.on_answer(asked, now);
        self.heard = Some(heard.max(now));
        match self.state {
            State::Answers => None,
            State::Unknown => {
                self.state = State::Answers;
                None
            }
            State::Silent { answers_since } => {
                let since = answers_since.unwrap_or(now);
                let is_back = now.since(since) >= probe.timeout;
                self.state = match is_back {
                    true => State::Answers,
                    false => State::Silent { answers_since: Some(since) },
                };
                is_back.then_some(Turn::Answers)
            }
        }
    }

    /// When [`Beyond::handle_timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.next
    }

    /// What is known at `now`, as an operator sees it.
    pub(super) fn view(&self, now: Timestamp) -> Option<ProbeView> {
        let probe = self.probe?;
        let measures = self.quality.measure(probe.timeout, now);
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Some(ProbeView {
            address: probe.address,
            state: match self.state {
                State::Unknown | State::Answers if self.quality.is_poor() => ProbeState::Poor,
                State::Unknown => ProbeState::Unknown,
                State::Answers => ProbeState::Answers,
                State::Silent { .. } => ProbeState::Silent,
            },
            rtt_us: self.round_trip.map(micros).filter(|_| self.state == State::Answers),
            mean_rtt_us: measures.round_trip.map(micros),
            jitter_us: measures.jitter.map(micros),
            asked: count(measures.asked),
            lost: count(measures.lost),
        })
    }
}

impl Gateway {
    /// A question to the host behind a peer may be due.
    pub(super) fn ask_beyond(&mut self, peer: PeerId, now: Timestamp) {
        let passes = self.health(peer).is_usable();
        let Some(tunnel) = self.tunnels.get_mut(&peer) else { return };
        let (question, turn) = tunnel.beyond.handle_timeout(passes, now);
        self.timers.arm(Why::Beyond(peer), tunnel.beyond.poll_timeout());
        let packet = question
            .map(|(probe, number)| (probe, Question { tunnel: peer.0, number }))
            .and_then(|(probe, asked)| probe::question(probe.source, probe.address, asked));
        if let (Some(packet), Some(tunnel)) = (packet, self.publisher.tunnel(peer)) {
            self.outputs.push_back(Output::Inner { tunnel, packet });
        }
        self.on_beyond(peer, turn, now);
    }

    /// Takes an inner packet that came out of some tunnel of a VPC, if it is the answer of a host behind
    /// a peer. Its question has arrived, whatever way the answer took.
    pub(super) fn take_answer(&mut self, vpc: VpcId, packet: &[u8], now: Timestamp) -> bool {
        let Some((from, Question { tunnel, number })) = probe::answer(packet) else { return false };
        let peer = PeerId(tunnel);
        let asked = self.tunnels.get_mut(&peer).filter(|tunnel| tunnel.vpc == vpc);
        let turn = asked.and_then(|tunnel| tunnel.beyond.on_answer(from, number, now));
        self.on_beyond(peer, turn, now);
        true
    }

    fn on_beyond(&mut self, peer: PeerId, turn: Option<Turn>, now: Timestamp) {
        let Some(tunnel) = self.tunnels.get_mut(&peer) else { return };
        let (Some(turn), Some(probe)) = (turn, tunnel.beyond.probe) else { return };
        let Probe { address, source, timeout, .. } = probe;
        tunnel.tell(
            match turn {
                Turn::Silent => {
                    let text = format!(
                        "{address} behind the peer has not answered for {} s: others go first",
                        timeout.as_secs_f64()
                    );
                    let remedy = format!(
                        "is {address} up, does it answer pings, and does its network lead back to {source}?"
                    );
                    Fact::new(Code::BeyondSilent, text).remedy(remedy)
                }
                Turn::Answers => {
                    Fact::new(Code::BeyondAnswers, format!("{address} behind the peer answers again"))
                }
                Turn::Quality(Shift::Poor(excess)) => {
                    let text = format!("{excess} to {address} behind the peer: others go first");
                    let remedy = "what is allowed stands at `probe` of the peer; is the underlay busy?";
                    Fact::new(Code::BeyondPoor, text).remedy(remedy.to_owned())
                }
                Turn::Quality(Shift::Good) => {
                    let text = format!("the way to {address} behind the peer is good again");
                    Fact::new(Code::BeyondGood, text)
                }
            },
            now,
        );
        self.dirty.tunnels.insert(peer);
        self.settle(now);
    }
}

#[cfg(test)]
mod tests;
