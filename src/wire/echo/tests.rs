use super::*;

const QUESTION: [u8; 24] = [
    0x76, 0x70, 0x6e, 0x67, 0x77, 0x20, 0x65, 0x01, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12,
    0x34,
];

#[test]
fn a_question_and_its_answer_read_back() {
    let question = Echo { kind: EchoKind::Question, number: 0x1234 };
    assert_eq!(question.encode(), QUESTION);
    let arrivals = Arrivals { arrived: 0x0102, lost: u64::MAX };
    let report = Echo { kind: EchoKind::Report(arrivals), number: 5 };
    assert_eq!(report.encode()[24..], [[0, 0, 0, 0, 0, 0, 1, 2], [0xff; 8]].concat());
    let answer = Echo { kind: EchoKind::Answer, number: u64::MAX };
    let inquiry = Echo { kind: EchoKind::Inquiry, number: 5 };
    for echo in [question, answer, inquiry, report] {
        assert_eq!(Echo::decode(&echo.encode()), Ok(echo));
    }
}

#[test]
fn other_dummy_packets_are_none() {
    for length in 0..QUESTION.len() {
        assert!(Echo::decode(&QUESTION[..length]).is_err(), "{length} octets");
    }
    assert!(Echo::decode(&[&QUESTION[..], &[0]].concat()).is_err());
    for octet in 0..16 {
        let mut other = QUESTION;
        other[octet] ^= 0x80;
        assert!(Echo::decode(&other).is_err(), "octet {octet}");
    }
    let report = Echo { kind: EchoKind::Report(Arrivals::default()), number: 1 }.encode();
    for length in 0..report.len() {
        assert!(Echo::decode(&report[..length]).is_err(), "{length} octets of a report");
    }
    assert!(Echo::decode(&[&report[..], &[0]].concat()).is_err());
}
