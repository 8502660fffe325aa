//! Planned work: a gateway that others are to be used instead of for a while (*drained*), and peers that
//! the operator wants nothing of (*disabled*). Both stand until they are taken back, also over a restart
//! ([`Standing`]).
//!
//! ```text
//!   drain ──► BGP: GRACEFUL_SHUTDOWN ─┐
//!             BFD: leaving            ├─► peers and hosts go elsewhere ──► quiet ──► restart, upgrade
//!             VRRP: lowest priority  ─┘   what still comes is carried
//! ```
//!
//! Nothing is cut off: who has no other way goes on. A peer that is disabled is left in the same manner,
//! for [`PATIENCE`] at most, before its SAs are deleted.

use super::diagnosis::Fact;
use super::failover::Health;
use super::{Gateway, Output, Why, connection};
use crate::config::{PeerConfig, Routing};
use crate::control::{Code, DrainView, Reply, Standing};
use crate::moment::Moment;
use crate::net::PeerId;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tracing::info;

/// Time without a packet after which nothing is carried any more.
const QUIET: Duration = Duration::from_secs(1);
/// Time between two looks whether it is so.
const LOOK: Duration = Duration::from_millis(100);
/// Time that a peer which is to be disabled has to go elsewhere; and without a packet after which it
/// has.
const PATIENCE: Duration = Duration::from_secs(3);
const LEFT: Duration = Duration::from_millis(500);
/// How many peers are named of those that something is still carried for.
const NAMED: usize = 16;

/// What the operator has said, and how far it has come.
#[derive(Debug, Default)]
pub(super) struct Planned {
    /// Since when others are to be used instead of this gateway.
    drained: Option<Timestamp>,
    /// The same, until the process ends.
    ending: bool,
    /// The peers that the operator wants nothing of.
    disabled: BTreeSet<PeerId>,
    /// Names of peers that the operator wants nothing of and that the file does not have now.
    absent: BTreeSet<String>,
    /// Those of them whose tunnels are still being left, and since when.
    being_left: BTreeMap<PeerId, Timestamp>,
    /// When a packet was last carried, as far as counters were looked at.
    carried_at: Timestamp,
}

impl Planned {
    /// Whether others are to be used instead of this gateway.
    pub(super) fn leads_away(&self) -> bool {
        self.drained.is_some() || self.ending
    }

    /// Since when the gateway is drained.
    pub(super) fn drained_since(&self) -> Option<Timestamp> {
        self.drained
    }

    /// Whether the operator wants nothing of a peer.
    pub(super) fn is_disabled(&self, peer: PeerId) -> bool {
        self.disabled.contains(&peer)
    }

    /// Whether a peer that is disabled has no tunnel any more.
    pub(super) fn is_cut_off(&self, peer: PeerId) -> bool {
        self.disabled.contains(&peer) && !self.being_left.contains_key(&peer)
    }

    /// A packet was carried.
    pub(super) fn on_carried(&mut self, now: Timestamp) {
        self.carried_at = now;
    }

    /// A peer is not configured any more. Should it come back, nothing has changed about it.
    pub(super) fn on_removed(&mut self, peer: PeerId, name: &str) {
        if self.disabled.remove(&peer) {
            self.absent.insert(name.to_owned());
        }
        self.being_left.remove(&peer);
    }

    /// A peer is configured.
    pub(super) fn on_added(&mut self, peer: PeerId, name: &str) {
        if self.absent.remove(name) {
            self.disabled.insert(peer);
        }
    }
}

impl Gateway {
    /// What the operator has said that outlives this process.
    pub fn standing(&self) -> Standing {
        let name = |peer| self.config.peers.get(peer).map(|peer| peer.name.clone());
        let present = self.planned.disabled.iter().filter_map(name);
        Standing {
            drained: self.planned.drained.is_some(),
            disabled: present.chain(self.planned.absent.iter().cloned()).collect(),
        }
    }

    /// Begins with what the operator said to the process before; no peer has been added yet.
    pub(super) fn resume(&mut self, standing: &Standing, now: Timestamp) {
        self.planned.drained = standing.drained.then_some(now);
        self.planned.absent.clone_from(&standing.disabled);
        self.redundancy.set_leaving(standing.drained, now);
    }

