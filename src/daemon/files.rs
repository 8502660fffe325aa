//! The configuration and the keys that it names, as files.

use super::exit::{Cause, OrFail, Outcome};
use crate::config::{Config, PeerConfig};
use crate::config_file;
use anyhow::{Context, Result, anyhow};
use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;

/// Reads the configuration at `path` with the keys that it names. What `running` listens on
/// stays when it serves the new configuration too.
///
/// # Errors
///
/// When the file cannot be read, or with all that is wrong in it, ready to be shown.
pub fn load(path: &Path, running: Option<&Config>) -> Result<Config> {
    let colours = std::io::stderr().is_terminal() && running.is_none();
    let mut config =
        config_file::load(path).map_err(|error| anyhow!("{}", error.render(colours)))?;
    choose_local_addresses(&mut config);
    if let Some(running) = running {
        let listening = &running.gateway.listen;
        if config.gateway.listen.iter().all(|address| listening.contains(address)) {
            config.gateway.listen.clone_from(listening);
        }
    }
    Ok(config)
}

/// As [`load`], for a start that ends when there is no valid configuration.
pub fn load_or_fail(path: &Path) -> Outcome<Config> {
    load(path, None).or_fail(Cause::Configuration)
}

/// Where the choice of our address is left to the routing table, asks the routing table, and
/// listens on what it says: NAT detection must know the address that the peer sees (RFC 7296
/// §2.23), and answers must leave from where questions came in. The unspecified address stays
/// where a peer may come from anywhere, or has no route yet.
fn choose_local_addresses(config: &mut Config) {
    let mut listen = Vec::new();
    for address in std::mem::take(&mut config.gateway.listen) {
        let chosen = if address.is_unspecified() { choose(config, address) } else { None };
        listen.extend(chosen.unwrap_or_else(|| vec![address]));
    }
    listen.sort();
    listen.dedup();
    config.gateway.listen = listen;
}

/// Our address for each peer of one family; `None` unless all have one.
fn choose(config: &mut Config, unspecified: IpAddr) -> Option<Vec<IpAddr>> {
    let concerned = |peer: &PeerConfig| {
        peer.remote_address.is_none_or(|remote| remote.is_ipv4() == unspecified.is_ipv4())
    };
    let address_of = |peer: &PeerConfig| match peer.local_address {
        Some(address) => Some(address),
        None => source_towards(peer.remote_address?).ok(),
    };
    let peers = config.peers.values().filter(|peer| concerned(peer));
    let addresses: Option<Vec<IpAddr>> = peers.map(address_of).collect();
    let addresses = addresses?;
    let peers = config.peers.values_mut().filter(|peer| concerned(peer));
    for (peer, address) in peers.zip(&addresses) {
        peer.local_address = Some(*address);
    }
    Some(addresses)
}

/// The address that the kernel would send from.
fn source_towards(remote: IpAddr) -> Result<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).context("opening a socket")?;
    socket.connect(SocketAddr::new(remote, 9)).context("asking for a route")?;
    Ok(socket.local_addr()?.ip())
}
