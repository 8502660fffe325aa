//! All sessions of a gateway, one for each tunnel: the addresses that they use (RFC 5881 §4), their
//! deadlines in one queue, and what they tell.

use super::fsm::Event;
use super::session::{Hint, Ignored, Report, Session, SessionConfig};
use crate::moment::Moment;
use crate::net::PeerId;
use crate::random::Random;
use crate::time::{Timers, Timestamp};
use crate::wire::bfd::{ControlPacket, PORT, SOURCE_PORTS, TTL};
use crate::wire::udp::{self, Datagram, Travel};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// DSCP CS6: network control (RFC 4594 §3.1).
const TOS: u8 = 0xc0;

/// When the last authenticated packet of a peer came, of whatever kind.
pub type Heard<'h> = &'h dyn Fn(PeerId) -> Option<Timestamp>;

/// The two ends of a session inside its tunnel, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Our inside address.
    pub local: IpAddr,
    /// The peer's inside address.
    pub remote: IpAddr,
}

/// What the sessions want done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send an inner packet by the tunnel to a peer, ahead of data.
    Send {
        /// The peer.
        peer: PeerId,
        /// The whole packet.
        packet: Vec<u8>,
    },
    /// Something that a session tells of itself has changed.
    Report {
        /// The peer.
        peer: PeerId,
        /// All that it tells.
        report: Report,
    },
}

/// Packets that no session took, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discards {
    /// The tunnel has no session.
    pub no_session: u64,
    /// Not a datagram to the port of BFD between the two inside addresses.
    pub not_ours: u64,
    /// A TTL or hop limit below 255: it came through a router (RFC 5881 §5).
    pub hops: u64,
    /// No Control packet, or one that RFC 5880 §6.8.6 refuses.
    pub malformed: u64,
    /// Your Discriminator names another session.
    pub other_session: u64,
    /// Our session is held down.
    pub admin_down: u64,
}

impl Discards {
    /// All of them with their names.
    pub fn read(self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("bfd_no_session", self.no_session),
            ("bfd_not_ours", self.not_ours),
            ("bfd_hops", self.hops),
            ("bfd_malformed", self.malformed),
            ("bfd_other_session", self.other_session),
            ("bfd_admin_down", self.admin_down),
        ]
        .into_iter()
    }
}

#[derive(Debug)]
struct Entry {
    session: Session,
    endpoints: Endpoints,
    source_port: u16,
    told: Option<Report>,
}

/// All sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    entries: BTreeMap<PeerId, Entry>,
    discriminators: BTreeSet<u32>,
    timers: Timers<PeerId>,
    /// When the Detection Times end.
    silences: Timers<PeerId>,
    outputs: VecDeque<Output>,
    discards: Discards,
}

impl Sessions {
    /// Begins a session, or goes on with other settings, and not held down; with other addresses it
    /// begins anew.
    pub fn set(
        &mut self,
        peer: PeerId,
        endpoints: Endpoints,
        config: SessionConfig,
        at: &mut Moment<'_>,
    ) {
        if self.entries.get(&peer).is_some_and(|entry| entry.endpoints != endpoints) {
            self.remove(peer);
        }
        match self.entries.get_mut(&peer) {
            Some(entry) => {
                entry.session.configure(config, at.now);
                entry.session.handle_administration(Event::Enable, at.now);
            }
            None => {
                let discriminator = self.discriminator(at.random);
                let session = Session::new(config, discriminator, at.now);
                let source_port = source_port(at.random);
                let entry = Entry { session, endpoints, source_port, told: None };
                self.entries.insert(peer, entry);
            }
        }
        self.follow(peer, at);
    }

    /// Ends a session without a word.
    pub fn remove(&mut self, peer: PeerId) {
        if let Some(entry) = self.entries.remove(&peer) {
            self.discriminators.remove(&entry.session.discriminator());
            self.arm(peer);
        }
    }

    /// Our operator holds a session down, or its path is about to end (§6.8.16); it goes on saying
    /// so until it is removed.
    pub fn administer(&mut self, peer: PeerId, event: Event, at: &mut Moment<'_>) {
        if let Some(entry) = self.entries.get_mut(&peer) {
            entry.session.handle_administration(event, at.now);
        }
        self.follow(peer, at);
    }

    /// Takes an authenticated inner packet of a peer.
    pub fn handle_packet(&mut self, peer: PeerId, packet: &[u8], at: &mut Moment<'_>) {
        let Some(entry) = self.entries.get_mut(&peer) else {
            self.discards.no_session += 1;
            return;
        };
        match entry.take(packet, at) {
            Ok(()) => self.follow(peer, at),
            Err(reason) => *reason.counter(&mut self.discards) += 1,
        }
    }

    /// Something says more about the path to a peer than silence does: it is asked at once.
    pub fn on_hint(&mut self, peer: PeerId, hint: Hint, at: &mut Moment<'_>) {
        if let Some(entry) = self.entries.get_mut(&peer) {
            entry.session.on_hint(hint, at.now);
        }
        self.follow(peer, at);
    }

