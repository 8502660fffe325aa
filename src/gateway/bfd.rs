//! What BFD says about the path of a tunnel, and what is made of it (RFC 5882).
//!
//! ```text
//!                Up                      down                     Up
//!   SaysNothing ────► Works ────────────────────────► Lost ────────────────► Held ──► Works
//!        ▲              ▲                              │  ▲                   │
//!        └──────────────┴─ the peer's BFD is off, or ──┘  └────── down ───────┘
//!                          the connection is a new one
//! ```
//!
//! Only a session that was up can say that a path is lost: a peer without BFD is none (RFC 5882
//! §4.2 has the control protocol wait for nothing). A path that comes back is held for a while,
//! twice as long with every loss of late: other paths are preferred meanwhile, and when there is
//! none it is used (RFC 5882 §3.1).

use super::io::BfdOutput;
use super::{Gateway, Health, Output};
use crate::config::{self, PeerConfig, Routing};
use crate::forward::TunnelEntry;
use crate::net::PeerId;
use crate::routing::bfd::{Endpoints, Report, Role, SessionConfig};
use crate::time::Timestamp;
use crate::wire::bfd::{Diagnostic, PORT, SOURCE_PORTS, State};
use crate::wire::ip::protocol;
use std::time::Duration;

/// How long a path is held that was lost once.
const HOLD: Duration = Duration::from_secs(1);
/// The longest time that a path is held.
const LONGEST_HOLD: Duration = Duration::from_secs(60);
/// Time without a loss that makes half of the losses forgotten.
const CALM: Duration = Duration::from_secs(60);
/// More losses of late than these change nothing.
const MOST_LOSSES: u32 = 16;

/// What BFD says about a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it is off at one end, or was never up on this connection.
    #[default]
    SaysNothing,
    /// Packets get through in both directions.
    Works,
    /// They do not.
    Lost {
        /// Since when.
        since: Timestamp,
        /// In which direction, or by whose wish.
        why: Loss,
    },
    /// They do again, and have to for a while.
    Held {
        /// Until when.
        until: Timestamp,
    },
}

/// How a path was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Nothing comes from the peer.
    NothingComes,
    /// The peer says that it hears nothing of us.
    NotHeard,
    /// The peer says that the path ends: it is about to go.
    PeerLeaves,
    /// The peer says that its session is down, for a reason of its own.
    PeerSays(Diagnostic),
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Loss::NothingComes => f.write_str("nothing comes from the peer"),
            Loss::NotHeard => f.write_str("the peer does not hear us"),
            Loss::PeerLeaves => f.write_str("the peer is about to go"),
            Loss::PeerSays(Diagnostic::NONE) => f.write_str("the peer has begun anew"),
            Loss::PeerSays(why) => write!(f, "the peer has taken its session down ({why})"),
        }
    }
}

/// What changed, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The path was lost.
    Lost(Loss),
    /// It is back after this time.
    Back(Duration),
    /// BFD says something for the first time, or nothing any more.
    Quiet,
}

/// BFD about one tunnel.
#[derive(Debug, Default)]
pub struct Watch {
    report: Option<Report>,
    verdict: Verdict,
    /// Losses of late, and when the last of them was.
    losses: u32,
    lost_at: Timestamp,
}

impl Watch {
    /// What BFD says.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What the session last told; `None` while there is none.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// Losses of late.
    pub fn losses(&self) -> u32 {
        self.losses
    }

    /// Whether packets may go this way, as far as BFD knows.
    pub fn health(&self) -> Health {
        match self.verdict {
            Verdict::SaysNothing | Verdict::Works => Health::Usable,
            Verdict::Held { .. } => Health::Held,
            Verdict::Lost { .. } => Health::Unreachable,
        }
    }

    /// There is a new connection: that the path was lost was said about another one.
    pub fn begin_anew(&mut self) {
        self.verdict = match self.verdict {
            Verdict::SaysNothing | Verdict::Lost { .. } => Verdict::SaysNothing,
            Verdict::Works | Verdict::Held { .. } => Verdict::Works,
        };
    }

    /// The session is gone.
    pub fn end(&mut self) {
        (self.report, self.verdict) = (None, Verdict::SaysNothing);
    }

    /// Takes over what the session tells; says what that changed.
    pub fn on_report(&mut self, report: Report, now: Timestamp) -> Option<Turn> {
        self.report = Some(report);
        match (self.verdict, report.state) {
            (Verdict::SaysNothing, State::Up) => {
                self.verdict = Verdict::Works;
                Some(Turn::Quiet)
            }
            (Verdict::Lost { since, .. }, State::Up) => {
                self.verdict = Verdict::Held { until: now + self.hold() };
                Some(Turn::Back(now.since(since)))
            }
            (Verdict::Works | Verdict::Held { .. }, State::Up) => None,
            (Verdict::SaysNothing, State::AdminDown | State::Down | State::Init) => None,
            (_, State::AdminDown) => self.fall_silent(),
            (_, State::Down | State::Init) => self.on_down(&report, now),
        }
    }

