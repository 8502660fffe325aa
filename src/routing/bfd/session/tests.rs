//! Two sessions on a wire in virtual time.

use super::*;
use crate::random::Seeded;
use crate::routing::bfd::samples::control;
use std::collections::BTreeMap;

const MS: Duration = Duration::from_millis(1);
const CONFIG: SessionConfig = SessionConfig {
    interval: Duration::from_millis(50),
    detect_mult: 3,
    role: Role::Active,
    beyond_is_down: false,
    is_leaving: false,
};

/// Two sessions and what is between them.
struct Wire {
    now: Timestamp,
    ends: [Session; 2],
    random: Seeded,
    delay: Duration,
    /// Lost packets in a hundred, by sender.
    loss: [u64; 2],
    arrivals: BTreeMap<(Timestamp, u64), (usize, ControlPacket)>,
    /// What each end has sent, and when.
    sent: [Vec<(Timestamp, ControlPacket)>; 2],
    /// When each end changed its state.
    changes: [Vec<(Timestamp, State)>; 2],
    last: [State; 2],
}

impl Wire {
    fn new(configs: [SessionConfig; 2]) -> Wire {
        let [a, b] = configs;
        Wire {
            now: Timestamp::ZERO,
            ends: [Session::new(a, 1, Timestamp::ZERO), Session::new(b, 2, Timestamp::ZERO)],
            random: Seeded::new(7),
            delay: 5 * MS,
            loss: [0, 0],
            arrivals: BTreeMap::new(),
            sent: [Vec::new(), Vec::new()],
            changes: [Vec::new(), Vec::new()],
            last: [State::Down; 2],
        }
    }

    fn up(configs: [SessionConfig; 2]) -> Wire {
        let mut wire = Wire::new(configs);
        wire.run(4 * Duration::from_secs(1));
        assert_eq!(wire.states(), [State::Up, State::Up]);
        wire.forget();
        wire
    }

    fn forget(&mut self) {
        (self.sent, self.changes) = Default::default();
    }

    fn states(&self) -> [State; 2] {
        [0, 1].map(|end| self.ends[end].report().state)
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.next().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.step();
        }
        self.now = end;
    }

    fn next(&self) -> Option<Timestamp> {
        let timers = self.ends.iter().flat_map(deadlines);
        timers.chain(self.arrivals.keys().next().map(|(at, _)| *at)).min()
    }

    fn step(&mut self) {
        while let Some(entry) = self.arrivals.first_entry().filter(|e| e.key().0 <= self.now) {
            let (to, packet) = entry.remove();
            let _ = self.ends[to].handle_packet(&packet, self.now, &mut self.random);
        }
        for end in 0..2 {
            self.ends[end].handle_silence(self.now, self.now, &mut self.random);
            self.ends[end].handle_timeout(self.now, &mut self.random);
            self.flush(end);
            let state = self.ends[end].report().state;
            if std::mem::replace(&mut self.last[end], state) != state {
                self.changes[end].push((self.now, state));
            }
        }
    }

    fn flush(&mut self, end: usize) {
        while let Some(packet) = self.ends[end].poll_transmit(self.now, &mut self.random) {
            // Every packet is one that the other side can read.
            assert_eq!(ControlPacket::decode(&packet.encode()), Ok(packet));
            self.sent[end].push((self.now, packet));
            if self.random.below(100) >= self.loss[end] {
                let count = self.sent[end].len() as u64 * 2 + end as u64;
                self.arrivals.insert((self.now + self.delay, count), (1 - end, packet));
            }
        }
    }

    fn administer(&mut self, end: usize, event: Event) {
        self.ends[end].handle_administration(event, self.now);
    }

    /// Pauses between the periodic packets of an end.
    fn pauses(&self, end: usize) -> Vec<Duration> {
        let regular = self.sent[end].iter().filter(|(_, packet)| !packet.is_final);
        let times: Vec<Timestamp> = regular.map(|(at, _)| *at).collect();
        times.windows(2).map(|pair| pair[1].since(pair[0])).collect()
    }

    fn first(&self, end: usize, state: State) -> Timestamp {
        let mut changes = self.changes[end].iter();
        changes.find(|(_, changed)| *changed == state).expect("it changes to that").0
    }
}

