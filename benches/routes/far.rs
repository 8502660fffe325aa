//! A far gateway, and the BGP speaker behind it. Nothing here is measured.

use crate::texts;
use anyhow::Result;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use vpngw::gateway::{Datagram, Gateway, Output};
use vpngw::moment::Moment;
use vpngw::net::{Asn, Mappings, PeerId, Prefix};
use vpngw::random::Seeded;
use vpngw::routing::{
    Action, ConnectionId, NeighborConfig, NeighborKind, Router, RouterConfig, Side,
};
use vpngw::time::Timestamp;

/// The only neighbour.
const NEIGHBOR: PeerId = PeerId(0);
/// As the daemon reads from a connection.
const READ: usize = 16 * 1024;

/// See the module.
pub(crate) struct Far {
    pub(crate) number: usize,
    gateway: Gateway,
    random: Seeded,
    speaker: Router,
    /// What the speaker says to announce everything, and to withdraw it, as it is read.
    pub(crate) announced: Vec<Vec<u8>>,
    pub(crate) withdrawn: Vec<Vec<u8>>,
}

impl Far {
    pub(crate) fn start(number: usize) -> Result<Far> {
        let mut random = Seeded::new(number as u64 + 2);
        let at = &mut Moment::simulated(Timestamp::from_millis(1_000), &mut random);
        let gateway = Gateway::new(texts::far(number)?, 1, at);
        let identifier = Ipv4Addr::new(192, 0, 2, 100 + number as u8);
        let config = RouterConfig::new(Asn(texts::asn(number)), identifier);
        let mut speaker = Router::new(config, &mut random);
        let now = Timestamp::from_millis(1_000);
        speaker.add_neighbor(NEIGHBOR, neighbor(number), now);
        speaker.on_tunnel(NEIGHBOR, true, now);
        let (announced, withdrawn) = (Vec::new(), Vec::new());
        Ok(Far { number, gateway, random, speaker, announced, withdrawn })
    }

    /// Does something, and comes back with the datagrams that follow.
    pub(crate) fn step(
        &mut self,
        now: Timestamp,
        act: impl FnOnce(&mut Gateway, &mut Moment<'_>),
    ) -> Vec<Datagram> {
        act(&mut self.gateway, &mut Moment::simulated(now, &mut self.random));
        let mut datagrams = Vec::new();
        loop {
            let outputs = std::iter::from_fn(|| self.gateway.poll_output());
            datagrams.extend(outputs.filter_map(|output| match output {
                Output::Datagram(datagram) | Output::Probe(datagram) => Some(datagram),
                _ => None,
            }));
            let Some(job) = self.gateway.poll_job() else { return datagrams };
            self.gateway.handle_job(job.run(), &mut Moment::simulated(now, &mut self.random));
        }
    }

    /// The gateway in question has connected to the speaker.
    pub(crate) fn accept(&mut self, local: IpAddr, remote: IpAddr, now: Timestamp) -> Vec<u8> {
        self.speaker.handle_accepted(ConnectionId::accepted(1), local, remote, now);
        self.said(now)
    }

    /// What the speaker answers.
    pub(crate) fn hear(&mut self, bytes: &[u8], now: Timestamp) -> Vec<u8> {
        self.speaker.handle_bytes(ConnectionId::accepted(1), bytes, now);
        self.said(now)
    }

    /// Has everything ready that will be said.
    pub(crate) fn prepare(&mut self, count: usize) {
        let network =
            |n: u32| Prefix::containing(Ipv4Addr::from(0x1400_0000 + (n << 8)).into(), 24);
        let all = (0..).map_while(network).take(count);
        let now = Timestamp::from_millis(10_000);
        self.speaker.set_local_prefixes(all.collect(), now);
        self.announced = self.said(now).chunks(READ).map(<[u8]>::to_vec).collect();
        self.speaker.set_local_prefixes(BTreeSet::new(), now);
        self.withdrawn = self.said(now).chunks(READ).map(<[u8]>::to_vec).collect();
    }

    fn said(&mut self, now: Timestamp) -> Vec<u8> {
        let mut said = Vec::new();
        loop {
            while let Some(action) = self.speaker.poll_action() {
                if let Action::Send { bytes, .. } = action {
                    said.extend(bytes);
                }
            }
            if !self.speaker.is_busy() {
                return said;
            }
            self.speaker.handle_timeout(now);
        }
    }
}

fn neighbor(number: usize) -> NeighborConfig {
    let (remote, local) = texts::inside(number);
    NeighborConfig {
        kind: NeighborKind::Bgp {
            remote_asn: Asn(texts::ASN),
            local,
            remote,
            role: None,
            strict_role: false,
            hold_time: Duration::from_secs(90),
            passive: true,
        },
        side: Side::Tunnel,
        import: [Prefix::all_ipv4()].into_iter().collect(),
        maps: Mappings::default(),
        import_rules: Arc::default(),
        export_rules: Arc::default(),
        local_preference: 100,
        max_prefixes: 1_000,
    }
}
