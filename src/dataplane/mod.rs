//! The packet path between TUN devices and the underlay: pinned threads that share nothing.
//!
//! ```text
//!               ┌──────────────── worker (one thread, epoll) ────────────────┐
//!   TUN queue ──┼─► read ─► split ─► decide ─► seal into trains ─► sendmmsg ─┼─► UDP socket
//!   TUN queue ◄─┼── writev ◄─ merge ◄─ judge ◄─ open in place ◄─ recvmmsg ◄──┼── UDP socket
//!               └───────┬─────────────────────────────┬──────────────────────┘
//!                snapshots (ArcSwap)      IKE datagrams (bounded channel)
//! ```
//!
//! Every worker has one queue of each VPC's TUN device and one socket of each listening address;
//! the kernel steers datagrams to sockets by SPI. A packet stays in one thread from device to
//! device, without a lock, a queue or an allocation of its own. When a socket is full the worker
//! stops reading from the devices until it drains, so packets wait in the device's queue, where
//! the inner hosts' congestion control sees them. Inner packets for the gateway itself take the way
//! of IKE, those that it makes a system call of their own; BFD has a thread for itself (`bfd`), and so
//! have constant rates (`pacing`), and TCP connections where UDP does not pass (`streams`).
//! Decisions are those of [`crate::forward`].
//!
//! VPCs come and go while the workers run, without a packet lost of the others: also when somebody
//! else deletes a device. So do listening addresses. The number of workers stays what it was at the
//! start.

mod allowance;
mod bell;
mod bfd;
mod counters;
mod direct;
mod inbox;
mod lan;
mod merging;
mod outbox;
mod pacing;
mod releasing;
mod streams;
mod tun;
mod wan;
mod worker;

pub use bfd::{Bfd, BfdReport};
pub use counters::DataplaneCounters;
pub use streams::{FromStreams, StreamReceiver, Streams};

use crate::esp::Discard;
use crate::forward::{self, Snapshot, Strayed, TunnelEntry};
use crate::net::{PeerId, VpcId, is_streamed};
use crate::os::clock::Clock;
use crate::os::tun::{self as os_tun, TunConfig};
use crate::os::udp::{self, UdpSocket};
use crate::wire::echo::Echo;
use anyhow::{Context, Result, anyhow};
use arc_swap::ArcSwap;
use direct::Direct;
use nix::sys::eventfd::{EfdFlags, EventFd};
use pacing::Pacing;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use worker::{Command, Worker};

/// IKE datagrams that wait for the control plane; more are dropped, and IKE retransmits.
const CONTROL_BACKLOG: usize = 1024;
/// How long a worker may take to do what it is told; a turn takes a few milliseconds at most.
const LONGEST_TURN: Duration = Duration::from_secs(1);
/// Beyond this many workers one machine's devices and links are the limit.
const MOST_WORKERS: usize = 8;

/// What the data plane is made of.
#[derive(Clone, Debug)]
pub struct DataplaneConfig {
    /// How many worker threads; see [`default_workers`].
    pub workers: usize,
    /// The VPCs at the start.
    pub vpcs: Vec<VpcDevice>,
    /// The clock of the control plane.
    pub clock: Clock,
}

/// The device of one VPC.
#[derive(Clone, Debug)]
pub struct VpcDevice {
    /// The VPC.
    pub vpc: VpcId,
    /// Its device's name in the system.
    pub name: String,
    /// The named network namespace in which the device appears; `None` for our own.
    pub netns: Option<String>,
    /// The device's MTU in bytes.
    pub mtu: u16,
}

