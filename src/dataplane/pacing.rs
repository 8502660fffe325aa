//! The thread of constant rates: it sends by the clock, whatever workers have to do.
//!
//! ```text
//!   workers, daemon ── packets ──► Pacer of each strand ◄── what is due ── this thread ──► UDP
//! ```

use super::bell;
use super::bfd::Boxes;
use super::counters::DataplaneCounters;
use super::outbox::Outbox;
use super::streams::Outlets;
use crate::forward::{TunnelEntry, keep_pace};
use crate::net::PeerId;
use crate::os::clock::Clock;
use crate::os::memory::scrub_stack;
use crate::os::process;
use crate::os::udp::{SendBatch, UdpSocket};
use crate::time::Timestamp;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use tracing::debug;

/// The tunnels that have SAs with a constant rate.
pub(super) type Paced = Arc<BTreeMap<PeerId, Arc<TunnelEntry>>>;

enum Order {
    /// These and no others from now on.
    Keep(Paced),
    /// A socket of one more listening address.
    Listen(UdpSocket),
    /// Let go of the socket of this address, then drop the sender.
    Leave(SocketAddr, mpsc::Sender<Infallible>),
    Stop,
}

/// The thread, as the others have it.
pub(super) struct Pacing {
    orders: bell::Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

impl Pacing {
    pub(super) fn start(
        clock: Clock,
        outlets: Outlets,
        counters: Arc<DataplaneCounters>,
    ) -> Result<Pacing> {
        let (orders, begin) = bell::queue().context("no queue for constant rates")?;
        let pacemaker = Pacemaker {
            orders: begin,
            clock,
            paced: Paced::default(),
            outboxes: Vec::new(),
            outlets,
            send: SendBatch::new(),
            counters,
        };
        let thread = thread::Builder::new().name("pace".to_owned());
        let thread =
            thread.spawn(move || pacemaker.run()).context("no thread for constant rates")?;
        Ok(Pacing { orders, thread: Some(thread) })
    }

    /// These tunnels and no others.
    pub(super) fn keep(&self, paced: &Paced) {
        self.tell(Order::Keep(Arc::clone(paced)));
    }

    /// Sends by this socket, too.
    pub(super) fn listen_on(&self, socket: UdpSocket) {
        self.tell(Order::Listen(socket));
    }

    /// Does not send from this address any more: drops `done` when it has let go of its socket.
    pub(super) fn leave(&self, local: SocketAddr, done: mpsc::Sender<Infallible>) {
        self.tell(Order::Leave(local, done));
    }

    fn tell(&self, order: Order) {
        // Who has ended is told nothing.
        let _ = self.orders.send(order);
    }
}

impl Drop for Pacing {
    fn drop(&mut self) {
        self.tell(Order::Stop);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of constant rates panicked");
        }
    }
}

struct Pacemaker {
    orders: bell::Receiver<Order>,
    clock: Clock,
    paced: Paced,
    outboxes: Vec<Outbox>,
    outlets: Outlets,
    send: SendBatch,
    counters: Arc<DataplaneCounters>,
}

impl Pacemaker {
    fn run(mut self) {
        if let Err(error) = process::put_this_thread_first() {
            debug!(%error, "constant rates are kept with the priority of everybody else");
        }
        let mut next = None;
        loop {
            let until = next.map(|next: Timestamp| next.since(self.clock.now()));
            let mut order = self.orders.wait(until);
            while let Some(one) = order {
                match one {
                    Order::Keep(paced) => {
                        self.paced = paced;
                        // Ciphers that keep a key in registers spill it while they work.
                        scrub_stack();
                    }
                    // Epoll does not look at it here.
                    Order::Listen(socket) => self.outboxes.push(Outbox::new(socket, 0)),
                    Order::Leave(local, done) => {
                        self.outboxes.retain(|outbox| outbox.socket.local() != local);
                        drop(done);
                    }
                    Order::Stop => return,
                }
                order = self.orders.next();
            }
            next = self.send_what_is_due();
        }
    }

    /// Seals and sends; says when to come again.
    fn send_what_is_due(&mut self) -> Option<Timestamp> {
        let (now, counters) = (self.clock.now(), &*self.counters);
        let (outboxes, outlets) = (&mut self.outboxes, &self.outlets);
        let mut egress = Boxes { outboxes, outlets, counters };
        let due = self.paced.values().filter_map(|tunnel| keep_pace(tunnel, now, &mut egress));
        let next = due.min();
        for outbox in &mut self.outboxes {
            outbox.flush(&mut self.send, &self.counters);
        }
        next
    }
}