    /// For this long until `now` nobody listened: for no session it was silence.
    pub fn on_deaf(&mut self, lateness: Duration, now: Timestamp) {
        for entry in self.entries.values_mut() {
            entry.session.on_deaf(lateness, now);
        }
    }

    /// Sends what is due. `heard` says when the last authenticated packet of a peer came.
    pub fn handle_timeout(&mut self, at: &mut Moment<'_>, heard: Heard<'_>) {
        while let Some(peer) = self.timers.pop_due(at.now) {
            if let Some(session) = self.alive(peer, heard) {
                session.handle_timeout(at.now, at.random);
            }
            self.follow(peer, at);
        }
    }

    /// Takes the sessions down whose Detection Time ended at `end` or before. Every packet that
    /// came until then must have been handed in.
    pub fn handle_silence(&mut self, end: Timestamp, at: &mut Moment<'_>, heard: Heard<'_>) {
        while let Some(peer) = self.silences.pop_due(end) {
            if let Some(session) = self.alive(peer, heard) {
                session.handle_silence(end, at.now, at.random);
            }
            self.follow(peer, at);
        }
    }

    /// When [`Sessions::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.next().map(|(at, _)| at)
    }

    /// When [`Sessions::handle_silence`] is due.
    pub fn poll_silence(&self) -> Option<Timestamp> {
        self.silences.next().map(|(at, _)| at)
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether the session with a peer learns nothing from a packet like the last one.
    pub fn is_content(&self, peer: PeerId) -> bool {
        self.entries.get(&peer).is_some_and(|entry| entry.session.is_content())
    }

    /// Packets that no session took.
    pub fn discards(&self) -> Discards {
        self.discards
    }

    /// How many sessions there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Sends what is due, tells what has changed, and waits for what comes next.
    fn follow(&mut self, peer: PeerId, at: &mut Moment<'_>) {
        if let Some(entry) = self.entries.get_mut(&peer) {
            while let Some(packet) = entry.session.poll_transmit(at.now, at.random) {
                let packet = entry.wrap(&packet);
                self.outputs.extend(packet.map(|packet| Output::Send { peer, packet }));
            }
            let report = entry.session.report();
            if entry.told.replace(report) != Some(report) {
                self.outputs.push_back(Output::Report { peer, report });
            }
        }
        self.arm(peer);
    }

    fn arm(&mut self, peer: PeerId) {
        let session = self.entries.get(&peer).map(|entry| &entry.session);
        self.timers.arm(peer, session.and_then(Session::poll_timeout));
        self.silences.arm(peer, session.and_then(Session::poll_silence));
    }

    /// A session that knows when its peer was last heard.
    fn alive(&mut self, peer: PeerId, heard: Heard<'_>) -> Option<&mut Session> {
        let session = &mut self.entries.get_mut(&peer)?.session;
        if let Some(last) = heard(peer) {
            session.on_life(last);
        }
        Some(session)
    }

    /// A name that no other session has (§6.3).
    fn discriminator(&mut self, random: &mut dyn Random) -> u32 {
        loop {
            let drawn = random.u32();
            if drawn != 0 && self.discriminators.insert(drawn) {
                return drawn;
            }
        }
    }
}

/// Why a packet is discarded.
enum Discard {
    NotOurs,
    Hops,
    Malformed,
    Ignored(Ignored),
}

impl Discard {
    fn counter(self, discards: &mut Discards) -> &mut u64 {
        match self {
            Discard::NotOurs => &mut discards.not_ours,
            Discard::Hops => &mut discards.hops,
            Discard::Malformed => &mut discards.malformed,
            Discard::Ignored(Ignored::OtherSession) => &mut discards.other_session,
            Discard::Ignored(Ignored::AdminDown) => &mut discards.admin_down,
        }
    }
}

impl Entry {
    fn take(&mut self, packet: &[u8], at: &mut Moment<'_>) -> Result<(), Discard> {
        let datagram = Datagram::in_packet(packet).ok_or(Discard::NotOurs)?;
        let ends = Endpoints { local: datagram.ip.destination, remote: datagram.ip.source };
        if datagram.destination_port != PORT || ends != self.endpoints {
            return Err(Discard::NotOurs);
        }
        if datagram.ip.ttl != TTL {
            return Err(Discard::Hops);
        }
        let control = ControlPacket::decode(datagram.payload).map_err(|_| Discard::Malformed)?;
        self.session.handle_packet(&control, at.now, at.random).map_err(Discard::Ignored)
    }

    fn wrap(&self, control: &ControlPacket) -> Option<Vec<u8>> {
        let source = SocketAddr::new(self.endpoints.local, self.source_port);
        let destination = SocketAddr::new(self.endpoints.remote, PORT);
        udp::packet(source, destination, Travel { ttl: TTL, tos: TOS }, &control.encode())
    }
}

/// One port for all packets of a session (RFC 5881 §4).
fn source_port(random: &mut dyn Random) -> u16 {
    let count = u64::from(SOURCE_PORTS.end() - SOURCE_PORTS.start()) + 1;
    SOURCE_PORTS.start() + random.below(count) as u16
}

#[cfg(test)]
mod tests;
