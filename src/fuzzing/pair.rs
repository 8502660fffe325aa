//! Two IKE endpoints between which somebody sits who changes, keeps, repeats and invents datagrams.

use super::sessions::connection;
use crate::ike::{
    ChildKeys, ConnectionConfig, ConnectionId, ConnectionState, Endpoint, EndpointConfig, Event,
    IkeSaId, LivenessConfig, SlotId, Transmit,
};
use crate::moment::Moment;
use crate::net::EspSpi;
use crate::random::Seeded;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

const CONNECTION: ConnectionId = ConnectionId(1);
/// Octets of one move.
const MOVE: usize = 3;
/// More moves than so many are left out.
const MOST_MOVES: usize = 300;
/// Datagrams that are remembered for being sent again.
const REMEMBERED: usize = 64;
/// So long after the last disturbance the tunnel is up: an attempt that was led astray is given up
/// after a minute, and begun anew after half a minute at the latest.
const RECOVERY: Duration = Duration::from_secs(300);

/// One end, and the keys of its Child SAs by SPI.
struct End {
    endpoint: Endpoint,
    inbound: BTreeMap<EspSpi, ChildKeys>,
    outbound: BTreeMap<EspSpi, ChildKeys>,
}

struct Pair {
    ends: [End; 2],
    now: Timestamp,
    random: Seeded,
    /// Under way, each with the end that it is for.
    wire: Vec<(usize, Transmit)>,
    past: Vec<(usize, Transmit)>,
}

/// Moves of three octets: what is done, to which datagram, and where in it. Whatever is done, both
/// ends have equal keys for equal SPIs; and when it is over, one tunnel comes up or is there still.
pub fn ike_pair(bytes: &[u8]) {
    let mut pair = Pair::new();
    for step in bytes.chunks_exact(MOVE).take(MOST_MOVES) {
        pair.disturb([step[0], step[1], step[2]]);
    }
    pair.recover();
}

impl Pair {
    fn new() -> Pair {
        let (now, mut random) = (Timestamp::from_millis(1000), Seeded::new(1));
        let ends = [(1, 2), (2, 1)].map(|(local, remote)| {
            let liveness =
                LivenessConfig { interval: Duration::from_secs(20), ..LivenessConfig::default() };
            let config = connection(local, remote);
            let config = ConnectionConfig { initiate: local == 1, liveness, ..config };
            let mut at = Moment::simulated(now, &mut random);
            let mut endpoint = Endpoint::new(EndpointConfig::default(), &mut at);
            endpoint.add_connection(CONNECTION, config, &mut at);
            End { endpoint, inbound: BTreeMap::new(), outbound: BTreeMap::new() }
        });
        let mut pair = Pair { ends, now, random, wire: Vec::new(), past: Vec::new() };
        pair.drain();
        pair
    }

