//! The TCP connections of BGP sessions. Inside the tunnels every socket is bound to the TUN device of its
//! VPC, so that a session can never run beside its tunnel; those with routers of a VPC ([`lan`]) are bound
//! to the VPC's interface.

mod lan;

use super::world::Place;
use crate::gateway::{Lan, TcpInput, TcpOutput};
use crate::net::VpcId;
use crate::os::process::descriptor_limit;
use crate::os::tcp::{self, Anchor};
use crate::routing::ConnectionId;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::{debug, error, warn};

/// BGP's port (RFC 4271 §8.2.1).
const PORT: u16 = 179;
/// How long a connection may take to stand.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a peer may take to read what is queued and to close its side after we closed ours.
const LINGER: Duration = Duration::from_secs(5);
/// How long a peer may read nothing of what we send (RFC 9687 §3: at least 8 minutes).
const SEND_HOLD: Duration = Duration::from_secs(8 * 60);
/// Bytes that may wait for a peer to read: more than the 100,000 prefixes that a peer may announce
/// take when each has attributes of its own.
const WAITING_MAX: usize = 16 << 20;
/// Addresses from which connections to one of ours stand: each costs descriptors, whoever it is.
/// Beyond, new ones are closed at once.
const GUESTS_MAX: usize = 16_384;
/// Of the files that this process may have open, one in so many may be such a connection, over all
/// VPCs, and it has two: enough are left for everything else.
const GUESTS_SHARE: usize = 4;
/// Such connections from one address: an honest peer has one, and a second for a moment.
const GUESTS_FROM_ONE: usize = 4;
/// Devices that may be made anew at a time.
const DEVICES_MAX: usize = 1024;
/// Reads that wait for the gateway before a connection is no longer read.
const BACKLOG: usize = 64;

/// What happened to a connection.
#[derive(Debug)]
pub(super) struct TcpEvent {
    /// The VPC.
    pub vpc: VpcId,
    /// The connection.
    pub connection: ConnectionId,
    /// What happened.
    pub input: TcpInput,
}

type Writers = BTreeMap<(VpcId, ConnectionId), Writer>;

/// A connection that has been accepted.
#[derive(Debug)]
struct Newcomer {
    vpc: VpcId,
    stream: TcpStream,
    seat: Seat,
    /// It runs inside a tunnel, and stays with the VPC's device when that is made anew.
    is_inside: bool,
}

/// All connections of all VPCs.
#[derive(Debug)]
pub(super) struct Connections {
    places: BTreeMap<VpcId, Place>,
    events: mpsc::Sender<TcpEvent>,
    writers: Writers,
    listeners: BTreeMap<(VpcId, IpAddr), JoinHandle<()>>,
    accepted: mpsc::Sender<Newcomer>,
    incoming: mpsc::Receiver<Newcomer>,
    house: Arc<House>,
    counted: u64,
    /// The VPC whose device was made anew, and its name.
    devices: broadcast::Sender<(VpcId, String)>,
}

impl Connections {
    /// No connections yet; what happens to them comes out of the receiver.
    pub(super) fn new(places: BTreeMap<VpcId, Place>) -> (Connections, mpsc::Receiver<TcpEvent>) {
        let (events, receiver) = mpsc::channel(BACKLOG);
        let (accepted, incoming) = mpsc::channel(BACKLOG);
        let connections = Connections {
            places,
            events,
            writers: Writers::new(),
            listeners: BTreeMap::new(),
            accepted,
            incoming,
            house: Arc::new(House::of(descriptor_limit())),
            counted: 0,
            devices: broadcast::channel(DEVICES_MAX).0,
        };
        (connections, receiver)
    }

    /// From now on this is where a VPC lives.
    pub(super) fn place(&mut self, vpc: VpcId, place: Place) {
        self.places.insert(vpc, place);
    }

    /// The device of a VPC is there again: connections go on over it.
    pub(super) fn on_device(&self, vpc: VpcId, name: &str) {
        // Nobody may be connected.
        let _ = self.devices.send((vpc, name.to_owned()));
    }

    /// Does what the gateway wants; connecting waits for `ready`.
    pub(super) fn carry_out(&mut self, output: TcpOutput, ready: oneshot::Receiver<()>) {
        match output {
            TcpOutput::Listen { vpc, local, lan } => self.listen(vpc, local, lan),
            TcpOutput::Unlisten { vpc, local } => {
                if let Some(listener) = self.listeners.remove(&(vpc, local)) {
                    listener.abort();
                }
            }
            TcpOutput::Connect { vpc, connection, local, remote, lan } => {
                self.connect(vpc, connection, (local, remote, lan), ready);
            }
            TcpOutput::Send { vpc, connection, bytes } => {
                self.send((vpc, connection), bytes);
            }
            TcpOutput::Close { vpc, connection } => drop(self.writers.remove(&(vpc, connection))),
        }
    }

