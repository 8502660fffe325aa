//! TCP in a namespace, from a given source address and over a given device, so that a
//! conversation meant for a tunnel can never leave by another way.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use super::dscp::mark_as_control;
use super::{netns, readiness};

mod terms;

pub use terms::{Terms, sign, take_unforwarded};

const BACKLOG: i32 = 32;
/// TTL of what we send.
const HOP_LIMIT: u32 = 255;

/// Where a socket lives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// The network namespace; `None` is that of this thread.
    pub namespace: Option<&'a str>,
    /// The only device that its packets may use.
    pub device: Option<&'a str>,
}

/// A second handle of a socket, by which its device can be named again: a socket is bound to the
/// number of its device, and one that is made anew has another. Needs CAP_NET_RAW.
#[derive(Debug)]
pub struct Anchor(Socket);

impl Anchor {
    /// The handle of a socket.
    pub fn of(socket: &impl AsFd) -> io::Result<Anchor> {
        Ok(Anchor(socket.as_fd().try_clone_to_owned()?.into()))
    }

    /// Binds to the device that has this name now.
    pub fn bind(&self, device: &str) -> io::Result<()> {
        self.0.bind_device(Some(device.as_bytes()))
    }
}

/// Listens on an address, which need not be there yet (`IP_FREEBIND`).
pub fn listen(place: Place<'_>, local: SocketAddr) -> Result<TcpListener> {
    let open = || -> Result<Socket> {
        let socket = socket(place, local.ip())?;
        socket.set_reuse_address(true)?;
        if local.is_ipv4() {
            socket.set_freebind_v4(true)?;
        } else {
            socket.set_only_v6(true)?;
            socket.set_freebind_v6(true)?;
        }
        socket.bind(&local.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket)
    };
    let socket = netns::within_or_here(place.namespace, open)?;
    let socket = socket.with_context(|| format!("listening on {local}"))?;
    Ok(TcpListener::from_std(socket.into())?)
}

/// Connects from one address to another on some terms, for at most `patience`.
pub async fn connect(
    (place, terms): (Place<'_>, Terms<'_>),
    local: IpAddr,
    remote: SocketAddr,
    patience: Duration,
) -> Result<TcpStream> {
    let open = || -> Result<Socket> {
        let socket = socket(place, local)?;
        socket.bind(&SockAddr::from(SocketAddr::new(local, 0)))?;
        if let Some(password) = terms.password {
            sign(&socket, remote.ip(), password)?;
        }
        if terms.unforwarded {
            take_unforwarded(&socket, remote.is_ipv4())?;
        }
        begin_connect(&socket, remote)?;
        Ok(socket)
    };
    let failed = || format!("connecting from {local} to {remote}");
    let socket = netns::within_or_here(place.namespace, open)?.with_context(failed)?;
    let socket = tokio::time::timeout(patience, finish_connect(socket))
        .await
        .with_context(failed)?
        .with_context(failed)?;
    Ok(TcpStream::from_std(socket.into())?)
}

fn socket(place: Place<'_>, address: IpAddr) -> Result<Socket> {
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    // RFC 5082: a peer may take only what no router has forwarded.
    match address {
        IpAddr::V4(_) => socket.set_ttl_v4(HOP_LIMIT)?,
        IpAddr::V6(_) => socket.set_unicast_hops_v6(HOP_LIMIT)?,
    }
    mark_as_control(&socket, address.is_ipv4())?;
    if let Some(device) = place.device {
        socket.bind_device(Some(device.as_bytes()))?;
    }
    Ok(socket)
}

fn begin_connect(socket: &Socket, remote: SocketAddr) -> std::io::Result<()> {
    match socket.connect(&remote.into()) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(()),
        other => other,
    }
}

/// A socket that becomes writable has connected or failed (`connect(2)`, EINPROGRESS).
async fn finish_connect(socket: Socket) -> Result<Socket> {
    let watched = readiness::watch(socket)?;
    let _ = watched.writable().await?;
    let socket = watched.into_inner();
    match socket.take_error()? {
        Some(error) => Err(error.into()),
        None => Ok(socket),
    }
}

#[cfg(test)]
mod tests;
