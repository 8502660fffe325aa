//! At which of its addresses a peer is looked for, and how often.

use crate::gateway::{Datagram, Found, Gateway, Output, Unsent};
use crate::ike::{Event, FailureReason};
use crate::moment::Moment;
use crate::net::{HostName, RemoteId};
use crate::random::Seeded;
use crate::testing::deployment::{self, Site};
use crate::time::{Timestamp, WallTime};
use crate::wire::ike::ExchangeType;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

const HERE: Site = Site { region: 1, zone: 1 };
const THERE: Site = Site { region: 2, zone: 1 };
const NORTH: RemoteId = RemoteId(0);
/// How long a datagram is under way.
const DELAY: Duration = Duration::from_millis(10);

/// A gateway that knows its peer by a name, what the name means, and perhaps the peer.
struct Scene {
    here: Gateway,
    there: Option<Gateway>,
    means: Vec<IpAddr>,
    without_route: BTreeSet<IpAddr>,
    random: Seeded,
    now: Timestamp,
    /// When a key exchange was begun, and where; repetitions are none.
    begun: Vec<(Timestamp, IpAddr)>,
    /// The SPIs of those.
    spis: BTreeSet<Vec<u8>>,
    asked: usize,
}

fn addresses(all: &[&str]) -> Vec<IpAddr> {
    all.iter().map(|one| one.parse().unwrap()).collect()
}

impl Scene {
    /// The peer, if there is one, has all addresses of the name and the secret of this name.
    fn new(means: &[&str], secret_there: Option<&str>) -> Scene {
        let mut random = Seeded::new(5);
        let at = &mut Moment::new(Timestamp::ZERO, WallTime::SIMULATED, &mut random);
        let text = deployment::text(HERE, &[HERE, THERE], &["red"]);
        let named =
            text.replace("remote_address = \"192.0.2.21\"", "remote_address = \"north.example\"");
        let here = Gateway::new(deployment::parse(&named), 1, at);
        let there = secret_there.map(|secret| {
            let text = deployment::text(THERE, &[HERE, THERE], &["red"]);
            let waits = format!("initiate = false\npsk_file = \"{secret}\"");
            Gateway::new(deployment::parse(&text.replace("psk_file = \"psk\"", &waits)), 1, at)
        });
        Scene {
            here,
            there,
            means: addresses(means),
            without_route: BTreeSet::new(),
            random,
            now: Timestamp::ZERO,
            begun: Vec::new(),
            spis: BTreeSet::new(),
            asked: 0,
        }
    }

    fn without_route(mut self, to: &[&str]) -> Scene {
        self.without_route.extend(addresses(to));
        self
    }

    fn run(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        loop {
            self.drain();
            assert!(self.begun.len() < 500, "begins without end: {:?}", self.begun.last());
            let there = self.there.as_ref().and_then(Gateway::poll_timeout);
            let due = [self.here.poll_timeout(), there].into_iter().flatten().map(|(due, _)| due);
            let Some(due) = due.min().filter(|due| *due <= end) else { break };
            self.now = due.max(self.now);
            let at = &mut Moment::simulated(self.now, &mut self.random);
            self.here.handle_timeout(at);
            self.there.iter_mut().for_each(|there| there.handle_timeout(at));
        }
        self.now = end.max(self.now);
    }