/// What workers tell the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromDataplane {
    /// A datagram that is not ESP, with its non-ESP marker (RFC 3948 §2.2).
    Datagram {
        /// The listening address that it came to.
        local: SocketAddr,
        /// Who sent it.
        remote: SocketAddr,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// An authenticated inner packet for the gateway itself.
    Inner {
        /// Who sealed it.
        peer: PeerId,
        /// The VPC that it belongs to.
        vpc: VpcId,
        /// The whole packet.
        packet: Vec<u8>,
    },
    /// A peer's question whether its packets come through, or its answer that ours do.
    Echo {
        /// Who sealed it.
        peer: PeerId,
        /// What it says.
        echo: Echo,
    },
    /// Authenticated packets of a peer come from elsewhere.
    Strayed {
        /// The listening address that they came to.
        local: SocketAddr,
        /// Whose they are, and from where.
        strayed: Strayed,
    },
    /// Somebody else has deleted the device of a VPC; the other VPCs go on. Said once for each
    /// device, which [`Dataplane::add_vpc`] makes anew.
    DeviceGone {
        /// The VPC without a device.
        vpc: VpcId,
        /// What happened, in one sentence.
        why: String,
    },
    /// The host did not send ESP; said once in a while.
    Unsent {
        /// The listening address that it should have left from.
        local: SocketAddr,
        /// For whom it was.
        remote: SocketAddr,
        /// Why, as Linux numbers errors.
        errno: i32,
    },
    /// A socket is gone for good: the daemon cannot go on.
    Failed {
        /// What happened, in one sentence.
        why: String,
    },
}

/// Where [`FromDataplane`] comes out.
pub type ControlReceiver = tokio::sync::mpsc::Receiver<FromDataplane>;

/// Where [`BfdReport`]s come out.
pub type BfdReceiver = tokio::sync::mpsc::Receiver<BfdReport>;

/// One worker for one or two cores, where the kernel and the hosts need the other; else all
/// cores but one, at most eight.
pub fn default_workers() -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if cores <= 2 { 1 } else { (cores - 1).min(MOST_WORKERS) }
}

/// The running data plane. Dropping it stops the workers and removes the devices.
pub struct Dataplane {
    workers: Vec<Handle>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    /// On every listening address, a handle of the first worker's socket and of the one whose
    /// datagrams may be fragmented.
    control_sockets: Vec<UdpSocket>,
    counters: Arc<DataplaneCounters>,
    bfd: Bfd,
    pacing: Pacing,
    streams: Streams,
}

struct Handle {
    ear: Ear,
    thread: Option<JoinHandle<()>>,
}

/// How a worker is told something.
#[derive(Clone)]
struct Ear {
    commands: mpsc::Sender<Command>,
    wake: Arc<EventFd>,
}

impl Dataplane {
    /// Opens devices and starts the workers, which listen nowhere yet. Until the first
    /// [`publish`](Dataplane::publish) everything but IKE is discarded. Errors leave nothing behind.
    pub fn start(config: DataplaneConfig) -> Result<(Dataplane, ControlReceiver)> {
        let count = config.workers.max(1);
        let (control, receiver) = tokio::sync::mpsc::channel(CONTROL_BACKLOG + count);
        let (counters, streams) = (Arc::default(), Streams::new());
        let mut dataplane = Dataplane {
            workers: Vec::with_capacity(count),
            snapshot: Arc::default(),
            control_sockets: Vec::new(),
            pacing: Pacing::start(config.clock, streams.outlets(), Arc::clone(&counters))?,
            counters,
            bfd: Bfd::new(config.clock)?,
            streams,
        };
        let ends = (0..count).map(|_| Ear::new()).collect::<Result<Vec<_>>>()?;
        let ears: Vec<Ear> = ends.iter().map(|(ear, _)| ear.clone()).collect();
        for (index, (ear, commands)) in ends.into_iter().enumerate() {
            let shared = dataplane.shared(control.clone(), config.clock, (index, ears.clone()));
            let handle = start_worker(ear, commands, shared)?;
            dataplane.workers.push(handle);
        }
        dataplane.start_beside()?;
        for device in &config.vpcs {
            dataplane.add_vpc(device)?;
        }
        Ok((dataplane, receiver))
    }

    fn shared(
        &self,
        control: tokio::sync::mpsc::Sender<FromDataplane>,
        clock: Clock,
        (index, ears): (usize, Vec<Ear>),
    ) -> worker::Shared {
        worker::Shared {
            snapshot: self.snapshot.clone(),
            counters: self.counters.clone(),
            control,
            bfd: self.bfd.inbox(),
            outlets: self.streams.outlets(),
            clock,
            index,
            ears,
        }
    }

    /// Starts the threads beside the workers.
    fn start_beside(&mut self) -> Result<()> {
        let ears: Vec<Ear> = self.workers.iter().map(|worker| worker.ear.clone()).collect();
        self.streams.start(ears.clone(), self.counters.clone())?;
        self.bfd.start(ears, self.streams.outlets(), self.counters.clone())
    }

