//! Wishes as a difference, and what becomes of the answers.

use super::*;
use crate::net::{Prefix, VpcId};

const VPC: VpcId = VpcId(0);
const START: Timestamp = Timestamp::ZERO;

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

fn route(text: &str) -> Wish {
    Wish::Route { vpc: VPC, prefix: prefix(text), source: None }
}

fn guard(text: &str) -> Wish {
    Wish::Guard { vpc: VPC, prefix: prefix(text) }
}

fn device(mtu: u16) -> Wish {
    Wish::Device { vpc: VPC, name: "vpn-red".to_owned(), netns: None, mtu }
}

fn set(wish: &Wish) -> Change {
    Change::Set(wish.clone())
}

fn remove(wish: &Wish) -> Change {
    Change::Remove(wish.clone())
}

fn drain(world: &mut World) -> Vec<Change> {
    std::iter::from_fn(|| world.poll_change()).collect()
}

fn answer(world: &mut World, answer: Answer, now: Timestamp) {
    world.on_answer(answer, |_, namespace| namespace.is_none(), now);
}

fn refuse(world: &mut World, wish: &Wish, now: Timestamp) {
    answer(world, Answer::Refused(set(wish), "no".to_owned()), now);
}

/// A world in which `wishes` stand.
fn standing(wishes: &[Wish]) -> World {
    let mut world = World::default();
    wishes.iter().cloned().for_each(|wish| world.add(wish));
    drain(&mut world);
    for wish in wishes {
        answer(&mut world, Answer::Done(set(wish)), START);
    }
    world
}

#[test]
fn wanting_twice_is_one_change() {
    let mut world = World::default();
    world.add(route("10.2.0.0/16"));
    world.add(route("10.2.0.0/16"));
    assert_eq!(drain(&mut world), [set(&route("10.2.0.0/16"))]);
    world.remove(&route("10.3.0.0/16"));
    assert!(drain(&mut world).is_empty());
}

#[test]
fn reconcile_adds_before_it_removes_and_spares_learned_routes() {
    let mut world = standing(&[guard("10.2.0.0/16"), route("10.2.0.0/16")]);
    let configured = BTreeSet::from([guard("10.3.0.0/16")]);
    world.reconcile(&configured, |wish| matches!(wish, Wish::Guard { .. }));
    assert_eq!(drain(&mut world), [set(&guard("10.3.0.0/16")), remove(&guard("10.2.0.0/16"))]);
    assert!(world.wants(&route("10.2.0.0/16")));
}

#[test]
fn a_route_with_another_source_takes_the_place_of_the_first() {
    let old = route("10.2.0.0/16");
    let new =
        Wish::Route { vpc: VPC, prefix: prefix("10.2.0.0/16"), source: Some([10, 1, 0, 1].into()) };
    let mut world = standing(&[old.clone(), route("10.3.0.0/16")]);
    world.set_sources(|_, to| (*to == prefix("10.2.0.0/16")).then_some([10, 1, 0, 1].into()));
    assert_eq!(drain(&mut world), [set(&new)]);
    assert_eq!(world.route(VPC, prefix("10.2.0.0/16")), Some(&new));
    // The kernel shows the old one until it is replaced: it is put right, never removed.
    answer(&mut world, Answer::Done(set(&new)), START);
    let found = BTreeSet::from([old, route("10.3.0.0/16")]);
    answer(&mut world, Answer::Found(None, found), START);
    assert_eq!(drain(&mut world), [set(&new)]);
    world.remove_route(VPC, prefix("10.2.0.0/16"));
    assert_eq!(drain(&mut world), [remove(&new)]);
    world.remove_route(VPC, prefix("10.4.0.0/16"));
    assert!(drain(&mut world).is_empty());
}

#[test]
fn a_device_with_another_mtu_is_the_same_device() {
    let mut world = standing(&[device(1400)]);
    world.reconcile(&BTreeSet::from([device(1300)]), |_| true);
    assert_eq!(drain(&mut world), [set(&device(1300))]);
}

#[test]
fn a_device_goes_before_its_successor_comes() {
    let mut world = standing(&[device(1400)]);
    let other = Wish::Device { vpc: VPC, name: "other".to_owned(), netns: None, mtu: 1400 };
    world.reconcile(&BTreeSet::from([other.clone()]), |_| true);
    assert_eq!(drain(&mut world), [remove(&device(1400)), set(&other)]);
}

#[test]
fn shutdown_keeps_the_guards() {
    let mut world = standing(&[guard("10.2.0.0/16"), route("10.2.0.0/16")]);
    world.clear_all_but_guards();
    assert_eq!(drain(&mut world), [remove(&route("10.2.0.0/16"))]);
}

