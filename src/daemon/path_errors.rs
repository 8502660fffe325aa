//! What routers of the underlay say about packets that did not fit.

use crate::os::icmp::TooBigSocket;
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

/// A router says that a datagram of ours did not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathError {
    /// From where it was sent.
    pub local: SocketAddr,
    /// To whom.
    pub remote: SocketAddr,
    /// What fits, in octets of an IP packet.
    pub mtu: u16,
}

/// Listens for both families; without the right to, paths are probed only.
pub fn listen() -> mpsc::Receiver<PathError> {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    for ipv4 in [true, false] {
        match TooBigSocket::open(ipv4) {
            Ok(socket) => drop(tokio::spawn(hear(socket, sender.clone()))),
            Err(error) => {
                info!(ipv4, error = format!("{error:#}"), "ICMP about the paths is not heard");
            }
        }
    }
    receiver
}

async fn hear(socket: TooBigSocket, sender: mpsc::Sender<PathError>) {
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
    let (mtu, quoted) = icmp::too_big(message, ipv4)?;
    let (from, to) = quoted.ports.filter(|_| quoted.protocol == protocol::UDP)?;
    let local = SocketAddr::new(quoted.source, from);
    Some(PathError { local, remote: SocketAddr::new(quoted.destination, to), mtu })
}
