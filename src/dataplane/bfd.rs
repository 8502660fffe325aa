//! BFD's own thread: it sends and judges by its own clock, whatever IKE, BGP, views and full
//! queues cost the daemon.
//!
//! ```text
//!   workers ── inner packets of BFD ──┐                       ┌── sealed, by one sendmmsg ──► UDP
//!                                     ├─► Sessions (pure) ────┤
//!   daemon ── what to watch, by what ─┘                       └── reports ──► daemon
//! ```
//!
//! A Detection Time that ends is not taken for silence before the workers have taken in what
//! their sockets held at that moment ([`HeardOut`]), and time in which this thread itself was not
//! let run does not count: want of processor time must not look like a lost path. Workers do not wake
//! it for packets that say nothing new ([`bfd::said`]).

use super::Ear;
use super::bell;
use super::counters::DataplaneCounters;
use super::outbox::Outbox;
use super::streams::{Outlets, Urgency};
use super::worker::Command;
use crate::esp::Discard;
use crate::forward::{self, Egress, ForGateway, TunnelEntry};
use crate::moment::Moment;
use crate::net::{PeerId, is_streamed};
use crate::os::clock::Clock;
use crate::os::memory::scrub_stack;
use crate::os::process;
use crate::os::random::OsRandom;
use crate::os::udp::{SendBatch, UdpSocket};
use crate::routing::bfd::fsm::Event;
use crate::routing::bfd::{
    self, Discards, Endpoints, Hint, Output, Report, SessionConfig, Sessions,
};
use crate::time::Timestamp;
use crate::wire::bfd::{PORT, State};
use crate::wire::ip::{InnerPacket, protocol};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tracing::debug;

/// Packets that wait for the thread; more are dropped, and count as signs of life all the same.
const BACKLOG: usize = 4096;
/// Orders that are taken before time is looked at again.
const BATCH: usize = 256;
/// Reports that wait for the daemon; more wait here, one for each peer.
const REPORTS: usize = 1024;
/// How late the thread may wake up before the time counts as one in which it could not listen.
const LATE: Duration = Duration::from_millis(5);
/// When a report that found no room is offered again.
const RETRY: Duration = Duration::from_millis(10);
/// How long the workers may take to hear out before they are asked once more.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the daemon is told of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BfdReport {
    /// The peer.
    pub peer: PeerId,
    /// What its session tells.
    pub report: Report,
}

/// What the thread is told.
enum Order {
    /// An inner packet of BFD came.
    Packet(PeerId, Vec<u8>),
    /// Watch the path to a peer, by this tunnel from now on.
    Watch(PeerId, Arc<TunnelEntry>, Endpoints, SessionConfig),
    Administer(PeerId, Event),
    Forget(PeerId),
    /// A socket of one more listening address.
    Listen(UdpSocket),
    /// Let go of the socket of this address, then drop the sender.
    Leave(SocketAddr, mpsc::Sender<Infallible>),
    Hint(PeerId, Hint),
    /// The workers have taken in what had come until then.
    HeardOut(Timestamp),
    Stop,
}

/// Where workers leave packets for BFD.
#[derive(Clone)]
pub(super) struct Inbox {
    orders: bell::Sender<Order>,
    waiting: Arc<AtomicUsize>,
}