#[test]
fn a_refusal_is_repeated_with_growing_pauses_until_it_stands() {
    let wish = route("10.2.0.0/16");
    let mut world = World::default();
    world.add(wish.clone());
    drain(&mut world);
    let mut now = START;
    let mut pauses = Vec::new();
    for _ in 0..10 {
        refuse(&mut world, &wish, now);
        assert_eq!(world.refusal(&wish).map(|refusal| refusal.why.as_str()), Some("no"));
        let due = world.poll_timeout().expect("a timer");
        pauses.push(due.since(now).as_millis());
        world.handle_timeout(due);
        assert_eq!(drain(&mut world), [set(&wish)]);
        now = due;
    }
    assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    assert_eq!(world.poll_turn(), Some((wish.clone(), false)));
    answer(&mut world, Answer::Done(set(&wish)), now);
    assert_eq!((world.refusal(&wish), world.stands(&wish)), (None, true));
    assert_eq!(world.poll_turn(), Some((wish, true)));
    assert_eq!((world.poll_turn(), world.poll_timeout()), (None, None));
    assert_eq!(world.counters(), Counters { refused: 10, lost: 0, repeated: 10 });
}

#[test]
fn what_is_not_wanted_any_more_is_refused_no_more() {
    let wish = route("10.2.0.0/16");
    let mut world = World::default();
    world.add(wish.clone());
    refuse(&mut world, &wish, START);
    world.remove(&wish);
    assert_eq!((world.poll_timeout(), world.refused()), (None, 0));
    assert_eq!(world.poll_turn(), Some((wish.clone(), true)));
    // An answer that comes late changes nothing.
    refuse(&mut world, &wish, START);
    assert_eq!((world.poll_timeout(), world.poll_turn()), (None, None));
}

#[test]
fn what_somebody_takes_away_is_put_back() {
    let (wanted, other) = (route("10.2.0.0/16"), route("10.3.0.0/16"));
    let mut world = standing(std::slice::from_ref(&wanted));
    answer(&mut world, Answer::Lost(other), START);
    assert_eq!(drain(&mut world), []);
    answer(&mut world, Answer::Lost(wanted.clone()), START);
    answer(&mut world, Answer::Lost(wanted.clone()), START);
    assert_eq!(drain(&mut world), [set(&wanted)]);
    assert_eq!(world.counters().lost, 1);
}

#[test]
fn a_look_puts_back_what_is_missing_and_removes_what_nobody_wants() {
    let (here, gone, stale) = (guard("10.2.0.0/16"), route("10.2.0.0/16"), guard("10.9.0.0/16"));
    let refused = route("10.4.0.0/16");
    let mut world = standing(&[here.clone(), gone.clone()]);
    world.add(refused.clone());
    drain(&mut world);
    refuse(&mut world, &refused, START);
    let asked = route("10.5.0.0/16");
    world.add(asked);
    drain(&mut world);
    let found = BTreeSet::from([here, stale.clone()]);
    answer(&mut world, Answer::Found(Some("elsewhere".to_owned()), found.clone()), START);
    // In another namespace none of the wishes is missing.
    assert_eq!(drain(&mut world), [remove(&stale)]);
    answer(&mut world, Answer::Found(None, found), START);
    assert_eq!(drain(&mut world), [set(&refused), set(&gone), remove(&stale)]);
}

#[test]
fn a_rule_that_the_host_asks_too_late_is_refused_until_it_comes_first() {
    let rule = Rule {
        netns: None,
        ipv4: true,
        priority: 78,
        when: When::Unmarked,
        then: Then::Lookup(Table::Prefixes),
    };
    let wish = Wish::Rule(rule.clone().into());
    let mut world = standing(std::slice::from_ref(&wish));
    assert_eq!(world.rules().collect::<Vec<_>>(), [&rule]);
    world.overrule([(wish.clone(), "another is first".to_owned())].into());
    assert_eq!(world.poll_turn(), Some((wish.clone(), false)));
    assert_eq!(world.refusal(&wish).map(|refusal| refusal.why.as_str()), Some("another is first"));
    // Asked again it stands as before, and is of no more use.
    answer(&mut world, Answer::Found(None, [wish.clone()].into()), START);
    assert_eq!(drain(&mut world), [set(&wish)]);
    answer(&mut world, Answer::Done(set(&wish)), START);
    assert!(!world.stands(&wish) && world.poll_turn().is_none());
    world.overrule(BTreeMap::new());
    assert_eq!(drain(&mut world), [set(&wish)]);
    answer(&mut world, Answer::Done(set(&wish)), START);
    assert!(world.stands(&wish));
    assert_eq!(world.poll_turn(), Some((wish, true)));
}