    /// Leads peers and hosts to other gateways.
    pub(super) fn drain(&mut self, now: Timestamp) -> Reply {
        if self.planned.drained.is_some() {
            return Reply::done("the gateway is drained already");
        }
        self.planned.drained = Some(now);
        info!("drained: peers and hosts are led to other gateways");
        self.take_note(Code::Drained, "drained: peers and hosts are led to other gateways", now);
        self.lead(now);
        self.timers.arm(Why::Quiet, Some(now + QUIET));
        Reply::done("peers and hosts are led to other gateways")
    }

    /// Takes part again.
    pub(super) fn undrain(&mut self, now: Timestamp) -> Reply {
        if self.planned.drained.take().is_none() {
            return Reply::done("the gateway is not drained");
        }
        info!("undrained: the gateway is to be used again");
        self.take_note(Code::Undrained, "undrained: the gateway is to be used again", now);
        self.lead(now);
        self.timers.arm(Why::Quiet, None);
        Reply::done("the gateway is to be used again")
    }

    /// First part of an orderly end: peers and hosts go elsewhere, while all that comes is still
    /// carried. Nobody is drawn back meanwhile.
    pub fn lead_away(&mut self, now: Timestamp) {
        self.planned.ending = true;
        self.lead(now);
        self.redundancy.shutdown(now);
        self.settle(now);
    }

    /// How long nothing has been carried, as far as counters were looked at.
    pub fn quiet_for(&self, now: Timestamp) -> Duration {
        now.since(self.planned.carried_at)
    }

    /// Everybody is told whether to use this gateway.
    fn lead(&mut self, now: Timestamp) {
        let leaving = self.planned.leads_away();
        self.redundancy.set_leaving(leaving, now);
        self.vpcs.values_mut().for_each(|vpc| vpc.router.set_leaving(leaving, now));
        self.dirty.vpcs.extend(self.vpcs.keys());
        // Their BFD sessions follow.
        self.dirty.tunnels.extend(&self.watched);
        self.settle(now);
    }

    /// Tells once that nothing is carried any more.
    pub(super) fn look_whether_quiet(&mut self, now: Timestamp) {
        let Some(since) = self.planned.drained else { return };
        if self.quiet_for(now).min(now.since(since)) < QUIET {
            return self.timers.arm(Why::Quiet, Some(now + LOOK));
        }
        let after = now.since(since).saturating_sub(QUIET).as_secs_f64();
        let text =
            format!("nothing is carried any more, {after:.1} s after the gateway was drained");
        info!("{text}");
        self.take_note(Code::Quiet, text, now);
    }

    /// How far draining has come; `None` when the gateway is not drained.
    pub(super) fn drain_view(&self, now: Timestamp) -> Option<DrainView> {
        let since = self.planned.drained?;
        let quiet_for = self.quiet_for(now).min(now.since(since));
        Some(DrainView {
            gateway: self.config.gateway.name.clone(),
            drained_for_ms: super::status::millis(now.since(since)),
            quiet: quiet_for >= QUIET,
            quiet_for_ms: super::status::millis(quiet_for),
            carries_for: self.carries_for(now),
        })
    }

    /// The peers that something was carried for just now, with why they may not go elsewhere.
    fn carries_for(&self, now: Timestamp) -> Vec<String> {
        let busy = self.tunnels.range(PeerId(0)..).filter(|(_, tunnel)| {
            tunnel.carried_at.is_some_and(|carried| now.since(carried) < QUIET)
        });
        let named = busy.filter_map(|(peer, _)| self.config.peers.get(peer)).map(|config| {
            match hears(config) {
                true => config.name.clone(),
                false => format!("{} (static routes without BFD: it cannot be told)", config.name),
            }
        });
        named.take(NAMED).collect()
    }

