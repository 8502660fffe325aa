//! One tunnel: the IKE SA to a peer as the gateway knows it, its Child SAs, and its history.
//!
//! ```text
//!            Established                 Unreachable
//!   Down ─────────────────► Connected ─────────────────► Silent
//!     ▲                        │  ▲          Alive          │
//!     │          Down          │  └─────────────────────────┤
//!     └────────────────────────┴────────────────────────────┘
//! ```
//!
//! A tunnel is usable while a Child SA can send and its path is not lost ([`super::path`]). The engine
//! that negotiates is `ike`; this is only what it told.

use super::beyond::Beyond;
use super::bfd::Watch;
use super::counting::Counting;
use super::diagnosis::Fact;
use super::events::{EventRing, PastEvent};
use super::failover::Health;
use super::path::{self, Bfd, Ike, Opinion, Path, Turn};
use super::path_mtu::Knowledge;
use super::probing::Probing;
use super::rates::{Rates, Totals};
use super::sas::Sas;
use super::telling::Telling;
use super::vpc;
use crate::config::PeerConfig;
use crate::control::{Code, DataPath, Severity};
use crate::crypto::suite::PostQuantum;
use crate::forward::{FragmentPorts, Neighbor, Reassembly, Shaper, Translation, TunnelCounters};
use crate::ike::{ConnectionState, DownReason, Established, Event};
use crate::net::{Mappings, PrefixSet, VpcId, is_streamed};
use crate::routing::bfd::Report;
use crate::time::Timestamp;
use crate::wire::bfd;
use std::sync::Arc;
use std::time::Duration;
use tracing::{error, info, warn};

/// What is known of the IKE SA, and since when. The engine shows the SA itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// There is none.
    Down {
        /// Since when.
        since: Timestamp,
    },
    /// The peer is authenticated and answers.
    Connected {
        /// Since when.
        since: Timestamp,
    },
    /// The peer is authenticated and does not answer; the engine has not given it up.
    Silent {
        /// Since when.
        since: Timestamp,
    },
}

/// How often SAs took the place of others with new keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rekeys {
    /// IKE SAs.
    pub ike: u64,
    /// Child SAs.
    pub child: u64,
}

/// A tunnel and its history.
#[derive(Debug)]
pub(super) struct Tunnel {
    /// The VPC that it belongs to.
    pub vpc: VpcId,
    /// The peer's name, for logs and events.
    pub name: String,
    /// The state of its IKE SA.
    pub state: State,
    /// Its Child SAs.
    pub sas: Sas,
    /// What BFD says about its path.
    pub watch: Watch,
    /// Whether packets pass in the one that sends.
    pub probing: Probing,
    /// How many of them arrive.
    pub counting: Counting,
    /// Whether the host behind the peer answers.
    pub beyond: Beyond,
    /// What follows from both and from IKE's liveness.
    pub path: Path,
    /// Whether our operator wants nothing of the peer.
    pub disabled: bool,
    /// Whether it went in TCP last.
    pub in_tcp: bool,
    /// Whether our operator wants others to be used instead of it.
    pub leaving: bool,
    /// Packets that it had carried for others when its counters were last looked at, and when there
    /// were last more of them.
    carried: u64,
    pub carried_at: Option<Timestamp>,
    /// What its VPC was told last of its health.
    pub told: Health,
    /// What the packet path counts.
    pub counters: Arc<TunnelCounters>,
    /// Where packets wait beyond the rate that the peer is sent at most; it stays when the rate is taken away.
    pub shaper: Option<Arc<Shaper>>,
    /// The ports of datagrams that leave in fragments.
    pub sent_fragments: Arc<FragmentPorts>,
    /// The ports of datagrams that come in fragments.
    pub received_fragments: Arc<FragmentPorts>,
    /// Datagrams that are put together before they leave.
    pub reassembly: Arc<Reassembly>,
    /// What happened lately.
    pub events: EventRing,
    /// The last failure, kept after the tunnel is up again.
    pub last_failure: Option<PastEvent>,
    /// What is wrong with this host on the way to the peer, while it is: then silence is no fault
    /// of the peer.
    pub own_fault: Option<Arc<Fact>>,
    /// Why somebody at the peer's address was refused last, who has not proved to be the peer.
    pub suspicion: Option<PastEvent>,
    /// How much was told of announcements that are not accepted.
    rejections: Telling,
    /// Bits per second.
    pub rates: Rates,
    /// How often keys were replaced.
    pub rekeys: Rekeys,
    /// The MTU of the path to the peer, once it is connected.
    pub path_mtu: Option<u16>,
    /// Inner sources that the peer may use, as the packet path reads them.
    pub sources: Arc<PrefixSet>,
    /// By which addresses the peer knows ours.
    pub maps: Mappings,
    /// The same as the packet path reads it.
    pub translation: Translation,
    /// Its two ends, when they speak BGP.
    pub neighbor: Option<Neighbor>,
}

