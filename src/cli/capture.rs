//! `vpnctl capture`: packets of one peer before and behind the encryption, in one file (pcapng), each
//! with its time, so that what goes in can be laid beside what comes out. Nothing is decrypted: the
//! inner packets are those of the VPC's own device. Who wants to look into ESP and IKE asks for the keys in
//! so many words (`--keys`), and gets them in a folder of their own.

mod keys;
mod pcapng;
mod wanted;

use super::args::Common;
use super::client;
use super::denied::denied;
use super::gateways::{self, Target};
use super::look::Look;
use crate::control::{PeerView, Request, RoutesView, VpcsView};
use crate::net::Prefix;
use crate::os::netlink::Netlink;
use crate::os::packet::{Frames, PacketSocket};
use anyhow::{Context, Result, bail};
use keys::Keys;
use pcapng::{Interface, Link, Writer};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant, SystemTime};
use wanted::Wanted;

/// What a packet may take of the file: super-packets of segmentation offload are larger.
const LONGEST: usize = 65_536;
/// Packets that wait to be written; more are counted, not kept.
const BACKLOG: usize = 4096;
/// How soon it is noticed that it shall end.
const GLANCE: Duration = Duration::from_millis(100);
/// How often it is looked whether there are new SAs, whose keys are wanted.
const NEW_KEYS: Duration = Duration::from_millis(500);
/// Octets that the kernel keeps while the recorder is busy.
const KERNEL_BACKLOG: usize = 8 << 20;

/// What is captured, and where it goes.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// The peer.
    pub(super) peer: String,
    /// The file; standard output when left out.
    pub(super) output: Option<PathBuf>,
    /// The folder for the keys of the peer's SAs, if they are wanted.
    pub(super) keys: Option<PathBuf>,
    /// How many packets.
    pub(super) packets: Option<u64>,
    /// How long.
    pub(super) time: Option<Duration>,
}

/// A place where packets are seen.
struct Place {
    interface: Interface,
    socket: PacketSocket,
    wanted: Wanted,
}

/// A packet, and the number of the place where it was seen.
struct Packet {
    place: u32,
    at: SystemTime,
    bytes: Vec<u8>,
}

/// Captures until it is told to end.
pub(super) fn capture(common: &Common, order: &Order, look: Look) -> Result<ExitCode> {
    if order.output.is_none() && io::stdout().is_terminal() {
        bail!("say where the packets go: vpnctl capture {} -o FILE.pcapng", order.peer);
    }
    let (target, view) = find(common, &order.peer)?;
    let places = [outer(&view)?, inner(&target, &view)?];
    let mut keys = order.keys.as_deref().map(Keys::begin).transpose()?;
    if let Some(keys) = &mut keys {
        keys.follow(&target, &order.peer)?;
    }
    let interfaces: Vec<Interface> = places.iter().map(|place| place.interface.clone()).collect();
    if !look.json {
        let names: Vec<String> = interfaces.iter().map(Interface::to_string).collect();
        eprintln!("capturing {} of {}; Ctrl-C ends it", names.join(" and "), order.peer);
        order.keys.iter().for_each(|folder| eprintln!("{}", how_to_read(folder, order)));
    }
    let mut file = Writer::begin(sink(order.output.as_deref())?, &interfaces)?;
    let ending = Arc::new(AtomicBool::new(false));
    let (sender, packets) = sync_channel(BACKLOG);
    let recorders = (0..).zip(places).map(|(number, place)| {
        let (sender, ending) = (sender.clone(), Arc::clone(&ending));
        std::thread::spawn(move || record(number, &place, &sender, &ending))
    });
    let recorders: Vec<_> = recorders.collect();
    drop(sender);
    let mut looked = Instant::now();
    let written = write(&packets, &mut file, order, || match &mut keys {
        Some(keys) if looked.elapsed() >= NEW_KEYS => {
            looked = Instant::now();
            keys.follow(&target, &order.peer)
        }
        Some(_) | None => Ok(()),
    });
    ending.store(true, Ordering::Relaxed);
    let missed: u64 = recorders.into_iter().map(|recorder| recorder.join().unwrap_or(0)).sum();
    let count = written?;
    if !look.json {
        let more = if missed > 0 { format!(", {missed} missed") } else { String::new() };
        eprintln!("{count} packets{more}");
    }
    Ok(ExitCode::SUCCESS)
}

/// How the file is read with the keys.
fn how_to_read(folder: &Path, order: &Order) -> String {
    let file = order.output.as_ref().map_or("FILE".into(), |file| file.display().to_string());
    format!(
        "{0} holds the keys: whoever has them reads what these SAs carry. \
         WIRESHARK_CONFIG_DIR={0} wireshark -r {file}",
        folder.display()
    )
}