fn deadlines(session: &Session) -> impl Iterator<Item = Timestamp> {
    session.poll_timeout().into_iter().chain(session.poll_silence())
}

fn every(millis: u64) -> SessionConfig {
    SessionConfig { interval: Duration::from_millis(millis), ..CONFIG }
}

/// What a peer that is up says.
fn up_packet() -> ControlPacket {
    control(State::Up)
}

/// A session that such a peer has brought up at time zero.
fn scripted(random: &mut Seeded) -> Session {
    let mut session = Session::new(CONFIG, 1, Timestamp::ZERO);
    let init = ControlPacket { state: State::Init, ..up_packet() };
    session.handle_packet(&init, Timestamp::ZERO, random).unwrap();
    session.handle_packet(&up_packet(), Timestamp::ZERO, random).unwrap();
    assert_eq!(session.report().state, State::Up);
    session
}

/// All that a session sends until `end`, unanswered.
fn sends(
    session: &mut Session,
    end: Timestamp,
    random: &mut Seeded,
) -> Vec<(Timestamp, ControlPacket)> {
    let mut sent = Vec::new();
    while let Some(at) = deadlines(session).min().filter(|at| *at <= end) {
        session.handle_silence(at, at, random);
        session.handle_timeout(at, random);
        while let Some(packet) = session.poll_transmit(at, random) {
            sent.push((at, packet));
        }
    }
    sent
}

#[test]
fn two_sessions_come_up_within_three_ways_and_agree_on_their_intervals() {
    let mut wire = Wire::new([CONFIG; 2]);
    wire.run(Duration::from_secs(1));
    for end in 0..2 {
        assert!(wire.first(end, State::Up) <= Timestamp::from_millis(15), "{:?}", wire.changes);
        let report = wire.ends[end].report();
        assert_eq!((report.interval, report.detection_time), (50 * MS, 150 * MS));
        assert_eq!(report.remote, Some((State::Up, Diagnostic::NONE)));
        assert_eq!(report.round_trip, Some(10 * MS));
    }
    let Some((_, first)) = wire.sent[0].first() else { panic!("nothing was sent") };
    assert_eq!((first.state, first.your_discriminator), (State::Down, 0));
    assert_eq!(first.desired_min_tx, 1_000_000, "§6.8.3: no faster while not up");
}

#[test]
fn while_nobody_answers_one_packet_a_second_leaves() {
    let mut wire = Wire::new([CONFIG; 2]);
    wire.loss = [100, 100];
    wire.run(Duration::from_secs(100));
    assert!((100..=135).contains(&wire.sent[0].len()), "{}", wire.sent[0].len());
    let range = 750 * MS..=1000 * MS;
    assert!(wire.pauses(0).iter().all(|pause| range.contains(pause)));
    assert_eq!(wire.states(), [State::Down, State::Down]);
}

#[test]
fn packets_that_are_up_follow_each_other_with_jitter() {
    for (mult, longest) in [(3, 50 * MS), (1, 45 * MS)] {
        let mut wire = Wire::up([SessionConfig { detect_mult: mult, ..CONFIG }; 2]);
        wire.run(Duration::from_secs(20));
        let pauses = wire.pauses(0);
        let (least, most) = (pauses.iter().min().unwrap(), pauses.iter().max().unwrap());
        assert!(*least >= 50 * MS * 3 / 4 && *most <= longest, "{least:?} {most:?}");
        assert!(*most - *least > 4 * MS, "they vary");
    }
}

