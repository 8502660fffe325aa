//! Public-key work is under way, and the world does not wait for it.

use super::net::*;
use crate::ike::*;
use crate::moment::Moment;
use crate::random::Seeded;
use crate::time::Timestamp;
use std::net::{IpAddr, SocketAddr};

/// Two endpoints whose jobs and datagrams move only when a test moves them.
#[derive(Clone)]
struct Pair {
    ends: [Endpoint; 2],
    now: Timestamp,
    random: Seeded,
}

impl Pair {
    fn new(configs: [ConnectionConfig; 2], settings: EndpointConfig) -> Pair {
        let (now, mut random) = (Timestamp::from_millis(1), Seeded::new(11));
        let ends = configs.map(|config| {
            let mut at = Moment::simulated(now, &mut random);
            let mut endpoint = Endpoint::new(settings.clone(), &mut at);
            endpoint.add_connection(CONNECTION, config, &mut at);
            endpoint
        });
        Pair { ends, now, random }
    }

    fn with_keys() -> Pair {
        Pair::new(config_pair(key_pairs()), EndpointConfig::default())
    }

    fn at<T>(&mut self, end: usize, act: impl FnOnce(&mut Endpoint, &mut Moment<'_>) -> T) -> T {
        let result = act(&mut self.ends[end], &mut Moment::simulated(self.now, &mut self.random));
        self.ends[end].assert_sound();
        result
    }

    /// Everything that one end sends, with all its work done.
    fn work_and_send(&mut self, end: usize) -> Vec<Transmit> {
        self.at(end, |endpoint, at| endpoint.run_jobs(at));
        self.send(end)
    }

    fn send(&mut self, end: usize) -> Vec<Transmit> {
        std::iter::from_fn(|| self.ends[end].poll_transmit()).collect()
    }

    fn deliver(&mut self, end: usize, transmits: &[Transmit]) {
        for Transmit { local, remote, bytes } in transmits {
            self.at(end, |endpoint, at| endpoint.handle_datagram(*remote, *local, bytes, at));
        }
    }

    /// The jobs of one end, taken but not done.
    fn jobs(&mut self, end: usize) -> Vec<Job> {
        std::iter::from_fn(|| self.ends[end].poll_job()).collect()
    }

    fn answer(&mut self, end: usize, job: Job) {
        self.at(end, |endpoint, at| endpoint.handle_job(job.run(), at));
    }

    fn state(&self, end: usize) -> ConnectionState {
        self.ends[end].view(CONNECTION).expect("a connection").state
    }

    fn discarded(&self, end: usize, reason: Discard) -> u64 {
        self.ends[end].stats().discarded(reason)
    }

    /// West has sent IKE_AUTH, which is on its way.
    fn until_auth(&mut self) -> Vec<Transmit> {
        let init = self.work_and_send(WEST);
        self.deliver(EAST, &init);
        let answer = self.work_and_send(EAST);
        self.deliver(WEST, &answer);
        self.work_and_send(WEST)
    }

    fn finish(&mut self) {
        for _ in 0..6 {
            let [from_west, from_east] = [WEST, EAST].map(|end| self.work_and_send(end));
            self.deliver(EAST, &from_west);
            self.deliver(WEST, &from_east);
        }
        assert_eq!([self.state(WEST), self.state(EAST)], [ConnectionState::Up; 2]);
    }
}

#[test]
fn a_repeated_ike_sa_init_is_not_computed_twice() {
    let mut pair = Pair::with_keys();
    let init = pair.work_and_send(WEST);
    pair.deliver(EAST, &init);
    pair.deliver(EAST, &init);
    pair.deliver(EAST, &init);
    let mut jobs = pair.jobs(EAST);
    assert_eq!(jobs.len(), 1);
    assert_eq!(pair.discarded(EAST, Discard::Retransmission), 2);
    assert!(pair.send(EAST).is_empty(), "nothing to say before the work is done");

    pair.answer(EAST, jobs.remove(0));
    let answer = pair.send(EAST);
    assert_eq!(answer.len(), 1);
    pair.deliver(WEST, &answer);
    pair.finish();
}

#[test]
fn a_repeated_ike_auth_is_not_computed_twice() {
    let mut pair = Pair::with_keys();
    let auth = pair.until_auth();
    pair.deliver(EAST, &auth);
    pair.deliver(EAST, &auth);
    let mut jobs = pair.jobs(EAST);
    assert_eq!(jobs.len(), 1, "one signature to verify");
    pair.answer(EAST, jobs.remove(0));
    pair.deliver(EAST, &auth);
    assert_eq!(pair.jobs(EAST).len(), 1, "one signature to make");
    assert_eq!(pair.discarded(EAST, Discard::Retransmission), 2);
}

#[test]
fn an_unauthenticated_datagram_changes_nothing_while_work_is_under_way() {
    let mut pair = Pair::with_keys();
    let auth = pair.until_auth();
    let mut forged = auth.clone();
    for transmit in &mut forged {
        *transmit.bytes.last_mut().expect("a message") ^= 1;
    }
    pair.deliver(EAST, &auth);
    pair.deliver(EAST, &forged);
    let verification = pair.jobs(EAST).remove(0);
    pair.answer(EAST, verification);
    pair.deliver(EAST, &forged);
    let answer = pair.work_and_send(EAST);
    pair.deliver(WEST, &answer);
    let mut forged = answer;
    forged[0].bytes[40] ^= 1;
    pair.deliver(WEST, &forged);
    pair.finish();
}

#[test]
fn a_connection_that_goes_while_the_peer_proves_itself_does_not_come_up() {
    let mut pair = Pair::with_keys();
    let auth = pair.until_auth();
    pair.deliver(EAST, &auth);
    let verification = pair.jobs(EAST).remove(0);
    pair.answer(EAST, verification);
    let signature = pair.jobs(EAST).remove(0);
    pair.at(EAST, |endpoint, at| endpoint.remove_connection(CONNECTION, at));
    pair.answer(EAST, signature);

    assert!(pair.ends[EAST].poll_event().is_none(), "nothing is established");
    let refusal = pair.send(EAST);
    pair.deliver(WEST, &refusal);
    let failed = std::iter::from_fn(|| pair.ends[WEST].poll_event())
        .any(|(_, event)| matches!(event, Event::Failed { .. }));
    assert!(failed, "the peer is told");
}

#[test]
fn an_answer_that_comes_too_late_has_no_effect() {
    let mut pair = Pair::with_keys();
    let init = pair.work_and_send(WEST);
    pair.deliver(EAST, &init);
    let late = pair.jobs(EAST).remove(0);
    pair.now += HalfOpenLimits::default().lifetime;
    pair.at(EAST, |endpoint, at| endpoint.handle_timeout(at));
    assert_eq!(pair.discarded(EAST, Discard::HalfOpenExpired), 1);
    pair.answer(EAST, late);
    assert!(pair.send(EAST).is_empty());
    assert!(pair.ends[EAST].is_idle());
}

#[test]
fn an_attempt_whose_work_is_not_done_in_time_fails_and_is_tried_again() {
    let mut pair = Pair::with_keys();
    let lost = pair.jobs(WEST);
    assert_eq!(lost.len(), 1);
    pair.now += Retransmit::default().give_up;
    pair.at(WEST, |endpoint, at| endpoint.handle_timeout(at));
    assert_eq!(pair.state(WEST), ConnectionState::Waiting);
    let (due, _) = pair.ends[WEST].poll_timeout().expect("another attempt is planned");
    pair.now = due;
    pair.at(WEST, |endpoint, at| endpoint.handle_timeout(at));
    pair.finish();
}

#[test]
fn a_full_queue_refuses_strangers_and_no_established_peer() {
    let no_cookies = HalfOpenLimits {
        cookies_above: usize::MAX,
        cookies_above_per_source: usize::MAX,
        ..HalfOpenLimits::default()
    };
    let settings = EndpointConfig { half_open: no_cookies, ..EndpointConfig::default() };
    let [west, east] = config_pair(key_pairs());
    let east = ConnectionConfig { remote: RemoteAddress::Any, ..east };
    let mut pair = Pair::new([west, east], settings);
    let init = pair.work_and_send(WEST).remove(0);
    pair.deliver(EAST, std::slice::from_ref(&init));
    pair.finish();

    for stranger in 0..300u16 {
        let [high, low] = stranger.to_be_bytes();
        let address: IpAddr = [203, 0, 113 + high, low].into();
        let mut flood = init.clone();
        flood.local = SocketAddr::new(address, 500);
        flood.bytes[..8].copy_from_slice(&[7, 7, 7, 7, 7, 7, high, low]);
        pair.deliver(EAST, &[flood]);
    }
    assert!(pair.discarded(EAST, Discard::Busy) > 0);
    pair.now += LivenessConfig::default().interval;
    pair.at(WEST, |endpoint, at| endpoint.handle_timeout(at));
    let probe = pair.send(WEST);
    pair.deliver(EAST, &probe);
    let answer = pair.send(EAST);
    pair.deliver(WEST, &answer);
    let heard = pair.ends[WEST].view(CONNECTION).map(|view| view.ike_sas[0].last_heard);
    assert_eq!(heard, Some(pair.now), "an established peer is answered");
    pair.at(WEST, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
    pair.finish();
}

#[test]
fn a_handshake_comes_up_with_crypto_that_hides_nothing() {
    let mut pair = Pair::with_keys();
    for _ in 0..8 {
        for end in [WEST, EAST] {
            while let Some(job) = pair.ends[end].poll_job() {
                pair.at(end, |endpoint, at| endpoint.handle_job(job.run_transparently(), at));
            }
            let transmits = pair.send(end);
            pair.deliver(1 - end, &transmits);
        }
    }
    assert_eq!([pair.state(WEST), pair.state(EAST)], [ConnectionState::Up; 2]);
}

#[test]
fn a_run_that_is_forked_in_the_middle_of_a_handshake_goes_on_the_same_way_twice() {
    let mut pair = Pair::with_keys();
    let auth = pair.until_auth();
    pair.deliver(EAST, &auth);
    let mut fork = pair.clone();
    let ends = [&mut pair, &mut fork].map(|run| {
        run.finish();
        run.work_and_send(EAST);
        run.ends[EAST].view(CONNECTION)
    });
    assert_eq!(ends[0], ends[1]);
}