    /// Waits for a peer that connects to us, and takes its connection into use.
    pub(super) async fn accept(&mut self) -> Option<TcpEvent> {
        loop {
            let Newcomer { vpc, stream, seat, is_inside } = self.incoming.recv().await?;
            let (Ok(local), Ok(remote)) = (stream.local_addr(), stream.peer_addr()) else {
                continue;
            };
            self.counted += 1;
            let connection = ConnectionId::accepted(self.counted);
            let (writer, queue) = Writer::new();
            self.writers.insert((vpc, connection), writer);
            let (events, devices) = (self.events.clone(), self.devices_if(is_inside));
            tokio::spawn(async move {
                converse(vpc, connection, stream, queue, events, devices).await;
                drop(seat);
            });
            let input = TcpInput::Accepted { local: local.ip(), remote: remote.ip() };
            return Some(TcpEvent { vpc, connection, input });
        }
    }

    /// Queues bytes; a peer that leaves too many of them unread loses the connection.
    fn send(&mut self, key: (VpcId, ConnectionId), bytes: Vec<u8>) {
        if self.writers.get(&key).is_some_and(|writer| !writer.send(bytes)) {
            warn!(connection = ?key.1, "a BGP peer does not read what we send; disconnecting");
            self.writers.remove(&key);
        }
    }

    /// What tells that a VPC's device was made anew, for what runs over it.
    fn devices_if(&self, is_inside: bool) -> Option<broadcast::Receiver<(VpcId, String)>> {
        is_inside.then(|| self.devices.subscribe())
    }

    fn listen(&mut self, vpc: VpcId, local: IpAddr, lan: Option<Lan>) {
        let Some(place) = self.places.get(&vpc) else { return };
        if let Some(lan) = lan {
            let guests = Guests::in_house(&self.house);
            let place = (place.clone(), lan);
            let task = lan::listen(vpc, place, local, guests, self.accepted.clone());
            self.listeners.insert((vpc, local), tokio::spawn(task));
            return;
        }
        match tcp::listen(tcp_place(place), SocketAddr::new(local, PORT)) {
            Ok(listener) => {
                let guests = Guests::in_house(&self.house);
                let (accepted, devices) = (self.accepted.clone(), self.devices_if(true));
                let task = tokio::spawn(async move {
                    let anchor = Anchor::of(&listener);
                    tokio::select! {
                        () = accept_all(vpc, listener, guests, None, &accepted) => {}
                        () = follow(vpc, anchor, devices) => {}
                    }
                });
                self.listeners.insert((vpc, local), task);
            }
            Err(error) => error!(%local, error = format!("{error:#}"),
                "BGP cannot listen; peers of this VPC reach us only when we connect to them"),
        }
    }

    fn connect(
        &mut self,
        vpc: VpcId,
        connection: ConnectionId,
        (local, remote, lan): (IpAddr, IpAddr, Option<Lan>),
        ready: oneshot::Receiver<()>,
    ) {
        let Some(place) = self.places.get(&vpc).cloned() else { return };
        let (writer, queue) = Writer::new();
        self.writers.insert((vpc, connection), writer);
        let (events, devices) = (self.events.clone(), self.devices_if(lan.is_none()));
        tokio::spawn(async move {
            let _ = ready.await;
            let shield = lan.as_ref().and_then(|lan| lan.routers.get(&remote));
            let terms = shield.map(lan::terms).unwrap_or_default();
            let place = lan.as_ref().map_or(tcp_place(&place), |lan| lan::place(&place, lan));
            let remote = SocketAddr::new(remote, PORT);
            match tcp::connect((place, terms), local, remote, PATIENCE).await {
                Ok(stream) => {
                    let input = TcpInput::Connected;
                    let _ = events.send(TcpEvent { vpc, connection, input }).await;
                    converse(vpc, connection, stream, queue, events, devices).await;
                }
                Err(error) => {
                    debug!(error = format!("{error:#}"), "BGP");
                    let input = TcpInput::ConnectFailed;
                    let _ = events.send(TcpEvent { vpc, connection, input }).await;
                }
            }
        });
    }
}

/// The gateway's end of a connection; dropping it closes the connection.
#[derive(Debug)]
struct Writer {
    messages: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    _open: oneshot::Sender<()>,
}

/// What a connection has to write.
struct Queue {
    messages: mpsc::UnboundedReceiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    closed: oneshot::Receiver<()>,
}

impl Writer {
    fn new() -> (Writer, Queue) {
        let (sender, messages) = mpsc::unbounded_channel();
        let (open, closed) = oneshot::channel();
        let waiting = Arc::<AtomicUsize>::default();
        let writer = Writer { messages: sender, waiting: Arc::clone(&waiting), _open: open };
        (writer, Queue { messages, waiting, closed })
    }

    /// Queues bytes unless too many wait already; says whether it did.
    fn send(&self, bytes: Vec<u8>) -> bool {
        let length = bytes.len();
        let before = self.waiting.fetch_add(length, Ordering::Relaxed);
        let fits = before.saturating_add(length) <= WAITING_MAX;
        if fits {
            let _ = self.messages.send(bytes);
        }
        fits
    }
}

/// Room for connections to all our addresses together.
#[derive(Debug)]
struct House {
    places: Semaphore,
}