#[test]
fn silence_of_three_intervals_takes_the_session_down() {
    let mut wire = Wire::up([CONFIG; 2]);
    let cut = wire.now;
    wire.loss = [100, 100];
    wire.run(Duration::from_secs(1));
    for end in 0..2 {
        let after = wire.first(end, State::Down).since(cut);
        assert!(after > 100 * MS && after <= 156 * MS, "{after:?}");
        let report = wire.ends[end].report();
        assert_eq!(report.diagnostic, Diagnostic::CONTROL_DETECTION_TIME_EXPIRED);
        assert_eq!(report.remote, None);
    }
    let (_, last) = wire.sent[0].last().unwrap();
    assert_eq!(last.your_discriminator, 0, "§6.8.1: forgotten after a Detection Time");
}

#[test]
fn ten_milliseconds_are_noticed_in_thirty() {
    let mut wire = Wire::new([every(10); 2]);
    wire.delay = MS;
    wire.run(Duration::from_secs(4));
    wire.forget();
    let cut = wire.now;
    wire.loss = [100, 100];
    wire.run(Duration::from_secs(1));
    let after = wire.first(0, State::Down).since(cut);
    assert!(after > 18 * MS && after <= 32 * MS, "{after:?}");
}

#[test]
fn a_path_that_works_one_way_is_down_at_both_ends_and_each_knows_which_way() {
    let mut wire = Wire::up([CONFIG; 2]);
    let cut = wire.now;
    wire.loss = [100, 0]; // What the first end sends is lost.
    wire.run(Duration::from_secs(10));
    assert_eq!(wire.ends[1].report().diagnostic, Diagnostic::CONTROL_DETECTION_TIME_EXPIRED);
    let deaf = wire.ends[0].report();
    assert_eq!(deaf.diagnostic, Diagnostic::NEIGHBOR_SIGNALED_SESSION_DOWN);
    let says = (State::Down, Diagnostic::CONTROL_DETECTION_TIME_EXPIRED);
    assert_eq!(deaf.remote.unwrap(), says, "the peer hears nothing of us");
    for end in 0..2 {
        assert!(wire.first(end, State::Down).since(cut) <= 165 * MS);
        assert!(
            wire.changes[end].iter().all(|(_, state)| *state != State::Up),
            "{:?}",
            wire.changes
        );
    }
    wire.loss = [0, 0];
    wire.run(Duration::from_secs(2));
    assert_eq!(wire.states(), [State::Up, State::Up]);
}

#[test]
fn a_fifth_of_all_packets_lost_is_no_lost_path() {
    for (delay, seed) in [(MS, 1), (10 * MS, 2), (20 * MS, 3)] {
        let mut wire = Wire::new([CONFIG; 2]);
        (wire.random, wire.delay) = (Seeded::new(seed), delay);
        wire.run(Duration::from_secs(4));
        wire.forget();
        wire.loss = [20, 20];
        wire.run(Duration::from_secs(600));
        let downs = wire.changes.iter().flatten().filter(|(_, state)| *state == State::Down);
        assert_eq!(downs.count(), 0, "one way takes {delay:?}");
        let packets = wire.sent[0].len();
        assert!(packets < 30_000, "{packets} packets, twice the usual 14,000");
        wire.loss = [100, 100];
        let cut = wire.now;
        wire.run(Duration::from_secs(1));
        assert!(wire.first(0, State::Down).since(cut) <= 156 * MS + delay);
    }
}

#[test]
fn an_overdue_packet_is_asked_for_at_once_as_fast_as_the_peer_takes_it() {
    let mut wire = Wire::up([CONFIG; 2]);
    let cut = wire.now;
    wire.loss = [0, 100];
    wire.run(150 * MS);
    let polls = wire.sent[0].iter().filter(|(_, packet)| packet.poll);
    let times: Vec<Timestamp> = polls.map(|(at, _)| *at).collect();
    assert!(times.len() >= 10, "{times:?}");
    assert!(times[0].since(cut) <= 57 * MS);
    for pair in times.windows(2) {
        assert!(pair[1].since(pair[0]) >= 6_250 * Duration::from_micros(1) * 3 / 4);
    }
}