impl Tunnel {
    /// A tunnel without SAs.
    pub(super) fn new(config: &PeerConfig, now: Timestamp) -> Tunnel {
        Tunnel {
            vpc: config.vpc,
            name: config.name.clone(),
            state: State::Down { since: now },
            sas: Sas::default(),
            watch: Watch::default(),
            probing: Probing::default(),
            counting: Counting::default(),
            beyond: Beyond::default(),
            path: Path::default(),
            disabled: false,
            in_tcp: false,
            leaving: false,
            carried: 0,
            carried_at: None,
            told: Health::Down,
            counters: Arc::default(),
            shaper: None,
            sent_fragments: Arc::default(),
            received_fragments: Arc::default(),
            reassembly: Arc::default(),
            events: EventRing::default(),
            last_failure: None,
            own_fault: None,
            suspicion: None,
            rejections: Telling::default(),
            rates: Rates::default(),
            rekeys: Rekeys::default(),
            path_mtu: None,
            sources: Arc::new(vpc::sources(config)),
            maps: config.maps.clone(),
            translation: Translation::of(&config.maps),
            neighbor: vpc::neighbor(config),
        }
    }

    /// The peer knows our addresses by these from now on.
    pub(super) fn set_maps(&mut self, maps: &Mappings) {
        if self.maps != *maps {
            (self.maps, self.translation) = (maps.clone(), Translation::of(maps));
        }
    }

    /// Shares a connection that is in this state already.
    pub(super) fn join(&mut self, connection: Option<ConnectionState>, now: Timestamp) {
        match connection {
            Some(ConnectionState::Up) => self.state = State::Connected { since: now },
            Some(ConnectionState::Unreachable(since)) => self.state = State::Silent { since },
            Some(
                ConnectionState::Idle | ConnectionState::Waiting | ConnectionState::Connecting,
            )
            | None => {}
        }
    }

    /// Whether the tunnel can carry packets.
    pub(super) fn health(&self) -> Health {
        match (&self.state, self.sas.sending().next()) {
            (_, None) | (State::Down { .. }, Some(_)) => Health::Down,
            (State::Connected { .. } | State::Silent { .. }, Some(_)) => match self.path.health() {
                Health::Usable | Health::Held if self.leaving || self.watch.peer_leaves() => {
                    Health::Leaving
                }
                Health::Usable | Health::Held if self.beyond.is_silent() => Health::Silent,
                Health::Usable if self.beyond.is_poor() => Health::Poor,
                health => health,
            },
        }
    }

    /// Looks what it has carried for others; whether that has become more.
    pub(super) fn note_carried(&mut self, now: Timestamp) -> bool {
        let carried = self.counters.carried();
        let more = std::mem::replace(&mut self.carried, carried) != carried;
        if more {
            self.carried_at = Some(now);
        }
        more
    }

    /// Whether something else than the peer's IKE shows that packets pass both ways.
    pub(super) fn is_tested(&self) -> bool {
        self.probing.is_kin() || self.watch.says() != Bfd::SaysNothing
    }

