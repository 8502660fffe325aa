//! The BFD sessions of the tunnels: which of them there are, and what they say about their paths
//! (RFC 5882). What is made of it together with other signs stands in [`super::path`].
//!
//! ```text
//!                Up                     down
//!   SaysNothing ────► Works ◄────────────────────► Lost
//!        ▲              │             Up            │
//!        └──────────────┴─ the peer's BFD is off, ──┘
//!                          or its session is new
//! ```
//!
//! Only a session that was up can say that a path is lost: a peer without BFD is none (RFC 5882
//! §4.2 has the control protocol wait for nothing).

use super::io::BfdOutput;
use super::path::{Bfd, Loss};
use super::vpc::Vpc;
use super::{Gateway, Output};
use crate::config::{self, PeerConfig, Routing};
use crate::forward::TunnelEntry;
use crate::net::{PeerId, is_streamed};
use crate::routing::bfd::{Endpoints, Hint, Report, Role, SessionConfig};
use crate::time::Timestamp;
use crate::wire::bfd::{Diagnostic, PORT, SOURCE_PORTS, State};
use crate::wire::ip::protocol;
use std::time::Duration;

/// In TCP a lost segment holds up all that follow until it is sent again, 200 ms later or a multiple of
/// that: packets are no sooner expected than so far apart.
const IN_TCP: Duration = Duration::from_secs(1);

/// BFD about one tunnel.
#[derive(Debug, Default)]
pub(super) struct Watch {
    report: Option<Report>,
    says: Bfd,
    peer_leaves: bool,
}

impl Watch {
    /// What BFD says about the path.
    pub(super) fn says(&self) -> Bfd {
        self.says
    }

    /// Whether the peer's operator wants others to be used instead of it, while the path works.
    pub(super) fn peer_leaves(&self) -> bool {
        self.peer_leaves
    }

    /// What the session last told; `None` while there is none.
    pub(super) fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// There is a new connection: that the path was lost was said about another one. A session that
    /// is up will not say so again.
    pub(super) fn begin_anew(&mut self) {
        if let Bfd::Lost(_) = self.says {
            self.says = Bfd::SaysNothing;
        }
    }

    /// The session is gone.
    pub(super) fn end(&mut self) {
        *self = Watch::default();
    }

    /// Takes over what the session tells; says whether BFD says something else now. `minds_beyond`
    /// is whether that nothing behind the peer can be reached counts: with BGP the peer tells more
    /// exactly what it reaches.
    pub(super) fn on_report(&mut self, report: Report, minds_beyond: bool) -> bool {
        let says = match says(self.says, &report) {
            Bfd::Works if minds_beyond && is_dead_end(&report) => Bfd::Lost(Loss::BeyondPeer),
            says => says,
        };
        let leaves = report.remote == Some((State::Up, Diagnostic::ADMINISTRATIVELY_DOWN));
        self.report = Some(report);
        let others = std::mem::replace(&mut self.peer_leaves, leaves) != leaves;
        std::mem::replace(&mut self.says, says) != says || others
    }
}

/// Whether the peer says that the path ends at it (RFC 5880 §6.8.17).
fn is_dead_end(report: &Report) -> bool {
    matches!(
        report.remote,
        Some((
            State::Up,
            Diagnostic::CONCATENATED_PATH_DOWN | Diagnostic::REVERSE_CONCATENATED_PATH_DOWN
        ))
    )
}

/// What a session that tells this says, after it has said `before`.
fn says(before: Bfd, report: &Report) -> Bfd {
    match (before, report.state) {
        (_, State::Up) => Bfd::Works,
        (Bfd::SaysNothing, State::AdminDown | State::Down | State::Init)
        | (Bfd::Works | Bfd::Lost(_), State::AdminDown) => Bfd::SaysNothing,
        (Bfd::Works | Bfd::Lost(_), State::Down | State::Init) => match (before, down(report)) {
            // What is learned while it comes back is not why it was lost.
            (Bfd::Lost(why), Bfd::Lost(_)) => Bfd::Lost(why),
            (_, now) => now,
        },
    }
}

/// What a session says that was up and is down. A peer that does not want BFD any more does not say
/// that the path is lost (RFC 5882 §3.2).
fn down(report: &Report) -> Bfd {
    match (report.diagnostic, report.remote) {
        // A session that has never been up; the one before it is gone.
        (Diagnostic::NONE, _) => Bfd::SaysNothing,
        (_, Some((State::AdminDown, Diagnostic::PATH_DOWN))) => Bfd::Lost(Loss::PeerLeaves),
        (_, Some((State::AdminDown, _))) => Bfd::SaysNothing,
        (Diagnostic::CONTROL_DETECTION_TIME_EXPIRED, _) => Bfd::Lost(Loss::NothingComes),
        (_, Some((_, Diagnostic::CONTROL_DETECTION_TIME_EXPIRED))) => Bfd::Lost(Loss::NotHeard),
        (_, Some((_, diagnostic))) => Bfd::Lost(Loss::PeerSays(diagnostic)),
        (diagnostic, None) => Bfd::Lost(Loss::PeerSays(diagnostic)),
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
                let mut config = session_config(bfd, self.is_dead_end(config));
                config.is_leaving = self.is_being_left(peer);
                if is_streamed(tunnel.local) {
                    config.interval = config.interval.max(IN_TCP);
                }
                Wanted::Watched { endpoints, config }
            }
            Some(_) | None if self.watched.contains(&peer) => Wanted::HeldDown,
            Some(_) | None => Wanted::Absent,
        }
    }

    /// Whether a peer must be told to use others instead of us.
    fn is_being_left(&self, peer: PeerId) -> bool {
        let tunnel = self.tunnels.get(&peer);
        self.planned.leads_away() || tunnel.is_some_and(|tunnel| tunnel.leaving)
    }

    /// Whether a peer must be told by BFD that our hosts cannot be reached; by BGP it hears of every
    /// prefix.
    fn is_dead_end(&self, peer: &PeerConfig) -> bool {
        let is_static = matches!(peer.routing, Routing::Static { .. });
        is_static && self.vpcs.get(&peer.vpc).is_some_and(Vpc::is_dead_end)
    }

    /// The tunnel to a peer takes another way through the underlay: what was known of the old one
    /// says nothing about it.
    pub(super) fn ask_anew(&mut self, peer: PeerId) {
        self.hint_bfd(peer, Hint::AnotherPath);
    }

    /// Tells the session of a tunnel what else is known of its path.
    pub(super) fn hint_bfd(&mut self, peer: PeerId, hint: Hint) {
        if self.watched.contains(&peer) {
            self.outputs.push_back(Output::Bfd(BfdOutput::Hint { peer, hint }));
        }
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
    let inside = peer.routing.inside()?;
    Some(Endpoints { local: inside.local, remote: inside.remote })
}

/// Whether one of the SAs takes the packets of a session.
fn carries(tunnel: &TunnelEntry, ends: Endpoints) -> bool {
    let takes = |sa: &TunnelEntry| {
        let from = sa.local_ts.permit(ends.local, protocol::UDP, Some(*SOURCE_PORTS.start()));
        from && sa.remote_ts.permit(ends.remote, protocol::UDP, Some(PORT))
    };
    std::iter::successors(Some(tunnel), |sa| sa.next.as_deref()).any(takes)
}

fn session_config(bfd: config::Bfd, beyond_is_down: bool) -> SessionConfig {
    SessionConfig {
        interval: bfd.interval,
        detect_mult: bfd.multiplier,
        role: Role::Active,
        beyond_is_down,
        is_leaving: false,
    }
}

#[cfg(test)]
mod tests;