impl Inbox {
    /// Hands a packet over that is news; says whether there was room.
    pub(super) fn hand_over(&self, inner: &ForGateway<'_>, now: Timestamp) -> bool {
        if bfd::said(inner.packet).is_some_and(|said| inner.familiar.knows(said, now)) {
            return true;
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= BACKLOG {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        self.orders.send(Order::Packet(inner.peer, inner.packet.to_vec()))
    }
}

/// Whether an inner packet for the gateway is one for BFD, and has not used up its hops.
pub(super) fn is_control(packet: &[u8]) -> bool {
    InnerPacket::parse(packet).is_ok_and(|inner| {
        let port = inner.ports(packet).map(|(_, to)| to);
        inner.protocol == protocol::UDP && port == Some(PORT) && inner.ttl > 1
    })
}

/// Shared by the workers that are asked what has come; the last one that drops it has answered
/// for all.
pub(super) struct HeardOut {
    orders: bell::Sender<Order>,
    until: Timestamp,
}

impl Drop for HeardOut {
    fn drop(&mut self) {
        // Nobody waits for it any more when the thread has ended.
        let _ = self.orders.send(Order::HeardOut(self.until));
    }
}

/// BFD inside the tunnels, and its thread.
pub struct Bfd {
    inbox: Inbox,
    begin: Option<bell::Receiver<Order>>,
    clock: Clock,
    reports: Option<tokio::sync::mpsc::Receiver<BfdReport>>,
    discards: Arc<Mutex<Discards>>,
    thread: Option<JoinHandle<()>>,
}

impl Bfd {
    pub(super) fn new(clock: Clock) -> Result<Bfd> {
        let (orders, begin) = bell::queue().context("no queue for BFD")?;
        let inbox = Inbox { orders, waiting: Arc::default() };
        let discards = Arc::default();
        Ok(Bfd { inbox, begin: Some(begin), clock, reports: None, discards, thread: None })
    }

    pub(super) fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }

    pub(super) fn start(
        &mut self,
        ears: Vec<Ear>,
        outlets: Outlets,
        counters: Arc<DataplaneCounters>,
    ) -> Result<()> {
        let Some(begin) = self.begin.take() else { return Ok(()) };
        let (told, reports) = tokio::sync::mpsc::channel(REPORTS);
        self.reports = Some(reports);
        let watchman = Watchman {
            inbox: self.inbox.clone(),
            orders: begin,
            clock: self.clock,
            sessions: Sessions::default(),
            tunnels: BTreeMap::new(),
            outboxes: Vec::new(),
            outlets,
            send: SendBatch::new(),
            counters,
            ears,
            asked: None,
            untold: BTreeMap::new(),
            told,
            discards: Arc::clone(&self.discards),
        };
        let thread = thread::Builder::new().name("bfd".to_owned());
        let thread = thread.spawn(move || watchman.run()).context("no thread for BFD")?;
        self.thread = Some(thread);
        Ok(())
    }

    pub(super) fn stop(&mut self) {
        let _ = self.inbox.orders.send(Order::Stop);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of BFD panicked");
        }
    }

    pub(super) fn take_reports(&mut self) -> Option<tokio::sync::mpsc::Receiver<BfdReport>> {
        self.reports.take()
    }

    /// Watches the path to a peer, by this tunnel from now on.
    pub fn watch(
        &self,
        peer: PeerId,
        tunnel: Arc<TunnelEntry>,
        endpoints: Endpoints,
        config: SessionConfig,
    ) {
        self.tell(Order::Watch(peer, tunnel, endpoints, config));
    }

    /// Holds a session down, and says why.
    pub fn administer(&self, peer: PeerId, event: Event) {
        self.tell(Order::Administer(peer, event));
    }

    /// Does not watch the path to a peer any more.
    pub fn forget(&self, peer: PeerId) {
        self.tell(Order::Forget(peer));
    }

    /// Asks a peer at once: something else says more about the path.
    pub fn hint(&self, peer: PeerId, hint: Hint) {
        self.tell(Order::Hint(peer, hint));
    }

    /// Sends by this socket, too.
    pub(super) fn listen_on(&self, socket: UdpSocket) {
        self.tell(Order::Listen(socket));
    }

    /// Does not send from this address any more: drops `done` when it has let go of its socket.
    pub(super) fn leave(&self, local: SocketAddr, done: mpsc::Sender<Infallible>) {
        self.tell(Order::Leave(local, done));
    }

    /// Packets that no session took.
    pub fn discards(&self) -> Discards {
        *self.discards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, order: Order) {
        // A thread that has ended took the process with it.
        let _ = self.inbox.orders.send(order);
    }
}

