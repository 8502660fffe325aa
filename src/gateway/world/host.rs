//! What the host is like: its devices with their addresses, and from which address it reaches
//! each peer. From this follow the addresses to listen on and the devices of the underlay.

use super::foreign::ForeignRule;
use crate::config::{Config, Outline, PeerConfig};
use crate::net::{PeerId, Prefix};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The network namespaces of the daemon and of its VPCs, as the shell found them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// Its devices by name.
    pub devices: BTreeMap<String, Device>,
    /// The devices in other network namespaces, those in which VPCs live.
    pub elsewhere: BTreeMap<String, BTreeMap<String, Device>>,
    /// The policy rules of somebody else's, by network namespace; `None` is the daemon's.
    pub rules: BTreeMap<Option<String>, BTreeSet<ForeignRule>>,
    /// The address from which the host would send to each of [`Questions::remotes`]; those without a
    /// route are left out.
    pub sources: BTreeMap<IpAddr, IpAddr>,
}

/// A device of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Its addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// The networks that it is connected to.
    pub networks: BTreeSet<Prefix>,
    /// Whether a default route of the host leads out of it.
    pub is_default: bool,
    /// The other routes of the main table out of it, those that have to do with
    /// [`Questions::homes`].
    pub routes: BTreeSet<Prefix>,
    /// Where the kernel takes packets for itself: its addresses on the device, with the broadcast and
    /// anycast addresses that come with them.
    pub local: BTreeSet<Prefix>,
    /// Whether it cannot carry packets: it is down, or has no carrier.
    pub is_down: bool,
}

/// What the gateway wants to know about its host's routes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Questions {
    /// The remote addresses for which the choice of our own is left to the routing table: where we
    /// listen on one address of a family only, there is none.
    pub remotes: BTreeSet<IpAddr>,
    /// The prefixes of the VPCs: by which devices the host reaches them.
    pub homes: BTreeSet<Prefix>,
}

impl Device {
    /// Whether it has an address by which other hosts can reach it.
    pub(super) fn is_among_hosts(&self) -> bool {
        self.addresses.iter().any(is_of_hosts)
    }
}

impl Questions {
    /// What an outline asks: it knows nothing of peers.
    pub fn of(outline: &Outline) -> Questions {
        let homes = outline.vpcs.values().flat_map(|vpc| &vpc.prefixes).copied().collect();
        Questions { remotes: BTreeSet::new(), homes }
    }
}

impl Host {
    /// The devices of a network namespace; none are known of one that was not looked at.
    pub fn devices_in(&self, namespace: Option<&str>) -> Option<&BTreeMap<String, Device>> {
        match namespace {
            None => Some(&self.devices),
            Some(name) => self.elsewhere.get(name),
        }
    }

    /// Takes over what the devices of a namespace are now; says whether that is news.
    pub fn update(&mut self, namespace: Option<String>, devices: BTreeMap<String, Device>) -> bool {
        if self.devices_in(namespace.as_deref()) == Some(&devices) {
            return false;
        }
        match namespace {
            None => self.devices = devices,
            Some(name) => drop(self.elsewhere.insert(name, devices)),
        }
        true
    }

    /// What a configuration asks about the host's routes.
    pub fn questions(config: &Config) -> Questions {
        let listen = &config.gateway.listen;
        let [ipv4, ipv6] = [true, false].map(|ipv4| {
            let mut fitting = listen.iter().filter(|address| address.is_ipv4() == ipv4);
            fitting.next().is_some_and(IpAddr::is_unspecified) || fitting.next().is_some()
        });
        let asks = |remote: &IpAddr| if remote.is_ipv4() { ipv4 } else { ipv6 };
        let open = config.peers.values().filter(|peer| peer.local_address.is_none());
        let remotes = open.flat_map(PeerConfig::places).filter(asks).collect();
        Questions { remotes, ..Questions::of(&Outline::of(config)) }
    }

    /// Our address for every peer for which one can be told.
    pub fn local_addresses(&self, config: &Config) -> BTreeMap<PeerId, IpAddr> {
        let of_peer = |peer| self.local_address(config, peer);
        config.peers.iter().filter_map(|(id, peer)| Some((*id, of_peer(peer)?))).collect()
    }

    /// Our address for a peer, if it can be told: NAT detection must know the address that the peer
    /// sees (RFC 7296 §2.23). Where none is written it is the one that the routing table names, if we
    /// listen there.
    pub fn local_address(&self, config: &Config, peer: &PeerConfig) -> Option<IpAddr> {
        let named = || self.local_towards(config, peer, peer.remote_address?);
        peer.local_address.or_else(named)
    }

    /// The same towards one of the addresses of a peer that has several.
    pub(in crate::gateway) fn local_towards(
        &self,
        config: &Config,
        peer: &PeerConfig,
        remote: IpAddr,
    ) -> Option<IpAddr> {
        let heard = |address: &IpAddr| {
            let listen = &config.gateway.listen;
            listen.contains(address)
                || listen.iter().any(|on| on.is_unspecified() && on.is_ipv4() == address.is_ipv4())
        };
        let named = || self.sources.get(&remote).copied().filter(heard);
        peer.local_address.or_else(named)
    }

    /// The addresses to open sockets on, so that an answer leaves from where it was asked for (RFC
    /// 7296 §2.11): those that are configured, and for an unspecified one all of its family that
    /// the host has. Those of devices towards a VPC's hosts are not among them, unless a peer is
    /// reached from there, nor those of our own devices.
    pub fn sockets(&self, config: &Config) -> BTreeSet<IpAddr> {
        let listen = &config.gateway.listen;
        let written = listen.iter().copied().filter(|address| !address.is_unspecified());
        let anywhere = |address: &IpAddr| {
            listen.iter().any(|on| on.is_unspecified() && on.is_ipv4() == address.is_ipv4())
        };
        let of_host = self.towards_peers(config).filter(|address| anywhere(address));
        written.chain(of_host).collect()
    }

