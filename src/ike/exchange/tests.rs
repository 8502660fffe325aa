use super::*;

const PROBE: ExchangeType = ExchangeType::INFORMATIONAL;

const START: Timestamp = Timestamp::from_millis(1000);

fn resend_times(mut schedule: Retransmission, until: Timestamp) -> Vec<u64> {
    let mut times = Vec::new();
    while schedule.next() <= until {
        let now = schedule.next();
        match schedule.on_timeout(now) {
            Due::Resend => times.push((now - START).as_millis() as u64),
            Due::Nothing => panic!("woken for nothing"),
            Due::GiveUp => break,
        }
    }
    times
}

fn sealed(octets: &[u8]) -> Sealed {
    Sealed::whole(octets.to_vec())
}

#[test]
fn a_handshake_is_repeated_ever_more_slowly_and_given_up_in_the_end() {
    let schedule = Retransmission::new(&Retransmit::default(), START);
    let times = resend_times(schedule, Timestamp::MAX);
    assert_eq!(times[..4], [300, 840, 1812, 3561]);
    assert!((10..=18).contains(&times.len()), "{} repetitions", times.len());
    assert!(times.iter().all(|&time| time < 60_000));
}

#[test]
fn an_established_ike_sa_repeats_at_a_steady_beat_for_ever() {
    let schedule = Retransmission::steady(&Retransmit::default(), START);
    let times = resend_times(schedule, START + Duration::from_secs(60));
    assert!(times.iter().filter(|&&time| time < 1500).count() >= 3);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] <= 2000));
    assert!(times.last().is_some_and(|&last| last > 57_000));
}

#[test]
fn a_round_trip_is_measured_only_when_one_datagram_was_sent() {
    let mut schedule = Retransmission::new(&Retransmit::default(), START);
    let later = START + Duration::from_millis(350);
    assert_eq!(schedule.round_trip(later), Some(Duration::from_millis(350)));
    assert_eq!(schedule.on_timeout(later), Due::Resend);
    assert_eq!(schedule.round_trip(later), None);
}

#[test]
fn one_request_at_a_time_and_only_its_own_answer_counts() {
    let mut requests = Requests::from(2);
    assert_eq!(requests.vacancy(), Some(MessageId(2)));
    let schedule = Retransmission::new(&Retransmit::default(), START);
    requests.start(PROBE, sealed(b"probe"), schedule, "probe");
    assert_eq!(requests.vacancy(), None);
    assert!(requests.awaits(PROBE, MessageId(2)));
    assert!(!requests.awaits(PROBE, MessageId(1)) && !requests.awaits(PROBE, MessageId(3)));
    assert!(!requests.awaits(ExchangeType::CREATE_CHILD_SA, MessageId(2)));
    assert_eq!(requests.finish().map(|one| one.purpose), Some("probe"));
    assert!(!requests.awaits(PROBE, MessageId(2)));
    assert_eq!(requests.vacancy(), Some(MessageId(3)));
}

#[test]
fn message_ids_never_wrap() {
    let mut requests = Requests::from(u32::MAX - 1);
    assert!(requests.wearing_out());
    requests.start(PROBE, sealed(b"probe"), Retransmission::new(&Retransmit::default(), START), ());
    requests.finish();
    assert_eq!(requests.vacancy(), None);
    let responses = Responses::from(u32::MAX);
    assert_eq!(responses.place(MessageId(u32::MAX), b"request"), Place::Outside);
}

#[test]
fn only_the_next_request_and_the_last_one_again_are_taken() {
    let mut responses = Responses::from(0);
    assert_eq!(responses.place(MessageId(0), b"request"), Place::Next);
    assert_eq!(responses.place(MessageId(1), b"request"), Place::Outside);
    responses.answer(sha256(&[b"request"]), sealed(b"response"));
    assert_eq!(responses.place(MessageId(0), b"request"), Place::Again(&sealed(b"response")));
    assert_eq!(responses.place(MessageId(0), b"another request"), Place::Outside);
    assert_eq!(responses.place(MessageId(1), b"next request"), Place::Next);
    assert_eq!(responses.place(MessageId(7), b"far request"), Place::Outside);
}

#[test]
fn the_last_answer_outlives_the_ike_sa_for_its_request_alone() {
    let mut responses = Responses::from(0);
    responses.answer(sha256(&[b"delete"]), sealed(b"deleted"));
    let last = responses.into_last_answer(START).expect("there is one");
    assert_eq!(last.to(b"delete"), Some(&sealed(b"deleted")));
    assert_eq!(last.to(b"something else"), None);
    assert!(last.expires_at > START);
}
