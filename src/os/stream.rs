//! TCP connections of the underlay, marked as its UDP sockets are ([`udp::MARK`]).
//!
//! [`udp::MARK`]: super::udp::MARK

use super::udp::mark;
use anyhow::{Context, Result};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// So long the other end may leave octets unconfirmed, or say nothing when it is asked, before the
/// connection ends (RFC 5482).
const UNCONFIRMED: Duration = Duration::from_secs(10);
/// A silent connection is asked so often whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Octets in the kernel that have not been sent: what waits should wait where the urgent is let past.
const UNSENT: u32 = 32 << 10;

/// Listens on this address and port, one that the host has.
///
/// # Errors
///
/// When it cannot be bound, with what to do about it.
pub fn listen(local: SocketAddr) -> Result<std::net::TcpListener> {
    let open = || -> io::Result<Socket> {
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(local), kind, Some(Protocol::TCP))?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Connections of a daemon before this one may still be ending.
        socket.set_reuse_address(true)?;
        mark(&socket)?;
        socket.bind(&local.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket)
    };
    let busy = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
    let socket = open().map_err(|error| match busy(&error) {
        true => anyhow::Error::new(error).context(format!(
            "TCP {local} is in use by another program; stop it, or write another tcp_port"
        )),
        false => anyhow::Error::new(error).context(format!("cannot listen on TCP {local}")),
    });
    Ok(socket?.into())
}

/// Connects from an address of ours to `remote`, for at most `patience`.
///
/// # Errors
///
/// When there is no connection by then.
pub async fn connect(local: IpAddr, remote: SocketAddr, patience: Duration) -> Result<TcpStream> {
    let connect = async {
        let socket = if local.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        mark(&SockRef::from(&socket))?;
        socket.bind(SocketAddr::new(local, 0))?;
        socket.connect(remote).await
    };
    let failed = || format!("connecting from {local} to TCP {remote}");
    let stream = tokio::time::timeout(patience, connect).await.with_context(failed)?;
    stream.with_context(failed)
}

/// Has a connection carry small messages at once, and end soon after its way is lost.
///
/// # Errors
///
/// When it has ended already.
pub fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(UNCONFIRMED))?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE))?;
    socket.set_tcp_notsent_lowat(UNSENT)
}
