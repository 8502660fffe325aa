//! What the name of a peer means: which of the addresses that it resolves to can be the peer's, and in
//! which order they are tried. The same holds of them as of an address that is written in the file.

use super::place::MAX_ADDRESSES;
use super::{Config, PeerConfig};
use crate::net::{HostName, Prefix, RemoteId};
use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// What a name means now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// Where the peer may be, in the order of trying: families in turn, IPv6 first (RFC 8305 §4);
    /// those of other peers last.
    pub usable: Vec<IpAddr>,
    /// The first of the addresses at which it cannot be, with why.
    pub unfit: Vec<(IpAddr, Unfit)>,
    /// Usable addresses at which another peer is configured to be, with its name.
    pub shared: Vec<(IpAddr, String)>,
    /// How many addresses are left out because there are too many.
    pub left_out: usize,
}

/// Why a peer cannot be at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Unspecified, multicast, broadcast, IPv4-mapped, or of an IPv6 link.
    NotOneHost,
    /// Loopback, an address that this gateway listens on, or another of this host.
    Own,
    /// This gateway listens on no address of its family.
    Family,
    /// Packets to it would go into a tunnel.
    Inside {
        /// To whom.
        peer: String,
        /// What is accepted from there.
        prefix: Prefix,
    },
    /// What comes for it is translated for hosts of a VPC.
    Public,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::NotOneHost => f.write_str("is not the address of one host"),
            Unfit::Own => f.write_str("is this host itself"),
            Unfit::Family => f.write_str("is of a family of which this gateway has no address"),
            Unfit::Inside { peer, prefix } => {
                write!(f, "is inside {prefix}, which is accepted from peer {peer}")
            }
            Unfit::Public => f.write_str("is a public address of hosts behind this gateway"),
        }
    }
}

impl Meaning {
    /// What the name of a remote gateway means that resolves to `found`, on a host with the addresses
    /// `own`.
    pub fn of(
        found: &BTreeSet<IpAddr>,
        remote: RemoteId,
        config: &Config,
        own: &BTreeSet<IpAddr>,
    ) -> Meaning {
        let mut meaning = Meaning::default();
        let mut usable = Vec::new();
        for &address in found {
            match unfit(address, remote, config, own) {
                None => usable.push(address),
                Some(_) if meaning.unfit.len() == MAX_ADDRESSES => meaning.left_out += 1,
                Some(why) => meaning.unfit.push((address, why)),
            }
        }
        let of_another = |address: &IpAddr| {
            config
                .peers
                .values()
                .find(|peer| peer.remote != remote && peer.places().any(|place| place == *address))
                .map(|peer| (*address, peer.gateway.clone()))
        };
        let shared: Vec<(IpAddr, String)> = usable.iter().filter_map(of_another).collect();
        let is_shared = |address: &IpAddr| shared.iter().any(|(other, _)| other == address);
        let (last, first) = usable.into_iter().partition(is_shared);
        let mut usable = families_in_turn(first);
        usable.extend(families_in_turn(last));
        meaning.left_out += usable.len().saturating_sub(MAX_ADDRESSES);
        usable.truncate(MAX_ADDRESSES);
        meaning.shared = shared.into_iter().filter(|(one, _)| usable.contains(one)).collect();
        Meaning { usable, ..meaning }
    }

    /// Where the peer may be, in no order.
    pub fn addresses(&self) -> BTreeSet<IpAddr> {
        self.usable.iter().copied().collect()
    }

    /// What of it an operator should look at, in a sentence for each.
    pub fn complaints(&self, name: &HostName) -> Vec<String> {
        let unfit = self.unfit.iter().map(|(address, why)| format!("{name}: {address} {why}"));
        let shared = self.shared.iter().map(|(address, peer)| {
            format!("{name}: {address} is where peer {peer} is configured to be")
        });
        let left_out = (self.left_out > 0).then(|| {
            let count = self.left_out;
            format!("{name} has too many addresses: {count} of them are left out")
        });
        unfit.chain(shared).chain(left_out).collect()
    }
}

/// IPv6 and IPv4 in turn, each in order.
fn families_in_turn(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let (four, six): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv4);
    let [mut four, mut six] = [four, six].map(Vec::into_iter);
    let mut ordered = Vec::new();
    loop {
        let next = [six.next(), four.next()];
        if next == [None, None] {
            return ordered;
        }
        ordered.extend(next.into_iter().flatten());
    }
}

fn unfit(
    address: IpAddr,
    remote: RemoteId,
    config: &Config,
    own: &BTreeSet<IpAddr>,
) -> Option<Unfit> {
    if !is_one_host(address) {
        return Some(Unfit::NotOneHost);
    }
    if address.is_loopback() || own.contains(&address) || config.gateway.listen.contains(&address) {
        return Some(Unfit::Own);
    }
    let same_family = |ours: &IpAddr| ours.is_ipv4() == address.is_ipv4();
    let peer = config.peers.values().find(|peer| peer.remote == remote);
    let local = peer.and_then(|peer| peer.local_address);
    let heard = || config.gateway.listen.iter().any(same_family);
    if !local.as_ref().map_or_else(heard, same_family) {
        return Some(Unfit::Family);
    }
    let public = config.vpcs.values().flat_map(|vpc| {
        let services = vpc.public.iter().map(|public| public.address);
        services.chain(vpc.egress.iter().map(|egress| egress.address))
    });
    if public.map(IpAddr::V4).any(|public| public == address) {
        return Some(Unfit::Public);
    }
    config.peers.values().find_map(|peer| inside(address, peer, config))
}

/// The way to a peer must not lead through a tunnel, unless the VPC has a namespace of its own.
fn inside(address: IpAddr, peer: &PeerConfig, config: &Config) -> Option<Unfit> {
    let shares_underlay = config.vpcs.get(&peer.vpc).is_some_and(|vpc| vpc.netns.is_none());
    let catches = |prefix: &&Prefix| prefix.len() > 0 && prefix.contains(address);
    let prefix = peer.accept.iter().filter(|_| shares_underlay).find(catches)?;
    Some(Unfit::Inside { peer: peer.name.clone(), prefix: *prefix })
}

fn is_one_host(address: IpAddr) -> bool {
    let is_link_local = matches!(address, IpAddr::V6(six) if six.is_unicast_link_local());
    let is_of_many =
        address.is_unspecified() || address.is_multicast() || address == Ipv4Addr::BROADCAST;
    !is_of_many && !is_link_local && address.to_canonical() == address
}

#[cfg(test)]
mod tests;