    /// What is known of the path at `now`; `None` while there is no IKE SA.
    fn opinion(&self, now: Timestamp) -> Option<Opinion> {
        let ike = match self.state {
            State::Down { .. } => return None,
            State::Connected { .. } => Ike::Answered,
            State::Silent { .. } if self.probing.hears(now) => Ike::OnlyEsp,
            State::Silent { .. } => Ike::Unanswered,
        };
        Some(path::judge(self.watch.says(), self.probing.say(), ike))
    }

    /// Follows what is known of the path, and tells what that changes.
    pub(super) fn judge_path(&mut self, now: Timestamp) {
        let turn = self.opinion(now).and_then(|opinion| self.path.on_opinion(opinion, now));
        match turn {
            None => {}
            Some(Turn::Lost(why)) => {
                let remote = self.sas.sending().next().map(|(_, child)| child.remote.ip());
                self.tell(Fact::of_lost_path(why, remote), now);
            }
            Some(Turn::Doubted) => self.tell(Fact::of_silent_ike(), now),
            Some(Turn::Works(gap)) => {
                let text = format!("the path works again after {:.1} s", gap.as_secs_f64());
                self.tell(Fact::new(Code::PathBack, text), now);
            }
            Some(Turn::Answers(gap)) => {
                let text = format!("the peer answers again after {:.1} s", gap.as_secs_f64());
                self.tell(Fact::new(Code::AnswersAgain, text), now);
            }
        }
    }

    /// Where the packets of the Child SA get to, as an operator sees it at `now`.
    pub(super) fn data_path(&self, now: Timestamp) -> DataPath {
        let known = match self.watch.says() {
            Bfd::SaysNothing => self.probing.view(now),
            Bfd::Works => DataPath::Passes,
            Bfd::Lost(why) => why.into(),
        };
        match (known, self.path.health()) {
            (DataPath::Unknown, _) if self.sas.is_in_doubt() => DataPath::NothingComes,
            (DataPath::Passes, Health::Held) => DataPath::PassesAgain,
            (known, _) => known,
        }
    }

    /// Whether its counters can tell nothing: it has no SAs, and carried nothing lately.
    pub(super) fn is_quiet(&self) -> bool {
        self.sas.is_empty() && (self.rates.tx_bits, self.rates.rx_bits) == (0, 0)
    }

    /// Since when the tunnel is in its state.
    pub(super) fn since(&self) -> Timestamp {
        let lost = self.path.loss().map(|(lost, _)| lost);
        match (self.state, lost) {
            (
                State::Down { since } | State::Connected { since } | State::Silent { since },
                None,
            )
            | (State::Down { since }, Some(_)) => since,
            (State::Connected { since }, Some(lost)) => lost.max(since),
            // That IKE gets no answer either is noticed later.
            (State::Silent { since }, Some(lost)) => lost.min(since),
        }
    }

