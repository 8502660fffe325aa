//! Nodes with more than one address on the underlay, and what becomes of datagrams from and to each.

use super::super::weather::Weather;
use crate::config::Config;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// One address of a node.
#[derive(Debug, Default)]
struct Uplink {
    /// The node that is there, beside its first address.
    node: Option<usize>,
    /// `None` is that of the whole network.
    weather: Option<Weather>,
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

    /// How datagrams between two addresses fare where others fare as `usual`; `None` when they do not pass.
    pub(super) fn weather(&self, ends: [IpAddr; 2], usual: Weather) -> Option<Weather> {
        let known = || ends.iter().filter_map(|end| self.0.get(end));
        let other = known().find_map(|uplink| uplink.weather);
        (!known().any(|uplink| uplink.is_cut)).then_some(other.unwrap_or(usual))
    }
}

impl super::Network {
    /// A node has one more address from now on.
    pub(in crate::testing) fn add_address(&mut self, node: usize, address: IpAddr) {
        self.uplinks.0.entry(address).or_default().node = Some(node);
    }

    /// Datagrams from and to an address fare like this from now on.
    pub(in crate::testing) fn set_weather_at(&mut self, address: IpAddr, weather: Weather) {
        self.uplinks.0.entry(address).or_default().weather = Some(weather);
    }

    /// A node has this configuration from its next start on.
    pub(in crate::testing) fn set_config(&mut self, node: usize, config: Config) {
        self.deployment.configs[node] = config;
    }

    /// No datagram passes from or to an address any more, or they do again.
    pub(in crate::testing) fn cut_address(&mut self, address: IpAddr, is_cut: bool) {
        self.uplinks.0.entry(address).or_default().is_cut = is_cut;
    }
}