impl House {
    /// The part of so many descriptors that guests may take.
    fn of(descriptors: usize) -> House {
        House { places: Semaphore::new((descriptors / GUESTS_SHARE).min(Semaphore::MAX_PERMITS)) }
    }
}

/// Who is connected to one of our addresses.
#[derive(Debug)]
struct Guests {
    house: Arc<House>,
    seated: Mutex<BTreeMap<IpAddr, usize>>,
}

/// A place for one connection, free again when this is dropped.
#[derive(Debug)]
struct Seat {
    guests: Arc<Guests>,
    address: IpAddr,
}

impl Guests {
    /// Nobody yet.
    fn in_house(house: &Arc<House>) -> Arc<Guests> {
        Arc::new(Guests { house: Arc::clone(house), seated: Mutex::default() })
    }

    /// A place for a connection from `address`, unless it or all have too many.
    fn seat(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let mut seated = self.seated.lock().unwrap_or_else(PoisonError::into_inner);
        let here = seated.get(&address).copied().unwrap_or(0);
        if here >= GUESTS_FROM_ONE || here == 0 && seated.len() >= GUESTS_MAX {
            return None;
        }
        self.house.places.try_acquire().ok()?.forget();
        seated.insert(address, here + 1);
        Some(Seat { guests: Arc::clone(self), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.guests.house.places.add_permits(1);
        let mut seated = self.guests.seated.lock().unwrap_or_else(PoisonError::into_inner);
        match seated.get(&self.address) {
            Some(&here) if here > 1 => seated.insert(self.address, here - 1),
            Some(_) | None => seated.remove(&self.address),
        };
    }
}

fn tcp_place(place: &Place) -> tcp::Place<'_> {
    tcp::Place { namespace: place.namespace.as_deref(), device: Some(&place.device) }
}

async fn accept_all(
    vpc: VpcId,
    listener: TcpListener,
    guests: Arc<Guests>,
    lan: Option<&Lan>,
    accepted: &mpsc::Sender<Newcomer>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                if lan.is_some_and(|lan| !lan::admits(lan, &stream, remote.ip())) {
                    continue;
                }
                let Some(seat) = guests.seat(remote.ip()) else { continue };
                let _ = stream.set_nodelay(true);
                let newcomer = Newcomer { vpc, stream, seat, is_inside: lan.is_none() };
                if accepted.send(newcomer).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                debug!(%error, "accepting a BGP connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Reads until the peer closes, writes until the gateway closes, which leaves the peer a moment to
/// read the rest.
async fn converse(
    vpc: VpcId,
    connection: ConnectionId,
    stream: TcpStream,
    queue: Queue,
    events: mpsc::Sender<TcpEvent>,
    devices: Option<broadcast::Receiver<(VpcId, String)>>,
) {
    let anchor = Anchor::of(&stream);
    let (reader, writer) = stream.into_split();
    let Queue { messages, waiting, closed } = queue;
    let expired = async {
        let _ = closed.await;
        tokio::time::sleep(LINGER).await;
    };
    tokio::select! {
        () = read_all(vpc, connection, reader, &events) => {}
        () = write_all(writer, messages, &waiting) => {}
        () = follow(vpc, anchor, devices) => {}
        () = expired => {}
    }
    let _ = events.send(TcpEvent { vpc, connection, input: TcpInput::Closed }).await;
}

/// Follows the device of the VPC, whenever it is made anew; never ends.
async fn follow(
    vpc: VpcId,
    anchor: io::Result<Anchor>,
    devices: Option<broadcast::Receiver<(VpcId, String)>>,
) {
    let (Ok(anchor), Some(mut devices)) = (anchor, devices) else {
        return std::future::pending().await;
    };
    loop {
        match devices.recv().await {
            Ok((of, name)) if of == vpc => {
                if let Err(error) = anchor.bind(&name) {
                    debug!(name, %error, "a BGP connection does not find its device again");
                }
            }
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

async fn read_all(
    vpc: VpcId,
    connection: ConnectionId,
    mut reader: OwnedReadHalf,
    events: &mpsc::Sender<TcpEvent>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(length @ 1..) = reader.read(&mut buffer).await else { return };
        let bytes = buffer.get(..length).unwrap_or_default().to_vec();
        let event = TcpEvent { vpc, connection, input: TcpInput::Bytes(bytes) };
        if events.send(event).await.is_err() {
            return;
        }
    }
}

/// Ends when nothing can be written any more; a queue that is closed and empty closes our side only.
async fn write_all(
    mut writer: OwnedWriteHalf,
    mut messages: mpsc::UnboundedReceiver<Vec<u8>>,
    waiting: &AtomicUsize,
) {
    let mut refused = true;
    while let Some(bytes) = messages.recv().await {
        refused = false;
        let written = tokio::time::timeout(SEND_HOLD, writer.write_all(&bytes)).await;
        let Ok(Ok(())) = written else { return };
        waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
    }
    // Nobody waits for the last words of a gateway that never said any.
    if refused {
        return;
    }
    let _ = writer.shutdown().await;
    std::future::pending().await
}

#[cfg(test)]
mod tests;