    /// Takes over what the IKE engine tells.
    pub(super) fn on_event(&mut self, event: &Event, config: &PeerConfig, now: Timestamp) {
        match event {
            Event::Established(facts) => {
                self.on_established(facts, now);
                self.note_key_exchange(facts, config, now);
            }
            Event::Measured { .. } | Event::Unmeasured => {}
            Event::WayAnswered { .. } | Event::WayRefused { .. } => {}
            Event::IkeRekeyed { new, .. } => {
                self.rekeys.ike += 1;
                info!(peer = self.name, ike = %new, "{}: IKE SA rekeyed", self.name)
            }
            Event::ChildUp(up) => {
                self.rekeys.child += u64::from(up.replaces.is_some());
                info!(peer = self.name, inbound = %up.inbound.spi, outbound = %up.outbound.spi,
                    suite = %up.inbound.suite, "{}: Child SA up", self.name);
                if let Err(error) = self.sas.install(up, config, now) {
                    error!(peer = self.name, %error, "keys of a Child SA do not fit its suite");
                }
            }
            Event::ChildSendable { child, .. } => self.sas.on_sendable(*child),
            Event::ChildDown { child, reason, .. } => {
                info!(peer = self.name, %reason, "{}: Child SA down: {reason}", self.name);
                self.sas.retire(*child, now);
            }
            Event::Moved { local, remote, ours } => {
                let text = match ours {
                    true => format!("this gateway moved to {local}, towards {remote}"),
                    false => format!("peer moved to {remote}"),
                };
                self.tell(Fact::new(Code::PeerMoved, text), now);
                self.sas.move_to(*local, *remote);
                self.probing.on_moved(now);
            }
            Event::Alive { .. } => self.on_alive(now),
            Event::Unreachable { .. } => self.on_unreachable(now),
            Event::Down { reason: DownReason::Requested } if self.disabled => {
                self.on_down(Fact::of_disabled_end(config), now);
            }
            Event::Down { reason } => self.on_down(Fact::of_end(reason, config), now),
            Event::Failed { reason, .. } | Event::Unanswered { reason } => {
                self.tell(Fact::of_failure(reason, config), now);
            }
            Event::Suspected { reason } => self.suspect(Fact::of_failure(reason, config), now),
        }
        self.judge_path(now);
    }

    /// Takes over what BFD tells; says whether something follows from it.
    pub(super) fn on_bfd(&mut self, report: Report, now: Timestamp) -> bool {
        let has_bgp = self.neighbor.is_some_and(|neighbor| neighbor.bgp);
        let before = self.watch.peer_leaves();
        let news = self.watch.on_report(report, !has_bgp);
        match (before, self.watch.peer_leaves()) {
            (false, true) => {
                self.note(Fact::new(Code::PeerDrains, "the peer is drained: others go first"), now);
            }
            (true, false) if report.state == bfd::State::Up => {
                self.note(Fact::new(Code::PeerUndrained, "the peer is not drained any more"), now);
            }
            (true, false) | (true, true) | (false, false) => {}
        }
        self.judge_path(now);
        news
    }

    /// Reads the packet path's counters.
    pub(super) fn sample(&mut self, now: Timestamp) {
        let (tx_bytes, rx_bytes) = (self.counters.sent_bytes(), self.counters.received_bytes());
        self.rates.sample(Totals { tx_bytes, rx_bytes }, now);
        self.sas.sample(now);
    }

    fn on_established(&mut self, facts: &Established, now: Timestamp) {
        self.probing.on_established(facts.names_slots);
        let beside = match facts.additional.is_none() {
            true => String::new(),
            false => format!(" and {}", facts.additional),
        };
        let text = format!("connected with {} by {}{beside}", facts.remote, facts.suite);
        self.tell(Fact::new(Code::Connected, text), now);
        self.note_carrier(is_streamed(facts.local), now);
        self.watch.begin_anew();
        let before = self.state;
        match before {
            State::Connected { .. } => {}
            State::Down { .. } | State::Silent { .. } => {
                self.state = State::Connected { since: now };
            }
        }
        match (before, self.opinion(now)) {
            (_, None) => {}
            (State::Down { .. }, Some(opinion)) => self.path.begin(opinion, now),
            (State::Connected { .. } | State::Silent { .. }, Some(opinion)) => {
                self.path.begin_anew(opinion, now);
            }
        }
    }

    /// Tells once of keys that do not hold as well as was preferred.
    fn note_key_exchange(&mut self, facts: &Established, config: &PeerConfig, now: Timestamp) {
        let preferred = config.post_quantum == PostQuantum::Prefer;
        if preferred && !facts.additional.is_post_quantum() && !facts.ppk_in_use {
            let group = facts.suite.group;
            let text = format!("keys by {group} alone: the peer does no ML-KEM beside it");
            let remedy =
                "nothing, if the peer cannot do it; post_quantum = \"off\" stops offering it";
            self.tell(Fact::new(Code::NotPostQuantum, text).remedy(remedy), now);
        }
    }

