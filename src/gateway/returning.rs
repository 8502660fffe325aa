//! A network of hosts whose interface has come back is believed to carry packets once it has carried one.
//!
//! A carrier is there before packets get through: the switch may not have begun to forward, and a question
//! about a host's Ethernet address that is lost then is asked again only after a second (RFC 4861 §10).
//! Peers that were told of our prefixes at once would send to nobody meanwhile. Until they are, other gateways
//! of the region serve the hosts as they did while the interface was down.

use super::vpc::Vpc;
use super::{Gateway, Why};
use crate::net::VpcId;
use crate::time::Timestamp;
use std::time::Duration;

/// So long at most the first frame is waited for: by then a question has been asked twice.
const PATIENCE: Duration = Duration::from_millis(1500);

impl Vpc {
    /// The interface towards hosts has come back, or is gone. A network is in doubt only where frames are
    /// listened for: a virtual router stands there, so that another gateway may serve the hosts meanwhile.
    pub(super) fn doubt_network(&mut self, up: bool, listens: bool, now: Timestamp) {
        self.in_doubt_until = match up {
            true if listens && !self.link_is_up => Some(now + PATIENCE),
            true => self.in_doubt_until,
            false => None,
        };
    }

    /// Something has come in from the network, or nobody waits for it any longer; says whether that was news.
    fn trust_network(&mut self, now: Timestamp) -> bool {
        let was_in_doubt = self.in_doubt_until.take().is_some();
        if was_in_doubt {
            self.announce(now);
        }
        was_in_doubt
    }
}

impl Gateway {
    /// A frame has come in by an interface.
    pub(super) fn on_frame(&mut self, vpc: VpcId, interface: &str, now: Timestamp) {
        let config = self.config.vpcs.get(&vpc);
        if config.is_some_and(|config| config.interface.as_deref() == Some(interface)) {
            self.trust_network_of(vpc, now);
        }
    }

    /// From now on the hosts of a VPC are taken to be reached by its interface, while it is up.
    pub(super) fn trust_network_of(&mut self, id: VpcId, now: Timestamp) {
        let Some(vpc) = self.vpcs.get_mut(&id) else { return };
        if vpc.trust_network(now) {
            self.timers.arm(Why::Network(id), None);
            self.follow_network(id, true);
            self.settle(now);
        }
    }

    /// An interface towards hosts has changed; peers with static routes learn by BFD where it leads to hosts
    /// again, or not any more.
    pub(super) fn follow_network(&mut self, vpc: VpcId, leads_elsewhere: bool) {
        self.dirty.vpcs.insert(vpc);
        if leads_elsewhere {
            self.dirty.tunnels.extend(self.config.peers_of(vpc).map(|(peer, _)| peer));
        }
    }
}