    /// Carries out what both want until nothing is left.
    fn drain(&mut self) {
        loop {
            let at = &mut Moment::simulated(self.now, &mut self.random);
            for gateway in [Some(&mut self.here), self.there.as_mut()].into_iter().flatten() {
                while let Some(job) = gateway.poll_job() {
                    gateway.handle_job(job.run(), at);
                }
            }
            let outputs: Vec<Output> = std::iter::from_fn(|| self.here.poll_output()).collect();
            let there = self.there.as_mut();
            let answers = there.map(|there| std::iter::from_fn(|| there.poll_output()).collect());
            let answers: Vec<Output> = answers.unwrap_or_default();
            if outputs.is_empty() && answers.is_empty() {
                return;
            }
            outputs.into_iter().for_each(|output| self.carry_out(output));
            for output in answers {
                let Output::Datagram(Datagram { local, remote, bytes }) = output else { continue };
                self.now += DELAY;
                let at = &mut Moment::simulated(self.now, &mut self.random);
                self.here.handle_datagram(remote, local, &bytes, at);
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Datagram(datagram) => self.send(&datagram),
            Output::LookUp { remote, host } => self.answer(remote, &host),
            _ => {}
        }
    }

    fn answer(&mut self, remote: RemoteId, host: &HostName) {
        self.asked += 1;
        let routed = self.means.iter().filter(|address| !self.without_route.contains(address));
        let found = Found {
            addresses: self.means.iter().copied().collect(),
            sources: routed.map(|address| (*address, HERE.underlay())).collect::<BTreeMap<_, _>>(),
            ttl: Duration::from_secs(3600),
        };
        let at = &mut Moment::simulated(self.now, &mut self.random);
        self.here.handle_look_up(remote, host, Ok(found), at);
    }

    fn send(&mut self, datagram: &Datagram) {
        let Datagram { local, remote, bytes } = datagram;
        let is_init = bytes.get(18) == Some(&ExchangeType::IKE_SA_INIT.0);
        let spi = bytes.get(..8).unwrap_or_default().to_vec();
        if is_init && self.spis.insert(spi) {
            self.begun.push((self.now, remote.ip()));
        }
        if self.without_route.contains(&remote.ip()) {
            return self.here.handle_unsent(datagram, Unsent::NoRoute, self.now);
        }
        if let Some(there) = &mut self.there {
            self.now += DELAY;
            let at = &mut Moment::simulated(self.now, &mut self.random);
            there.handle_datagram(*remote, *local, bytes, at);
        }
    }

    fn place(&self) -> Option<IpAddr> {
        self.here.place_of(NORTH)
    }

    fn is_up(&self) -> bool {
        self.here.is_up(NORTH)
    }
}

#[test]
fn a_peer_that_refuses_at_all_its_addresses_is_asked_ever_more_seldom() {
    let mut scene = Scene::new(&["192.0.2.21", "192.0.2.22"], Some("other"));
    scene.run(60);
    let tried: BTreeSet<IpAddr> = scene.begun.iter().map(|(_, to)| *to).collect();
    assert_eq!(tried.len(), 2, "both have their turn");
    assert!((4..=20).contains(&scene.begun.len()), "{:?}", scene.begun);
}

#[test]
fn an_address_without_a_route_is_tried_after_one_that_has_one() {
    let mut scene =
        Scene::new(&["192.0.2.20", "192.0.2.21"], Some("psk")).without_route(&["192.0.2.20"]);
    scene.run(1);
    assert!(scene.is_up());
    assert_eq!(scene.place(), addresses(&["192.0.2.21"]).first().copied());
    assert_eq!(scene.begun.len(), 1, "what has a source goes first: {:?}", scene.begun);
}

#[test]
fn the_first_answer_of_the_dns_begins_one_key_exchange() {
    let mut scene = Scene::new(&["192.0.2.21"], Some("psk"));
    scene.run(5);
    assert!(scene.is_up());
    assert_eq!(scene.begun.len(), 1, "{:?}", scene.begun);
}

#[test]
fn a_tunnel_that_stands_is_looked_for_nowhere_else() {
    let mut scene = Scene::new(&["192.0.2.21", "192.0.2.22"], Some("psk"));
    scene.run(2);
    let place = scene.place();
    assert!(scene.is_up());
    let failed = Event::Failed {
        slot: None,
        reason: FailureReason::Disabled,
        retry_at: Some(scene.now + Duration::from_secs(60)),
    };
    scene.here.follow_place(NORTH, &failed, scene.now);
    scene.run(2);
    assert_eq!(scene.place(), place);
    assert_eq!((scene.begun.len(), scene.asked), (1, 1));
}
