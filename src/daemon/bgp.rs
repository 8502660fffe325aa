//! The TCP connections of BGP sessions, inside the tunnels only: every socket is bound to the
//! TUN device of its VPC, so that a session can never run beside its tunnel.

use super::kernel::Place;
use crate::gateway::{TcpInput, TcpOutput};
use crate::net::VpcId;
use crate::os::tcp;
use crate::routing::ConnectionId;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tracing::{debug, error};

/// BGP's port (RFC 4271 §8.2.1).
const PORT: u16 = 179;
/// How long a connection may take to stand.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a peer may take to close its side after we closed ours.
const LINGER: Duration = Duration::from_secs(5);
/// Reads that wait for the gateway before a connection is no longer read.
const BACKLOG: usize = 64;

/// What happened to a connection.
#[derive(Debug)]
pub struct TcpEvent {
    /// The VPC.
    pub vpc: VpcId,
    /// The connection.
    pub connection: ConnectionId,
    /// What happened.
    pub input: TcpInput,
}

type Writers = BTreeMap<(VpcId, ConnectionId), mpsc::UnboundedSender<Vec<u8>>>;

/// All connections of all VPCs.
#[derive(Debug)]
pub struct Connections {
    places: BTreeMap<VpcId, Place>,
    events: mpsc::Sender<TcpEvent>,
    writers: Writers,
    listeners: BTreeMap<(VpcId, IpAddr), JoinHandle<()>>,
    accepted: mpsc::Sender<(VpcId, TcpStream)>,
    incoming: mpsc::Receiver<(VpcId, TcpStream)>,
    counted: u64,
}

impl Connections {
    /// No connections yet; what happens to them comes out of the receiver.
    pub fn new(places: BTreeMap<VpcId, Place>) -> (Connections, mpsc::Receiver<TcpEvent>) {
        let (events, receiver) = mpsc::channel(BACKLOG);
        let (accepted, incoming) = mpsc::channel(BACKLOG);
        let connections = Connections {
            places,
            events,
            writers: Writers::new(),
            listeners: BTreeMap::new(),
            accepted,
            incoming,
            counted: 0,
        };
        (connections, receiver)
    }

    /// Does what the gateway wants; connecting waits for `ready`.
    pub fn carry_out(&mut self, output: TcpOutput, ready: oneshot::Receiver<()>) {
        match output {
            TcpOutput::Listen { vpc, local } => self.listen(vpc, local),
            TcpOutput::Unlisten { vpc, local } => {
                if let Some(listener) = self.listeners.remove(&(vpc, local)) {
                    listener.abort();
                }
            }
            TcpOutput::Connect { vpc, connection, local, remote } => {
                self.connect(vpc, connection, (local, remote), ready);
            }
            TcpOutput::Send { vpc, connection, bytes } => {
                if let Some(writer) = self.writers.get(&(vpc, connection)) {
                    let _ = writer.send(bytes);
                }
            }
            TcpOutput::Close { vpc, connection } => drop(self.writers.remove(&(vpc, connection))),
        }
    }

    /// Waits for a peer that connects to us, and takes its connection into use.
    pub async fn accept(&mut self) -> Option<TcpEvent> {
        loop {
            let (vpc, stream) = self.incoming.recv().await?;
            let (Ok(local), Ok(remote)) = (stream.local_addr(), stream.peer_addr()) else {
                continue;
            };
            self.counted += 1;
            let connection = ConnectionId::accepted(self.counted);
            let (writer, queue) = mpsc::unbounded_channel();
            self.writers.insert((vpc, connection), writer);
            let events = self.events.clone();
            tokio::spawn(converse(vpc, connection, stream, queue, events));
            let input = TcpInput::Accepted { local: local.ip(), remote: remote.ip() };
            return Some(TcpEvent { vpc, connection, input });
        }
    }

    fn listen(&mut self, vpc: VpcId, local: IpAddr) {
        let Some(place) = self.places.get(&vpc) else { return };
        match tcp::listen(tcp_place(place), SocketAddr::new(local, PORT)) {
            Ok(listener) => {
                let task = tokio::spawn(accept_all(vpc, listener, self.accepted.clone()));
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
        (local, remote): (IpAddr, IpAddr),
        ready: oneshot::Receiver<()>,
    ) {
        let Some(place) = self.places.get(&vpc).cloned() else { return };
        let (writer, queue) = mpsc::unbounded_channel();
        self.writers.insert((vpc, connection), writer);
        let events = self.events.clone();
        tokio::spawn(async move {
            let _ = ready.await;
            let remote = SocketAddr::new(remote, PORT);
            match tcp::connect(tcp_place(&place), local, remote, PATIENCE).await {
                Ok(stream) => {
                    let input = TcpInput::Connected;
                    let _ = events.send(TcpEvent { vpc, connection, input }).await;
                    converse(vpc, connection, stream, queue, events).await;
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

fn tcp_place(place: &Place) -> tcp::Place<'_> {
    tcp::Place { namespace: place.namespace.as_deref(), device: Some(&place.device) }
}

async fn accept_all(vpc: VpcId, listener: TcpListener, accepted: mpsc::Sender<(VpcId, TcpStream)>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                if accepted.send((vpc, stream)).await.is_err() {
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

/// Reads until the peer closes, writes until the gateway closes.
async fn converse(
    vpc: VpcId,
    connection: ConnectionId,
    stream: TcpStream,
    queue: mpsc::UnboundedReceiver<Vec<u8>>,
    events: mpsc::Sender<TcpEvent>,
) {
    let (reader, writer) = stream.into_split();
    let mut writing = tokio::spawn(write_all(writer, queue));
    let reading = read_all(vpc, connection, reader, &events);
    tokio::pin!(reading);
    tokio::select! {
        () = &mut reading => writing.abort(),
        _ = &mut writing => drop(tokio::time::timeout(LINGER, reading).await),
    }
    let _ = events.send(TcpEvent { vpc, connection, input: TcpInput::Closed }).await;
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

async fn write_all(mut writer: OwnedWriteHalf, mut queue: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(bytes) = queue.recv().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}
