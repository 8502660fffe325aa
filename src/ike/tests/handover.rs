//! Another process goes on with an endpoint: from its octets it answers as the original does.

use super::net::*;
use crate::ike::*;
use crate::moment::Moment;
use crate::random::Random;
use crate::time::Timestamp;

fn configs(initiate: bool) -> [ConnectionConfig; 2] {
    config_pair((psk("a secret"), psk("a secret"))).map(|mut config| {
        slot(&mut config).lifetime = Lifetime { soft: secs(4), jitter: secs(3), hard: secs(20) };
        ConnectionConfig {
            initiate: initiate || config.initiate,
            ike_lifetime: Lifetime { soft: secs(7), jitter: secs(5), hard: secs(40) },
            ..config
        }
    })
}

/// An end goes over into octets and back, with dice of its own that nobody else sees.
pub(super) fn hand_over(net: &mut Net, end: usize, configs: &[ConnectionConfig; 2]) {
    let mut dice = crate::random::Seeded::new(1);
    let at = &mut Moment::simulated(net.now, &mut dice);
    let fresh = Endpoint::new(EndpointConfig::default(), at);
    let old = std::mem::replace(&mut net.ends[end].endpoint, fresh);
    let octets = old.export(at).expect("every private key can leave");
    let connections = [(CONNECTION, configs[end].clone())].into();
    net.ends[end].endpoint =
        Endpoint::import(&octets, EndpointConfig::default(), connections, at).expect("its octets");
    net.ends[end].endpoint.assert_sound();
}

/// What a net has sent after `moments` and then some, handed over at the last of them or not.
fn traffic(seed: u64, hands_over: bool) -> Vec<Vec<u8>> {
    let configs = configs(false);
    let mut net = Net::new(seed, configs.clone());
    net.run(secs(1));
    net.assert_one_tunnel();
    net.faults = Faults { loss_percent: 20, duplicate_percent: 10, jitter: ms(30) };
    let moment = ms(5 * net.random.below(4000));
    let end = net.random.below(2) as usize;
    net.run(moment);
    // A peer that does not answer may be half-way through a new handshake, which is left behind.
    let settled = net.ends.iter().all(|end| end.state() == ConnectionState::Up);
    if hands_over && settled && net.ends[end].ike_sas().len() == 1 {
        hand_over(&mut net, end, &configs);
    }
    net.run(secs(10));
    net.log.iter().map(|datagram| datagram.bytes.clone()).collect()
}

#[test]
fn an_imported_endpoint_answers_as_the_original_does() {
    for seed in 0..120 {
        let (original, imported) = (traffic(seed, false), traffic(seed, true));
        let differs = original.iter().zip(&imported).position(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(original.len(), imported.len(), "seed {seed}");
    }
}

#[test]
fn octets_that_are_cut_or_damaged_or_of_another_version_are_refused() {
    let mut net = Net::new(3, configs(false));
    net.run(secs(1));
    let mut dice = crate::random::Seeded::new(1);
    let at = &mut Moment::simulated(net.now, &mut dice);
    let fresh = Endpoint::new(EndpointConfig::default(), at);
    let octets = std::mem::replace(&mut net.ends[WEST].endpoint, fresh).export(at).expect("octets");
    let mut import = |bytes: &[u8]| {
        let octets = crate::crypto::secret::Secret::copy_of(bytes);
        let connections = [(CONNECTION, configs(false)[WEST].clone())].into();
        Endpoint::import(&octets, EndpointConfig::default(), connections, at).is_ok()
    };
    let octets = octets.as_bytes();
    assert!(import(octets));
    assert!((0..octets.len()).all(|length| !import(&octets[..length])));
    assert!(!import(&with_digest(&[&[1], content(&octets[1..])].concat())));
    assert!(!import(&[octets, &[0]].concat()));
    for index in 0..octets.len() {
        let mut damaged = octets.to_vec();
        damaged[index] ^= 1 << (index % 8);
        assert!(!import(&damaged), "{index}");
    }
}

/// What is written before the digest.
fn content(octets: &[u8]) -> &[u8] {
    octets.strip_suffix(&octets[octets.len() - 32..]).expect("a digest")
}

fn with_digest(content: &[u8]) -> Vec<u8> {
    [content, &crate::crypto::digest::sha256(&[content])].concat()
}

/// Whatever another program has written, the endpoint that it makes runs, or there is none.
#[test]
fn strange_octets_are_refused_or_make_an_endpoint_that_runs() {
    for loss_percent in [0, 100] {
        let mut net = Net::new(5, configs(false));
        net.run(secs(2));
        net.faults = Faults { loss_percent, ..Faults::default() };
        net.run(secs(1)); // where all is lost, a request waits for its answer
        let mut dice = crate::random::Seeded::new(1);
        let at = &mut Moment::simulated(net.now, &mut dice);
        let fresh = Endpoint::new(EndpointConfig::default(), at);
        let west = std::mem::replace(&mut net.ends[WEST].endpoint, fresh);
        let octets = west.export(at).expect("every private key can leave");
        let octets = content(octets.as_bytes());
        for index in 1..octets.len() {
            let end = octets.len().min(index + 8);
            for damage in [&[octets[index] ^ 0x80][..], &[0xff; 8]] {
                let damaged = [&octets[..index], damage, &octets[end.min(index + damage.len())..]];
                run_on(&with_digest(&damaged.concat()), net.now);
            }
        }
    }
}

/// Lets the endpoint that these octets make, if they make one, run for a while.
fn run_on(octets: &[u8], now: Timestamp) {
    let mut dice = crate::random::Seeded::new(2);
    let at = &mut Moment::simulated(now, &mut dice);
    let octets = crate::crypto::secret::Secret::copy_of(octets);
    let connections = [(CONNECTION, configs(false)[WEST].clone())].into();
    let imported = Endpoint::import(&octets, EndpointConfig::default(), connections, at);
    let Ok(mut endpoint) = imported else { return };
    endpoint.rekey_child(CONNECTION, SLOT, at);
    for _ in 0..6 {
        at.now += secs(4);
        endpoint.handle_timeout(at);
        endpoint.run_jobs(at);
        while endpoint.poll_event().is_some() || endpoint.poll_transmit().is_some() {}
    }
    let next = endpoint.poll_timeout();
    assert!(next.is_none_or(|(due, _)| due > at.now), "it turns on the spot: {next:?}");
}

#[test]
fn a_connection_that_the_octets_do_not_know_comes_up() {
    let mut net = Net::new(4, configs(false));
    let mut dice = crate::random::Seeded::new(1);
    let at = &mut Moment::simulated(net.now, &mut dice);
    let octets = Endpoint::new(EndpointConfig::default(), at).export(at).expect("octets");
    let connections = [(CONNECTION, configs(false)[WEST].clone())].into();
    net.ends[WEST].endpoint =
        Endpoint::import(&octets, EndpointConfig::default(), connections, at).expect("its octets");
    net.run(secs(1));
    net.assert_one_tunnel();
}
