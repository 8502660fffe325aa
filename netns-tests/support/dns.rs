//! A DNS server of one zone that changes while it is asked (RFC 1035): answers about A and AAAA, with a
//! TTL for all.

use std::collections::BTreeMap;
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use vpngw::os::netns;

use super::pair::Pair;

/// The longest question that is taken.
const MAX_QUESTION: usize = 512;
const A: u16 = 1;
const AAAA: u16 = 28;
/// A response, recursion desired and available; and with NXDOMAIN.
const FOUND: u16 = 0x8180;
const NXDOMAIN: u16 = 0x8183;

/// Names with their addresses, in small letters.
type Zone = Arc<Mutex<BTreeMap<String, Vec<IpAddr>>>>;

/// A running server, at the middle of a pair.
pub(crate) struct Dns {
    zone: Zone,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// What a gateway finds instead of `/etc/resolv.conf`.
    pub(crate) resolv_conf: PathBuf,
}

impl Dns {
    /// Starts a server that gives all answers this TTL, in seconds.
    pub(crate) fn start(pair: &Pair, ttl: u32) -> Dns {
        let socket =
            netns::within(&pair.namespace("middle"), || UdpSocket::bind("10.79.1.1:53")).unwrap();
        let socket = socket.unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let (zone, ends) = (Zone::default(), Arc::new(AtomicBool::new(false)));
        let (seen, end) = (Arc::clone(&zone), Arc::clone(&ends));
        let thread = std::thread::spawn(move || serve(&socket, ttl, &seen, &end));
        let resolv_conf = pair.write("resolv.conf", "nameserver 10.79.1.1\n");
        Dns { zone, ends, thread: Some(thread), resolv_conf }
    }

    /// A name means these addresses from now on.
    pub(crate) fn set(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.zone.lock().unwrap().insert(name.to_owned(), addresses);
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn serve(socket: &UdpSocket, ttl: u32, zone: &Zone, ends: &AtomicBool) {
    let mut question = [0; MAX_QUESTION];
    while !ends.load(Ordering::Relaxed) {
        let Ok((length, asker)) = socket.recv_from(&mut question) else { continue };
        if let Some(answer) = answer(&question[..length], ttl, &zone.lock().unwrap()) {
            socket.send_to(&answer, asker).unwrap();
        }
    }
}

fn answer(message: &[u8], ttl: u32, zone: &BTreeMap<String, Vec<IpAddr>>) -> Option<Vec<u8>> {
    let (name, end) = read_name(message)?;
    let question = message.get(12..end + 4)?;
    let kind = u16::from_be_bytes(message.get(end..end + 2)?.try_into().ok()?);
    let known = zone.get(&name);
    let fits = |address: &&IpAddr| match kind {
        A => address.is_ipv4(),
        AAAA => address.is_ipv6(),
        _ => false,
    };
    let addresses: Vec<IpAddr> = known.into_iter().flatten().filter(fits).copied().collect();
    let flags = if known.is_some() { FOUND } else { NXDOMAIN };
    let mut answer = message.get(..2)?.to_vec();
    for number in [flags, 1, u16::try_from(addresses.len()).ok()?, 0, 0] {
        answer.extend(number.to_be_bytes());
    }
    answer.extend(question);
    for address in addresses {
        let octets = match address {
            IpAddr::V4(four) => four.octets().to_vec(),
            IpAddr::V6(six) => six.octets().to_vec(),
        };
        // The name is that of the question, at octet 12; the class is IN.
        answer.extend([0xc0, 12]);
        answer.extend([kind, 1].into_iter().flat_map(u16::to_be_bytes));
        answer.extend(ttl.to_be_bytes());
        answer.extend(u16::try_from(octets.len()).ok()?.to_be_bytes());
        answer.extend(octets);
    }
    Some(answer)
}

/// The name in a question, and where it ends.
fn read_name(message: &[u8]) -> Option<(String, usize)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = std::str::from_utf8(message.get(at..at + length)?).ok()?;
        labels.push(label.to_ascii_lowercase());
        at += length;
    }
}
