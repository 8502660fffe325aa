//! What the operator wants: another configuration, a fresh SA, a tunnel begun anew.

use super::reconfigure::{self, NeedsRestart, Reloaded, Step};
use super::vpc::{neighbor, sources};
use super::{Gateway, Health, Why, connection};
use crate::config::{Config, VpcConfig};
use crate::control::{Code, FailureKind, Reply, SaKind};
use crate::forward::Shaper;
use crate::moment::Moment;
use crate::net::{PeerId, VpcId};
use crate::time::Timestamp;
use std::sync::Arc;
use tracing::info;

impl Gateway {
    /// Goes over to another configuration by the fewest steps; tunnels whose part of it did not
    /// change do not notice. Returns what it touched.
    ///
    /// # Errors
    ///
    /// When the change takes a restart; then nothing has changed.
    pub fn reconfigure(
        &mut self,
        config: Config,
        at: &mut Moment<'_>,
    ) -> Result<Reloaded, NeedsRestart> {
        let reloaded = self.go_over(config, at)?;
        self.kept_papers.clear();
        self.take_note(Code::Reloaded, format!("reloaded; {reloaded}"), at.now);
        self.settle(at.now);
        Ok(reloaded)
    }

    /// Takes the steps to another configuration; settling is left to the caller.
    pub(super) fn go_over(
        &mut self,
        config: Config,
        at: &mut Moment<'_>,
    ) -> Result<Reloaded, NeedsRestart> {
        let config = self.placed(config);
        let steps = reconfigure::plan(&self.config, &config)?;
        let reloaded = Reloaded::by(&steps, &self.config, &config);
        self.listening = self.host.listening(&config);
        let local_addresses = connection::local_addresses(&config, &self.host);
        let local_addresses = std::mem::replace(&mut self.local_addresses, local_addresses);
        let old = std::mem::replace(&mut self.config, config);
        self.ike.set_fragmentation(self.config.gateway.ike_fragmentation);
        self.ike.set_crash_detection(self.config.gateway.crash_detection);
        if old.gateway.path_mtu_discovery != self.config.gateway.path_mtu_discovery {
            self.reset_ways(at.now);
        }
        let listening = self.bgp_listeners();
        for &step in &steps {
            info!(?step, "reload");
            self.take_step(step, &old, at);
        }
        self.follow_places(at.now);
        self.renew_papers(at);
        self.rename_tunnels(&old);
        self.refresh_vpcs(at.now);
        self.relisten(&listening);
        self.follow_sockets(&local_addresses, at);
        self.reserve_underlay(at.now);
        self.reconcile_world(at.now);
        self.follow_addresses();
        self.dirty.vpcs.extend(self.vpcs.keys());
        Ok(reloaded)
    }

    /// Does something about the peer of a name, and settles.
    pub(super) fn act_on_peer(
        &mut self,
        name: &str,
        now: Timestamp,
        act: impl FnOnce(&mut Gateway, PeerId) -> Reply,
    ) -> Reply {
        let reply = match self.names.get(name).copied() {
            Some(peer) => act(self, peer),
            None => self.no_such_peer(name),
        };
        self.settle(now);
        reply
    }

    /// Starts the tunnel to a peer.
    pub(super) fn initiate(&mut self, peer: PeerId, at: &mut Moment<'_>) -> Reply {
        if self.planned.is_disabled(peer) {
            let why = "the peer is disabled here: `vpnctl enable` ends that";
            return Reply::failed(FailureKind::NotNow, why);
        }
        let config = self.config.peers.get(&peer);
        if let Some(config) = config.filter(|peer| peer.remote_address.is_none()) {
            let why = match &config.remote_name {
                Some(name) => format!("{name} is not resolved yet: vpnctl peers {}", config.name),
                None => {
                    "the peer's address is not configured: only the peer can initiate".to_owned()
                }
            };
            return Reply::failed(FailureKind::NotNow, why);
        }
        if let Some(remote) = config.map(|peer| peer.remote) {
            if self.closed.remove(&peer) {
                self.connect(remote, at);
            }
            self.ike.initiate(connection::id(remote), at);
        }
        Reply::done(match self.health(peer) {
            Health::Usable | Health::Poor | Health::Held | Health::Silent | Health::Leaving => {
                "the tunnel is up"
            }
            Health::Unreachable => "the tunnel has SAs, but packets do not pass",
            Health::Down => "the tunnel is being brought up",
        })
    }

