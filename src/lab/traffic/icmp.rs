//! Echo requests and replies (RFC 792, RFC 4443 §4.1) over a raw socket.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};

use crate::os::checksum::checksum;
use crate::os::netns;

/// How much each probe carries besides its header.
pub(super) const PAYLOAD: &[u8] = b"vpngw probe: this text must never be seen on the underlay";

/// One conversation with one address.
#[derive(Debug)]
pub struct Echo {
    socket: Socket,
    target: SocketAddr,
    identifier: u16,
}

impl Echo {
    /// Opens a socket in a namespace, `None` for this one, to speak from an address of ours, if one is
    /// given, to another.
    ///
    /// # Errors
    ///
    /// Without CAP_NET_RAW, or when the host has no such address.
    pub fn open(
        namespace: Option<&str>,
        (source, target): (Option<IpAddr>, IpAddr),
        identifier: u16,
    ) -> Result<Self> {
        let (domain, protocol) = match target {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let open = || Socket::new(domain, Type::RAW, Some(protocol));
        let socket = netns::within_or_here(namespace, open)?.context("opening a raw socket")?;
        if let Some(source) = source {
            let bound = socket.bind(&SocketAddr::new(source, 0).into());
            bound.with_context(|| format!("speaking from {source}"))?;
        }
        Ok(Echo { socket, target: SocketAddr::new(target, 0), identifier })
    }

    /// Sends a probe with so much data. A path that is gone is no error here: nothing will come back.
    pub fn send(&self, sequence: u16, length: usize) {
        let data = PAYLOAD.iter().copied().cycle().take(length);
        let _ = self.socket.send_to(&self.request(sequence, data), &self.target.into());
    }

    /// Waits for a reply to one of our probes; `None` when `patience` is over or something
    /// else came.
    ///
    /// # Errors
    ///
    /// When the socket fails.
    pub fn receive(&self, patience: Duration) -> io::Result<Option<u16>> {
        let mut buffer = [0; 1 << 16];
        self.socket.set_read_timeout(Some(patience.max(Duration::from_micros(1))))?;
        match (&self.socket).read(&mut buffer) {
            Ok(length) => Ok(self.reply(buffer.get(..length).unwrap_or_default())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The kernel fills in the checksum of ICMPv6 only.
    fn request(&self, sequence: u16, data: impl Iterator<Item = u8>) -> Vec<u8> {
        let kind = if self.target.is_ipv4() { 8 } else { 128 };
        let mut message = vec![kind, 0, 0, 0];
        message.extend(self.identifier.to_be_bytes());
        message.extend(sequence.to_be_bytes());
        message.extend(data);
        if self.target.is_ipv4() {
            let sum = checksum(&[&message]).to_be_bytes();
            message.splice(2..4, sum);
        }
        message
    }

    /// The sequence number of a reply to us. Raw IPv4 sockets hand out the IP header too.
    fn reply(&self, datagram: &[u8]) -> Option<u16> {
        let (message, kind) = match self.target {
            SocketAddr::V4(_) => {
                let header = usize::from(datagram.first()? & 0x0f) * 4;
                (datagram.get(header..)?, 0)
            }
            SocketAddr::V6(_) => (datagram, 129),
        };
        let [first, _, _, _, i0, i1, s0, s1, ..] = *message else { return None };
        let is_ours = first == kind && u16::from_be_bytes([i0, i1]) == self.identifier;
        is_ours.then_some(u16::from_be_bytes([s0, s1]))
    }
}