    /// IKE and ESP in TCP connections.
    pub fn streams(&mut self) -> &mut Streams {
        &mut self.streams
    }

    /// Where the messages of TCP connections for the daemon come out; once.
    pub fn take_stream_messages(&mut self) -> Option<StreamReceiver> {
        self.streams.take_messages()
    }

    /// Takes no TCP connections to this address and port any more: it is free when this returns.
    ///
    /// # Errors
    ///
    /// When the thread of TCP connections does not answer.
    pub fn leave_streams(&self, address: SocketAddr) -> Result<()> {
        wait_for(|done| {
            self.streams.leave(address, done.clone());
            Ok(())
        })
    }

    /// BFD inside the tunnels.
    pub fn bfd(&self) -> &Bfd {
        &self.bfd
    }

    /// Where the reports of BFD come out; once.
    pub fn take_bfd_reports(&mut self) -> Option<BfdReceiver> {
        self.bfd.take_reports()
    }

    /// Listens on this address and port, too, for ESP in UDP and IKE (port 4500): a real address of
    /// the host.
    ///
    /// # Errors
    ///
    /// When a socket cannot be bound, with what to do about it.
    pub fn listen_on(&mut self, address: SocketAddr) -> Result<()> {
        let group = udp::open_group(address, self.workers.len())?;
        if let Some(socket) = group.workers.first() {
            self.control_sockets.push(socket.try_clone()?);
            self.bfd.listen_on(socket.try_clone()?);
            self.pacing.listen_on(socket.try_clone()?);
        }
        for (worker, socket) in self.workers.iter().zip(group.workers) {
            worker.ear.tell(Command::AddSocket(socket))?;
            worker.ear.tell(Command::AddSocket(group.fragmenting.try_clone()?))?;
        }
        self.control_sockets.push(group.fragmenting);
        Ok(())
    }

    /// Listens on this address no longer: it is free when this returns.
    ///
    /// # Errors
    ///
    /// When a worker has ended, or a worker or the thread of BFD does not answer.
    pub fn leave(&mut self, address: SocketAddr) -> Result<()> {
        self.control_sockets.retain(|socket| socket.local() != address);
        wait_for(|done| {
            self.bfd.leave(address, done.clone());
            self.pacing.leave(address, done.clone());
            self.tell_all(|| Command::RemoveSocket(address, done.clone()))
        })
    }

    /// Makes the device of a VPC and gives every worker a queue of it.
    ///
    /// # Errors
    ///
    /// When the device cannot be made, with what to do about it.
    pub fn add_vpc(&self, device: &VpcDevice) -> Result<()> {
        let queues = os_tun::open(&TunConfig {
            name: device.name.clone(),
            netns: device.netns.clone(),
            mtu: device.mtu,
            queues: self.workers.len(),
            transmit_queue: None,
        })?;
        let gone = Arc::new(AtomicBool::new(false));
        for (worker, queue) in self.workers.iter().zip(queues) {
            worker.ear.tell(Command::AddTun(device.vpc, queue, Arc::clone(&gone)))?;
        }
        Ok(())
    }

    /// Removes the device of a VPC, or what the workers still have of it when it is gone already.
    /// Its name is free when this returns.
    ///
    /// # Errors
    ///
    /// When a worker has ended or does not answer.
    pub fn remove_vpc(&self, vpc: VpcId) -> Result<()> {
        wait_for(|done| self.tell_all(|| Command::RemoveTun(vpc, done.clone())))
    }

    fn tell_all(&self, command: impl Fn() -> Command) -> Result<()> {
        self.workers.iter().try_for_each(|worker| worker.ear.tell(command()))
    }

