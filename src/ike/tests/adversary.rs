//! The unlucky moments: wishes that cross exchanges, NATs that rebind, and chaos from a seed.

use super::net::*;
use crate::ike::*;
use crate::moment::Moment;
use crate::random::{Random, Seeded};
use crate::wire::ike::ExchangeType;
use std::net::SocketAddr;
use std::time::Duration;

fn configs() -> [ConnectionConfig; 2] {
    config_pair((psk("one secret for both"), psk("one secret for both")))
}

/// A net whose tunnel is up, between probes.
fn up(seed: u64) -> Net {
    let mut net = Net::new(seed, configs());
    net.run(secs(2));
    net.run(ms(100));
    net.assert_one_tunnel();
    net
}

fn assert_nothing_left(net: &Net) {
    for end in [WEST, EAST] {
        assert_eq!(net.ends[end].ike_sas().len(), 0, "IKE SAs at end {end}");
        assert_eq!(net.ends[end].children(), 0, "Child SAs at end {end}");
        assert!(net.ends[end].endpoint.is_idle(), "end {end} is not idle");
    }
}

type Wish = fn(&mut Endpoint, &mut Moment<'_>);

const REKEY_IKE: Wish = |endpoint, at| endpoint.rekey_ike(CONNECTION, at);
const REKEY_CHILD: Wish = |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at);
const TERMINATE: Wish = |endpoint, at| endpoint.terminate(CONNECTION, at);
const INITIATE: Wish = |endpoint, at| endpoint.initiate(CONNECTION, at);

/// Moments within and after an exchange that takes 40 ms.
const DELAYS: [u64; 6] = [0, 10, 20, 25, 40, 60];

#[test]
fn terminating_amid_our_own_rekeying_leaves_nothing_behind() {
    for rekey in [REKEY_IKE, REKEY_CHILD] {
        for delay in DELAYS {
            let mut net = up(1);
            net.at(WEST, rekey);
            net.run(ms(delay));
            net.at(WEST, TERMINATE);
            net.run(secs(60));
            assert_nothing_left(&net);
        }
    }
}

#[test]
fn terminating_amid_the_peers_rekeying_leaves_nothing_behind() {
    for rekey in [REKEY_IKE, REKEY_CHILD] {
        for delay in DELAYS {
            let mut net = up(2);
            net.at(EAST, rekey);
            net.run(ms(delay));
            net.at(WEST, TERMINATE);
            net.run(secs(60));
            assert_nothing_left(&net);
        }
    }
}

#[test]
fn terminating_amid_rekeying_by_both_leaves_nothing_behind() {
    for (west, east) in
        [(REKEY_IKE, REKEY_IKE), (REKEY_CHILD, REKEY_CHILD), (REKEY_IKE, REKEY_CHILD)]
    {
        for delay in DELAYS {
            let mut net = up(3);
            net.at(WEST, west);
            net.at(EAST, east);
            net.run(ms(delay));
            net.at(WEST, TERMINATE);
            net.run(secs(60));
            assert_nothing_left(&net);
        }
    }
}

#[test]
fn rekeying_everything_at_once_ends_with_one_tunnel() {
    for first in [REKEY_IKE, REKEY_CHILD] {
        for second in [REKEY_IKE, REKEY_CHILD] {
            for delay in DELAYS {
                let mut net = up(4);
                net.at(WEST, first);
                net.run(ms(delay));
                net.at(EAST, second);
                net.run(secs(60));
                net.assert_one_tunnel();
            }
        }
    }
}

#[test]
fn a_changed_configuration_amid_rekeying_ends_with_one_tunnel() {
    for rekey in [REKEY_IKE, REKEY_CHILD] {
        for delay in DELAYS {
            let mut net = up(5);
            let [mut changed, _] = configs();
            slot(&mut changed).esp_suites = vec!["chacha20poly1305-esn".parse().unwrap()];
            net.at(WEST, rekey);
            net.run(ms(delay));
            net.at(WEST, |endpoint, at| {
                endpoint.update_connection(CONNECTION, changed, at);
            });
            net.run(secs(60));
            net.assert_one_tunnel();
            let suite = net.ends[EAST].ike_sas()[0].children[0].suite;
            assert_eq!(suite.to_string(), "chacha20poly1305-esn");
        }
    }
}

