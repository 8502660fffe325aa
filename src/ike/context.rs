//! What a handler is given besides its own state: time, chance, what may be allocated, and
//! where output goes.

use super::config::{ConnectionConfig, ConnectionId, EndpointConfig};
use super::crash;
use super::event::{ChildId, Event, IkeSaId, Transmit};
use super::fragments::Sealed;
use super::job::Jobs;
use super::limits::Accounts;
use super::mobike;
use super::path::Path;
use super::slots::Slots;
use super::state::{State, StateReader, StateWriter};
use super::stats::{Discard, Stats};
use crate::moment::Moment;
use crate::net::EspSpi;
use crate::random::Random;
use crate::time::{Timestamp, WallTime};
use crate::wire::DecodeError;
use crate::wire::ike::{IkeSpi, Payload};
use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

pub(super) struct Context<'a> {
    pub now: Timestamp,
    pub wall: WallTime,
    pub random: &'a mut dyn Random,
    pub settings: &'a EndpointConfig,
    pub pool: &'a mut Pool,
    pub slots: &'a mut Slots,
    pub jobs: &'a mut Jobs,
    pub accounts: &'a mut Accounts,
    pub out: &'a mut Outbox,
}

impl Context<'_> {
    /// A nonce: "at least half the key size of the negotiated PRF", and at least 16 octets
    /// (RFC 7296 §2.10). 32 octets do for every PRF that we know.
    pub(super) fn nonce(&mut self) -> Vec<u8> {
        let mut nonce = vec![0; 32];
        self.random.fill(&mut nonce);
        nonce
    }

    /// An SPI for an IKE SA; never zero.
    pub(super) fn ike_spi(&mut self) -> IkeSpi {
        let mut spi = [0; 8];
        self.random.fill(&mut spi);
        if spi == [0; 8] { IkeSpi([0xff; 8]) } else { IkeSpi(spi) }
    }

    pub(super) fn esp_spi(&mut self) -> EspSpi {
        self.pool.esp_spi(self.settings.workers, self.random)
    }

    /// What IKE_AUTH says of our addresses; `local` is the one that it leaves from.
    pub(super) fn mobility(&self, config: &ConnectionConfig, local: IpAddr) -> Vec<Payload> {
        let mut payloads: Vec<Payload> =
            config.mobike.then(mobike::supported).into_iter().collect();
        if config.mobike && config.anywhere {
            payloads.extend(mobike::additional(&self.settings.addresses, local));
        }
        payloads
    }

    /// Our token for an IKE SA that runs from `local`, if we make any.
    pub(super) fn crash_token(&self, id: IkeSaId, local: IpAddr) -> Option<Payload> {
        self.settings.crash_token(id, local)
    }
}

impl EndpointConfig {
    /// Our token for an IKE SA that runs from `local`, if we make any (RFC 6290).
    pub(super) fn crash_token(&self, id: IkeSaId, local: IpAddr) -> Option<Payload> {
        let secret = self.crash_secret.as_ref().filter(|_| self.crash_detection)?;
        Some(crash::token(secret, id, local))
    }
}

/// What an endpoint lends to handlers.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Core {
    pub settings: EndpointConfig,
    pub pool: Pool,
    pub slots: Slots,
    pub jobs: Jobs,
    pub accounts: Accounts,
    pub out: Outbox,
}

impl Core {
    pub(super) fn context<'a>(&'a mut self, at: &'a mut Moment<'_>) -> Context<'a> {
        let Core { settings, pool, slots, jobs, accounts, out } = self;
        let Moment { now, wall, random } = at;
        let (now, wall, random) = (*now, *wall, &mut **random);
        Context { now, wall, random, settings, pool, slots, jobs, accounts, out }
    }
}

/// The highest number of a Child SA that octets may name: there is no end of numbers behind it.
const MAX_CHILD: u64 = u64::MAX / 2;

/// Numbers that must not be given out twice.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Pool {
    next_child: u64,
    next_worker: u32,
    esp_spis: BTreeSet<EspSpi>,
}

impl Pool {
    pub(super) fn child_id(&mut self) -> ChildId {
        self.next_child += 1;
        ChildId(self.next_child)
    }

