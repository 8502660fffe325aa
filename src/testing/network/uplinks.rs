//! Nodes with more than one address on the underlay, and which of them are cut off.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// One address of a node.
#[derive(Debug, Default)]
struct Uplink {
    /// The node that is there, beside its first address.
    node: Option<usize>,
    is_cut: bool,
}

/// Those that are not like all others.
#[derive(Debug, Default)]
pub(super) struct Uplinks(BTreeMap<IpAddr, Uplink>);

impl Uplinks {
    /// The node that has this address beside its first.
    pub(super) fn node_at(&self, address: IpAddr) -> Option<usize> {
        self.0.get(&address)?.node
    }

    /// Whether datagrams between two addresses do not pass.
    pub(super) fn is_cut_between(&self, ends: [IpAddr; 2]) -> bool {
        ends.iter().filter_map(|end| self.0.get(end)).any(|uplink| uplink.is_cut)
    }
}

impl super::Network {
    /// A node has one more address from now on.
    pub(in crate::testing) fn add_address(&mut self, node: usize, address: IpAddr) {
        self.uplinks.0.entry(address).or_default().node = Some(node);
    }

    /// No datagram passes from or to an address any more, or they do again.
    pub(in crate::testing) fn cut_address(&mut self, address: IpAddr, is_cut: bool) {
        self.uplinks.0.entry(address).or_default().is_cut = is_cut;
    }
}