#[test]
fn a_peer_that_takes_no_more_is_not_polled_faster() {
    let mut random = Seeded::new(1);
    let mut session = scripted(&mut random);
    let sent = sends(&mut session, Timestamp::from_millis(149), &mut random);
    // A transition at the start, then no faster than its 50 ms.
    let late: Vec<_> = sent.iter().filter(|(at, _)| *at > Timestamp::from_millis(10)).collect();
    assert!(late.len() <= 4, "{late:?}");
    assert!(late.iter().any(|(_, packet)| packet.poll));
}

#[test]
fn the_slower_of_both_ends_sets_the_pace() {
    let mut wire = Wire::up([every(50), every(300)]);
    wire.run(Duration::from_secs(10));
    for end in 0..2 {
        let report = wire.ends[end].report();
        assert_eq!((report.interval, report.detection_time), (300 * MS, 900 * MS), "{end}");
        assert!((33..=46).contains(&wire.sent[end].len()), "{}", wire.sent[end].len());
    }
}

#[test]
fn a_changed_interval_is_polled_for_and_never_takes_the_session_down() {
    let mut wire = Wire::up([CONFIG; 2]);
    for millis in [300, 1000, 20, 50] {
        wire.ends[0].configure(every(millis), wire.now);
        wire.ends[0].handle_timeout(wire.now, &mut wire.random);
        let longer = Duration::from_millis(millis.max(50));
        wire.run(Duration::from_secs(5));
        assert_eq!(wire.ends[1].report().detection_time, longer * 3, "{millis}");
        assert_eq!(wire.ends[0].report().detection_time, longer * 3, "{millis}");
    }
    assert!(wire.changes.iter().flatten().all(|(_, state)| *state == State::Up));
}

#[test]
fn a_longer_interval_is_kept_to_only_when_the_peer_knows_it() {
    let mut random = Seeded::new(3);
    let mut session = scripted(&mut random);
    let answer = ControlPacket { is_final: true, ..up_packet() };
    sends(&mut session, Timestamp::from_millis(1), &mut random);
    session.handle_packet(&answer, Timestamp::from_millis(1), &mut random).unwrap();
    session.configure(every(1000), Timestamp::from_millis(2));
    let now = Timestamp::from_millis(40);
    session.handle_packet(&up_packet(), now, &mut random).unwrap();
    assert_eq!(session.report().interval, 50 * MS, "§6.8.3: not before the poll is answered");
    sends(&mut session, Timestamp::from_millis(45), &mut random);
    session.handle_packet(&answer, Timestamp::from_millis(50), &mut random).unwrap();
    assert_eq!(session.report().interval, Duration::from_secs(1));
}

#[test]
fn absurd_intervals_of_a_peer_are_bounded() {
    let mut random = Seeded::new(4);
    let mut session = scripted(&mut random);
    let fast = ControlPacket { desired_min_tx: 1, required_min_rx: 1, ..up_packet() };
    session.handle_packet(&fast, Timestamp::from_millis(1), &mut random).unwrap();
    let report = session.report();
    assert_eq!((report.interval, report.detection_time), (50 * MS, 150 * MS));
    let sent = sends(&mut session, Timestamp::from_millis(140), &mut random);
    assert!(sent.len() <= 25, "{}", sent.len());
    let slow = ControlPacket {
        desired_min_tx: u32::MAX,
        required_min_rx: u32::MAX,
        detect_mult: 255,
        ..up_packet()
    };
    session.handle_packet(&slow, Timestamp::from_millis(141), &mut random).unwrap();
    let report = session.report();
    assert_eq!(report.interval, Duration::from_micros(u32::MAX.into()));
    assert_eq!(report.detection_time, Duration::from_micros(u32::MAX.into()) * 255);
}

