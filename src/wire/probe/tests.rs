use super::*;

const SEVENTH: Question = Question { tunnel: 0, number: 7 };

fn pairs() -> [(IpAddr, IpAddr); 2] {
    [("10.1.0.1", "10.2.0.10"), ("fd00:1::1", "fd00:2::10")]
        .map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap()))
}

#[test]
fn what_a_host_answers_is_an_answer_to_the_same_question() {
    for (from, to) in pairs() {
        let asked = Question { tunnel: 3, number: 0x0102_0304_0506 };
        let question = question(from, to, asked).unwrap();
        let reply = icmp::echo_reply(&question).unwrap();
        assert_eq!(answer(&reply), Some((to, asked)));
        assert_eq!(answer(&question), None, "a question is no answer");
    }
}

#[test]
fn what_others_ask_is_not_ours() {
    for (from, to) in pairs() {
        let asked = icmp::echo_request(from, to, IDENTIFIER << 16, &[0; 16]).unwrap();
        assert_eq!(answer(&icmp::echo_reply(&asked).unwrap()), None);
        let reply = icmp::echo_reply(&question(from, to, SEVENTH).unwrap()).unwrap();
        for length in 0..reply.len() {
            assert_eq!(answer(&reply[..length]), None, "{length} octets");
        }
    }
    assert_eq!(question(pairs()[0].0, pairs()[1].1, SEVENTH), None);
}
