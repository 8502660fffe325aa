//! Public-key work is under way, and the world does not wait for it.

use super::net::*;
use crate::ike::*;
use crate::moment::Moment;
use crate::random::{Random, Seeded};
use crate::time::Timestamp;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

mod drafts;
mod lost;

/// What gets new keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rekey {
    Child,
    Ike,
}

const REKEYS: [Rekey; 2] = [Rekey::Child, Rekey::Ike];

/// Two ends whose handshake has four messages.
fn classical() -> [ConnectionConfig; 2] {
    let off = |config| ConnectionConfig { post_quantum: PostQuantum::Off, ..config };
    config_pair(key_pairs()).map(off)
}

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
        Pair::new(classical(), EndpointConfig::default())
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
        for Transmit { local, remote, bytes, .. } in transmits {
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

    /// Both ends, with the tunnel up.
    fn up() -> Pair {
        let mut pair = Pair::with_keys();
        pair.finish();
        pair
    }

    fn pass(&mut self, end: usize, time: Duration) {
        self.now += time;
        self.at(end, |endpoint, at| endpoint.handle_timeout(at));
    }

    fn ike_sas(&self, end: usize) -> Vec<IkeView> {
        self.ends[end].view(CONNECTION).expect("a connection").ike_sas
    }

    /// West asks for new keys; its request is on its way.
    fn rekey(&mut self, what: Rekey) -> Vec<Transmit> {
        self.begin_rekey(WEST, what);
        self.work_and_send(WEST)
    }

    fn begin_rekey(&mut self, end: usize, what: Rekey) {
        self.at(end, |endpoint, at| match what {
            Rekey::Child => endpoint.rekey_child(CONNECTION, SLOT, at),
            Rekey::Ike => endpoint.rekey_ike(CONNECTION, at),
        });
    }

    /// West has asked for new keys, and East's answer waits at West for the secret.
    fn until_answer_is_held(&mut self, what: Rekey) -> Job {
        let request = self.rekey(what);
        self.deliver(EAST, &request);
        let answer = self.work_and_send(EAST);
        self.deliver(WEST, &answer);
        self.jobs(WEST).remove(0)
    }

    /// Work and datagrams are done and delivered in an order that `dice` choose; time passes
    /// only when there is nothing else to do, for `duration` in all.
    fn run_in_any_order(&mut self, duration: Duration, dice: &mut Seeded) {
        let end = self.now + duration;
        let mut work: Vec<(usize, Job)> = Vec::new();
        let mut wire: Vec<(usize, Transmit)> = Vec::new();
        while self.now < end {
            for end in [WEST, EAST] {
                work.extend(self.jobs(end).into_iter().map(|job| (end, job)));
                wire.extend(self.send(end).into_iter().map(|transmit| (1 - end, transmit)));
            }
            if work.is_empty() && wire.is_empty() {
                let due = self.ends.iter().filter_map(|end| Some(end.poll_timeout()?.0)).min();
                self.now = due.map_or(end, |due| due.max(self.now));
                self.pass(WEST, Duration::ZERO);
                self.pass(EAST, Duration::ZERO);
                continue;
            }
            match dice.below((work.len() + wire.len()) as u64) as usize {
                job if job < work.len() => {
                    let (end, job) = work.remove(job);
                    self.answer(end, job);
                }
                datagram => {
                    let (end, transmit) = wire.remove(datagram - work.len());
                    self.deliver(end, &[transmit]);
                }
            }
        }
    }

    fn assert_one_tunnel(&self) {
        let [west, east] = [WEST, EAST].map(|end| self.ike_sas(end));
        assert_eq!((west.len(), east.len()), (1, 1), "one IKE SA each");
        let (west, east) = (&west[0], &east[0]);
        assert_eq!((west.id.local, west.id.remote), (east.id.remote, east.id.local));
        assert_eq!((west.children.len(), east.children.len()), (1, 1), "one Child SA each");
        let (west, east) = (&west.children[0], &east.children[0]);
        assert_eq!((west.inbound, west.outbound), (east.outbound, east.inbound));
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
    let [west, east] = classical();
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

#[test]
fn new_keys_wait_for_late_work_on_both_sides_and_nobody_is_judged_meanwhile() {
    for what in REKEYS {
        let mut pair = Pair::up();
        let before = pair.ike_sas(WEST);
        let request = pair.rekey(what);
        pair.deliver(EAST, &request);
        let mut late = pair.jobs(EAST);
        assert_eq!(late.len(), 1);
        pair.pass(EAST, LivenessConfig::default().interval);
        assert!(pair.send(EAST).is_empty(), "nothing else begins");
        pair.answer(EAST, late.remove(0));
        let answer = pair.send(EAST);
        assert!(!answer.is_empty(), "the answer, and perhaps a probe that had to wait");
        pair.deliver(WEST, &answer);
        pair.deliver(WEST, &answer[..1]);
        assert_eq!(pair.discarded(WEST, Discard::StrayResponse), 1);
        let alive = pair.send(WEST);
        pair.deliver(EAST, &alive);
        let mut late = pair.jobs(WEST);
        assert_eq!(late.len(), 1);
        pair.pass(WEST, 3 * LivenessConfig::default().give_up);
        assert!(pair.send(WEST).is_empty(), "the answered request is not repeated");
        assert_eq!(pair.state(WEST), ConnectionState::Up, "the peer has answered");
        pair.answer(WEST, late.remove(0));
        pair.finish();
        pair.assert_one_tunnel();
        let after = pair.ike_sas(WEST);
        assert_eq!(after[0].id != before[0].id, what == Rekey::Ike);
        let [before, after] = [before, after].map(|sas| sas[0].children[0].inbound);
        assert_eq!(after != before, what == Rekey::Child);
    }
}

#[test]
fn a_repeated_request_for_new_keys_is_not_computed_twice() {
    for what in REKEYS {
        let mut pair = Pair::up();
        let request = pair.rekey(what);
        pair.deliver(EAST, &request);
        pair.deliver(EAST, &request);
        let mut jobs = pair.jobs(EAST);
        assert_eq!(jobs.len(), 1);
        assert_eq!(pair.discarded(EAST, Discard::Retransmission), 1);
        assert!(pair.send(EAST).is_empty(), "nothing to say before the work is done");
        pair.answer(EAST, jobs.remove(0));
        let answer = pair.send(EAST);
        pair.deliver(EAST, &request);
        assert!(pair.jobs(EAST).is_empty());
        assert_eq!(pair.send(EAST), answer, "the same answer again");
        pair.deliver(WEST, &answer);
        pair.finish();
        pair.assert_one_tunnel();
    }
}

#[test]
fn an_ike_sa_that_is_deleted_while_it_works_on_a_request_stays_deleted() {
    for what in REKEYS {
        let mut pair = Pair::up();
        let request = pair.rekey(what);
        pair.deliver(EAST, &request);
        let late = pair.jobs(EAST).remove(0);
        pair.at(EAST, |endpoint, at| endpoint.terminate(CONNECTION, at));
        let delete = pair.send(EAST);
        assert_eq!(delete.len(), 1, "the Delete does not wait");
        pair.deliver(WEST, &delete);
        let confirmation = pair.send(WEST);
        pair.deliver(EAST, &confirmation);
        assert!(pair.ends[EAST].is_idle());
        pair.answer(EAST, late);
        assert!(pair.send(EAST).is_empty());
        assert!(pair.ends[EAST].is_idle() && pair.ike_sas(WEST).is_empty());
    }
}

#[test]
fn an_ike_sa_that_is_closed_while_it_works_on_a_request_refuses_it() {
    let mut pair = Pair::up();
    let request = pair.rekey(Rekey::Child);
    pair.deliver(EAST, &request);
    let late = pair.jobs(EAST).remove(0);
    pair.at(EAST, |endpoint, at| endpoint.terminate(CONNECTION, at));
    while pair.ends[EAST].poll_event().is_some() {}
    pair.answer(EAST, late);
    assert_eq!(pair.send(EAST).len(), 2, "a Delete, and a refusal");
    assert!(pair.ends[EAST].poll_event().is_none(), "nothing is installed");
}

#[test]
fn the_peer_may_delete_the_ike_sa_before_the_secret_is_there() {
    for what in REKEYS {
        let mut pair = Pair::up();
        let late = pair.until_answer_is_held(what);
        pair.at(EAST, |endpoint, at| endpoint.terminate(CONNECTION, at));
        let deletes = pair.send(EAST);
        pair.deliver(WEST, &deletes);
        assert!(pair.ike_sas(WEST).is_empty(), "{what:?}");
        pair.answer(WEST, late);
        assert!(pair.ike_sas(WEST).is_empty() && pair.jobs(WEST).is_empty());
    }
}

#[test]
fn what_is_closed_before_the_secret_is_there_leaves_nothing_at_the_peer() {
    for what in REKEYS {
        let mut pair = Pair::up();
        let late = pair.until_answer_is_held(what);
        pair.at(WEST, |endpoint, at| endpoint.terminate(CONNECTION, at));
        pair.answer(WEST, late);
        for _ in 0..4 {
            let from_west = pair.work_and_send(WEST);
            pair.deliver(EAST, &from_west);
            let from_east = pair.work_and_send(EAST);
            pair.deliver(WEST, &from_east);
        }
        assert!(pair.ends[WEST].is_idle() && pair.ends[EAST].is_idle(), "{what:?}");
    }
}

#[test]
fn an_endpoint_with_work_under_way_is_not_exported() {
    let mut pair = Pair::up();
    let request = pair.rekey(Rekey::Child);
    pair.deliver(EAST, &request);
    let job = pair.jobs(EAST).remove(0);
    let exports = |pair: &Pair, end: usize| {
        let mut dice = Seeded::new(1);
        pair.ends[end].clone().export(&Moment::simulated(pair.now, &mut dice)).is_ok()
    };
    assert!(exports(&pair, WEST) && !exports(&pair, EAST));
    pair.answer(EAST, job);
    let answer = pair.send(EAST);
    pair.deliver(WEST, &answer);
    let job = pair.jobs(WEST).remove(0);
    assert!(!exports(&pair, WEST) && exports(&pair, EAST));
    pair.answer(WEST, job);
    assert!(exports(&pair, WEST));
}

#[test]
fn rekeys_that_cross_come_to_one_tunnel_in_whatever_order_work_is_done() {
    for seed in 0..200 {
        let mut dice = Seeded::new(seed);
        let mut pair = Pair::up();
        for end in [WEST, EAST] {
            pair.begin_rekey(end, REKEYS[dice.below(2) as usize]);
        }
        pair.run_in_any_order(Duration::from_secs(60), &mut dice);
        pair.assert_one_tunnel();
        assert_eq!([pair.state(WEST), pair.state(EAST)], [ConnectionState::Up; 2], "{seed}");
    }
}