#[test]
fn a_flood_of_polls_gets_a_thousand_answers_a_second() {
    let mut random = Seeded::new(5);
    let mut session = scripted(&mut random);
    let poll = ControlPacket { poll: true, ..up_packet() };
    let mut answers = 0;
    for step in 0..10_000 {
        let now = Timestamp::from_micros(step * 10);
        session.handle_packet(&poll, now, &mut random).unwrap();
        while let Some(packet) = session.poll_transmit(now, &mut random) {
            answers += u32::from(packet.is_final);
            assert!(!(packet.is_final && packet.poll), "§6.5: never both");
        }
    }
    assert!((90..=101).contains(&answers), "{answers} in 100 ms");
}

#[test]
fn a_poll_is_answered_at_once() {
    let mut wire = Wire::up([CONFIG; 2]);
    let poll = ControlPacket { poll: true, my_discriminator: 2, ..up_packet() };
    wire.run(7 * MS);
    wire.ends[0].handle_packet(&poll, wire.now, &mut wire.random).unwrap();
    let answer = wire.ends[0].poll_transmit(wire.now, &mut wire.random);
    assert!(answer.is_some_and(|packet| packet.is_final && !packet.poll));
}

#[test]
fn a_passive_session_speaks_when_spoken_to() {
    let passive = SessionConfig { role: Role::Passive, ..CONFIG };
    let mut wire = Wire::new([passive; 2]);
    wire.run(Duration::from_secs(10));
    assert!(wire.sent.iter().all(Vec::is_empty));
    let mut wire = Wire::new([CONFIG, passive]);
    wire.run(Duration::from_secs(1));
    assert_eq!(wire.states(), [State::Up, State::Up]);
}

#[test]
fn a_session_held_down_says_so_and_comes_back() {
    for (event, why) in [
        (Event::Disable, Diagnostic::ADMINISTRATIVELY_DOWN),
        (Event::PathEnds, Diagnostic::PATH_DOWN),
    ] {
        let mut wire = Wire::up([CONFIG; 2]);
        let begin = wire.now;
        wire.administer(0, event);
        wire.run(Duration::from_secs(1));
        assert!(wire.first(1, State::Down).since(begin) <= 6 * MS);
        assert_eq!(wire.ends[1].report().remote, Some((State::AdminDown, why)));
        wire.run(Duration::from_secs(10));
        assert_eq!(wire.states(), [State::AdminDown, State::Down]);
        wire.administer(0, Event::Enable);
        wire.run(Duration::from_secs(2));
        assert_eq!(wire.states(), [State::Up, State::Up]);
    }
}

#[test]
fn a_peer_that_wants_no_periodic_packets_gets_none() {
    let mut random = Seeded::new(6);
    for quiet in [
        ControlPacket { demand: true, is_final: true, ..up_packet() },
        ControlPacket { required_min_rx: 0, is_final: true, ..up_packet() },
    ] {
        let mut session = scripted(&mut random);
        sends(&mut session, Timestamp::from_millis(20), &mut random);
        session.handle_packet(&quiet, Timestamp::from_millis(21), &mut random).unwrap();
        let end = Timestamp::from_millis(21 + 55);
        assert_eq!(sends(&mut session, end, &mut random), []);
        let poll = ControlPacket { poll: true, is_final: false, ..quiet };
        session.handle_packet(&poll, Timestamp::from_millis(80), &mut random).unwrap();
        let answer = session.poll_transmit(Timestamp::from_millis(80), &mut random);
        assert!(answer.is_some_and(|packet| packet.is_final), "a poll is answered all the same");
        session.handle_packet(&up_packet(), Timestamp::from_millis(90), &mut random).unwrap();
        let sent = sends(&mut session, Timestamp::from_millis(200), &mut random);
        assert!(sent.len() >= 2, "it takes them again: {sent:?}");
    }
}

