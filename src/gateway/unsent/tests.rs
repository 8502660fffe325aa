use super::*;
use crate::gateway::Output;
use crate::moment::Moment;
use crate::random::Seeded;
use crate::testing::deployment::{self, Site};
use crate::time::WallTime;

const HERE: Site = Site { region: 1, zone: 1 };
const THERE: Site = Site { region: 2, zone: 1 };

/// A gateway with two tunnels to one peer, and the first message to it.
fn gateway() -> (Gateway, Datagram) {
    let config = deployment::parse(&deployment::text(HERE, &[HERE, THERE], &["red", "blue"]));
    let mut random = Seeded::new(7);
    let at = &mut Moment::new(Timestamp::ZERO, WallTime::SIMULATED, &mut random);
    let mut gateway = Gateway::new(config, 1, at);
    while let Some(job) = gateway.poll_job() {
        gateway.handle_job(job.run(), at);
    }
    let first = std::iter::from_fn(|| gateway.poll_output()).find_map(|output| match output {
        Output::Datagram(datagram) => Some(datagram),
        _ => None,
    });
    (gateway, first.unwrap())
}

fn failures(gateway: &Gateway) -> Vec<Option<String>> {
    let failure = |tunnel: &super::super::tunnel::Tunnel| tunnel.last_failure.clone();
    let tunnels = gateway.config.peers.keys().filter_map(|peer| gateway.tunnels.get(peer));
    tunnels.map(|tunnel| failure(tunnel).map(|failure| failure.fact.text.clone())).collect()
}

#[test]
fn a_message_that_the_host_did_not_send_is_the_last_failure_of_its_peers() {
    let (mut gateway, datagram) = gateway();
    gateway.handle_unsent(&datagram, Unsent::NoRoute, Timestamp::ZERO);
    let failures = failures(&gateway);
    assert!(
        failures.iter().all(|text| text.as_ref().is_some_and(|text| text.contains("no route")))
    );
    assert_eq!(gateway.unsent.counts().collect::<Vec<_>>(), [("not_sent_no_route", 1)]);
}

#[test]
fn the_same_reason_is_told_once_in_a_while_and_counted_every_time() {
    let (mut gateway, datagram) = gateway();
    let events = |gateway: &Gateway| {
        let peer = gateway.config.peers.keys().next().unwrap();
        gateway.tunnels.get(peer).unwrap().events.iter().count()
    };
    for second in 0..60 {
        gateway.handle_unsent(&datagram, Unsent::TooBig, Timestamp::from_millis(second * 1000));
    }
    assert_eq!(events(&gateway), 1);
    gateway.handle_unsent(&datagram, Unsent::Denied, Timestamp::from_millis(60_000));
    gateway.handle_unsent(&datagram, Unsent::Denied, Timestamp::from_millis(120_000));
    assert_eq!(events(&gateway), 2);
    gateway.handle_unsent(&datagram, Unsent::Denied, Timestamp::from_millis(660_000));
    assert_eq!(events(&gateway), 3);
    let counts = gateway.unsent.counts().collect::<Vec<_>>();
    assert_eq!(counts, [("not_sent_denied", 3), ("not_sent_too_big", 60)]);
}

#[test]
fn what_belongs_to_no_connection_is_only_counted() {
    let (mut gateway, datagram) = gateway();
    let stray = Datagram { bytes: vec![0; 40], ..datagram };
    gateway.handle_unsent(&stray, Unsent::Busy, Timestamp::ZERO);
    assert!(failures(&gateway).iter().all(Option::is_none));
    assert_eq!(gateway.unsent.counts().collect::<Vec<_>>(), [("not_sent_busy", 1)]);
}