    /// Ends the time for which a path is held.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if let Verdict::Held { until } = self.verdict
            && until <= now
        {
            self.verdict = Verdict::Works;
        }
    }

    /// When [`Watch::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match self.verdict {
            Verdict::Held { until } => Some(until),
            Verdict::SaysNothing | Verdict::Works | Verdict::Lost { .. } => None,
        }
    }

    /// A peer that does not want BFD any more does not say that the path is lost (RFC 5882 §3.2).
    fn on_down(&mut self, report: &Report, now: Timestamp) -> Option<Turn> {
        let why = match (report.diagnostic, report.remote) {
            // A session that has never been up; the one before it is gone.
            (Diagnostic::NONE, _) => return self.fall_silent(),
            (_, Some((State::AdminDown, Diagnostic::PATH_DOWN))) => Loss::PeerLeaves,
            (_, Some((State::AdminDown, _))) => return self.fall_silent(),
            (Diagnostic::CONTROL_DETECTION_TIME_EXPIRED, _) => Loss::NothingComes,
            (_, Some((_, Diagnostic::CONTROL_DETECTION_TIME_EXPIRED))) => Loss::NotHeard,
            (_, Some((_, diagnostic))) => Loss::PeerSays(diagnostic),
            (diagnostic, None) => Loss::PeerSays(diagnostic),
        };
        if let Verdict::Lost { .. } = self.verdict {
            return None;
        }
        self.count_loss(now);
        self.verdict = Verdict::Lost { since: now, why };
        Some(Turn::Lost(why))
    }

    fn fall_silent(&mut self) -> Option<Turn> {
        self.verdict = Verdict::SaysNothing;
        Some(Turn::Quiet)
    }

    fn count_loss(&mut self, now: Timestamp) {
        let calm = now.since(self.lost_at).as_secs() / CALM.as_secs();
        let left = self.losses.checked_shr(u32::try_from(calm).unwrap_or(u32::MAX)).unwrap_or(0);
        (self.losses, self.lost_at) = ((left + 1).min(MOST_LOSSES), now);
    }

    fn hold(&self) -> Duration {
        let doublings = self.losses.saturating_sub(1);
        (HOLD * 2_u32.saturating_pow(doublings)).min(LONGEST_HOLD)
    }
}

/// What a peer's BFD session is to be.
enum Wanted {
    Watched { endpoints: Endpoints, config: SessionConfig },
    HeldDown,
    Absent,
}

impl Gateway {
    /// Takes what a BFD session tells of itself.
    pub fn handle_bfd(&mut self, peer: PeerId, report: Report, now: Timestamp) {
        if !self.watched.contains(&peer) {
            return;
        }
        let Some(tunnel) = self.tunnels.get_mut(&peer) else { return };
        if tunnel.on_bfd(report, now) {
            self.dirty.tunnels.insert(peer);
            self.settle(now);
        }
    }

    /// The session of a tunnel follows its SAs and its configuration. The tunnel is published as
    /// it is now.
    pub(super) fn follow_path(&mut self, peer: PeerId) {
        let tunnel = self.publisher.tunnel(peer);
        let output = match (self.wanted(peer, tunnel.as_deref()), tunnel) {
            (Wanted::Watched { endpoints, config }, Some(tunnel)) => {
                self.watched.insert(peer);
                BfdOutput::Watch { peer, tunnel, endpoints, config }
            }
            (Wanted::HeldDown, _) => BfdOutput::HoldDown { peer, path_ends: self.leaving },
            (Wanted::Absent, _) | (Wanted::Watched { .. }, None) => {
                if !self.watched.remove(&peer) {
                    return;
                }
                if let Some(tunnel) = self.tunnels.get_mut(&peer) {
                    tunnel.watch.end();
                }
                BfdOutput::Forget { peer }
            }
        };
        self.outputs.push_back(Output::Bfd(output));
    }

    fn wanted(&self, peer: PeerId, tunnel: Option<&TunnelEntry>) -> Wanted {
        let config = self.config.peers.get(&peer);
        let (Some(config), Some(tunnel)) = (config, tunnel) else { return Wanted::Absent };
        let Some(endpoints) = endpoints(config).filter(|ends| carries(tunnel, *ends)) else {
            return Wanted::Absent;
        };
        match config.bfd {
            Some(bfd) if !self.leaving => {
                Wanted::Watched { endpoints, config: session_config(bfd) }
            }
            Some(_) | None if self.watched.contains(&peer) => Wanted::HeldDown,
            Some(_) | None => Wanted::Absent,
        }
    }

    /// Devices of the underlay have changed: the peers are asked at once whether they are still
    /// there.
    pub(super) fn hint_paths(&mut self) {
        let hints = self.watched.iter().map(|&peer| BfdOutput::Hint { peer });
        self.outputs.extend(hints.map(Output::Bfd));
    }

    /// Tells the peers by BFD that we go.
    pub(super) fn say_goodbye(&mut self) {
        self.leaving = true;
        let goodbyes =
            self.watched.iter().map(|&peer| BfdOutput::HoldDown { peer, path_ends: true });
        self.outputs.extend(goodbyes.map(Output::Bfd));
    }
}

/// The inside addresses of a tunnel, where both ends know them.
fn endpoints(peer: &PeerConfig) -> Option<Endpoints> {
    match &peer.routing {
        Routing::Bgp(bgp) => Some(Endpoints { local: bgp.inside_local, remote: bgp.inside_remote }),
        Routing::Static { .. } => None,
    }
}

/// Whether one of the SAs takes the packets of a session.
fn carries(tunnel: &TunnelEntry, ends: Endpoints) -> bool {
    let takes = |sa: &TunnelEntry| {
        let from = sa.local_ts.permit(ends.local, protocol::UDP, Some(*SOURCE_PORTS.start()));
        from && sa.remote_ts.permit(ends.remote, protocol::UDP, Some(PORT))
    };
    std::iter::successors(Some(tunnel), |sa| sa.next.as_deref()).any(takes)
}

fn session_config(bfd: config::Bfd) -> SessionConfig {
    SessionConfig { interval: bfd.interval, detect_mult: bfd.multiplier, role: Role::Active }
}

#[cfg(test)]
mod tests;
