use super::*;
use crate::random::{Random, Seeded};

const V4: Bounds = Bounds { floor: 576, base: 1200, limit: 1500 };
const V6: Bounds = Bounds { floor: 1280, base: 1280, limit: 1500 };
/// Time that a probe and its answer take, and until a lost one has its verdict.
const STEP: Duration = Duration::from_millis(100);

/// A path with a size of its own, that answers probes.
struct World {
    carries: u16,
    /// Routers say what fits.
    speaks: bool,
    /// One probe in so many is lost for no reason.
    loss: Option<u64>,
    random: Seeded,
    now: Timestamp,
    path: PathMtu,
    probes: u32,
}

impl World {
    fn new(bounds: Bounds, carries: u16) -> World {
        let mut path = PathMtu::new(bounds);
        path.on_up(CONFIRM, Timestamp::ZERO);
        let random = Seeded::new(carries.into());
        World { carries, speaks: false, loss: None, random, now: Timestamp::ZERO, path, probes: 0 }
    }

    /// One probe that is due, with its verdict; whether there was one.
    fn step(&mut self) -> bool {
        let Some(size) = self.path.poll_probe(self.now) else { return false };
        self.probes += 1;
        let unlucky = self.loss.is_some_and(|of| self.random.below(of) == 0);
        let arrives = size <= self.carries && !unlucky;
        if self.speaks && size > self.carries {
            self.path.on_too_big(self.carries, self.now);
        }
        self.now += STEP;
        self.path.on_verdict(size, arrives, self.now);
        true
    }

    /// Until nothing is due any more.
    fn settle(&mut self) -> u16 {
        for _ in 0..200 {
            if !self.step() {
                break;
            }
        }
        assert!(!self.path.is_searching(), "{:?}", self.path);
        self.path.mtu()
    }

    /// A while with traffic.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.path.handle_timeout(self.now);
            if self.path.on_sent(true, self.now) || self.path.is_searching() {
                while self.step() {}
            }
            self.now += STEP;
        }
    }
}

#[test]
fn a_path_that_carries_the_limit_takes_one_probe() {
    for bounds in [V4, V6] {
        let mut world = World::new(bounds, 1500);
        assert_eq!((world.settle(), world.probes), (1500, 1));
        assert_eq!(world.path.known_by(), Knowledge::Probed);
    }
}

#[test]
fn every_size_of_a_silent_path_is_found_to_eight_octets_and_never_exceeded() {
    for (bounds, sizes) in [(V4, 576..1500), (V6, 1280..1500)] {
        for carries in sizes {
            let mut world = World::new(bounds, carries);
            let found = world.settle();
            assert!(
                (carries.saturating_sub(GRANULARITY)..=carries).contains(&found),
                "{found} of {carries}"
            );
            assert!(world.probes < 60, "{} probes for {carries}", world.probes);
        }
    }
}

#[test]
fn sizes_that_links_have_are_found_exactly() {
    for carries in COMMON.into_iter().filter(|size| *size < 1500) {
        assert_eq!(World::new(V4, carries).settle(), carries);
        assert_eq!(World::new(V6, carries).settle(), carries);
    }
}

#[test]
fn a_router_that_speaks_gives_every_size_exactly_and_soon() {
    for (bounds, sizes) in [(V4, 576..1500), (V6, 1280..1500)] {
        for carries in sizes {
            let mut world = World { speaks: true, ..World::new(bounds, carries) };
            assert_eq!(world.settle(), carries);
            assert_eq!(world.path.known_by(), Knowledge::Icmp);
            assert!(world.probes <= 2, "{} probes for {carries}", world.probes);
        }
    }
}

#[test]
fn the_first_lost_probe_already_takes_the_tunnel_down_to_the_base() {
    let mut world = World::new(V4, 1400);
    assert_eq!(world.path.mtu(), 1500);
    world.step();
    assert_eq!(world.path.mtu(), 1200);
}

#[test]
fn while_searching_a_size_in_use_was_verified_or_is_the_base() {
    let mut world = World::new(V4, 1433);
    world.step();
    while world.step() {
        assert!(world.path.mtu() <= 1433);
    }
}

#[test]
fn one_lost_probe_of_a_settled_path_changes_nothing() {
    let mut world = World::new(V4, 1500);
    world.settle();
    world.now += CONFIRM;
    world.carries = 100;
    assert!(world.path.on_sent(true, world.now) && world.step());
    assert_eq!(world.path.mtu(), 1500);
    world.carries = 1500;
    world.settle();
    assert_eq!(world.path.mtu(), 1500);
}

