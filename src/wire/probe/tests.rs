use super::*;

fn pairs() -> [(IpAddr, IpAddr); 2] {
    [("10.1.0.1", "10.2.0.10"), ("fd00:1::1", "fd00:2::10")]
        .map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap()))
}

#[test]
fn what_a_host_answers_is_an_answer_of_the_same_number() {
    for (from, to) in pairs() {
        let question = question(from, to, 0x0102_0304_0506).unwrap();
        let reply = icmp::echo_reply(&question).unwrap();
        assert_eq!(answer(&reply), Some((to, 0x0102_0304_0506)));
        assert_eq!(answer(&question), None, "a question is no answer");
    }
}

#[test]
fn what_others_ask_is_not_ours() {
    for (from, to) in pairs() {
        let asked = icmp::echo_request(from, to, IDENTIFIER << 16, &[0; 16]).unwrap();
        assert_eq!(answer(&icmp::echo_reply(&asked).unwrap()), None);
        let reply = icmp::echo_reply(&question(from, to, 7).unwrap()).unwrap();
        for length in 0..reply.len() {
            assert_eq!(answer(&reply[..length]), None, "{length} octets");
        }
    }
    assert_eq!(question(pairs()[0].0, pairs()[1].1, 7), None);
}