#[test]
fn answers_go_where_the_request_came_from() {
    let mut net = up(6);
    let west = net.log[0].from.ip();
    let mark = net.log.len();
    net.filter = Some(Box::new(|_, _| false));
    net.run(ms(1500));
    let is_request =
        |datagram: &&Datagram| datagram.from.ip() == west && !datagram.header().flags.response;
    let request = net.log[mark..].iter().find(is_request).cloned();
    let request = request.expect("a probe of West");
    for port in [5555, 6666] {
        let rebound = SocketAddr::new(request.from.ip(), port);
        let mark = net.log.len();
        net.deliver(Datagram { from: rebound, ..request.clone() });
        let answered = net.log[mark..].iter().any(|datagram| datagram.to == rebound);
        assert!(answered, "no answer to port {port}"); // RFC 7296 §2.11
    }
}

#[test]
fn a_replayed_or_reflected_datagram_changes_nothing() {
    let mut net = up(7);
    net.at(WEST, REKEY_IKE);
    net.run(secs(3));
    net.at(EAST, REKEY_CHILD);
    net.run(secs(3));
    net.assert_one_tunnel();
    let before = [WEST, EAST].map(|end| net.ends[end].ike_sas()[0].id);
    let events = [WEST, EAST].map(|end| net.ends[end].events.len());
    for datagram in net.log.clone() {
        net.deliver(datagram.clone());
        let reflected = Datagram { from: datagram.to, to: datagram.from, ..datagram };
        net.deliver(reflected);
    }
    net.run(secs(5));
    assert_eq!([WEST, EAST].map(|end| net.ends[end].ike_sas()[0].id), before);
    assert_eq!([WEST, EAST].map(|end| net.ends[end].events.len()), events);
    net.run(secs(20)); // half-open IKE SAs of the replayed IKE_SA_INITs expire
    net.assert_one_tunnel();
}

#[test]
fn flipped_bits_anywhere_change_nothing() {
    let mut net = up(8);
    net.at(EAST, REKEY_CHILD);
    net.run(secs(3));
    let events = [WEST, EAST].map(|end| net.ends[end].events.len());
    let mut random = Seeded::new(99);
    for datagram in net.log.clone() {
        let established = datagram.header().exchange_type != ExchangeType::IKE_SA_INIT;
        for _ in 0..if established { 20 } else { 0 } {
            let mut forged = datagram.clone();
            let bit = random.below(forged.bytes.len() as u64 * 8) as usize;
            forged.bytes[bit / 8] ^= 1 << (bit % 8);
            net.deliver(forged);
        }
    }
    net.run(secs(30));
    assert_eq!([WEST, EAST].map(|end| net.ends[end].events.len()), events);
    net.assert_one_tunnel();
}

/// Something happens to somebody.
fn disturb(net: &mut Net, dice: &mut Seeded) {
    let end = dice.below(2) as usize;
    match dice.below(12) {
        0..=2 => net.at(end, REKEY_IKE),
        3..=5 => net.at(end, REKEY_CHILD),
        6 => {
            net.at(WEST, REKEY_IKE);
            net.at(EAST, REKEY_IKE);
        }
        7 => {
            net.at(WEST, REKEY_CHILD);
            net.at(EAST, REKEY_CHILD);
        }
        8 => {
            net.at(end, TERMINATE);
            net.run(ms(dice.below(100)));
            net.at(end, INITIATE);
        }
        9 => net.crash(end, configs()[end].clone()),
        _ => {
            net.ping(WEST);
            net.ping(EAST);
        }
    }
}

fn chaos(seed: u64, both_initiate: bool, calm: Duration) -> Net {
    let mut dice = Seeded::new(seed ^ 0x5eed);
    let mut pair = configs();
    pair[EAST].initiate = both_initiate;
    let mut net = Net::new(seed, pair);
    net.faults = Faults {
        loss_percent: dice.below(40),
        duplicate_percent: dice.below(40),
        jitter: ms(dice.below(80)),
    };
    for _ in 0..30 {
        disturb(&mut net, &mut dice);
        net.run(ms(dice.below(1500)));
    }
    net.faults = Faults::default();
    net.at(WEST, INITIATE);
    net.run(calm);
    net
}

#[test]
fn after_any_chaos_one_tunnel_remains() {
    for seed in 0..100 {
        println!("seed {seed}");
        let mut net = chaos(seed, seed % 2 == 0, secs(90));
        net.assert_one_tunnel();
    }
}

#[test]
fn after_any_chaos_terminating_leaves_nothing() {
    for seed in 1000..1060 {
        println!("seed {seed}");
        let mut net = chaos(seed, seed % 2 == 0, ms(seed % 300));
        net.at(WEST, TERMINATE);
        net.at(EAST, TERMINATE);
        net.run(secs(60));
        assert_nothing_left(&net);
    }
}