#[test]
fn a_silent_path_that_shrinks_under_load_is_found_within_seconds() {
    for carries in [1492, 1400, 1280, 700] {
        let mut world = World::new(V4, 1500);
        world.settle();
        world.carries = carries;
        world.run(CONFIRM + STEP * 6);
        assert!(world.path.mtu() <= carries, "{carries}: {}", world.path.mtu());
        world.run(Duration::from_secs(8));
        assert!((carries - GRANULARITY..=carries).contains(&world.path.mtu()), "{carries}");
    }
}

#[test]
fn a_router_that_speaks_takes_effect_after_one_probe() {
    let mut world = World::new(V4, 1500);
    world.settle();
    (world.carries, world.speaks) = (1420, true);
    world.path.on_too_big(1420, world.now);
    assert_eq!(world.path.mtu(), 1500, "nothing is believed blindly");
    assert!(world.step());
    assert_eq!((world.path.mtu(), world.path.known_by()), (1420, Knowledge::Icmp));
    assert_eq!(world.settle(), 1420);
}

#[test]
fn a_forged_hint_costs_a_probe_and_changes_nothing() {
    let mut world = World::new(V4, 1500);
    world.settle();
    let before = world.probes;
    for _ in 0..100 {
        world.path.on_too_big(600, world.now);
        world.step();
        assert_eq!(world.path.mtu(), 1500);
    }
    assert!(world.probes - before <= 100 * 100 / 500 + 2, "{}", world.probes - before);
}

#[test]
fn hints_out_of_bounds_are_ignored() {
    let mut world = World::new(V4, 1500);
    world.settle();
    for mtu in [0, 68, 575, 1500, 9000, u16::MAX] {
        world.now += HINT_PAUSE;
        world.path.on_too_big(mtu, world.now);
        assert_eq!(world.path.poll_probe(world.now), None, "{mtu}");
    }
}

#[test]
fn a_wrong_hint_on_a_path_that_did_shrink_does_not_stay() {
    let mut world = World::new(V4, 1500);
    world.settle();
    world.carries = 1300;
    world.path.on_too_big(1450, world.now);
    let found = world.settle();
    assert!((1292..=1300).contains(&found), "{found}");
}

#[test]
fn a_path_that_grows_again_is_found_after_ten_minutes() {
    let mut world = World::new(V4, 1400);
    world.settle();
    world.carries = 1500;
    world.run(RAISE - Duration::from_secs(10));
    assert_eq!(world.path.mtu(), 1400);
    world.run(Duration::from_secs(20));
    assert_eq!(world.path.mtu(), 1500);
}

#[test]
fn trying_to_raise_never_uses_what_has_not_arrived() {
    let mut world = World::new(V4, 1400);
    world.settle();
    for _ in 0..3 {
        world.run(RAISE + Duration::from_secs(10));
        assert_eq!(world.path.mtu(), 1400);
    }
}

#[test]
fn loss_delays_a_search_and_never_leads_above_the_path() {
    for carries in [600, 1199, 1200, 1360, 1433, 1492, 1500] {
        for of in [3, 10] {
            let mut world = World { loss: Some(of), ..World::new(V4, carries) };
            world.settle();
            assert!(world.path.mtu() <= carries, "{} of {carries}", world.path.mtu());
        }
    }
}

#[test]
fn without_an_ike_sa_hints_are_believed_down_to_the_base_and_for_ten_minutes() {
    let mut path = PathMtu::new(V4);
    path.on_too_big(600, Timestamp::ZERO);
    assert_eq!((path.mtu(), path.known_by()), (1200, Knowledge::Icmp));
    assert_eq!(path.poll_probe(Timestamp::ZERO), None);
    assert_eq!(path.poll_timeout(), Some(Timestamp::ZERO + RAISE));
    path.handle_timeout(Timestamp::ZERO + RAISE);
    assert_eq!((path.mtu(), path.known_by()), (1500, Knowledge::Configured));
}

#[test]
fn a_new_ike_sa_goes_on_with_what_is_known() {
    let mut world = World::new(V4, 1400);
    world.settle();
    world.path.on_down(world.now);
    assert_eq!(world.path.mtu(), 1400);
    world.path.on_up(CONFIRM, world.now);
    assert_eq!(world.path.mtu(), 1400);
    assert_eq!(world.settle(), 1400);
}