#[test]
fn a_peer_that_takes_more_gets_more_at_once() {
    let mut random = Seeded::new(11);
    let mut session = scripted(&mut random);
    let slow = ControlPacket { required_min_rx: 10_000_000, is_final: true, ..up_packet() };
    session.handle_packet(&slow, Timestamp::from_millis(5), &mut random).unwrap();
    assert_eq!(session.report().interval, Duration::from_secs(10));
    for millis in (40..4000).step_by(40) {
        let now = Timestamp::from_millis(millis);
        let quiet = ControlPacket { is_final: false, ..slow };
        session.handle_packet(&quiet, now, &mut random).unwrap();
        sends(&mut session, now, &mut random);
    }
    let now = Timestamp::from_millis(4000);
    session.handle_packet(&up_packet(), now, &mut random).unwrap();
    assert_eq!(session.report().interval, 50 * MS);
    assert!(session.poll_transmit(now, &mut random).is_some(), "the new interval is over already");
}

/// The answer to the poll about 300 ms comes when one second is wanted: the peer does not know of that.
#[test]
fn a_change_during_a_poll_is_polled_for_once_more() {
    let mut random = Seeded::new(12);
    let mut session = scripted(&mut random);
    let answer = ControlPacket { is_final: true, ..up_packet() };
    let at = Timestamp::from_millis;
    sends(&mut session, at(1), &mut random);
    session.handle_packet(&answer, at(2), &mut random).unwrap();
    session.handle_packet(&up_packet(), at(3), &mut random).unwrap();
    sends(&mut session, at(4), &mut random);
    session.handle_packet(&answer, at(5), &mut random).unwrap();

    session.configure(every(300), at(6));
    let sent = sends(&mut session, at(8), &mut random);
    assert!(sent.iter().any(|(_, packet)| packet.poll), "{sent:?}");
    session.configure(every(1000), at(9));
    sends(&mut session, at(11), &mut random);
    session.handle_packet(&answer, at(12), &mut random).unwrap();
    assert_eq!(session.report().interval, 50 * MS, "nobody knows which poll was answered");
    let sent = sends(&mut session, at(13), &mut random);
    assert!(sent.iter().all(|(_, packet)| !packet.poll), "answers may be on their way: {sent:?}");
    session.handle_packet(&up_packet(), at(14), &mut random).unwrap();
    let sent = sends(&mut session, at(16), &mut random);
    assert!(sent.iter().any(|(_, packet)| packet.poll && packet.desired_min_tx == 1_000_000));
    session.handle_packet(&answer, at(17), &mut random).unwrap();
    assert_eq!(session.report().interval, Duration::from_secs(1));
}

/// Two polls are out, and both are answered: the second answer says nothing of a change in between.
#[test]
fn a_change_right_after_a_poll_of_several_packets_waits_for_their_answers() {
    let mut random = Seeded::new(12);
    let mut session = scripted(&mut random);
    let answer = ControlPacket { is_final: true, ..up_packet() };
    let at = Timestamp::from_millis;
    let sent = sends(&mut session, at(60), &mut random);
    assert!(sent.iter().filter(|(_, packet)| packet.poll).count() > 1, "{sent:?}");
    session.handle_packet(&answer, at(60), &mut random).unwrap();
    session.configure(every(1000), at(61));
    let sent = sends(&mut session, at(63), &mut random);
    assert!(sent.iter().all(|(_, packet)| !packet.poll), "{sent:?}");
    session.handle_packet(&answer, at(64), &mut random).unwrap();
    assert_eq!(session.report().interval, 50 * MS, "the peer may not know of the change");
    session.handle_packet(&up_packet(), at(65), &mut random).unwrap();
    let sent = sends(&mut session, at(67), &mut random);
    assert!(sent.iter().any(|(_, packet)| packet.poll && packet.desired_min_tx == 1_000_000));
    session.handle_packet(&answer, at(68), &mut random).unwrap();
    assert_eq!(session.report().interval, Duration::from_secs(1));
}

