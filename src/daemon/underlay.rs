//! The sockets on the IKE port. Datagrams of the port for NAT traversal go through the data
//! plane, which has them beside ESP.

use super::exit::{Cause, Failure, Outcome};
use crate::gateway::Datagram;
use crate::os::dscp::mark_as_control;
use crate::os::udp::{allow_fragments, mark};
use anyhow::anyhow;
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::debug;

/// Datagrams that wait for the gateway before the kernel's buffer fills.
const BACKLOG: usize = 256;
/// The longest datagram that UDP carries.
const MAX_DATAGRAM: usize = 65535;

/// The sockets on the IKE port.
#[derive(Debug)]
pub(super) struct Underlay {
    sockets: Vec<Listener>,
    sender: mpsc::Sender<Datagram>,
}

#[derive(Debug)]
struct Listener {
    local: SocketAddr,
    socket: Arc<UdpSocket>,
    receiving: JoinHandle<()>,
}

/// The port is free soon after.
impl Drop for Listener {
    fn drop(&mut self) {
        self.receiving.abort();
    }
}

impl Underlay {
    /// No sockets yet; datagrams will come out of the receiver.
    pub(super) fn new() -> (Underlay, mpsc::Receiver<Datagram>) {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        (Underlay { sockets: Vec::new(), sender }, receiver)
    }

    /// Binds to this address and port, too.
    ///
    /// # Errors
    ///
    /// When the port is in use, or the address is not this machine's.
    pub(super) fn listen_on(&mut self, local: SocketAddr) -> Outcome<()> {
        let socket = Arc::new(bind(local)?);
        let receive = receive_all(local, Arc::clone(&socket), self.sender.clone());
        self.sockets.push(Listener { local, socket, receiving: tokio::spawn(receive) });
        Ok(())
    }

    /// Closes the socket of an address and port.
    pub(super) fn leave(&mut self, local: SocketAddr) {
        self.sockets.retain(|listener| listener.local != local);
    }

    /// Sends a datagram now or not at all: IKE repeats what matters.
    ///
    /// # Errors
    ///
    /// Why it was not sent.
    pub(super) fn send(&self, datagram: &Datagram) -> io::Result<()> {
        let of_datagram = |listener: &&Listener| listener.local == datagram.local;
        let listener = self.sockets.iter().find(of_datagram);
        let listener = listener.ok_or(io::ErrorKind::AddrNotAvailable)?;
        // The runtime would have the first wait until it has heard that the socket has room.
        let socket = SockRef::from(&listener.socket);
        socket.send_to(&datagram.bytes, &datagram.remote.into()).map(drop)
    }
}

fn bind(local: SocketAddr) -> Outcome<UdpSocket> {
    let open = || -> io::Result<UdpSocket> {
        let domain = socket2::Domain::for_address(local);
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
        if local.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        mark(&socket)?;
        mark_as_control(&socket, local.is_ipv4())?;
        allow_fragments(&socket, local)?;
        socket.set_nonblocking(true)?;
        socket.bind(&local.into())?;
        UdpSocket::from_std(socket.into())
    };
    open().map_err(|error| explain(local, error))
}

fn explain(local: SocketAddr, error: io::Error) -> Failure {
    let (cause, sentence) = match error.raw_os_error() {
        Some(libc::EADDRINUSE) => {
            (Cause::Busy, "is in use by another program (another IPsec daemon?); stop it")
        }
        Some(libc::EADDRNOTAVAIL) => {
            (Cause::Missing, "cannot be bound: this machine does not have the address")
        }
        Some(libc::EACCES) => {
            (Cause::Missing, "cannot be bound: ports below 1024 need CAP_NET_BIND_SERVICE")
        }
        _ => {
            let error = anyhow::Error::new(error).context(format!("binding UDP {local}"));
            return Failure { cause: Cause::Runtime, error };
        }
    };
    Failure { cause, error: anyhow!("UDP {local} {sentence}") }
}

async fn receive_all(local: SocketAddr, socket: Arc<UdpSocket>, sender: mpsc::Sender<Datagram>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, remote)) => {
                let bytes = buffer.get(..length).unwrap_or_default().to_vec();
                if sender.send(Datagram { local, remote, bytes }).await.is_err() {
                    return;
                }
            }
            // An ICMP error of an earlier datagram; IKE repeats what matters.
            Err(error) => debug!(%local, %error, "receiving on the IKE port"),
        }
    }
}
