//! One worker: an epoll loop over its queues and sockets, each packet to its end at once.

use super::allowance::{Allowance, EchoGates};
use super::bfd::{self, HeardOut};
use super::counters::DataplaneCounters;
use super::inbox::Inbox;
use super::lan::{self, ReadBuffer};
use super::outbox::{Flush, Outbox};
use super::releasing::Releasing;
use super::streams::{Outlets, Streamed};
use super::tun::VpcTun;
use super::wan::{self, Exits};
use super::{Ear, FromDataplane};
use crate::forward::{Held, Snapshot};
use crate::net::VpcId;
use crate::os::clock::Clock;
use crate::os::memory::scrub_stack;
use crate::os::tun::TunQueue;
use crate::os::udp::{ReceiveBatch, SendBatch, UdpSocket};
use crate::time::Timestamp;
use anyhow::{Context, Result, anyhow};
use arc_swap::{ArcSwap, Cache};
use nix::errno::Errno;
use nix::libc;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use nix::unistd::Pid;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use tokio::sync::mpsc::{OwnedPermit, Sender};

/// Events of one wake-up; what does not fit comes with the next.
const EVENTS: usize = 32;
/// Batches that a socket may hold; the rest of a flood came later.
const BACKLOG: usize = 512;
/// Time between two sentences about datagrams that were not sent.
const TELLING_PAUSE: Duration = Duration::from_millis(250);
/// Milliseconds until a full channel is tried again.
const RETRY: u16 = 100;
/// Epoll's name of the wake-up; sockets are named in the order they came, TUN queues by their VPC.
const WAKE: u64 = 0;
const SOCKET: u64 = 1 << 32;
const TUN: u64 = 2 << 32;

/// What the control plane tells a worker.
pub(super) enum Command {
    /// A queue of a VPC's device; the flag is that of the device.
    AddTun(VpcId, TunQueue, Arc<AtomicBool>),
    /// Close the queue, then drop the sender.
    RemoveTun(VpcId, mpsc::Sender<Infallible>),
    /// Take in what the sockets hold by now, then drop the sender.
    HearOut(Arc<HeardOut>),
    /// ESP packets that have come in a TCP connection.
    Streamed(Streamed),
    /// Packets wait for a peer: release them.
    Release(Held),
    /// A socket of a listening address.
    AddSocket(UdpSocket),
    /// Close the socket of this address, then drop the sender.
    RemoveSocket(SocketAddr, mpsc::Sender<Infallible>),
    Stop,
}

/// What all workers have in common.
pub(super) struct Shared {
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    pub counters: Arc<DataplaneCounters>,
    pub control: Sender<FromDataplane>,
    pub bfd: bfd::Inbox,
    pub outlets: Outlets,
    pub clock: Clock,
    /// The place of the worker among all of them.
    pub index: usize,
    pub ears: Vec<Ear>,
}

pub(super) struct Worker {
    epoll: Epoll,
    inbox: Inbox<Command>,
    clock: Clock,
    snapshot: Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
    counters: Arc<DataplaneCounters>,
    control: Sender<FromDataplane>,
    bfd: bfd::Inbox,
    /// The ways out in TCP.
    outlets: Outlets,
    /// A place in the channel that is kept for the worker's last words.
    farewell: OwnedPermit<FromDataplane>,
    tuns: Vec<VpcTun>,
    /// Devices that are gone, of which the control plane does not know yet.
    lost: Vec<FromDataplane>,
    /// How many inner packets may still go to the daemon.
    allowance: Allowance,
    /// How many echoes may still go to the daemon.
    echo_gates: EchoGates,
    /// From when on the daemon may be told of packets from elsewhere again.
    strays_after: Timestamp,
    outboxes: Vec<Outbox>,
    /// When the control plane was told last of a datagram that was not sent.
    told_at: Option<Timestamp>,
    /// The name of the next socket.
    next_socket: u32,
    /// A socket is full: the devices are not read.
    blocked: bool,
    read_buffer: ReadBuffer,
    releasing: Releasing,
    receive: ReceiveBatch,
    /// Where packets are put together that came in pieces.
    unpacked: Vec<u8>,
    send: SendBatch,
}

