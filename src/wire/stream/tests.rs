use super::*;
use crate::random::{Random, Seeded};

/// All messages of a stream that comes in pieces of these lengths, over and over.
fn messages(
    mut deframer: Deframer,
    stream: &[u8],
    pieces: &[usize],
) -> Result<Vec<Vec<u8>>, StreamFault> {
    let (mut rest, mut found) = (stream, Vec::new());
    for &piece in pieces.iter().cycle() {
        let (now, later) = rest.split_at(piece.min(rest.len()));
        deframer.push(now);
        while let Some(message) = deframer.next_message()? {
            found.push(message.to_vec());
        }
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    Ok(found)
}

fn stream_of(sent: &[Vec<u8>]) -> Vec<u8> {
    let frames = sent.iter().flat_map(|message| frame(message).expect("a message that fits"));
    PREFIX.into_iter().chain(frames).collect()
}

#[test]
fn the_octets_are_those_of_the_rfc() {
    // RFC 9329 §3.1, §4: an IKE message of two octets behind its marker.
    let octets = *b"IKETCP\x00\x08\x00\x00\x00\x00\xab\xcd";
    assert_eq!(stream_of(&[vec![0, 0, 0, 0, 0xab, 0xcd]]), octets);
    // §6.6: a keepalive has a Length of 3.
    assert_eq!(frame(&[0xff]).expect("one octet"), [0, 3, 0xff]);
}

#[test]
fn messages_come_out_as_they_went_in_however_the_stream_is_cut() {
    let mut random = Seeded::new(9329);
    for _ in 0..200 {
        let length = |random: &mut Seeded| match random.below(8) {
            0 => LONGEST,
            1 => 1,
            _ => 1 + random.below(3000) as usize,
        };
        let message = |random: &mut Seeded| {
            let mut octets = vec![0; length(random)];
            random.fill(&mut octets);
            octets
        };
        let sent: Vec<Vec<u8>> = (0..random.below(6)).map(|_| message(&mut random)).collect();
        let pieces: Vec<usize> = (0..7).map(|_| 1 + random.below(5000) as usize).collect();
        let stream = stream_of(&sent);
        assert_eq!(messages(Deframer::of_originator(), &stream, &pieces), Ok(sent.clone()));
        let answers = &stream[PREFIX.len()..];
        assert_eq!(messages(Deframer::of_responder(), answers, &pieces), Ok(sent));
    }
}

#[test]
fn a_wrong_prefix_shows_with_its_first_wrong_octet() {
    for place in 0..PREFIX.len() {
        let mut octets = PREFIX;
        octets[place] ^= 0x20;
        let mut deframer = Deframer::of_originator();
        deframer.push(&octets[..place]);
        assert_eq!(deframer.next_message(), Ok(None), "{place} octets are right so far");
        deframer.push(&octets[place..=place]);
        assert_eq!(deframer.next_message(), Err(StreamFault::Prefix));
        assert_eq!(deframer.next_message(), Err(StreamFault::Prefix), "and it stays so");
    }
}

#[test]
fn a_length_that_does_not_count_itself_ends_the_stream() {
    for length in [0, 1] {
        let stream = [PREFIX.as_slice(), &[0, 3, 0xff], &[0, length], &[0, 3, 0xff]].concat();
        let found = messages(Deframer::of_originator(), &stream, &[1]);
        assert_eq!(found, Err(StreamFault::Length(length.into())));
    }
}

#[test]
fn empty_messages_are_passed_over() {
    let stream = [PREFIX.as_slice(), &[0, 2, 0, 2], &[0, 3, 7], &[0, 2]].concat();
    assert_eq!(messages(Deframer::of_originator(), &stream, &[100]), Ok(vec![vec![7]]));
    assert_eq!(header(0), None, "and never sent");
}

#[test]
fn half_a_message_is_no_message() {
    let stream = stream_of(&[vec![5; 100], vec![6; 100]]);
    for end in 0..stream.len() {
        let found = messages(Deframer::of_originator(), &stream[..end], &[7]).expect("no fault");
        let complete = [(PREFIX.len() + 102, 1), (stream.len(), 2)];
        let expected = complete.iter().filter(|(at, _)| end >= *at).map(|(_, count)| *count).max();
        assert_eq!(found.len(), expected.unwrap_or(0), "after {end} octets");
    }
}

#[test]
fn what_waits_is_less_than_one_message_and_what_came_last() {
    let mut random = Seeded::new(1);
    let mut deframer = Deframer::of_responder();
    for _ in 0..2000 {
        let mut octets = vec![0; random.below(4096) as usize];
        random.fill(&mut octets);
        deframer.push(&octets);
        while let Ok(Some(_)) = deframer.next_message() {}
        match deframer.next_message() {
            Ok(_) => assert!(deframer.waiting() <= usize::from(u16::MAX)),
            Err(_) => deframer = Deframer::of_responder(),
        }
    }
}

#[test]
fn no_longer_message_is_framed_than_a_length_can_tell() {
    assert!(frame(&vec![1; LONGEST]).is_some());
    assert_eq!(frame(&vec![1; LONGEST + 1]), None);
}