/// It would be judged too early by a way that is too short.
#[test]
fn a_late_answer_measures_no_round_trip() {
    let mut random = Seeded::new(12);
    let mut session = scripted(&mut random);
    let answer = ControlPacket { is_final: true, ..up_packet() };
    let at = Timestamp::from_millis;
    sends(&mut session, at(60), &mut random);
    session.handle_packet(&answer, at(60), &mut random).unwrap();
    session.on_hint(Hint::MayBeLost, at(61));
    let sent = sends(&mut session, at(63), &mut random);
    assert_eq!(sent.iter().filter(|(_, packet)| packet.poll).count(), 1, "{sent:?}");
    session.handle_packet(&answer, at(63), &mut random).unwrap();
    assert_eq!(session.report().round_trip, None, "it may answer a poll of before");
}

#[test]
fn another_diagnostic_during_a_poll_is_polled_for_once_more() {
    let mut random = Seeded::new(12);
    let mut session = scripted(&mut random);
    let answer = ControlPacket { is_final: true, ..up_packet() };
    let at = Timestamp::from_millis;
    let sent = sends(&mut session, at(1), &mut random);
    assert!(sent.iter().any(|(_, packet)| packet.poll), "{sent:?}");
    session.configure(SessionConfig { beyond_is_down: true, ..CONFIG }, at(2));
    session.handle_packet(&answer, at(2), &mut random).unwrap();
    session.handle_packet(&up_packet(), at(3), &mut random).unwrap();
    let sent = sends(&mut session, at(6), &mut random);
    assert!(sent.iter().any(|(_, packet)| packet.poll), "{sent:?}");
}

#[test]
fn a_session_that_is_held_down_knows_its_peer_as_long_as_that_speaks() {
    let mut wire = Wire::up([CONFIG; 2]);
    wire.administer(0, Event::Disable);
    wire.run(Duration::from_secs(10));
    wire.forget();
    wire.run(Duration::from_secs(10));
    let knows = |(_, packet): &(Timestamp, ControlPacket)| packet.your_discriminator == 2;
    assert!(wire.sent[0].len() >= 10 && wire.sent[0].iter().all(knows), "{:?}", wire.sent[0]);
    wire.loss = [0, 100];
    wire.run(Duration::from_secs(10));
    assert_eq!(wire.sent[0].last().unwrap().1.your_discriminator, 0, "not for ever");
}

#[test]
fn a_peer_that_began_anew_is_taken_at_its_word() {
    let mut wire = Wire::up([CONFIG; 2]);
    wire.ends[1] = Session::new(CONFIG, 77, wire.now);
    wire.run(Duration::from_secs(3));
    assert_eq!(wire.states(), [State::Up, State::Up]);
    assert!(wire.changes[0].iter().any(|(_, state)| *state == State::Down));
}

#[test]
fn a_packet_for_another_session_changes_nothing() {
    let mut random = Seeded::new(7);
    let mut session = scripted(&mut random);
    let before = session.report();
    let other = ControlPacket { your_discriminator: 2, state: State::Down, ..up_packet() };
    let now = Timestamp::from_millis(9);
    assert_eq!(session.handle_packet(&other, now, &mut random), Err(Ignored::OtherSession));
    assert_eq!(session.report(), before);
}

#[test]
fn every_packet_of_the_peer_is_a_sign_of_life_but_not_for_ever() {
    let mut random = Seeded::new(8);
    let mut session = scripted(&mut random);
    let mut down = None;
    for step in 0..1000 {
        let now = Timestamp::from_millis(step * 10);
        session.on_life(now);
        session.handle_silence(now, now, &mut random);
        if session.report().state == State::Down && down.is_none() {
            down = Some(now);
        }
    }
    let down = down.expect("its BFD is silent for too long");
    assert!(down >= Timestamp::from_millis(3150) && down <= Timestamp::from_millis(3170), "{down}");
}

