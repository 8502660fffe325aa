//! Answers for addresses that no device here has: ARP (RFC 826) and neighbour solicitations
//! (RFC 4861 §7.2.3) for a virtual router's addresses are answered with a device's own
//! Ethernet address.
//!
//! The kernel could answer if the addresses were on the device. They are kept off it so that
//! they share the life of this process: when it is killed, nobody is left that answers, and
//! the next master is alone on the link. Sent frames come from the caller; only the answers
//! are written here.

mod frames;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

use super::packet::{EtherType, Mac, PacketSocket};
use super::{netns, readiness};

/// Longer than any solicitation with its options.
const FRAME_MAX: usize = 256;

type Addresses = Arc<Mutex<BTreeSet<IpAddr>>>;

/// Answers on one device until it is dropped. Needs a tokio runtime.
#[derive(Debug)]
pub struct Responder {
    sender: PacketSocket,
    groups: Socket,
    held: Addresses,
    listeners: Vec<JoinHandle<()>>,
}

impl Responder {
    /// Opens a device of a namespace; `None` is that of this thread. Nothing is answered
    /// before [`hold`](Self::hold).
    pub fn start(namespace: Option<&str>, device: &str) -> Result<Self> {
        let held = Addresses::default();
        let arp = PacketSocket::open(namespace, device, EtherType::ARP)?;
        let solicitations = solicitations_only();
        let ipv6 = PacketSocket::open_filtered(namespace, device, EtherType::IPV6, &solicitations)?;
        let open = || Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP));
        let groups = netns::within_or_here(namespace, open)?.context("joining groups")?;
        let sender = PacketSocket::open(namespace, device, EtherType(0))?;
        let listeners = vec![listen(arp, &held)?, listen(ipv6, &held)?];
        Ok(Responder { sender, groups, held, listeners })
    }

    /// The Ethernet address that answers carry.
    pub fn mac(&self) -> Mac {
        self.sender.mac()
    }

    /// Answers for an address from now on.
    pub fn hold(&self, address: IpAddr) {
        if let IpAddr::V6(address) = address {
            // Switches that snoop MLD pass solicitations only to members (RFC 4541 §3). Joining
            // twice fails and does no harm.
            let group = frames::solicited_node(address);
            let _ = self.groups.join_multicast_v6(&group, self.sender.index());
        }
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(address);
    }

    /// No longer answers for an address.
    pub fn release(&self, address: IpAddr) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(&address);
        let IpAddr::V6(address) = address else { return };
        let group = frames::solicited_node(address);
        if !held.iter().any(|other| is_in(*other, group)) {
            let _ = self.groups.leave_multicast_v6(&group, self.sender.index());
        }
    }

    /// Sends a frame, such as a gratuitous ARP.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.sender.send(frame)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.listeners.iter().for_each(JoinHandle::abort);
    }
}

fn is_in(address: IpAddr, group: Ipv6Addr) -> bool {
    matches!(address, IpAddr::V6(address) if frames::solicited_node(address) == group)
}

fn listen(socket: PacketSocket, held: &Addresses) -> Result<JoinHandle<()>> {
    socket.set_nonblocking()?;
    let socket = readiness::watch(socket)?;
    Ok(tokio::spawn(answer_all(socket, Arc::clone(held))))
}

/// Runs until the device goes away.
async fn answer_all(socket: AsyncFd<PacketSocket>, held: Addresses) {
    let mut buffer = [0; FRAME_MAX];
    let own = socket.get_ref().mac();
    loop {
        let read = socket.async_io(Interest::READABLE, |s| s.receive(&mut buffer)).await;
        let length = match read {
            Ok(length) => length,
            // A device that is down says so once and works again when it is up.
            Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => continue,
            Err(_) => return,
        };
        let Some(question) = frames::parse(buffer.get(..length).unwrap_or_default()) else {
            continue;
        };
        let is_held = held.lock().unwrap_or_else(PoisonError::into_inner);
        if is_held.contains(&question.target) {
            drop(is_held);
            // A lost answer is asked for again.
            let _ = socket.get_ref().send(&question.answer(own));
        }
    }
}

/// `ip6[6] == 58 and icmp6[0] == 135`, in classic BPF, so that the traffic which passes the
/// device is never copied.
fn solicitations_only() -> [SockFilter; 6] {
    const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    [
        SockFilter::new(LOAD_BYTE, 0, 0, 20),
        SockFilter::new(JUMP_IF_EQUAL, 0, 3, u32::from(frames::ICMPV6)),
        SockFilter::new(LOAD_BYTE, 0, 0, 54),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, u32::from(frames::SOLICITATION)),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}