    /// Puts a snapshot in force: every worker uses it from its next batch on.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        let paced = Arc::clone(&snapshot.paced);
        let before = self.snapshot.swap(snapshot);
        if !Arc::ptr_eq(&before.paced, &paced) {
            self.pacing.keep(&paced);
        }
        // Idle workers let go of the old one, and with it of keys that are no longer in use.
        self.workers.iter().for_each(|worker| worker.ear.wake());
    }

    /// Sends a datagram of the control plane (with its non-ESP marker) from `local`, one of the
    /// listening addresses, now or not at all; in IP fragments if it is long.
    pub fn send_control(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) -> io::Result<()> {
        if is_streamed(local) {
            return self.streams.send((local.ip(), remote), bytes);
        }
        self.socket(local, false)?.send_to(remote, bytes)
    }

    /// Sends a datagram of the control plane as ESP is sent: in one piece or not at all.
    pub fn send_probe(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        bytes: &[u8],
    ) -> io::Result<()> {
        if is_streamed(local) {
            return self.streams.send((local.ip(), remote), bytes);
        }
        self.socket(local, true)?.send_to(remote, bytes)
    }

    fn socket(&self, local: SocketAddr, whole: bool) -> io::Result<&UdpSocket> {
        let found = self.control_sockets.iter().find(|socket| socket.is_way_out(local, whole));
        found.ok_or_else(|| {
            let text = format!("{local} is not an address that the data plane listens on");
            io::Error::new(io::ErrorKind::AddrNotAvailable, text)
        })
    }

    /// Seals an inner packet of the gateway's own for `tunnel` and sends it, now or not at all: by
    /// a call of its own, before whatever workers have queued. What is discarded is counted.
    pub fn send_inner(&self, tunnel: &TunnelEntry, packet: &mut [u8]) -> Result<(), Discard> {
        forward::originate(tunnel, packet, &mut self.direct())
    }

    /// Sends an echo by `tunnel`, as [`Dataplane::send_inner`] an inner packet.
    pub fn send_echo(&self, tunnel: &TunnelEntry, echo: &Echo) -> Result<(), Discard> {
        forward::originate_echo(tunnel, echo, &mut self.direct())
    }

    fn direct(&self) -> Direct<'_> {
        let (sockets, counters) = (&self.control_sockets, &*self.counters);
        Direct { sockets, outlets: self.streams.outlets(), counters }
    }

    /// What happened to datagrams outside any tunnel.
    pub fn counters(&self) -> &DataplaneCounters {
        &self.counters
    }
}

/// Stops the workers and removes the devices; returns when all of them are gone.
impl Drop for Dataplane {
    fn drop(&mut self) {
        self.bfd.stop();
        self.streams.stop();
        for worker in &self.workers {
            // A worker that is gone already needs no telling.
            let _ = worker.ear.tell(Command::Stop);
        }
        for thread in self.workers.iter_mut().filter_map(|worker| worker.thread.take()) {
            if thread.join().is_err() {
                tracing::error!("a data plane worker panicked");
            }
        }
    }
}

/// Tells threads something, and waits until they have dropped what they were given.
fn wait_for(tell: impl FnOnce(&mpsc::Sender<Infallible>) -> Result<()>) -> Result<()> {
    let (done, all_done) = mpsc::channel();
    tell(&done)?;
    drop(done);
    match all_done.recv_timeout(LONGEST_TURN) {
        Err(mpsc::RecvTimeoutError::Disconnected) => Ok(()),
        Err(mpsc::RecvTimeoutError::Timeout) => {
            Err(anyhow!("the data plane is too busy to let go of a device or a socket"))
        }
        Ok(never) => match never {},
    }
}

fn start_worker(
    ear: Ear,
    commands: mpsc::Receiver<Command>,
    shared: worker::Shared,
) -> Result<Handle> {
    let (index, count) = (shared.index, shared.ears.len());
    let worker = Worker::new(Arc::clone(&ear.wake), commands, shared)?;
    // With one worker the scheduler knows better than we where there is room for it.
    let core = (count > 1).then_some(index);
    let thread = thread::Builder::new()
        .name(format!("data-{index}"))
        .spawn(move || worker.run(core))
        .context("no thread for a data plane worker")?;
    Ok(Handle { ear, thread: Some(thread) })
}

impl Ear {
    /// How a worker is told something, and where that comes out.
    fn new() -> Result<(Ear, mpsc::Receiver<Command>)> {
        let wake = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        let (commands, inbox) = mpsc::channel();
        Ok((Ear { commands, wake: Arc::new(wake) }, inbox))
    }

    fn tell(&self, command: Command) -> Result<()> {
        self.commands.send(command).map_err(|_| anyhow!("a data plane worker has ended"))?;
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        // It fails only when the counter is full, and then the worker is about to wake up.
        let _ = self.wake.write(1);
    }
}