    fn on_alive(&mut self, now: Timestamp) {
        if let State::Silent { .. } = self.state {
            self.state = State::Connected { since: now };
        }
    }

    fn on_unreachable(&mut self, now: Timestamp) {
        if let State::Connected { .. } = self.state {
            self.state = State::Silent { since: now };
        }
    }

    fn on_down(&mut self, fact: Fact, now: Timestamp) {
        self.sas.retire_all(now);
        self.state = State::Down { since: now };
        self.fail(fact, now);
    }

    /// Tells of an announcement that is not accepted, unless there are too many of them: the
    /// views show them all.
    pub(super) fn note_rejection(&mut self, fact: Fact, now: Timestamp) {
        if let Some(text) = self.rejections.ask(now).complete(fact.text) {
            self.note(Fact { text, ..fact }, now);
        }
    }

    /// Tells of another path MTU. One that shrinks is a warning: packets need more of them.
    pub(super) fn tell_path_mtu(
        &mut self,
        before: u16,
        mtu: u16,
        known_by: Knowledge,
        now: Timestamp,
    ) {
        let how = known_by.name();
        let text = format!("the path to the peer carries {mtu} bytes ({how}), before {before}");
        if mtu < before {
            warn!(peer = self.name, code = Code::PathMtu.name(), "{}: {text}", self.name);
        } else {
            info!(peer = self.name, code = Code::PathMtu.name(), "{}: {text}", self.name);
        }
        let fact = Arc::new(Fact::new(Code::PathMtu, text));
        self.events.push(PastEvent { at: now, fact });
    }

    /// Logs and remembers something: as a failure, if it is one.
    pub(super) fn tell(&mut self, fact: Fact, now: Timestamp) {
        match fact.code.severity() {
            Severity::Info => self.note(fact, now),
            Severity::Warning => self.fail(fact, now),
        }
    }

    /// Logs and remembers something that is no failure of the tunnel.
    pub(super) fn note(&mut self, fact: Fact, now: Timestamp) {
        let (peer, code) = (self.name.as_str(), fact.code.name());
        match fact.code.severity() {
            Severity::Info => info!(peer, code, "{peer}: {fact}"),
            Severity::Warning => warn!(peer, code, "{peer}: {fact}"),
        }
        self.events.push(PastEvent { at: now, fact: Arc::new(fact) });
    }

    /// It may have been anybody: the peer's own history stays as it is.
    fn suspect(&mut self, fact: Fact, now: Timestamp) {
        if !self.suspicion.as_ref().is_some_and(|last| last.tells(&fact, now)) {
            let (peer, code) = (self.name.as_str(), fact.code.name());
            warn!(peer, code, "{peer}: somebody at its address was refused: {fact}");
        }
        self.suspicion = Some(PastEvent { at: now, fact: Arc::new(fact) });
    }

    /// Logs and remembers something that went wrong. What goes wrong again and again in the same
    /// way is told once, and from time to time.
    fn fail(&mut self, fact: Fact, now: Timestamp) {
        let explained = |by: &Fact| by.explains(&fact);
        let before = self.last_failure.as_ref().filter(|last| now.since(last.at) < EXPLAINS);
        let cause = match &self.own_fault {
            Some(own) if explained(own) => Some(own.clone()),
            Some(_) | None => before.map(|last| last.fact.clone()).filter(|last| explained(last)),
        };
        let fact = cause.unwrap_or_else(|| Arc::new(fact));
        let event = PastEvent { at: now, fact };
        if !self.events.was_told(&event) {
            let (peer, code) = (self.name.as_str(), event.fact.code.name());
            warn!(peer, code, "{peer}: {}", event.fact);
            self.events.push(event.clone());
        } else {
            self.events.repeat(event.fact.code);
        }
        self.last_failure = Some(event);
    }
}

/// How long a fault of this host explains that a peer does not answer.
const EXPLAINS: Duration = Duration::from_secs(90);
