use super::*;
use std::net::Ipv4Addr;

const LOW: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const HIGH: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3));
const VIRTUAL: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

#[test]
fn every_cell_of_the_state_machine() {
    use Event as E;
    use State::{Active, Backup, Initialize};
    use Step as Do;
    const TAKE: &[Step] = &[Do::Advertise, Do::TakeAddresses, Do::StartAdvertisementTimer];
    const AGAIN: &[Step] = &[Do::Advertise, Do::StartAdvertisementTimer];
    const WATCH: &[Step] =
        &[Do::ForgetActiveInterval, Do::StartActiveDownTimer, Do::LeaveAddresses];
    const RESIGN: &[Step] = &[Do::StopTimer, Do::Resign, Do::LeaveAddresses];
    const YIELD: &[Step] = &[Do::Advertise, Do::StartActiveDownTimer, Do::LeaveAddresses];
    const ASSERT: &[Step] = &[Do::Advertise, Do::StartAdvertisementTimer, Do::AnnounceAgain];
    let start = E::Startup { owner: false };
    let start_owner = E::Startup { owner: true };
    let resigning = E::Advertisement(Claim::Resigning);
    let superior = E::Advertisement(Claim::Superior);
    let inferior = E::Advertisement(Claim::Inferior);
    type Row = (Event, [(State, &'static [Step]); 3]);
    let table: &[Row] = &[
        (start, [(Backup, WATCH), (Backup, &[]), (Active, &[])]),
        (start_owner, [(Active, TAKE), (Backup, &[]), (Active, &[])]),
        (E::Shutdown, [(Initialize, &[]), (Initialize, &[Do::StopTimer]), (Initialize, RESIGN)]),
        (E::AdvertisementTimer, [(Initialize, &[]), (Backup, &[]), (Active, AGAIN)]),
        (E::ActiveDownTimer, [(Initialize, &[]), (Active, TAKE), (Active, &[])]),
        (resigning, [(Initialize, &[]), (Backup, &[Do::StartSkewTimer]), (Active, ASSERT)]),
        (superior, [(Initialize, &[]), (Backup, &[Do::StartActiveDownTimer]), (Backup, YIELD)]),
        (inferior, [(Initialize, &[]), (Backup, &[]), (Active, ASSERT)]),
        (E::PriorityChanged, [(Initialize, &[]), (Backup, &[]), (Active, AGAIN)]),
        (E::LocalAddressChanged, [(Initialize, &[]), (Backup, &[]), (Active, AGAIN)]),
        (E::Overslept, [(Initialize, &[]), (Backup, &[Do::StartActiveDownTimer]), (Backup, WATCH)]),
    ];
    assert_eq!(table.len(), Event::ALL.len());
    for (event, row) in table {
        assert!(Event::ALL.contains(event));
        for (state, (next, steps)) in State::ALL.into_iter().zip(row) {
            let expected = Transition { next: *next, steps };
            assert_eq!(transition(state, *event), expected, "{state} {event:?}");
        }
    }
}

#[test]
fn a_silent_link_makes_the_backup_active_after_three_intervals_and_skew() {
    let mut router = router(100, LOW);
    router.startup(Timestamp::ZERO);
    assert_eq!(drain(&mut router), [Action::BecomeBackup { addresses: vec![VIRTUAL] }]);
    // 3 * 300 ms + (256 - 100) / 256 * 300 ms
    let expected = Timestamp::from_micros(900_000 + 300_000 * 156 / 256);
    assert_eq!(router.poll_timeout(), Some((expected, Timer::ActiveDown)));
    router.handle_timeout(expected);
    let [Action::Send(first), Action::BecomeActive { .. }] = &drain(&mut router)[..] else {
        panic!("the new active router advertises and takes the addresses")
    };
    assert_eq!((first.priority, first.interval, first.virtual_router_id), (100, 30, 7));
    assert_eq!(router.state(), State::Active);
    router.handle_timeout(expected + Duration::from_millis(300));
    assert!(matches!(&drain(&mut router)[..], [Action::Send(_)]));
}

#[test]
fn who_has_not_run_for_long_listens_before_it_claims_to_be_active() {
    let mut slow = active(200, LOW);
    drain(&mut slow);
    let (at, _) = slow.poll_timeout().expect("a timer");
    slow.handle_timeout(at + Duration::from_millis(900));
    assert_eq!(slow.state(), State::Active, "slow is not asleep");
    let (at, _) = slow.poll_timeout().expect("a timer");
    drain(&mut slow);
    let awake = at + Duration::from_secs(3);
    slow.handle_timeout(awake);
    assert!(matches!(&drain(&mut slow)[..], [Action::BecomeBackup { .. }]), "without a word");
    let (at, timer) = slow.poll_timeout().expect("a timer");
    assert_eq!((slow.state(), timer), (State::Backup, Timer::ActiveDown));
    assert!(at.since(awake) > Duration::from_millis(900));
    // A backup has not heard what the active router said meanwhile.
    slow.handle_timeout(at + Duration::from_secs(3));
    assert_eq!(slow.state(), State::Backup);
    let mut owner = router(255, LOW);
    owner.startup(Timestamp::ZERO);
    owner.handle_timeout(Timestamp::from_millis(60_000));
    assert_eq!(owner.state(), State::Active);
}

#[test]
fn the_owner_is_active_at_once_and_yields_to_nobody() {
    let mut router = router(255, LOW);
    router.startup(Timestamp::ZERO);
    assert_eq!(router.state(), State::Active);
    router.handle_advertisement(HIGH, &advertisement(255), Timestamp::ZERO);
    assert_eq!(router.state(), State::Active);
    assert_eq!(router.discards().owner, 1);
}

#[test]
fn a_resigning_active_router_is_followed_after_skew_only() {
    let mut router = router(254, LOW);
    router.startup(Timestamp::ZERO);
    router.handle_advertisement(HIGH, &advertisement(0), Timestamp::from_millis(10));
    let (at, timer) = router.poll_timeout().expect("a timer");
    assert_eq!(timer, Timer::ActiveDown);
    assert_eq!(at.since(Timestamp::from_millis(10)), Duration::from_micros(300_000 * 2 / 256));
}

#[test]
fn the_interval_of_the_active_router_is_learned() {
    let mut router = router(128, LOW);
    router.startup(Timestamp::ZERO);
    let slow = Advertisement { interval: 200, ..advertisement(200) };
    router.handle_advertisement(HIGH, &slow, Timestamp::ZERO);
    let (at, _) = router.poll_timeout().expect("a timer");
    assert_eq!(at, Timestamp::from_millis(6000 + 1000));
}

#[test]
fn preemption_decides_whether_a_lower_priority_stays_active() {
    for (preempt, becomes) in [(true, State::Active), (false, State::Backup)] {
        let config = VirtualRouterConfig { preempt, ..config(200, LOW) };
        let mut router = VirtualRouter::new(config);
        router.startup(Timestamp::ZERO);
        for step in 1..=20 {
            let now = Timestamp::from_millis(100 * step);
            router.handle_advertisement(HIGH, &advertisement(100), now);
            router.handle_timeout(now);
        }
        assert_eq!(router.state(), becomes, "preempt {preempt}");
    }
}

#[test]
fn equal_priorities_are_decided_by_the_address() {
    let mut low = active(100, LOW);
    low.handle_advertisement(HIGH, &advertisement(100), Timestamp::from_millis(2000));
    assert_eq!(low.state(), State::Backup);
    let last_word = drain(&mut low);
    assert!(matches!(&last_word[..], [Action::Send(_), Action::BecomeBackup { .. }]));
    let mut high = active(100, HIGH);
    high.handle_advertisement(LOW, &advertisement(100), Timestamp::from_millis(2000));
    assert_eq!(high.state(), State::Active);
    assert!(matches!(&drain(&mut high)[..], [Action::Send(_)]), "it asserts itself");
}

#[test]
fn a_lowered_priority_is_a_resignation_and_a_new_claim() {
    let mut router = active(200, LOW);
    router.set_priority(50, Timestamp::from_millis(2100));
    let sent: Vec<u8> = drain(&mut router).iter().map(priority_of).collect();
    assert_eq!(sent, [0, 50]);
    assert_eq!(router.state(), State::Active);
    router.set_priority(200, Timestamp::from_millis(2200));
    let sent: Vec<u8> = drain(&mut router).iter().map(priority_of).collect();
    assert_eq!(sent, [200]);
}

/// The one with the higher priority need not wait for three intervals, the one with the lower
/// does not take over.
#[test]
fn only_a_better_router_follows_a_lowered_priority() {
    for (own, becomes) in [(100, State::Active), (20, State::Backup)] {
        let mut router = router(own, LOW);
        router.startup(Timestamp::ZERO);
        let lowered = Timestamp::from_millis(100);
        router.handle_advertisement(HIGH, &advertisement(0), lowered);
        router.handle_advertisement(HIGH, &advertisement(50), lowered);
        router.handle_timeout(lowered + Duration::from_millis(300));
        assert_eq!(router.state(), becomes, "{own}");
    }
}

fn priority_of(action: &Action) -> u8 {
    match action {
        Action::Send(advertisement) => advertisement.priority,
        other => panic!("not a message: {other:?}"),
    }
}

#[test]
fn shutdown_resigns_and_leaves_the_addresses() {
    let mut router = active(200, LOW);
    router.shutdown(Timestamp::from_millis(2100));
    let [Action::Send(last), Action::BecomeBackup { .. }] = &drain(&mut router)[..] else {
        panic!("a resignation")
    };
    assert_eq!(last.priority, 0);
    assert_eq!(router.poll_timeout(), None);
    assert_eq!(router.state(), State::Initialize);
}

#[test]
fn what_is_not_for_us_changes_nothing() {
    let mut router = router(100, LOW);
    router.startup(Timestamp::ZERO);
    let before = router.poll_timeout();
    let now = Timestamp::from_millis(50);
    let other = Advertisement { virtual_router_id: 8, ..advertisement(200) };
    router.handle_advertisement(HIGH, &other, now);
    let hasty = Advertisement { interval: 0, ..advertisement(200) };
    router.handle_advertisement(HIGH, &hasty, now);
    router.handle_advertisement(LOW, &advertisement(200), now);
    assert_eq!(router.poll_timeout(), before);
    let expected = Discards { other_vrid: 1, zero_interval: 1, owner: 0, own: 1 };
    assert_eq!(router.discards(), expected);
}

/// Two routers on one lossless link: exactly one is active, and it is the better one.
#[test]
fn of_two_routers_the_higher_priority_ends_up_active() {
    let mut routers = [(LOW, router(100, LOW)), (HIGH, router(150, HIGH))];
    let mut now = Timestamp::ZERO;
    routers.iter_mut().for_each(|(_, router)| router.startup(now));
    for _ in 0..400 {
        now += Duration::from_millis(10);
        for sender in 0..2 {
            routers[sender].1.handle_timeout(now);
            let source = routers[sender].0;
            for action in drain(&mut routers[sender].1) {
                if let Action::Send(advertisement) = action {
                    routers[1 - sender].1.handle_advertisement(source, &advertisement, now);
                }
            }
        }
    }
    assert_eq!(routers.map(|(_, router)| router.state()), [State::Backup, State::Active]);
}

#[test]
fn a_takeover_is_announced_again_after_a_second_and_every_minute() {
    let mut router = active(200, LOW);
    let announcements = announcements_until(&mut router, Timestamp::from_millis(130_000));
    assert_eq!(announcements, [3000, 63_000, 123_000]);
}

#[test]
fn who_hears_a_lower_claim_announces_again_but_not_faster_than_once_a_second() {
    let mut router = active(200, HIGH);
    announcements_until(&mut router, Timestamp::from_millis(10_000));
    for step in 0..100 {
        let now = Timestamp::from_millis(10_000 + 30 * step);
        router.handle_advertisement(LOW, &advertisement(100), now);
    }
    let announced = |router: &mut VirtualRouter| {
        drain(router).into_iter().filter(|action| matches!(action, Action::Announce { .. })).count()
    };
    assert_eq!(announced(&mut router), 3, "at once, and twice more in three seconds");
    let rest = announcements_until(&mut router, Timestamp::from_millis(60_000));
    assert_eq!(rest, [13_040, 14_040], "after the last claim, and repeated");
}

/// Until the timers are next due nothing is announced, so time runs as `handle_timeout` is asked.
fn announcements_until(router: &mut VirtualRouter, end: Timestamp) -> Vec<u64> {
    let mut announced = Vec::new();
    while let Some((at, _)) = router.poll_timeout().filter(|(at, _)| *at < end) {
        router.handle_timeout(at);
        let told = |action: &Action| matches!(action, Action::Announce { .. });
        announced.extend(drain(router).iter().filter(|a| told(a)).map(|_| at.as_micros() / 1000));
    }
    announced
}

#[test]
fn who_yields_leaves_the_announcing_to_the_better_one() {
    let mut low = active(100, LOW);
    let mut high = active(200, HIGH);
    let healed = Timestamp::from_millis(10_000);
    low.handle_advertisement(HIGH, &advertisement(200), healed);
    let [Action::Send(last_word), Action::BecomeBackup { .. }] = &drain(&mut low)[..] else {
        panic!("a last word")
    };
    high.handle_advertisement(LOW, last_word, healed);
    let [Action::Send(_), Action::Announce { addresses }] = &drain(&mut high)[..] else {
        panic!("the better one tells the hosts")
    };
    assert_eq!(addresses, &[VIRTUAL]);
    assert!(announcements_until(&mut low, Timestamp::from_millis(10_900)).is_empty());
}

#[test]
fn an_active_router_goes_on_from_another_address_at_once() {
    let mut router = active(200, LOW);
    router.set_local(HIGH, Timestamp::from_millis(2500));
    assert!(matches!(&drain(&mut router)[..], [Action::Send(_)]));
    assert_eq!((router.state(), router.config().local), (State::Active, HIGH));
    router.set_local(HIGH, Timestamp::from_millis(2600));
    assert!(drain(&mut router).is_empty(), "nothing changed");
}

#[test]
fn only_an_active_router_answers_for_its_addresses() {
    let mut router = active(200, LOW);
    assert!(router.answers_for(VIRTUAL) && !router.answers_for(HIGH));
    router.handle_advertisement(HIGH, &advertisement(250), Timestamp::from_millis(2500));
    assert!(!router.answers_for(VIRTUAL));
}

fn config(priority: u8, local: IpAddr) -> VirtualRouterConfig {
    let addresses = vec![VIRTUAL];
    VirtualRouterConfig { vrid: 7, priority, interval: 30, preempt: true, addresses, local }
}

fn router(priority: u8, local: IpAddr) -> VirtualRouter {
    VirtualRouter::new(config(priority, local))
}

fn active(priority: u8, local: IpAddr) -> VirtualRouter {
    let mut router = router(priority, local);
    router.startup(Timestamp::ZERO);
    router.handle_timeout(Timestamp::from_millis(2000));
    assert_eq!(router.state(), State::Active);
    drain(&mut router);
    router
}

fn advertisement(priority: u8) -> Advertisement {
    Advertisement { virtual_router_id: 7, priority, interval: 30, addresses: vec![VIRTUAL] }
}

fn drain(router: &mut VirtualRouter) -> Vec<Action> {
    std::iter::from_fn(|| router.poll_action()).collect()
}
