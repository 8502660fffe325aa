//! The test of the test: of every fault that an engine could have, a schedule is found that shows
//! it, in an exploration that finds nothing without the fault.

use super::scenario::Ends::{Both, One};
use super::scenario::{Ends, Scenario};
use super::scenarios::{self, Make};
use super::search;
use crate::ike::fault::Fault::{self, *};
use crate::ike::tests::net::{EAST, WEST};

/// Which end has the fault, where it shows, and as what.
const FAULTS: [(Fault, Ends, Make, &str); 25] = [
    (SendsEarly, One(EAST), scenarios::child_rekeys, "which the peer has not yet"),
    (KeepsLowestNonce, One(WEST), scenarios::child_rekeys, "which the peer has replaced"),
    (KeepsLowestNonce, One(WEST), scenarios::ike_rekeys, "nothing to send on"),
    (MissesRival, One(EAST), scenarios::child_rekeys, "which the peer has replaced"),
    (KeepsTwins, Both, scenarios::slots_change, "not one Child SA for each slot"),
    (RekeysWhileBusy, One(EAST), scenarios::ike_and_child_rekey, "nothing to send on"),
    (MovesTooSoon, One(EAST), scenarios::ike_rekeys, "nothing to send on"),
    (MovesTooSoon, One(WEST), scenarios::ike_rekeys, "nothing to send on"),
    (AnswersAnew, One(EAST), scenarios::child_rekeys, "a message ID is used again"),
    (CountsOn, One(WEST), scenarios::ike_rekeys, "made anew"),
    (SwapsKeys, One(WEST), scenarios::child_rekeys, "other keys"),
    (ContactEndsAll, One(EAST), scenarios::handshakes, "made anew"),
    (AnswersBeforeAuth, One(EAST), scenarios::presumption, "without proof of identity"),
    (BelievesAnybody, One(EAST), scenarios::strangers, "a stranger is believed"),
    (JoinsAsTheyCome, One(EAST), scenarios::fragments, "honest datagram is discarded"),
    (TrustsIntermediate, One(EAST), scenarios::intermediate, "discarded: authentication"),
    (KeepsFirstKeys, One(EAST), scenarios::intermediate, "honest datagram is discarded"),
    (ForgetsFollowups, One(EAST), scenarios::hybrid_child_rekeys, "other keys"),
    (ForgetsFollowups, One(EAST), scenarios::hybrid_ike_rekeys, "honest datagram is discarded"),
    (InstallsTooSoon, One(EAST), scenarios::hybrid_child_rekeys, "nothing to send on"),
    (KeepsLowestNonce, One(EAST), scenarios::hybrid_ike_rekeys, "nothing to send on"),
    (FollowsAtOnce, One(EAST), scenarios::stolen_moves, "led to where"),
    (ForgetsPpk, One(EAST), scenarios::mixed, "other keys"),
    (SortsTokens, One(EAST), scenarios::pretence, "nothing to send on"),
    (BelievesAnyToken, One(WEST), scenarios::pretence, "nothing to send on"),
];

/// More states than any of them takes.
const LIMIT: usize = 300_000;

#[test]
fn every_fault_is_found() {
    for (fault, ends, make, shows) in FAULTS {
        let scenario = Scenario { fault: Some((ends, fault)), limit: LIMIT, ..make(1) };
        let found = search::explore(&scenario).err();
        let missed = || panic!("{fault:?} of {ends:?} is not found in {}", scenario.name);
        let ladder = found.unwrap_or_else(missed);
        println!("{fault:?}{ladder}");
        assert!(ladder.contains(shows), "{fault:?} shows as something else: {ladder}");
    }
}
