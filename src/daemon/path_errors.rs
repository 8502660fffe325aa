//! What routers of the underlay say about packets that did not arrive.

use crate::os::icmp::UnreachableSocket;
use crate::wire::icmp;
use crate::wire::ip::protocol;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::{debug, info};

/// Errors that wait for the gateway; more are dropped, and routers repeat them.
const BACKLOG: usize = 64;
/// Pause after an error of the socket itself.
const PAUSE: Duration = Duration::from_millis(100);

/// Somebody says that a datagram of ours did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PathError {
    /// From where it was sent.
    pub local: SocketAddr,
    /// To whom.
    pub remote: SocketAddr,
    /// Why.
    pub why: Undelivered,
}

/// Why a datagram did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undelivered {
    /// It did not fit: what does, in octets of an IP packet.
    TooBig(u16),
    /// There was no way on, or nobody at its end.
    Unreachable,
}

/// Listens for both families; without the right to, paths are probed only.
pub(super) fn listen() -> mpsc::Receiver<PathError> {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    for ipv4 in [true, false] {
        match UnreachableSocket::open(ipv4) {
            Ok(socket) => drop(tokio::spawn(hear(socket, sender.clone()))),
            Err(error) => {
                info!(ipv4, error = format!("{error:#}"), "ICMP about the paths is not heard");
            }
        }
    }
    receiver
}

async fn hear(socket: UnreachableSocket, sender: mpsc::Sender<PathError>) {
    while !sender.is_closed() {
        match socket.receive().await {
            Ok(message) => {
                if let Some(error) = read(&message, socket.is_ipv4()) {
                    // Full: the gateway is busy, and routers repeat themselves.
                    let _ = sender.try_send(error);
                }
            }
            Err(error) => {
                debug!(%error, "hearing ICMP about the paths");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// The error, if it is about UDP.
fn read(message: &[u8], ipv4: bool) -> Option<PathError> {
    let too_big = icmp::too_big(message, ipv4);
    let too_big = too_big.map(|(mtu, quoted)| (Undelivered::TooBig(mtu), quoted));
    let unreachable = || Some((Undelivered::Unreachable, icmp::unreachable(message, ipv4)?));
    let (why, quoted) = too_big.or_else(unreachable)?;
    let (from, to) = quoted.ports.filter(|_| quoted.protocol == protocol::UDP)?;
    let local = SocketAddr::new(quoted.source, from);
    Some(PathError { local, remote: SocketAddr::new(quoted.destination, to), why })
}