    /// The operator wants nothing of a peer any more: it is left for others, then cut off.
    pub(super) fn disable(&mut self, peer: PeerId, at: &mut Moment<'_>) -> Reply {
        if !self.planned.disabled.insert(peer) {
            return Reply::done("the peer is disabled already");
        }
        self.closed.remove(&peer);
        self.about(peer, |tunnel, config| {
            let enable = format!("vpnctl enable {} lets it in again", config.name);
            let fact = Fact::new(Code::Disabled, "disabled here by `vpnctl disable`");
            tunnel.disabled = true;
            tunnel.tell(fact.remedy(enable), at.now);
        });
        if self.health(peer) == Health::Down {
            self.cut_off(peer, at);
            return Reply::done("the peer is disabled, until it is enabled here");
        }
        self.planned.being_left.insert(peer, at.now);
        self.leave_peer(peer, true, at.now);
        self.timers.arm(Why::Close(peer), Some(at.now + LOOK));
        Reply::done(
            "the peer is disabled, until it is enabled here; its tunnel is closed when its traffic \
             has gone elsewhere, within 3 s",
        )
    }

    /// The operator wants a peer again.
    pub(super) fn enable(&mut self, peer: PeerId, at: &mut Moment<'_>) -> Reply {
        if !self.planned.disabled.remove(&peer) {
            return Reply::done("the peer is not disabled");
        }
        self.planned.being_left.remove(&peer);
        self.timers.arm(Why::Close(peer), None);
        self.about(peer, |tunnel, _| {
            tunnel.disabled = false;
            tunnel.tell(Fact::new(Code::Enabled, "enabled here by `vpnctl enable`"), at.now);
        });
        self.leave_peer(peer, false, at.now);
        if let Some(config) = self.config.peers.get(&peer) {
            self.connect(config.remote, at);
        }
        Reply::done("the peer is enabled")
    }

    /// Both ends of one tunnel use others while there are any; or this one again.
    fn leave_peer(&mut self, peer: PeerId, leaving: bool, now: Timestamp) {
        let Some(tunnel) = self.tunnels.get_mut(&peer) else { return };
        tunnel.leaving = leaving;
        if let Some(vpc) = self.vpcs.get_mut(&tunnel.vpc) {
            vpc.router.set_leaving_one(peer, leaving, now);
        }
        self.dirty.tunnels.insert(peer);
    }

    /// A peer that is disabled has had time to go elsewhere.
    pub(super) fn close_when_left(&mut self, peer: PeerId, at: &mut Moment<'_>) {
        let Some(&begun) = self.planned.being_left.get(&peer) else { return };
        let carried = self.tunnels.get(&peer).and_then(|tunnel| tunnel.carried_at);
        let last = carried.map_or(begun, |carried| carried.max(begun));
        if at.now.since(last) >= LEFT || at.now.since(begun) >= PATIENCE {
            self.planned.being_left.remove(&peer);
            self.cut_off(peer, at);
        } else {
            self.timers.arm(Why::Close(peer), Some(at.now + LOOK));
        }
    }

    fn cut_off(&mut self, peer: PeerId, at: &mut Moment<'_>) {
        self.leave_peer(peer, false, at.now);
        if let Some(config) = self.config.peers.get(&peer) {
            self.connect(config.remote, at);
        }
    }

    /// First half of a clean end: peers and hosts are told to use another gateway, while packets
    /// are still carried. First the peers (BFD: the path ends, then BGP Cease), then the hosts (VRRP
    /// priority 0).
    pub fn withdraw(&mut self, now: Timestamp) {
        self.say_goodbye();
        self.vpcs.values_mut().for_each(|vpc| vpc.router.shutdown(now));
        self.dirty.vpcs.extend(self.vpcs.keys());
        self.pass_on_routing(now);
        self.outputs.extend(self.tcp.drain(..).map(Output::Tcp));
        self.redundancy.shutdown(now);
        self.settle(now);
    }

    /// Second half of a clean end: SAs are deleted, addresses and routes are taken back. The
    /// guards stay, so that nothing leaves in the clear until the next start.
    pub fn shutdown(&mut self, at: &mut Moment<'_>) {
        for remote in self.remotes.keys() {
            self.ike.remove_connection(connection::id(*remote), at);
        }
        self.world.clear_all_but_guards();
        self.settle(at.now);
    }
}

/// Whether a peer can be told to go elsewhere.
fn hears(peer: &PeerConfig) -> bool {
    match &peer.routing {
        Routing::Bgp(_) => true,
        Routing::Static { inside, .. } => inside.is_some() && peer.bfd.is_some(),
    }
}