    fn towards_peers(&self, config: &Config) -> impl Iterator<Item = IpAddr> {
        let chosen = config.peers.values().flat_map(|peer| {
            let named = peer.places().filter_map(|to| self.local_towards(config, peer, to));
            peer.local_address.into_iter().chain(named)
        });
        let chosen: BTreeSet<IpAddr> = chosen.collect();
        let is_inner = |name: &String| {
            let here = || config.vpcs.values().filter(|vpc| vpc.netns.is_none());
            here().any(|vpc| vpc.tun == *name || vpc.interface.as_ref() == Some(name))
        };
        let serves = move |(name, device): &(&String, &Device)| {
            !is_inner(name) || device.addresses.iter().any(|address| chosen.contains(address))
        };
        let addresses =
            self.devices.iter().filter(serves).flat_map(|(_, device)| &device.addresses);
        addresses.copied().filter(is_of_hosts)
    }

    /// All addresses of the host.
    pub fn addresses(&self) -> BTreeSet<IpAddr> {
        self.devices.values().flat_map(|device| &device.addresses).copied().collect()
    }

    /// Takes over from which addresses the host reaches peers now. While it has no way to one, what
    /// held before is as good a guess as any.
    pub fn learn_sources(&mut self, mut sources: BTreeMap<IpAddr, IpAddr>) {
        for (remote, source) in std::mem::take(&mut self.sources) {
            sources.entry(remote).or_insert(source);
        }
        self.sources = sources;
    }

    /// The addresses of the underlay, sorted: those that are configured. An unspecified one gives
    /// way to those that the routing table names; it stays where a peer may come from anywhere, or
    /// has no route yet.
    pub fn listening(&self, config: &Config) -> Vec<IpAddr> {
        let mut listening = BTreeSet::new();
        for &address in &config.gateway.listen {
            let chosen = address.is_unspecified().then(|| self.choose(config, address)).flatten();
            match chosen {
                Some(chosen) => listening.extend(chosen),
                None => drop(listening.insert(address)),
            }
        }
        listening.into_iter().collect()
    }

    /// Our addresses for the peers of one family; `None` unless each peer has one.
    fn choose(&self, config: &Config, unspecified: IpAddr) -> Option<BTreeSet<IpAddr>> {
        let of_family = |address: &IpAddr| address.is_ipv4() == unspecified.is_ipv4();
        let mut chosen = BTreeSet::new();
        for peer in config.peers.values() {
            if peer.remote_address.is_some() && !peer.places().any(|place| of_family(&place)) {
                continue;
            }
            let named = || peer.places().filter_map(|place| self.sources.get(&place)).copied();
            let ours: BTreeSet<IpAddr> = match peer.local_address {
                Some(address) => BTreeSet::from([address]),
                None => named().filter(of_family).collect(),
            };
            if ours.is_empty() {
                return None;
            }
            chosen.extend(ours);
        }
        Some(chosen)
    }

    /// The devices that cannot carry packets.
    pub(in crate::gateway) fn dead_devices(&self) -> impl Iterator<Item = &str> {
        let dead = self.devices.iter().filter(|(_, device)| device.is_down);
        dead.map(|(name, _)| name.as_str())
    }

    /// The addresses on devices that cannot carry packets.
    pub(in crate::gateway) fn dead_addresses(&self) -> BTreeSet<IpAddr> {
        let dead = self.devices.values().filter(|device| device.is_down);
        dead.flat_map(|device| &device.addresses).copied().collect()
    }

    /// The addresses of a device.
    pub(in crate::gateway) fn addresses_of(&self, name: &str) -> impl Iterator<Item = IpAddr> {
        self.devices.get(name).into_iter().flat_map(|device| &device.addresses).copied()
    }

    /// The device that bears an address and cannot carry packets.
    pub(in crate::gateway) fn dead_device_of(&self, address: IpAddr) -> Option<&str> {
        let dead = self.devices.iter().filter(|(_, device)| device.is_down);
        let mut bearing = dead.filter(|(_, device)| device.addresses.contains(&address));
        bearing.next().map(|(name, _)| name.as_str())
    }

    /// Whether some device bears each of `addresses` that is one.
    pub(in crate::gateway) fn bears(&self, addresses: &[IpAddr]) -> bool {
        let has = |address| self.devices.values().any(|device| device.addresses.contains(address));
        addresses.iter().filter(|address| !address.is_unspecified()).all(has)
    }

    /// The devices that bear one of `addresses`.
    pub(in crate::gateway) fn bearing(
        &self,
        addresses: &[IpAddr],
    ) -> impl Iterator<Item = (&str, &Device)> {
        let bears = |device: &Device| addresses.iter().any(|one| device.addresses.contains(one));
        let bearing = self.devices.iter().filter(move |(_, device)| bears(device));
        bearing.map(|(name, device)| (name.as_str(), device))
    }
}

/// Whether other hosts can be reached from this address: not from that of a loopback device or of a
/// link.
fn is_of_hosts(address: &IpAddr) -> bool {
    let of_link = match address {
        IpAddr::V4(four) => four.is_link_local(),
        IpAddr::V6(six) => six.is_unicast_link_local(),
    };
    !address.is_loopback() && !of_link
}
