//! Our own requests wait for our half of their key exchange.

use super::*;

#[test]
fn a_request_goes_out_when_our_half_of_the_key_exchange_is_made() {
    for what in REKEYS {
        let mut pair = Pair::up();
        pair.begin_rekey(WEST, what);
        assert!(pair.send(WEST).is_empty(), "{what:?}");
        let half = pair.jobs(WEST).remove(0);
        pair.answer(WEST, half);
        let request = pair.send(WEST);
        assert!(!request.is_empty(), "{what:?}");
        pair.deliver(EAST, &request);
        pair.finish();
        pair.assert_one_tunnel();
    }
}

#[test]
fn a_request_that_the_peer_was_quicker_to_make_is_dropped() {
    for what in REKEYS {
        let mut pair = Pair::up();
        pair.begin_rekey(WEST, what);
        let late = pair.jobs(WEST).remove(0);
        pair.begin_rekey(EAST, what);
        for _ in 0..3 {
            let from_east = pair.work_and_send(EAST);
            pair.deliver(WEST, &from_east);
            let from_west = pair.work_and_send(WEST);
            pair.deliver(EAST, &from_west);
        }
        pair.answer(WEST, late);
        assert!(pair.jobs(WEST).is_empty() && pair.send(WEST).is_empty(), "{what:?}");
        pair.finish();
        pair.assert_one_tunnel();
    }
}

#[test]
fn a_request_that_lost_its_half_is_made_again_later() {
    for what in REKEYS {
        let mut pair = Pair::up();
        let before = pair.generation(WEST, what);
        pair.begin_rekey(WEST, what);
        let half = pair.jobs(WEST).remove(0);
        pair.lose(WEST, &half);
        assert!(pair.comes_up_within(secs(1)), "nothing is worse than before");
        assert_eq!(pair.generation(WEST, what), before, "{what:?}");
        assert!(pair.comes_up_within(secs(15)));
        assert_ne!(pair.generation(WEST, what), before, "{what:?}");
    }
}

#[test]
fn an_ike_sa_that_is_closed_does_not_wait_for_its_own_half() {
    for what in REKEYS {
        let mut pair = Pair::up();
        pair.begin_rekey(WEST, what);
        let late = pair.jobs(WEST).remove(0);
        pair.at(WEST, |endpoint, at| endpoint.terminate(CONNECTION, at));
        let delete = pair.send(WEST);
        assert_eq!(delete.len(), 1, "the Delete does not wait");
        pair.deliver(EAST, &delete);
        let confirmation = pair.send(EAST);
        pair.deliver(WEST, &confirmation);
        pair.answer(WEST, late);
        assert!(pair.ends[WEST].is_idle() && pair.send(WEST).is_empty());
    }
}