impl Worker {
    pub(super) fn new(
        wake: Arc<EventFd>,
        commands: Receiver<Command>,
        shared: Shared,
    ) -> Result<Worker> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&*wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
        let farewell = shared.control.clone().try_reserve_owned();
        let farewell = farewell.map_err(|_| anyhow!("no place in the control channel"))?;
        Ok(Worker {
            epoll,
            inbox: Inbox::new(commands, wake),
            clock: shared.clock,
            snapshot: Cache::new(shared.snapshot),
            counters: shared.counters,
            control: shared.control,
            bfd: shared.bfd,
            outlets: shared.outlets,
            farewell,
            tuns: Vec::new(),
            lost: Vec::new(),
            allowance: Allowance::new(),
            echo_gates: EchoGates::default(),
            strays_after: Timestamp::ZERO,
            outboxes: Vec::new(),
            next_socket: 0,
            told_at: None,
            blocked: false,
            read_buffer: ReadBuffer::new(),
            releasing: Releasing::new(shared.index, shared.ears),
            receive: ReceiveBatch::new(),
            unpacked: Vec::new(),
            send: SendBatch::new(),
        })
    }

    /// Works until told to stop, on the `core`-th of the cores that this process may use. A
    /// socket that fails for good is reported, and the daemon decides.
    pub(super) fn run(mut self, core: Option<usize>) {
        if let Some(core) = core {
            pin(core);
        }
        let ended = self.work();
        if let Err(error) = ended {
            let why = format!("a data plane worker has ended: {error:#}");
            self.farewell.send(FromDataplane::Failed { why });
        }
    }

    fn work(&mut self) -> Result<()> {
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            self.tell_losses();
            self.release()?;
            let count = match self.epoll.wait(&mut events, self.timeout()) {
                Ok(count) => count,
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error).context("epoll"),
            };
            for event in &events[..count] {
                if self.handle(event)?.is_break() {
                    return Ok(());
                }
            }
        }
    }

    /// How long to wait for events.
    fn timeout(&self) -> EpollTimeout {
        if !self.lost.is_empty() {
            return RETRY.into();
        }
        match self.blocked || self.releasing.is_idle() {
            true => EpollTimeout::NONE,
            false => self.releasing.timeout(self.clock.now()),
        }
    }

    fn handle(&mut self, event: &EpollEvent) -> Result<ControlFlow<()>> {
        let (kind, index) = (event.data() >> 32 << 32, event.data() as u32);
        match kind {
            SOCKET => self.handle_socket(index, event.events())?,
            TUN => self.handle_tun(VpcId(index as u16), event.events())?,
            _ => return self.handle_commands(),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn handle_socket(&mut self, token: u32, ready: EpollFlags) -> Result<()> {
        if ready.contains(EpollFlags::EPOLLOUT) {
            self.flush()?;
        }
        let outbox = self.outboxes.iter().find(|outbox| outbox.token == token);
        let Some(outbox) = outbox else { return Ok(()) };
        let (control, bfd, counters) = (&self.control, &self.bfd, &*self.counters);
        let (tuns, allowance, clock) = (&mut self.tuns, &mut self.allowance, &self.clock);
        let strays_after = &mut self.strays_after;
        let echo_gates = &mut self.echo_gates;
        let mut exits =
            Exits { tuns, control, bfd, allowance, echo_gates, strays_after, clock, counters };
        let snapshot = self.snapshot.load();
        let received = (&mut self.receive, &mut self.unpacked);
        match wan::turn(&outbox.socket, received, snapshot, &mut exits) {
            Ok(()) => Ok(()),
            Err(error) if is_fatal(&error) => {
                Err(error).with_context(|| format!("receiving on {}", outbox.socket.local()))
            }
            // An ICMP error about something that we sent (RFC 4301 §8.2: not to be trusted).
            Err(_) => {
                self.counters.receive_errors.add(1);
                Ok(())
            }
        }
    }

    fn handle_streamed(&mut self, mut streamed: Streamed) {
        let Worker {
            control, bfd, counters, tuns, allowance, clock, strays_after, echo_gates, ..
        } = self;
        let mut exits =
            Exits { tuns, control, bfd, allowance, echo_gates, strays_after, clock, counters };
        wan::turn_of_stream(&mut streamed, &mut self.unpacked, self.snapshot.load(), &mut exits);
    }

    /// Takes in what came before now, as far as that ends.
    fn hear_out(&mut self) -> Result<()> {
        let tokens: Vec<u32> = self.outboxes.iter().map(|outbox| outbox.token).collect();
        for token in tokens {
            for _ in 0..BACKLOG {
                self.handle_socket(token, EpollFlags::EPOLLIN)?;
                if !self.receive.full() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn handle_tun(&mut self, vpc: VpcId, ready: EpollFlags) -> Result<()> {
        // Trouble is told even while nobody asks for packets.
        if self.blocked && !ready.contains(EpollFlags::EPOLLERR) {
            return Ok(());
        }
        let Some(tun) = lan::queue_of(&mut self.tuns, vpc) else { return Ok(()) };
        let now = self.clock.now();
        tun.allowance.refill(now);
        let (snapshot, counters) = (self.snapshot.load(), &*self.counters);
        let turn = lan::turn(
            tun,
            (&mut self.outboxes, &self.outlets),
            (snapshot, now),
            &mut self.read_buffer,
            counters,
        );
        if let Err(error) = turn {
            self.lose(vpc, &error);
        }
        self.flush()
    }

    /// Sends what waits because of a peer's rate, as far as it is due and other work need not wait.
    fn release(&mut self) -> Result<()> {
        if self.releasing.is_idle() {
            return Ok(());
        }
        let now = self.clock.now();
        self.releasing.begin_turn();
        while !self.blocked
            && let Some(held) = self.releasing.next(now)
        {
            let (snapshot, counters) = (self.snapshot.load(), &*self.counters);
            let ways = (&mut self.outboxes[..], &self.outlets);
            let released = lan::release(&held, &mut self.tuns, ways, (snapshot, now), counters);
            self.releasing.again(&held, released);
            self.flush()?;
        }
        Ok(())
    }

    /// Somebody else has deleted the device of a VPC. The other VPCs go on.
    fn lose(&mut self, vpc: VpcId, error: &io::Error) {
        for tun in self.tuns.extract_if(.., |tun| tun.vpc == vpc) {
            // One worker tells for all.
            if !tun.gone.swap(true, Ordering::Relaxed) {
                let why = format!("the TUN device {} is gone: {error}", tun.queue.name());
                self.lost.push(FromDataplane::DeviceGone { vpc, why });
            }
        }
    }

    /// Tells of lost devices as far as the channel has room.
    fn tell_losses(&mut self) {
        while !self.lost.is_empty() {
            let Ok(place) = self.control.try_reserve() else { return };
            place.send(self.lost.remove(0));
        }
    }

    /// Sends what waits in the outboxes, and reads from the devices only while none of it stays.
    fn flush(&mut self) -> Result<()> {
        let mut blocked = false;
        for outbox in &mut self.outboxes {
            let stuck = outbox.flush(&mut self.send, &self.counters) == Flush::Blocked;
            if stuck != outbox.waiting {
                outbox.waiting = stuck;
                let mut flags = EpollFlags::EPOLLIN;
                flags.set(EpollFlags::EPOLLOUT, stuck);
                let mut event = EpollEvent::new(flags, SOCKET | u64::from(outbox.token));
                self.epoll.modify(&outbox.socket, &mut event)?;
            }
            blocked |= stuck;
        }
        self.tell_refusals();
        if blocked != self.blocked {
            self.blocked = blocked;
            self.tuns.iter().try_for_each(|tun| self.watch(tun))?;
        }
        self.begin_to_release();
        Ok(())
    }

    /// Has what waits for its peer's rate released, once all that came before has left.
    fn begin_to_release(&mut self) {
        if !self.blocked {
            let now = || self.clock.now();
            self.read_buffer.began.drain(..).for_each(|held| self.releasing.begin(held, now()));
        }
    }

    /// Tells of a datagram that the host did not send, once in a while.
    fn tell_refusals(&mut self) {
        for outbox in &mut self.outboxes {
            let Some((remote, errno)) = outbox.refused.take() else { continue };
            let now = self.clock.now();
            if self.told_at.is_some_and(|last| now.since(last) < TELLING_PAUSE) {
                continue;
            }
            self.told_at = Some(now);
            let local = outbox.socket.local();
            // Full: IKE is more important, and it is told again.
            if let Ok(place) = self.control.try_reserve() {
                place.send(FromDataplane::Unsent { local, remote, errno });
            }
        }
    }

    /// Makes epoll tell of packets in the queue, unless a socket is full.
    fn watch(&self, tun: &VpcTun) -> Result<()> {
        let mut event = tun_event(tun.vpc, self.blocked);
        Ok(self.epoll.modify(&tun.queue, &mut event)?)
    }

    fn handle_commands(&mut self) -> Result<ControlFlow<()>> {
        let told = self.inbox.turn();
        self.snapshot.load();
        // Ciphers that keep a key in registers spill it while they work.
        scrub_stack();
        for command in told {
            match command {
                Command::AddTun(vpc, queue, gone) => {
                    self.epoll.add(&queue, tun_event(vpc, self.blocked))?;
                    self.tuns.push(VpcTun::new(vpc, queue, gone));
                }
                // Closing the last queue removes the device, and epoll forgets it.
                Command::RemoveTun(vpc, done) => {
                    self.tuns.retain(|tun| tun.vpc != vpc);
                    drop(done);
                }
                Command::HearOut(all) => {
                    self.hear_out()?;
                    drop(all);
                }
                Command::Streamed(streamed) => self.handle_streamed(streamed),
                Command::Release(held) => self.releasing.hold(held, self.clock.now()),
                Command::AddSocket(socket) => self.add_socket(socket)?,
                Command::RemoveSocket(local, done) => {
                    self.outboxes.retain(|outbox| outbox.socket.local() != local);
                    // What waited for a socket that is gone waits no longer.
                    self.flush()?;
                    drop(done);
                }
                Command::Stop => return Ok(ControlFlow::Break(())),
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

impl Worker {
    fn add_socket(&mut self, socket: UdpSocket) -> Result<()> {
        let token = self.next_socket;
        self.next_socket = self.next_socket.wrapping_add(1);
        let event = EpollEvent::new(EpollFlags::EPOLLIN, SOCKET | u64::from(token));
        self.epoll.add(&socket, event)?;
        self.outboxes.push(Outbox::new(socket, token));
        Ok(())
    }
}

fn tun_event(vpc: VpcId, blocked: bool) -> EpollEvent {
    let flags = if blocked { EpollFlags::empty() } else { EpollFlags::EPOLLIN };
    EpollEvent::new(flags, TUN | u64::from(vpc.0))
}

/// The descriptor itself is bad; anything else is about one datagram.
fn is_fatal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EBADF | libc::ENOTSOCK | libc::EFAULT | libc::EINVAL))
}

/// Binds this thread to the `index`-th core that the process may run on.
fn pin(index: usize) {
    let this = Pid::from_raw(0);
    let Ok(allowed) = sched_getaffinity(this) else { return };
    let mut cores = (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false));
    let mut chosen = CpuSet::new();
    let bound = cores.nth(index).and_then(|core| chosen.set(core).ok());
    if bound.is_some() && sched_setaffinity(this, &chosen).is_err() {
        tracing::debug!(index, "this worker is not bound to a core");
    }
}
