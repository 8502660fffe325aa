//! When the gateway wants to be woken, why, and what it does then.

use super::Gateway;
use crate::moment::Moment;
use crate::net::{PeerId, RemoteId, VpcId};
use crate::time::{Timestamp, soonest};

/// Why the gateway wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// A timer of the IKE engine.
    Ike,
    /// A timer of a VPC's router.
    Router(VpcId),
    /// A timer of a virtual router.
    Vrrp,
    /// Time to ask the host again for what it refused.
    World,
    /// Time to look at the counters of some SAs.
    Inspection,
    /// The grace period of a deleted SA ends.
    Drain(PeerId),
    /// A path that was lost has proved itself for long enough.
    Path(PeerId),
    /// Time to ask whether packets pass.
    Probe(PeerId),
    /// Time to ask the host behind a peer whether it answers.
    Beyond(PeerId),
    /// Nothing has come in yet by an interface towards hosts that has come back.
    Network(VpcId),
    /// The host's addresses or its ways to peers have changed: time to follow.
    Underlay,
    /// Time to probe the path to a remote gateway.
    Way(RemoteId),
    /// Time to look up where a remote gateway is, or to look for it elsewhere.
    Place(RemoteId),
    /// Time to ask how the ways to a remote gateway fare.
    Survey(RemoteId),
    /// Time to see whether certificates run out.
    Papers,
    /// Time to see whether a drained gateway carries anything.
    Quiet,
    /// Time to see whether a peer that is disabled has gone elsewhere.
    Close(PeerId),
}

impl Gateway {
    /// When [`Gateway::handle_timeout`] is due, and why.
    pub fn poll_timeout(&self) -> Option<(Timestamp, Why)> {
        let ike = self.ike.poll_timeout().map(|(at, _)| (at, Why::Ike));
        let vrrp = self.redundancy.poll_timeout().map(|at| (at, Why::Vrrp));
        let world = self.world.poll_timeout().map(|at| (at, Why::World));
        let busy = self.busy.front().and_then(|id| Some((self.vpcs.get(id)?, *id)));
        let busy = busy.and_then(|(vpc, id)| Some((vpc.router.poll_timeout()?.0, Why::Router(id))));
        soonest([ike, vrrp, world, busy, self.timers.next()])
    }

    pub(super) fn wake(&mut self, why: Why, at: &mut Moment<'_>) {
        match why {
            Why::Router(id) => {
                self.dirty.vpcs.insert(id);
                if let Some(vpc) = self.vpcs.get_mut(&id) {
                    vpc.router.handle_timeout(at.now);
                }
            }
            Why::Inspection => self.inspect(at),
            Why::Drain(peer) => {
                self.dirty.tunnels.insert(peer);
                if let Some(tunnel) = self.tunnels.get_mut(&peer) {
                    tunnel.sas.handle_timeout(at.now);
                }
            }
            Why::Path(peer) => {
                self.dirty.tunnels.insert(peer);
                if let Some(tunnel) = self.tunnels.get_mut(&peer) {
                    tunnel.path.handle_timeout(at.now);
                }
            }
            Why::Probe(peer) => self.probe(peer, at.now),
            Why::Beyond(peer) => self.ask_beyond(peer, at.now),
            Why::Network(vpc) => self.trust_network_of(vpc, at.now),
            Why::Underlay => self.follow_host(at),
            Why::Way(remote) => self.wake_way(remote, at),
            Why::Place(remote) => self.wake_place(remote, at),
            Why::Survey(remote) => self.wake_survey(remote, at),
            Why::Papers => self.look_at_papers(at),
            Why::Quiet => self.look_whether_quiet(at.now),
            Why::Close(peer) => self.close_when_left(peer, at),
            // These keep queues of their own.
            Why::Ike | Why::Vrrp | Why::World => {}
        }
    }
}
