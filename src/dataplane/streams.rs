//! IKE and ESP in TCP connections (RFC 9329): a thread of their own beside the packet path, which
//! carries what datagrams would carry.
//!
//! ```text
//!   workers, BFD, daemon ── sealed, IKE ──► lanes ──► framed ──► TCP
//!                      worker ◄── ESP ──┐
//!                      daemon ◄── IKE ──┴── taken out of the stream ◄── TCP
//! ```
//!
//! To everybody else a connection is a way through the underlay, whose end here has no port
//! ([`crate::net::streamed`]). The gateway says which ways it has a use for ([`Streams::keep`]); what
//! it has none for ends soon. Nobody waits for a connection: what does not fit its queue is dropped.

mod conversation;
mod lanes;
mod seats;
mod table;

pub(super) use lanes::Urgency;
pub(super) use table::Outlets;

use super::Ear;
use super::counters::DataplaneCounters;
use crate::net::StreamWay;
use crate::os::stream;
use anyhow::{Context as _, Result};
use seats::Seats;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc as threads};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use table::{Pipe, Table};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task;
use tracing::debug;

/// Reads that wait for workers before a connection is no longer read.
const BACKLOG: usize = 64;
/// IKE messages that wait for the daemon before connections are no longer read.
const IKE_BACKLOG: usize = 64;

/// What the daemon is told.
#[derive(Debug)]
pub enum FromStreams {
    /// An IKE message, with its non-ESP marker.
    Datagram {
        /// Our end.
        local: SocketAddr,
        /// The peer's end.
        remote: SocketAddr,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// A connection has ended that the gateway has a use for.
    Closed {
        /// Our end.
        local: SocketAddr,
        /// The peer's end.
        remote: SocketAddr,
    },
}

/// Where [`FromStreams`] comes out.
pub type StreamReceiver = mpsc::Receiver<FromStreams>;

/// ESP packets of one read, for a worker.
pub(super) struct Streamed {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) packets: Vec<Vec<u8>>,
    /// There is room for so many only.
    _place: OwnedSemaphorePermit,
}

/// The connections, and their thread.
pub struct Streams {
    outlets: Outlets,
    orders: mpsc::UnboundedSender<Order>,
    begin: Option<(mpsc::UnboundedReceiver<Order>, mpsc::Sender<FromStreams>)>,
    told: Option<StreamReceiver>,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    Listen(SocketAddr, std::net::TcpListener),
    /// Let go of a listening address, then drop the sender.
    Leave(SocketAddr, threads::Sender<Infallible>),
    Open(StreamWay, Pipe),
    Stop,
}

/// What conversations have in common.
#[derive(Clone)]
struct Context {
    table: Arc<Table>,
    seats: Arc<Seats>,
    places: Arc<Semaphore>,
    ears: Arc<[Ear]>,
    told: mpsc::Sender<FromStreams>,
    counters: Arc<DataplaneCounters>,
}

impl Streams {
    /// No connections yet, and no thread.
    pub(super) fn new() -> Streams {
        let (orders, inbox) = mpsc::unbounded_channel();
        let (teller, told) = mpsc::channel(IKE_BACKLOG);
        let begin = Some((inbox, teller));
        let outlets = Outlets::default();
        Streams { outlets, orders, begin, told: Some(told), thread: None }
    }

    pub(super) fn outlets(&self) -> Outlets {
        self.outlets.clone()
    }

    pub(super) fn take_messages(&mut self) -> Option<StreamReceiver> {
        self.told.take()
    }

    pub(super) fn start(&mut self, ears: Vec<Ear>, counters: Arc<DataplaneCounters>) -> Result<()> {
        let Some((orders, told)) = self.begin.take() else { return Ok(()) };
        let context = Context {
            table: Arc::clone(&self.outlets.0),
            seats: Arc::default(),
            places: Arc::new(Semaphore::new(BACKLOG)),
            ears: ears.into(),
            told,
            counters,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("no runtime for TCP connections")?;
        let thread = thread::Builder::new().name("streams".to_owned());
        let thread = thread.spawn(move || runtime.block_on(obey(orders, context)));
        self.thread = Some(thread.context("no thread for TCP connections")?);
        Ok(())
    }

    pub(super) fn stop(&mut self) {
        let _ = self.orders.send(Order::Stop);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of TCP connections panicked");
        }
    }

    /// Takes connections to this address and port from now on.
    ///
    /// # Errors
    ///
    /// When it cannot be bound, with what to do about it.
    pub fn listen_on(&self, local: SocketAddr) -> Result<()> {
        let listener = stream::listen(local)?;
        // A thread that has ended took the process with it.
        let _ = self.orders.send(Order::Listen(local, listener));
        Ok(())
    }

    pub(super) fn leave(&self, local: SocketAddr, done: threads::Sender<Infallible>) {
        let _ = self.orders.send(Order::Leave(local, done));
    }

    /// Whether there is a connection on this way, or one is being made.
    pub fn has(&self, way: StreamWay) -> bool {
        self.outlets.0.find(way).is_some()
    }

    /// Makes a connection, for which the gateway has a use already or not yet; what is sent meanwhile
    /// waits for it.
    pub fn open(&self, way: StreamWay, is_used: bool) {
        let pipe = self.outlets.0.open(way, is_used);
        let _ = self.orders.send(Order::Open(way, pipe));
    }

    /// Sends an IKE message with its non-ESP marker, ahead of ESP.
    ///
    /// # Errors
    ///
    /// When there is no connection, or what is urgent fills its queue.
    pub fn send(&self, way: StreamWay, message: &[u8]) -> io::Result<()> {
        self.outlets.send(way, message)
    }

    /// Whether the gateway has a use for this way.
    pub fn keep(&self, way: StreamWay, is_used: bool) {
        if let Some(outlet) = self.outlets.0.find(way) {
            outlet.kept.send_replace(is_used);
        }
    }
}

/// The thread.
async fn obey(mut orders: mpsc::UnboundedReceiver<Order>, context: Context) {
    let mut listeners: BTreeMap<SocketAddr, task::JoinHandle<()>> = BTreeMap::new();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Listen(local, listener) => match TcpListener::from_std(listener) {
                Ok(listener) => {
                    let task = tokio::spawn(accept_all(listener, context.clone()));
                    listeners.insert(local, task);
                }
                Err(error) => tracing::error!(%local, %error, "no TCP connections are taken"),
            },
            Order::Leave(local, done) => {
                if let Some(listener) = listeners.remove(&local) {
                    listener.abort();
                    // It is closed when its task has ended.
                    let _ = listener.await;
                }
                drop(done);
            }
            Order::Open(way, pipe) => {
                tokio::spawn(conversation::originate(way, pipe, context.clone()));
            }
            Order::Stop => return,
        }
    }
}

async fn accept_all(listener: TcpListener, context: Context) {
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            // No descriptor is free; one will be.
            Err(error) => {
                debug!(%error, "accepting a TCP connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (Ok(local), Some(seat)) = (stream.local_addr(), context.seats.take(remote.ip())) else {
            context.counters.streams_refused.add(1);
            continue;
        };
        let way = (local.ip(), remote);
        let Some(pipe) = context.table.accept(way) else {
            context.counters.streams_refused.add(1);
            continue;
        };
        context.counters.streams_accepted.add(1);
        tokio::spawn(conversation::respond(way, stream, pipe, seat, context.clone()));
    }
}