#[test]
fn time_in_which_nobody_listened_is_no_silence() {
    let mut random = Seeded::new(9);
    let mut session = scripted(&mut random);
    let asleep = Duration::from_millis(700);
    let now = Timestamp::from_millis(700);
    session.on_deaf(asleep, now);
    session.handle_silence(now, now, &mut random);
    assert_eq!(session.report().state, State::Up);
    session.handle_silence(now + 150 * MS, now + 150 * MS, &mut random);
    assert_eq!(session.report().state, State::Down, "after that it counts");
}

#[test]
fn a_hint_is_followed_by_polls_and_is_no_proof() {
    let mut wire = Wire::up([CONFIG; 2]);
    wire.run(10 * MS);
    wire.forget();
    wire.ends[0].on_hint(Hint::MayBeLost, wire.now);
    wire.run(MS);
    assert!(wire.sent[0].iter().any(|(_, packet)| packet.poll));
    wire.run(Duration::from_secs(5));
    assert_eq!(wire.states(), [State::Up, State::Up]);
}

#[test]
fn a_hint_that_is_right_shortens_the_wait() {
    let mut wire = Wire::up([CONFIG; 2]);
    let cut = wire.now;
    wire.loss = [100, 100];
    wire.run(6 * MS); // What was under way has arrived.
    wire.ends[0].on_hint(Hint::MayBeLost, wire.now);
    wire.run(Duration::from_secs(1));
    let after = wire.first(0, State::Down).since(cut);
    assert!(after <= 80 * MS, "{after:?}");
}

#[test]
fn what_was_on_its_way_does_not_refute_a_hint() {
    for wait in 0..50 {
        let mut wire = Wire::up([CONFIG; 2]);
        wire.run(wait * MS);
        wire.forget();
        let cut = wire.now;
        wire.loss = [100, 100];
        wire.ends[0].on_hint(Hint::MayBeLost, wire.now);
        wire.run(Duration::from_secs(1));
        let after = wire.first(0, State::Down).since(cut);
        assert!(after <= 75 * MS, "{after:?}, cut after {wait} ms");
    }
}

#[test]
fn a_session_on_another_path_has_a_whole_detection_time_and_comes_back_at_once() {
    let mut wire = Wire::up([CONFIG; 2]);
    wire.run(140 * MS);
    wire.loss = [100, 100];
    wire.run(140 * MS);
    let moved = wire.now;
    wire.ends[0].on_hint(Hint::AnotherPath, wire.now);
    wire.run(Duration::from_secs(2));
    assert_eq!(wire.first(0, State::Down).since(moved), 150 * MS);
    wire.run(100 * MS);
    wire.loss = [0, 0];
    let mended = wire.now;
    wire.forget();
    wire.ends[0].on_hint(Hint::AnotherPath, wire.now);
    wire.run(Duration::from_secs(2));
    for end in 0..2 {
        assert!(wire.first(end, State::Up).since(mended) < 25 * MS);
    }
}

#[test]
fn what_is_behind_an_end_is_told_at_once_and_the_session_stays_up() {
    let mut wire = Wire::up([CONFIG; 2]);
    for beyond_is_down in [true, false] {
        wire.loss = [50, 50];
        wire.ends[0].configure(SessionConfig { beyond_is_down, ..CONFIG }, wire.now);
        wire.run(100 * MS);
        wire.loss = [0, 0];
        wire.run(100 * MS);
        let told = match beyond_is_down {
            true => Diagnostic::CONCATENATED_PATH_DOWN,
            false => Diagnostic::NONE,
        };
        assert_eq!(wire.ends[1].report().remote, Some((State::Up, told)));
        assert_eq!(wire.states(), [State::Up, State::Up]);
    }
    // Why a session goes down is another matter.
    wire.ends[0].configure(SessionConfig { beyond_is_down: true, ..CONFIG }, wire.now);
    wire.loss = [0, 100];
    wire.run(Duration::from_secs(2));
    let expired = Diagnostic::CONTROL_DETECTION_TIME_EXPIRED;
    assert_eq!(wire.ends[1].report().remote, Some((State::Down, expired)));
}
