//! The initiators' ends of their tunnels: BFD's answers (RFC 5880), sealed and opened, and nothing else.

use crate::rig::inside;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use vpngw::esp::{InboundSa, Limits, OutboundSa, Reservation, SaConfig};
use vpngw::ike::{ChildKeys, ChildUp, ConnectionId};
use vpngw::moment::Moment;
use vpngw::net::{EspSpi, PeerId};
use vpngw::routing::bfd::{Endpoints, Output, Role, SessionConfig, Sessions};
use vpngw::time::Timestamp;
use vpngw::wire::esp::EspHeader;

/// Packets that may come late.
const REPLAY_WINDOW: u32 = 64;
/// ESP around a Control packet, with the largest suite.
const ROOM: usize = 256;
/// Protocol 4, IPv4 inside ESP.
const NEXT_HEADER: u8 = 4;

/// What goes into a tunnel.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub packet: Vec<u8>,
}

struct Tunnel {
    peer: PeerId,
    inbound: InboundSa,
    outbound: OutboundSa,
    local: SocketAddr,
    remote: SocketAddr,
}

/// All of them.
pub(crate) struct Paths {
    interval: Duration,
    sessions: Sessions,
    tunnels: BTreeMap<EspSpi, Tunnel>,
    sending: BTreeMap<PeerId, EspSpi>,
}

impl Paths {
    pub(crate) fn new(interval: Duration) -> Paths {
        let (sessions, tunnels, sending) = Default::default();
        Paths { interval, sessions, tunnels, sending }
    }

    /// A tunnel is up.
    pub(crate) fn begin(
        &mut self,
        id: ConnectionId,
        up: &ChildUp,
        at: &mut Moment<'_>,
    ) -> Result<()> {
        let peer = PeerId(id.0);
        let (remote, local) = inside(id.0);
        let config = SessionConfig {
            interval: self.interval,
            detect_mult: 3,
            role: Role::Active,
            beyond_is_down: false,
            is_leaving: false,
        };
        self.sessions.set(peer, Endpoints { local, remote }, config, at);
        let inbound = InboundSa::new(sa(&up.inbound)).context("an inbound SA")?;
        let outbound = Reservation::first_use(sa(&up.outbound));
        let outbound = OutboundSa::new(outbound).context("an outbound SA")?;
        self.sending.insert(peer, inbound.spi());
        let tunnel = Tunnel { peer, inbound, outbound, local: up.local, remote: up.remote };
        self.tunnels.insert(tunnel.inbound.spi(), tunnel);
        Ok(())
    }

    /// Takes an ESP packet. What is not BFD's says nothing.
    pub(crate) fn receive(&mut self, header: EspHeader, packet: &mut [u8], at: &mut Moment<'_>) {
        let Some(tunnel) = self.tunnels.get(&header.spi) else { return };
        if let Ok(opened) = tunnel.inbound.open(packet) {
            self.sessions.handle_packet(tunnel.peer, opened.inner, at);
        }
    }

    /// When something is due.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let both = [self.sessions.poll_timeout(), self.sessions.poll_silence()];
        both.into_iter().flatten().min()
    }

    /// What is due.
    pub(crate) fn handle_timeout(&mut self, at: &mut Moment<'_>) {
        self.sessions.handle_timeout(at, &|_| None);
        self.sessions.handle_silence(at.now, at, &|_| None);
    }

    /// The next packet.
    pub(crate) fn poll_transmit(&mut self) -> Result<Option<Sealed>> {
        while let Some(output) = self.sessions.poll_output() {
            let Output::Send { peer, packet } = output else { continue };
            let tunnel = self.sending.get(&peer).and_then(|spi| self.tunnels.get(spi));
            let Some(Tunnel { outbound, local, remote, .. }) = tunnel else { continue };
            let mut sealed = vec![0; ROOM];
            let length = outbound.seal(NEXT_HEADER, &[], &packet, &mut sealed);
            let length = length.map_err(|why| anyhow::anyhow!("sealing: {why:?}"))?;
            sealed.truncate(length);
            return Ok(Some(Sealed { local: *local, remote: *remote, packet: sealed }));
        }
        Ok(None)
    }

    /// How many sessions are up and hear what they are used to.
    pub(crate) fn standing(&self) -> usize {
        self.sending.keys().filter(|peer| self.sessions.is_content(**peer)).count()
    }
}

fn sa(keys: &ChildKeys) -> SaConfig {
    SaConfig {
        spi: keys.spi,
        suite: keys.suite,
        keymat: keys.keymat.clone(),
        hard: Limits::NONE,
        soft: Limits::NONE,
        replay_window: REPLAY_WINDOW,
    }
}
