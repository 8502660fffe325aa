//! Public-key work is lost, and nobody waits for it for ever.

use super::*;

impl Pair {
    /// Whoever had this job could not do it.
    pub(super) fn lose(&mut self, end: usize, job: &Job) {
        let answer = JobAnswer::lost(job.id());
        self.at(end, |endpoint, at| endpoint.handle_job(answer, at));
    }

    /// What new keys change.
    pub(super) fn generation(&self, end: usize, what: Rekey) -> String {
        let sa = &self.ike_sas(end)[0];
        match what {
            Rekey::Ike => sa.id.to_string(),
            Rekey::Child => sa.children.last().map(|sa| sa.inbound.to_string()).unwrap_or_default(),
        }
    }

    fn is_up(&self) -> bool {
        [WEST, EAST].map(|end| self.state(end)) == [ConnectionState::Up; 2]
    }

    /// Lets time pass until both ends have no work left; true when the tunnel is up then.
    pub(super) fn comes_up_within(&mut self, time: Duration) -> bool {
        let end = self.now + time;
        while self.now < end {
            for end in [WEST, EAST] {
                self.pass(end, Duration::ZERO);
                let sent = self.work_and_send(end);
                self.deliver(1 - end, &sent);
            }
            self.now += ms(50);
        }
        self.is_up()
    }
}

#[test]
fn a_handshake_goes_on_when_work_for_the_peers_request_is_lost() {
    for stage in [0, 1] {
        let mut pair = Pair::with_keys();
        let auth = pair.until_auth();
        pair.deliver(EAST, &auth);
        for _ in 0..stage {
            let job = pair.jobs(EAST).remove(0);
            pair.answer(EAST, job);
        }
        let job = pair.jobs(EAST).remove(0);
        pair.lose(EAST, &job);
        assert!(pair.comes_up_within(secs(2)), "the peer asks again");
    }
}

#[test]
fn an_attempt_whose_work_is_lost_is_made_anew() {
    let mut pair = Pair::with_keys();
    let job = pair.jobs(WEST).remove(0);
    pair.lose(WEST, &job);
    assert_eq!(pair.state(WEST), ConnectionState::Waiting);
    assert!(pair.comes_up_within(secs(3)));
}

#[test]
fn new_keys_are_asked_for_again_when_work_for_the_peers_request_is_lost() {
    for what in REKEYS {
        let mut pair = Pair::up();
        let before = pair.generation(WEST, what);
        let request = pair.rekey(what);
        pair.deliver(EAST, &request);
        let job = pair.jobs(EAST).remove(0);
        pair.lose(EAST, &job);
        assert!(pair.comes_up_within(secs(3)), "{what:?}");
        assert_ne!(pair.generation(WEST, what), before, "{what:?}");
    }
}

#[test]
fn an_ike_sa_ends_when_it_cannot_conclude_an_answer() {
    for what in REKEYS {
        let mut pair = Pair::up();
        let ike = pair.ike_sas(WEST)[0].id;
        let job = pair.until_answer_is_held(what);
        pair.lose(WEST, &job);
        assert!(pair.comes_up_within(secs(10)), "{what:?}");
        assert_ne!(pair.ike_sas(WEST)[0].id, ike, "{what:?}");
        assert_eq!(pair.ike_sas(WEST).len(), 1);
    }
}
