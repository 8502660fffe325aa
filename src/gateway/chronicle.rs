//! Taking down what happened, for the operator: events of tunnels, prefixes that moved, links of this
//! host, and the gateway's own.

use super::Gateway;
use super::diagnosis::Fact;
use super::events::PastEvent;
use super::routes::Move;
use super::tunnel::Tunnel;
use super::world::Wish;
use crate::config::PeerConfig;
use crate::control::{Code, Severity};
use crate::net::{PeerId, Prefix, VpcId};
use crate::routing::bgp;
use crate::time::Timestamp;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use tracing::{info, warn};

impl Gateway {
    /// Takes down something about the gateway as a whole.
    pub fn take_note(&mut self, code: Code, text: impl Into<String>, now: Timestamp) {
        self.enter(Fact::new(code, text), now);
    }

    /// Takes it down, and warns of it in the log.
    pub(super) fn warn_of(&mut self, fact: Fact, now: Timestamp) {
        warn!(code = fact.code.name(), "{fact}");
        self.enter(fact, now);
    }

    /// Takes it down, and logs it as loudly as it is bad.
    pub(super) fn take_down_fact(&mut self, fact: Fact, now: Timestamp) {
        match fact.code.severity() {
            Severity::Warning => self.warn_of(fact, now),
            Severity::Info => {
                info!(code = fact.code.name(), "{fact}");
                self.enter(fact, now);
            }
        }
    }

    fn enter(&mut self, fact: Fact, now: Timestamp) {
        self.journal.push(None, PastEvent { at: now, fact: Arc::new(fact) });
    }

    /// Takes down what tunnels have told since the last time.
    pub(super) fn take_down(&mut self) {
        for peer in std::mem::take(&mut self.dirty.told) {
            let Some(tunnel) = self.tunnels.get_mut(&peer) else { continue };
            let mut fresh = tunnel.events.take_fresh().peekable();
            if fresh.peek().is_some() {
                let name: Arc<str> = tunnel.name.as_str().into();
                fresh.for_each(|event| self.journal.push(Some((peer, name.clone())), event));
            }
        }
    }

    /// Has a tunnel tell something.
    pub(super) fn about(&mut self, peer: PeerId, tell: impl FnOnce(&mut Tunnel, &PeerConfig)) {
        if let (Some(tunnel), Some(config)) =
            (self.tunnels.get_mut(&peer), self.config.peers.get(&peer))
        {
            tell(tunnel, config);
            self.dirty.told.insert(peer);
        }
    }

    /// A BGP session has ended, or does not come about. Where packets do not pass, or we have ended it
    /// ourselves, that is a consequence, and the cause stays what is shown.
    pub(super) fn tell_bgp(&mut self, peer: PeerId, reason: &bgp::DownReason, now: Timestamp) {
        let own = self.config.gateway.asn;
        use bgp::CeaseReason::{OutOfResources, TooManyPrefixes};
        let ours = match reason {
            bgp::DownReason::Sent(bgp::Cause::Cease(why)) => {
                !matches!(why, TooManyPrefixes | OutOfResources)
            }
            _ => false,
        };
        self.about(peer, |tunnel, config| {
            let fact = Fact::of_bgp(reason, own, &config.into());
            match tunnel.health().is_usable() && !ours {
                true => tunnel.tell(fact, now),
                false => tunnel.note(fact, now),
            }
        });
    }

    /// Tells where the packets of these VPCs go now that went elsewhere.
    pub(super) fn tell_moves(&mut self, vpcs: &BTreeSet<VpcId>, now: Timestamp) {
        for id in vpcs {
            let moves = self.vpcs.get_mut(id).map(|vpc| vpc.routes.take_moves());
            for one in moves.unwrap_or_default() {
                self.tell_move(&one, now);
            }
        }
    }

    fn tell_move(&mut self, one: &Move, now: Timestamp) {
        let name = |peer: &PeerId| self.tunnels.get(peer).map(|tunnel| tunnel.name.clone());
        let names = |peers: &[PeerId]| {
            let known: Vec<String> = peers.iter().filter_map(name).collect();
            (!known.is_empty()).then(|| known.join(" and "))
        };
        let what = named(&one.examples, one.count);
        let plural = if one.count == 1 { "is" } else { "are" };
        let from = (!one.from.is_empty())
            .then(|| names(&one.from).unwrap_or_else(|| "a peer that is gone".to_owned()));
        let (first_from, first_to) = (one.from.first().copied(), one.to.first().copied());
        let (peer, fact) = match (from, names(&one.to)) {
            (Some(from), Some(to)) => {
                (first_to, Fact::new(Code::RouteMoved, format!("{what} moved from {from} to {to}")))
            }
            (None, Some(to)) => (
                first_to,
                Fact::new(Code::RouteUp, format!("{what} {plural} reached through {to}")),
            ),
            (Some(from), None) => {
                let text = format!(
                    "{what} {plural} not reached any more; no tunnel takes over from {from}"
                );
                (first_from, Fact::new(Code::RouteLost, text))
            }
            (None, None) => return,
        };
        match peer.filter(|peer| self.tunnels.get(peer).is_some()) {
            Some(peer) => self.about(peer, |tunnel, _| tunnel.note(fact, now)),
            None => self.warn_of(fact, now),
        }
    }

    /// Takes down that the host refuses something, unless that was told often lately.
    pub(super) fn tell_refusal(&mut self, wish: &Wish, now: Timestamp) {
        let Some(refusal) = self.world.refusal(wish) else { return };
        let text = format!("the host refuses the {wish}: {}", refusal.why);
        if let Some(text) = self.refusals.ask(now).complete(text) {
            self.take_note(Code::HostRefuses, text, now);
        }
    }

    /// The host's devices have changed: silence of peers that are reached through one that is down
    /// is no fault of theirs.
    pub(super) fn note_links(&mut self, before: &BTreeSet<IpAddr>, now: Timestamp) {
        let dead = self.host.dead_addresses();
        if dead == *before {
            return;
        }
        for name in self.host.dead_devices().map(str::to_owned).collect::<Vec<_>>() {
            let is_news = self.host.addresses_of(&name).any(|address| !before.contains(&address));
            if is_news && self.host.addresses_of(&name).any(|one| self.sockets.contains(&one)) {
                self.warn_of(Fact::of_dead_link(&name), now);
            }
        }
        for (peer, local) in &self.local_addresses {
            let Some(tunnel) = self.tunnels.get_mut(peer) else { continue };
            let device = self.host.dead_device_of(*local);
            tunnel.own_fault = device.map(|name| Arc::new(Fact::of_dead_link(name)));
        }
    }
}

/// Some prefixes by name, and how many more there are.
fn named(examples: &[Prefix], count: usize) -> String {
    let words: Vec<String> = examples.iter().take(3).map(ToString::to_string).collect();
    match (words.as_slice(), count.saturating_sub(words.len())) {
        ([], more) => format!("{more} prefixes"),
        ([one], 0) => one.clone(),
        ([all @ .., last], 0) => format!("{} and {last}", all.join(", ")),
        (some, 1) => format!("{} and 1 more prefix", some.join(", ")),
        (some, more) => format!("{} and {more} more prefixes", some.join(", ")),
    }
}