/// The thread.
struct Watchman {
    inbox: Inbox,
    orders: bell::Receiver<Order>,
    clock: Clock,
    sessions: Sessions,
    tunnels: BTreeMap<PeerId, Arc<TunnelEntry>>,
    outboxes: Vec<Outbox>,
    outlets: Outlets,
    send: SendBatch,
    counters: Arc<DataplaneCounters>,
    ears: Vec<Ear>,
    /// When the workers were asked to hear out, and have not answered yet.
    asked: Option<Timestamp>,
    /// Reports that the daemon has no room for.
    untold: BTreeMap<PeerId, Report>,
    told: tokio::sync::mpsc::Sender<BfdReport>,
    discards: Arc<Mutex<Discards>>,
}

impl Watchman {
    fn run(mut self) {
        if let Err(error) = process::put_this_thread_first() {
            debug!(%error, "BFD runs with the priority of everybody else");
        }
        while self.turn() {}
    }

    /// One turn: waits, takes what has come, does what is due. Says whether to go on.
    fn turn(&mut self) -> bool {
        let planned = self.deadline();
        let first = self.wait(planned);
        self.notice_lateness(planned);
        let more = std::iter::from_fn(|| self.orders.next()).take(BATCH);
        let orders: Vec<Order> = first.into_iter().chain(more).collect();
        for order in orders {
            if matches!(order, Order::Stop) {
                return false;
            }
            self.obey(order);
        }
        self.pass();
        self.carry_out();
        true
    }

    fn deadline(&self) -> Option<Timestamp> {
        let silence = match self.asked {
            Some(asked) => Some(asked + PATIENCE),
            None => self.sessions.poll_silence(),
        };
        let retry = (!self.untold.is_empty()).then(|| self.clock.now() + RETRY);
        [silence, self.sessions.poll_timeout(), retry].into_iter().flatten().min()
    }

    fn wait(&self, until: Option<Timestamp>) -> Option<Order> {
        self.orders.wait(until.map(|until| until.since(self.clock.now())))
    }

    /// Who was not let run could not listen.
    fn notice_lateness(&mut self, planned: Option<Timestamp>) {
        let now = self.clock.now();
        let lateness = planned.map_or(Duration::ZERO, |planned| now.since(planned));
        if lateness > LATE {
            self.sessions.on_deaf(lateness, now);
        }
    }

    fn obey(&mut self, order: Order) {
        let (now, mut random) = (self.clock.now(), OsRandom);
        let at = &mut Moment::new(now, Clock::wall(), &mut random);
        match order {
            Order::Packet(peer, packet) => {
                self.inbox.waiting.fetch_sub(1, Ordering::Relaxed);
                self.sessions.handle_packet(peer, &packet, at);
                self.become_familiar(peer, &packet, now);
            }
            Order::Watch(peer, tunnel, endpoints, config) => {
                tunnel.counters.familiar.forget();
                self.tunnels.insert(peer, tunnel);
                self.sessions.set(peer, endpoints, config, at);
                // Ciphers that keep a key in registers spill it while they work.
                scrub_stack();
            }
            Order::Administer(peer, event) => self.sessions.administer(peer, event, at),
            Order::Forget(peer) => {
                self.tunnels.remove(&peer);
                self.sessions.remove(peer);
                self.untold.remove(&peer);
                scrub_stack();
            }
            // Epoll does not look at it here.
            Order::Listen(socket) => self.outboxes.push(Outbox::new(socket, 0)),
            Order::Leave(local, done) => {
                self.outboxes.retain(|outbox| outbox.socket.local() != local);
                drop(done);
            }
            Order::Hint(peer, hint) => self.sessions.on_hint(peer, hint, at),
            Order::HeardOut(until) => {
                self.asked = self.asked.filter(|asked| *asked > until);
                let tunnels = &self.tunnels;
                self.sessions.handle_silence(until, at, &|peer| heard(tunnels, peer));
            }
            Order::Stop => {}
        }
    }