    /// Replaces SAs of a peer.
    pub(super) fn rekey(&mut self, peer: PeerId, sa: SaKind, at: &mut Moment<'_>) -> Reply {
        if self.health(peer) == Health::Down {
            return Reply::failed(FailureKind::NotNow, "there is no SA to rekey");
        }
        let Some(config) = self.config.peers.get(&peer) else {
            return Reply::failed(FailureKind::NotNow, "there is no SA to rekey");
        };
        let connection = connection::id(config.remote);
        match sa {
            SaKind::Ike => self.ike.rekey_ike(connection, at),
            SaKind::Child => self.ike.rekey_child(connection, connection::slot(peer), at),
        }
        Reply::done("the rekeying has begun")
    }

    /// Closes the tunnel to a peer. Others over the same IKE SA go on, and when there are none, it
    /// is closed too.
    pub(super) fn terminate(&mut self, peer: PeerId, at: &mut Moment<'_>) -> Reply {
        let Some(config) = self.config.peers.get(&peer) else {
            return Reply::failed(FailureKind::NotNow, "there is no tunnel to close");
        };
        let remote = config.remote;
        self.closed.insert(peer);
        let sharing = self.remotes.get(&remote).cloned().unwrap_or_default();
        let gone = |peer: &PeerId| self.closed.contains(peer) || self.planned.is_cut_off(*peer);
        if !sharing.iter().all(gone) {
            self.connect(remote, at);
            return Reply::done(
                "the tunnel is closed, until it is initiated here; others over its IKE SA go on",
            );
        }
        self.ike.terminate(connection::id(remote), at);
        self.closed.retain(|closed| !sharing.contains(closed));
        self.connect(remote, at);
        Reply::done("the tunnel is closed, until it is initiated by either side")
    }

    fn take_step(&mut self, step: Step, old: &Config, at: &mut Moment<'_>) {
        match step {
            Step::RemovePeer(peer) => self.remove_peer(peer, old, at),
            Step::AddPeer(peer) => self.add_peer(peer, at),
            Step::RestartPeer(peer) => {
                self.remove_peer(peer, old, at);
                self.add_peer(peer, at);
            }
            Step::RenewPeer(peer) | Step::RetimePeer(peer) | Step::RelocatePeer(peer) => {
                self.retime_peer(peer, at);
            }
            Step::RerouteNeighbor(peer) => {
                self.reroute_neighbor(peer, old, at.now);
                self.retime_peer(peer, at);
            }
            // The prefixes of every VPC are taken over after the steps.
            Step::Reannounce(vpc) => self.retime_peers_of(vpc, at),
            // Its device is a wish; what fits into its tunnels changes.
            Step::Resize(vpc) => {
                self.dirty.tunnels.extend(self.config.peers_of(vpc).map(|(peer, _)| peer));
            }
            // Their wishes, what the host's addresses are, and who shares what, are taken over after the
            // steps.
            Step::Rewire(_) | Step::Offer(_) | Step::Share(_) => {}
            Step::AddVpc(id) => self.add_vpc(id, at),
            Step::RemoveVpc(id) => self.remove_vpc(id, old, at.now),
            Step::ReplaceVirtualRouters(vpc) => self.replace_virtual_routers(vpc, old, at.now),
        }
    }

    /// A tunnel is called otherwise when its peer lists its VPCs, or does not any more.
    fn rename_tunnels(&mut self, old: &Config) {
        let before = |id: &PeerId| old.peers.get(id).map(|peer| &peer.name);
        let renamed: Vec<(PeerId, &String, &String)> = self
            .config
            .peers
            .iter()
            .filter_map(|(id, peer)| Some((*id, before(id)?, &peer.name)))
            .filter(|(_, before, after)| before != after)
            .collect();
        for (_, before, _) in &renamed {
            self.names.remove(*before);
        }
        for (id, _, after) in renamed {
            self.names.insert(after.clone(), id);
            if let Some(tunnel) = self.tunnels.get_mut(&id) {
                tunnel.name.clone_from(after);
            }
        }
    }

