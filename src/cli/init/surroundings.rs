//! What a host suggests of itself: its name, the address that it speaks from, private networks that
//! it is on.

use crate::net::Prefix;
use crate::os::netlink::{Netlink, Via};
use anyhow::Result;
use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};

/// How the names of devices begin that container engines and hypervisors make for their guests: many
/// hosts have the same networks on them.
const GUESTS: [&str; 7] = ["docker", "br-", "virbr", "veth", "cni", "podman", "lxc"];

/// A host, as far as it can be seen. What cannot be seen is not suggested.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Surroundings {
    /// Its name, without the domain.
    pub(super) name: String,
    /// The address from which it speaks to the world.
    pub(super) source: Option<IpAddr>,
    /// Private networks on other devices than that, with the device.
    pub(super) networks: Vec<(Prefix, String)>,
}

impl Surroundings {
    /// Looks around; sends nothing.
    pub(super) fn look() -> Surroundings {
        let name = nix::sys::utsname::uname().ok();
        let name = name.map(|name| name.nodename().to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        Surroundings {
            name: name.split('.').next().unwrap_or_default().to_owned(),
            source: source(),
            networks: networks().unwrap_or_default(),
        }
    }
}

/// The source address of a route to an address that is nobody's (RFC 5737): a connected datagram
/// socket asks the routing table.
fn source() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(("192.0.2.1", 9)).ok()?;
    let source = socket.local_addr().ok()?.ip();
    (!source.is_unspecified() && !source.is_loopback()).then_some(source)
}

fn networks() -> Result<Vec<(Prefix, String)>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (routes, outward) = runtime.block_on(async {
        let netlink = Netlink::here()?;
        anyhow::Ok((
            netlink.main_routes().await?,
            netlink.device_routes(&BTreeSet::new()).await?.defaults,
        ))
    })?;
    let found = routes.into_iter().filter_map(|route| match route.via {
        Via::Device(device) => Some((route.prefix, device)),
        _ => None,
    });
    Ok(inner(found, &outward))
}

/// The private networks that lie behind no device which leads outward.
fn inner(
    found: impl Iterator<Item = (Prefix, String)>,
    outward: &BTreeSet<String>,
) -> Vec<(Prefix, String)> {
    let is_private = |prefix: &Prefix| match prefix.addr() {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    };
    let is_network = |prefix: &Prefix| *prefix != Prefix::host(prefix.addr());
    let is_of_guests = |device: &str| GUESTS.iter().any(|start| device.starts_with(start));
    let wanted = found.filter(|(prefix, device)| {
        is_private(prefix)
            && is_network(prefix)
            && !outward.contains(device)
            && !is_of_guests(device)
    });
    wanted.collect::<BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests;