    /// A session that is content need not see a packet again that says the same.
    fn become_familiar(&self, peer: PeerId, packet: &[u8], now: Timestamp) {
        let Some(tunnel) = self.tunnels.get(&peer) else { return };
        let familiar = &tunnel.counters.familiar;
        match (self.sessions.is_content(peer), bfd::said(packet)) {
            (true, Some(said)) => familiar.learn(said, now + bfd::AGAIN),
            (true, None) => {}
            (false, _) => familiar.forget(),
        }
    }

    /// Does what is due, and asks the workers before silence counts.
    fn pass(&mut self) {
        let (now, mut random) = (self.clock.now(), OsRandom);
        let at = &mut Moment::new(now, Clock::wall(), &mut random);
        let tunnels = &self.tunnels;
        self.sessions.handle_timeout(at, &|peer| heard(tunnels, peer));
        let silent = self.sessions.poll_silence().is_some_and(|end| end <= now);
        self.asked = self.asked.filter(|asked| *asked + PATIENCE > now);
        if silent && self.asked.is_none() {
            self.asked = Some(now);
            let all = Arc::new(HeardOut { orders: self.inbox.orders.clone(), until: now });
            for ear in &self.ears {
                // A worker that has ended reports that itself.
                let _ = ear.tell(Command::HearOut(Arc::clone(&all)));
            }
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.sessions.poll_output() {
            match output {
                Output::Send { peer, mut packet } => self.seal(peer, &mut packet),
                Output::Report { peer, report } => {
                    let tunnel = self.tunnels.get(&peer).filter(|_| report.state != State::Up);
                    tunnel.inspect(|tunnel| tunnel.counters.familiar.forget());
                    self.untold.insert(peer, report);
                }
            }
        }
        for outbox in &mut self.outboxes {
            outbox.flush(&mut self.send, &self.counters);
        }
        self.report();
        // Who reads them may not be let run for long while it does.
        if let Ok(mut discards) = self.discards.try_lock() {
            *discards = self.sessions.discards();
        }
    }

    fn seal(&mut self, peer: PeerId, packet: &mut [u8]) {
        if let Some(tunnel) = self.tunnels.get(&peer) {
            // Counted by reason where it is decided.
            let (outboxes, outlets) = (&mut self.outboxes, &self.outlets);
            let mut boxes = Boxes { outboxes, outlets, counters: &self.counters };
            let _ = forward::originate(tunnel, packet, &mut boxes);
        }
    }

    fn report(&mut self) {
        while let Some((peer, report)) = self.untold.pop_first() {
            match self.told.try_send(BfdReport { peer, report }) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    self.untold.insert(peer, report);
                    return;
                }
                // The daemon ends.
                Err(TrySendError::Closed(_)) => self.untold.clear(),
            }
        }
    }
}

fn heard(tunnels: &BTreeMap<PeerId, Arc<TunnelEntry>>, peer: PeerId) -> Option<Timestamp> {
    tunnels.get(&peer)?.counters.last_heard()
}

/// Sealed datagrams wait here until all that are due can leave together.
pub(super) struct Boxes<'w> {
    pub outboxes: &'w mut [Outbox],
    pub outlets: &'w Outlets,
    pub counters: &'w DataplaneCounters,
}

impl Egress for Boxes<'_> {
    fn datagram(
        &mut self,
        tunnel: &TunnelEntry,
        tos: u8,
        length: usize,
        seal: impl FnOnce(&mut [u8]) -> Result<usize, Discard>,
    ) -> Result<(), Discard> {
        if is_streamed(tunnel.local) {
            return self.outlets.seal(tunnel, (length, Urgency::Urgent), self.counters, seal);
        }
        let outbox = self.outboxes.iter_mut().find(|outbox| outbox.socket.local() == tunnel.local);
        outbox.ok_or(Discard::SendFailed)?.push(tunnel.remote, tos, length, seal)
    }

    /// The gateway needs nobody to tell it what fits.
    fn reply(&mut self, _error: impl FnOnce() -> Option<Vec<u8>>) {}
}
