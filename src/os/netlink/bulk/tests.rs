use super::*;
use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use rtnetlink::packet_route::route::{RouteAttribute, RouteMessage};

const CREATE: u16 = NLM_F_CREATE | NLM_F_REPLACE;

fn requests(count: u32) -> impl Iterator<Item = Request> {
    let request = |metric| {
        let mut message = RouteMessage::default();
        message.attributes.push(RouteAttribute::Priority(metric));
        Request { message: RouteNetlinkMessage::NewRoute(message), flags: CREATE }
    };
    (0..count).map(request)
}

/// The messages of a datagram.
fn messages(mut bytes: &[u8]) -> Vec<NetlinkMessage<RouteNetlinkMessage>> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let message = NetlinkMessage::deserialize(bytes).unwrap();
        bytes = &bytes[(message.header.length as usize).next_multiple_of(ALIGNMENT)..];
        messages.push(message);
    }
    messages
}

#[test]
fn requests_are_numbered_and_only_the_last_asks_for_an_answer() {
    let (bytes, next) = datagram(u32::MAX - 1, requests(3));
    let headers: Vec<_> = messages(&bytes).iter().map(|message| message.header).collect();
    let numbers: Vec<u32> = headers.iter().map(|header| header.sequence_number).collect();
    assert_eq!((numbers, next), (vec![u32::MAX - 1, u32::MAX, 0], 1));
    let flags: Vec<u16> = headers.iter().map(|header| header.flags).collect();
    let silent = NLM_F_REQUEST | CREATE;
    assert_eq!(flags, [silent, silent, silent | NLM_F_ACK]);
}

#[test]
fn every_request_keeps_its_own_content() {
    let (bytes, _) = datagram(7, requests(TOGETHER as u32));
    let sent = messages(&bytes).into_iter().map(|message| message.payload);
    let meant = requests(TOGETHER as u32).map(|one| NetlinkPayload::InnerMessage(one.message));
    assert!(sent.eq(meant));
}

#[test]
fn an_answer_names_its_request_and_the_error() {
    let answering = |code: i32| {
        let header = [36_u32.to_ne_bytes(), [2, 0, 0, 0], 9_u32.to_ne_bytes(), [0; 4]];
        [header.concat(), code.to_ne_bytes().to_vec(), vec![0; 16]].concat()
    };
    let (number, outcome) = answer(&answering(-22)).unwrap();
    assert_eq!((number, outcome.unwrap_err().raw_os_error()), (9, Some(22)));
    assert!(matches!(answer(&answering(0)), Some((9, Ok(())))));
    assert!(answer(&[]).is_none());
}

/// The kernel refuses each for itself: there is no such device, whoever asks.
#[test]
fn each_refusal_belongs_to_its_request() {
    let bulk = Bulk::open().unwrap();
    let count = TOGETHER as u32 * 2 + 3;
    let outcomes = bulk.request(requests(count).collect());
    assert_eq!(outcomes.len(), count as usize);
    assert!(outcomes.iter().all(|outcome| outcome.is_err()));
}
