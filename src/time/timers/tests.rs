use super::*;
use proptest::prelude::*;

const fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn deadlines_come_out_in_order_and_only_when_due() {
    let mut timers = Timers::default();
    timers.arm('b', Some(at(20)));
    timers.arm('a', Some(at(20)));
    timers.arm('c', Some(at(10)));
    assert_eq!(timers.next(), Some((at(10), 'c')));
    assert_eq!(timers.pop_due(at(9)), None);
    let due: Vec<char> = std::iter::from_fn(|| timers.pop_due(at(20))).collect();
    assert_eq!(due, ['c', 'a', 'b']);
    assert!(timers.is_empty());
}

#[test]
fn a_key_has_one_deadline_the_last_that_was_set() {
    let mut timers = Timers::default();
    timers.arm(1, Some(at(10)));
    timers.arm(1, Some(at(30)));
    assert_eq!((timers.len(), timers.next()), (1, Some((at(30), 1))));
    timers.arm(1, None);
    assert_eq!(timers.next(), None);
}

proptest! {
    /// Against a plain map that is searched for its minimum.
    #[test]
    fn timers_do_what_a_searched_map_does(
        steps in proptest::collection::vec((0u8..6, proptest::option::of(0u64..50)), 0..60),
        nows in proptest::collection::vec(0u64..50, 1..10),
    ) {
        let mut timers = Timers::default();
        let mut model = BTreeMap::new();
        for (step, (key, deadline)) in steps.into_iter().enumerate() {
            let deadline = deadline.map(at);
            timers.arm(key, deadline);
            match deadline {
                Some(at) => model.insert(key, at),
                None => model.remove(&key),
            };
            let soonest = model.iter().map(|(&key, &at)| (at, key)).min();
            prop_assert_eq!(timers.next(), soonest);
            let now = at(nows[step % nows.len()]);
            let due = soonest.filter(|(at, _)| *at <= now).map(|(_, key)| key);
            prop_assert_eq!(timers.pop_due(now), due);
            due.map(|key| model.remove(&key));
        }
    }
}