    fn remove_peer(&mut self, peer: PeerId, old: &Config, at: &mut Moment<'_>) {
        let Some(config) = old.peers.get(&peer) else { return };
        self.names.remove(&config.name);
        self.closed.remove(&peer);
        if !self.config.peers.contains_key(&peer) {
            self.planned.on_removed(peer, &config.name);
        }
        self.unsent.forget(peer);
        if let Some(sharing) = self.remotes.get_mut(&config.remote) {
            sharing.remove(&peer);
        }
        self.connect(config.remote, at);
        if let Some(vpc) = self.vpcs.get_mut(&config.vpc) {
            if let Some(tunnel) = self.tunnels.remove(&peer) {
                vpc.on_tunnel(peer, tunnel.told, Health::Down, at.now);
            }
            vpc.remove_neighbor(peer, config, at.now);
            vpc.routes.mark(peer);
        }
        self.dirty.tunnels.insert(peer);
    }

    /// Its peers are gone: what the router still wants of their connections is passed on.
    fn remove_vpc(&mut self, id: VpcId, old: &Config, now: Timestamp) {
        if let Some(config) = old.vpcs.get(&id) {
            let without = VpcConfig { vrrp: Vec::new(), interface: None, ..config.clone() };
            self.redundancy.configure(id, &without, now);
        }
        while let Some(action) = self.vpcs.get_mut(&id).and_then(|vpc| vpc.router.poll_action()) {
            self.on_routing_action(id, action, now);
        }
        self.vpcs.remove(&id);
        self.dirty.vpcs.insert(id);
        self.timers.arm(Why::Router(id), None);
        self.busy.retain(|busy| *busy != id);
        self.publisher.mark_vpc(id);
    }

    /// The prefixes of a VPC are taken over after the steps; what its tunnels are for changes now.
    fn retime_peers_of(&mut self, vpc: VpcId, at: &mut Moment<'_>) {
        let peers: Vec<PeerId> = self.config.peers_of(vpc).map(|(peer, _)| peer).collect();
        peers.into_iter().for_each(|peer| self.retime_peer(peer, at));
    }

    fn retime_peer(&mut self, peer: PeerId, at: &mut Moment<'_>) {
        self.dirty.tunnels.insert(peer);
        if let Some(config) = self.config.peers.get(&peer) {
            if let Some(tunnel) = self.tunnels.get_mut(&peer) {
                tunnel.shaper = Shaper::of(tunnel.shaper.take(), config.rate_limit, at.random);
            }
            self.connect(config.remote, at);
        }
    }

    fn reroute_neighbor(&mut self, peer: PeerId, old: &Config, now: Timestamp) {
        if let (Some(before), Some(config)) = (old.peers.get(&peer), self.config.peers.get(&peer))
            && let Some(vpc) = self.vpcs.get_mut(&config.vpc)
        {
            vpc.update_neighbor(peer, before, config, now);
            self.dirty.tunnels.insert(peer);
            if let Some(tunnel) = self.tunnels.get_mut(&peer) {
                tunnel.sources = Arc::new(sources(config));
                tunnel.set_maps(&config.maps);
                tunnel.neighbor = neighbor(config);
            }
        }
    }

    fn replace_virtual_routers(&mut self, id: VpcId, old: &Config, now: Timestamp) {
        let Some(config) = self.config.vpcs.get(&id) else { return };
        self.redundancy.configure(id, config, now);
        let other_interface =
            old.vpcs.get(&id).is_some_and(|vpc| vpc.interface != config.interface);
        if let Some(vpc) = self.vpcs.get_mut(&id).filter(|_| other_interface) {
            vpc.forget_link(now);
            self.dirty.tunnels.extend(self.config.peers_of(id).map(|(peer, _)| peer));
        }
    }

    /// Own prefixes, inside addresses and permitted destinations follow from the whole file. The
    /// tunnels of a VPC for which they change are published anew.
    fn refresh_vpcs(&mut self, now: Timestamp) {
        for (id, vpc) in &mut self.vpcs {
            if vpc.configure(&self.config, now) {
                self.publisher.mark_vpc(*id);
                self.dirty.tunnels.extend(self.config.peers_of(*id).map(|(peer, _)| peer));
            }
        }
    }
}