    /// An inbound ESP SPI not in use, whose remainder names the workers in turn.
    fn esp_spi(&mut self, workers: u32, random: &mut dyn Random) -> EspSpi {
        let workers = workers.clamp(1, 1 << 16);
        let worker = self.next_worker % workers;
        self.next_worker = self.next_worker.wrapping_add(1);
        loop {
            let number = random.u32();
            let spi = EspSpi((number - number % workers).saturating_add(worker));
            if spi >= EspSpi::FIRST && self.esp_spis.insert(spi) {
                return spi;
            }
        }
    }

    /// An SPI that is in use already.
    pub(super) fn reserve(&mut self, spi: EspSpi) {
        self.esp_spis.insert(spi);
    }

    /// How many are taken.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.esp_spis.len()
    }

    pub(super) fn release(&mut self, spi: EspSpi) {
        self.esp_spis.remove(&spi);
    }
}

/// Output waiting to be polled.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
pub(super) struct Outbox {
    transmits: VecDeque<Transmit>,
    events: VecDeque<(ConnectionId, Event)>,
    pub stats: Stats,
    natt_port: u16,
}

/// Four octets of zero where ESP has its SPI: this is IKE (RFC 3948 §2.2).
pub(super) const NON_ESP_MARKER: [u8; 4] = [0; 4];
/// A NAT keepalive (RFC 3948 §2.3).
const KEEPALIVE: [u8; 1] = [0xff];
/// Datagrams that wait at most. One input makes a few; an owner that drains after every input,
/// as it should, never gets near.
const MAX_TRANSMITS: usize = 4096;

impl Outbox {
    pub(super) fn new(natt_port: u16) -> Self {
        Outbox { natt_port, ..Outbox::default() }
    }

    pub(super) fn send(&mut self, path: &Path, message: &[u8]) {
        self.push(path, self.marked(path, message), false);
    }

    /// Sends all of a message.
    pub(super) fn send_sealed(&mut self, path: &Path, message: &Sealed) {
        message.datagrams().for_each(|datagram| self.send(path, datagram));
    }

    /// Sends a message that no router may fragment.
    pub(super) fn send_whole(&mut self, path: &Path, message: &[u8]) {
        self.push(path, self.marked(path, message), true);
    }

    pub(super) fn send_keepalive(&mut self, path: &Path) {
        self.push(path, KEEPALIVE.to_vec(), false);
    }

    fn marked(&self, path: &Path, message: &[u8]) -> Vec<u8> {
        [self.marker(path), message].concat()
    }

    /// What stands in front of a message.
    pub(super) fn marker(&self, path: &Path) -> &'static [u8] {
        if self.is_marked(path) { &NON_ESP_MARKER } else { &[] }
    }

    /// Whether datagrams leave from the port of ESP.
    pub(super) fn is_marked(&self, path: &Path) -> bool {
        path.is_marked(self.natt_port)
    }

    fn push(&mut self, path: &Path, bytes: Vec<u8>, dont_fragment: bool) {
        if self.transmits.len() >= MAX_TRANSMITS {
            self.stats.count(Discard::QueueFull);
            return;
        }
        self.stats.sent += 1;
        let Path { local, remote } = *path;
        self.transmits.push_back(Transmit { local, remote, bytes, dont_fragment });
    }

    pub(super) fn event(&mut self, connection: ConnectionId, event: Event) {
        self.events.push_back((connection, event));
    }

    pub(super) fn count(&mut self, reason: Discard) {
        self.stats.count(reason);
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_event(&mut self) -> Option<(ConnectionId, Event)> {
        self.events.pop_front()
    }
}

/// SPIs in use are those of Child SAs, which say so themselves; what handshakes had taken is free
/// again.
impl State for Pool {
    fn write(&self, out: &mut StateWriter) {
        (self.next_child, self.next_worker).write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        let (next_child, next_worker) = State::read(from)?;
        if next_child > MAX_CHILD {
            return Err(from.invalid("more Child SAs than there can have been"));
        }
        Ok(Pool { next_child, next_worker, esp_spis: BTreeSet::new() })
    }
}