    fn at(&mut self, end: usize, act: impl FnOnce(&mut Endpoint, &mut Moment<'_>)) {
        act(&mut self.ends[end].endpoint, &mut Moment::simulated(self.now, &mut self.random));
        self.drain();
    }

    /// Takes what both ends have to say.
    fn drain(&mut self) {
        for end in [0, 1] {
            let End { endpoint, inbound, outbound } = &mut self.ends[end];
            endpoint.run_jobs(&mut Moment::simulated(self.now, &mut self.random));
            while let Some((_, event)) = endpoint.poll_event() {
                if let Event::ChildUp(up) = event {
                    inbound.insert(up.inbound.spi, up.inbound);
                    outbound.insert(up.outbound.spi, up.outbound);
                }
            }
            while let Some(transmit) = endpoint.poll_transmit() {
                self.past.push((1 - end, transmit.clone()));
                self.wire.push((1 - end, transmit));
            }
        }
        let surplus = self.past.len().saturating_sub(REMEMBERED);
        self.past.drain(..surplus);
        for (from, to) in [(0, 1), (1, 0)] {
            for (spi, keys) in &self.ends[from].outbound {
                let known = self.ends[to].inbound.get(spi);
                assert!(known.is_none_or(|known| known == keys), "keys of {spi} differ");
            }
        }
    }

    fn deliver(&mut self, (end, transmit): (usize, Transmit)) {
        let Transmit { local, remote, bytes, .. } = transmit;
        self.at(end, |endpoint, at| endpoint.handle_datagram(remote, local, &bytes, at));
    }

    /// One move.
    fn disturb(&mut self, [what, which, place]: [u8; MOVE]) {
        let chosen = usize::from(which).checked_rem(self.wire.len());
        let end = usize::from(which & 1);
        match (what % 8, chosen) {
            (0, Some(at)) => {
                let datagram = self.wire.remove(at);
                self.deliver(datagram);
            }
            (1, Some(at)) => drop(self.wire.remove(at)),
            (2, Some(at)) => self.deliver(self.wire[at].clone()),
            (3, Some(at)) => {
                let bytes = &mut self.wire[at].1.bytes;
                let octet = usize::from(place) * bytes.len() / 256;
                if let Some(octet) = bytes.get_mut(octet) {
                    *octet ^= 1 << (what >> 5);
                }
            }
            (4, Some(at)) => {
                let bytes = &mut self.wire[at].1.bytes;
                bytes.truncate(usize::from(place) * bytes.len() / 256);
            }
            (5, _) => self.pass(Duration::from_millis(100 * u64::from(place))),
            (6, _) => self.wish(end, place),
            (7, _) if !self.past.is_empty() => {
                let (to, transmit) = self.past[usize::from(which) % self.past.len()].clone();
                let Transmit { local, remote, .. } = transmit;
                match place & 1 {
                    0 => self.deliver((to, transmit)),
                    // Back to whom it came from.
                    _ => self
                        .deliver((1 - to, Transmit { local: remote, remote: local, ..transmit })),
                }
            }
            _ => {}
        }
    }

    fn wish(&mut self, end: usize, what: u8) {
        self.at(end, |endpoint, at| match what % 4 {
            0 => endpoint.rekey_ike(CONNECTION, at),
            1 => endpoint.rekey_child(CONNECTION, SlotId(0), at),
            2 => endpoint.terminate(CONNECTION, at),
            _ => endpoint.initiate(CONNECTION, at),
        });
    }

    /// Lets time pass; what is under way stays there.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.time_out();
        }
        self.now = until;
    }

    fn next_deadline(&self) -> Option<Timestamp> {
        let deadlines = self.ends.iter().filter_map(|end| end.endpoint.poll_timeout());
        deadlines.map(|(due, _)| due).min()
    }

    fn time_out(&mut self) {
        [0, 1].into_iter().for_each(|end| self.at(end, |endpoint, at| endpoint.handle_timeout(at)));
    }

    /// Nobody disturbs any more.
    fn recover(&mut self) {
        self.at(0, |endpoint, at| endpoint.initiate(CONNECTION, at));
        let limit = self.now + RECOVERY;
        while !self.has_one_tunnel() {
            assert!(self.now < limit, "no tunnel: {:?}", self.states());
            if !self.wire.is_empty() {
                self.now += Duration::from_millis(1);
                let datagram = self.wire.remove(0);
                self.deliver(datagram);
                continue;
            }
            let due = self.next_deadline().expect("an end that initiates has something to do");
            self.now = self.now.max(due);
            self.time_out();
        }
    }

    fn states(&self) -> [Option<ConnectionState>; 2] {
        [0, 1].map(|end| self.ends[end].endpoint.view(CONNECTION).map(|view| view.state))
    }

    /// Both ends are up, have one IKE SA, which is the same, and one Child SA in it.
    fn has_one_tunnel(&self) -> bool {
        let views = [0, 1].map(|end| self.ends[end].endpoint.view(CONNECTION));
        let [Some(one), Some(other)] = &views else { return false };
        let up = [one, other].iter().all(|view| view.state == ConnectionState::Up);
        let ([one], [other]) = (one.ike_sas.as_slice(), other.ike_sas.as_slice()) else {
            return false;
        };
        let same = one.id == IkeSaId { local: other.id.remote, remote: other.id.local };
        let ([of_one], [of_other]) = (one.children.as_slice(), other.children.as_slice()) else {
            return false;
        };
        let spis = (of_one.inbound, of_one.outbound) == (of_other.outbound, of_other.inbound);
        up && same && spis && of_one.in_use && of_other.in_use && self.wire.is_empty()
    }
}