/// Writes what is recorded, until there is enough.
fn write(
    packets: &Receiver<Packet>,
    file: &mut Writer<Box<dyn Write>>,
    order: &Order,
    mut meanwhile: impl FnMut() -> Result<()>,
) -> Result<u64> {
    let until = order.time.map(|time| Instant::now() + time);
    let mut count = 0;
    loop {
        let is_enough = order.packets.is_some_and(|most| count >= most);
        if is_enough || until.is_some_and(|until| Instant::now() >= until) {
            return Ok(count);
        }
        meanwhile()?;
        match packets.recv_timeout(GLANCE) {
            Ok(Packet { place, at, bytes }) => {
                file.packet(place, at, &bytes)?;
                count += 1;
            }
            Err(RecvTimeoutError::Timeout) => file.flush()?,
            Err(RecvTimeoutError::Disconnected) => bail!("the devices cannot be read any more"),
        }
    }
}

/// Hands on what is wanted of the packets at a place; says how many there was no room for.
fn record(number: u32, place: &Place, packets: &SyncSender<Packet>, ending: &AtomicBool) -> u64 {
    let mut buffer = vec![0; LONGEST];
    let mut missed = 0;
    while !ending.load(Ordering::Relaxed) {
        let length = match place.socket.receive(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => break,
        };
        let bytes = buffer.get(..length).unwrap_or(&buffer);
        if !place.wanted.is_met(bytes) {
            continue;
        }
        let packet = Packet { place: number, at: SystemTime::now(), bytes: bytes.to_vec() };
        match packets.try_send(packet) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => missed += 1,
            Err(TrySendError::Disconnected(_)) => break,
        }
    }
    missed
}

/// Where the file goes: what it holds is for its owner only.
fn sink(path: Option<&Path>) -> Result<Box<dyn Write>> {
    let Some(path) = path else { return Ok(Box::new(io::stdout())) };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    Ok(Box::new(file.with_context(|| format!("{} cannot be created", path.display()))?))
}

/// The gateway that knows the peer, and what it knows.
fn find(common: &Common, peer: &str) -> Result<(Target, PeerView)> {
    let mut failure = None;
    for target in gateways::all(common)? {
        match ask(&target, &Request::Peer(peer.to_owned())) {
            Ok(view) => return Ok((target, view)),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| anyhow::anyhow!("no gateway knows {peer}")))
}

fn ask<T: DeserializeOwned>(target: &Target, request: &Request) -> Result<T> {
    let body = client::ask(&target.socket, request)?;
    serde_json::from_str(&body)
        .context("the gateway runs another version of vpngw than this vpnctl")
}

/// The device on the underlay: datagrams between the two gateways.
fn outer(view: &PeerView) -> Result<Place> {
    let peer = &view.summary.name;
    let (Some(local), Some(remote)) = (view.local, view.summary.remote) else {
        bail!("{peer} is not connected, so nothing is known of the way to it: vpnctl peers {peer}");
    };
    let (local, remote) = (local.ip().to_canonical(), remote.ip().to_canonical());
    let device = device_with(local)?;
    Place::open(None, &device, Link::Ethernet, "underlay", Wanted::between(local, remote))
}

/// The VPC's device: packets from and to the prefixes of the peer.
fn inner(target: &Target, view: &PeerView) -> Result<Place> {
    let vpcs: VpcsView = ask(target, &Request::Vpcs)?;
    let vpc = vpcs.vpcs.iter().find(|vpc| vpc.vpc == view.summary.vpc);
    let vpc = vpc.with_context(|| format!("there is no VPC {}", view.summary.vpc))?;
    let routes: RoutesView = ask(target, &Request::Routes)?;
    let routes =
        routes.vpcs.iter().filter(|routes| routes.vpc == vpc.vpc).flat_map(|of| &of.routes);
    let peer = &view.summary.name;
    let of_peer = routes.filter(|route| route.paths.iter().any(|path| path.peer == *peer));
    let inside = view.inside_remote.map(Prefix::host);
    let prefixes: BTreeSet<Prefix> = of_peer.map(|route| route.prefix).chain(inside).collect();
    Place::open(vpc.netns.as_deref(), &vpc.device, Link::Ip, "inside", Wanted::with(prefixes))
}

impl Place {
    fn open(
        namespace: Option<&str>,
        device: &str,
        link: Link,
        what: &'static str,
        wanted: Wanted,
    ) -> Result<Place> {
        let socket = PacketSocket::open(namespace, device, Frames::All)
            .map_err(|error| denied(error, "capture"))?;
        socket.set_patience(GLANCE)?;
        socket.set_buffer(KERNEL_BACKLOG)?;
        Ok(Place { interface: Interface { name: device.to_owned(), what, link }, socket, wanted })
    }
}

/// The device that has an address.
fn device_with(address: IpAddr) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(async {
        let netlink = Netlink::here()?;
        for link in netlink.links().await? {
            let of_link = netlink.addresses(&link.name).await?;
            if of_link.iter().any(|one| one.address == address) {
                return Ok(Some(link.name));
            }
        }
        anyhow::Ok(None)
    })?;
    found.with_context(|| format!("no device has {address} in this namespace"))
}