#[test]
fn a_probe_that_goes_with_its_ike_sa_is_asked_again() {
    let mut path = PathMtu::new(V4);
    path.on_up(CONFIRM, Timestamp::ZERO);
    assert_eq!(path.poll_probe(Timestamp::ZERO), Some(1500));
    assert_eq!(path.poll_probe(Timestamp::ZERO), None);
    let late = path.poll_timeout().unwrap();
    path.handle_timeout(late);
    assert_eq!(path.poll_probe(late), Some(1500));
    path.on_verdict(1500, true, late);
    path.on_verdict(1500, false, late);
    assert_eq!(path.mtu(), 1500, "a verdict counts once");
}

#[test]
fn a_peer_that_answers_nothing_is_asked_once_and_routers_are_believed() {
    let mut path = PathMtu::new(V4);
    path.on_up(CONFIRM_SELDOM, Timestamp::ZERO);
    assert_eq!(path.poll_probe(Timestamp::ZERO), Some(1500));
    path.on_unanswered(Timestamp::ZERO);
    assert_eq!((path.mtu(), path.known_by()), (1500, Knowledge::Configured));
    assert!(!path.wants_probe() && !path.on_sent(true, Timestamp::ZERO + SILENCE));
    path.on_too_big(1400, Timestamp::ZERO + SILENCE);
    assert_eq!((path.mtu(), path.known_by()), (1400, Knowledge::Icmp));
    let again = path.poll_timeout().unwrap();
    assert_eq!(again, Timestamp::ZERO + SILENCE + RAISE);
    path.handle_timeout(again);
    assert_eq!(path.poll_probe(again), Some(1500), "perhaps it answers now");
}

#[test]
fn what_a_router_said_while_the_peer_kept_silent_is_believed() {
    let mut path = PathMtu::new(V4);
    path.on_up(CONFIRM_SELDOM, Timestamp::ZERO);
    path.poll_probe(Timestamp::ZERO);
    path.on_too_big(1400, Timestamp::ZERO);
    path.on_unanswered(Timestamp::ZERO);
    assert_eq!((path.mtu(), path.known_by()), (1400, Knowledge::Icmp));
}

#[test]
fn silence_after_answers_changes_nothing_but_the_next_question() {
    let mut world = World::new(V4, 1400);
    world.settle();
    world.now += CONFIRM;
    assert!(world.path.on_sent(true, world.now));
    world.path.poll_probe(world.now);
    world.path.on_unanswered(world.now);
    assert_eq!((world.path.mtu(), world.path.wants_probe()), (1400, false));
    let again = world.path.poll_timeout().unwrap();
    assert_eq!(again, world.now + SILENCE);
    world.path.handle_timeout(again);
    assert_eq!(world.path.poll_probe(again), Some(1400));
}

#[test]
fn a_peer_that_is_asked_seldom_is_asked_soon_when_nothing_comes_back() {
    let mut world = World::new(V4, 1500);
    world.settle();
    world.path.on_up(CONFIRM_SELDOM, world.now);
    world.settle();
    let sent = |after: Duration, heard| world.path.clone().on_sent(heard, world.now + after);
    assert!(!sent(CONFIRM, true) && sent(CONFIRM, false));
    assert!(!sent(CONFIRM / 2, false), "not at every packet");
    assert!(sent(CONFIRM_SELDOM, true));
}

#[test]
fn another_path_begins_anew() {
    let mut world = World::new(V4, 1500);
    world.settle();
    world.path.on_moved(Bounds { limit: 1400, ..V4 }, world.now);
    assert_eq!(world.path.mtu(), 1400);
    assert_eq!(world.settle(), 1400);
}

#[test]
fn the_machine_takes_any_order_of_events() {
    let mut random = Seeded::new(11);
    for _ in 0..300 {
        let mut path = PathMtu::new(if random.below(2) == 0 { V4 } else { V6 });
        let mut now = Timestamp::ZERO;
        for _ in 0..200 {
            now += Duration::from_millis(random.below(3000));
            let size = 500 + random.below(1100) as u16;
            match random.below(9) {
                0 => path.on_up(CONFIRM, now),
                1 => path.on_down(now),
                2 => path.on_too_big(size, now),
                3 => path.on_verdict(size.min(1500), random.below(2) == 0, now),
                4 => path.handle_timeout(now),
                5 => path.on_moved(V4, now),
                6 => path.on_unanswered(now),
                _ => {
                    path.poll_probe(now);
                }
            }
            assert!((path.bounds.floor..=path.bounds.limit).contains(&path.mtu()), "{path:?}");
        }
    }
}
