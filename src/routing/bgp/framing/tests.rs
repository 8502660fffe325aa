use super::*;
use proptest::prelude::*;

#[test]
fn messages_come_out_whole_however_they_are_cut() {
    let stream = [message(4, &[]), message(2, &[7; 4077]), message(3, &[6, 2])].concat();
    for size in [1, 2, 18, 19, 20, 1000, 5000] {
        let mut buffer = FrameBuffer::default();
        let frames: Vec<Frame> = stream.chunks(size).flat_map(|c| frames(&mut buffer, c)).collect();
        let lengths: Vec<usize> = frames.iter().map(|frame| frame.body.len()).collect();
        assert_eq!(lengths, [0, 4077, 2], "cut into {size}");
        assert_eq!(frames[1].message_type, MessageType::Update);
    }
}

#[test]
fn a_header_that_cannot_stand_is_named() {
    let header = |length: u16, code: u8| [&[0xff; 16][..], &length.to_be_bytes(), &[code]].concat();
    let cases = [
        (header(18, 4), Cause::BadLength(18)),
        (header(4097, 2), Cause::BadLength(4097)),
        (header(0, 2), Cause::BadLength(0)),
        (header(20, 4), Cause::BadLength(20)),
        (header(28, 1), Cause::BadLength(28)),
        (header(22, 2), Cause::BadLength(22)),
        (header(20, 3), Cause::BadLength(20)),
        (header(24, 5), Cause::BadLength(24)),
        (header(19, 0), Cause::BadType(0)),
        (header(19, 6), Cause::BadType(6)),
        (header(9, 6), Cause::BadLength(9)),
        ([&[0xff; 15][..], &[0xfe, 0, 19, 4]].concat(), Cause::NotSynchronized),
    ];
    for (bytes, cause) in cases {
        assert_eq!(FrameBuffer::default().next(&mut &bytes[..]), Err(cause), "{bytes:02x?}");
    }
}

#[test]
fn the_buffer_holds_one_message_at_most() {
    let mut buffer = FrameBuffer::default();
    let huge = message(2, &[0; MAX_MESSAGE - HEADER]).repeat(4);
    let mut input = &huge[..];
    buffer.next(&mut input).expect("a message");
    assert_eq!(input.len(), 3 * MAX_MESSAGE);
    buffer.next(&mut &input[..MAX_MESSAGE - 1]).expect("part of a message");
    assert!(buffer.partial.len() < MAX_MESSAGE);
}

proptest! {
    #[test]
    fn framing_does_not_depend_on_the_cuts(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 4..200), 1..20),
        cuts in prop::collection::vec(1_usize..300, 1..200),
    ) {
        let stream: Vec<u8> = bodies.iter().flat_map(|body| message(2, body)).collect();
        let mut buffer = FrameBuffer::default();
        let mut found = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            found.extend(frames(&mut buffer, piece));
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found.into_iter().map(|frame| frame.body).collect::<Vec<_>>(), bodies);
    }
}

fn message(code: u8, body: &[u8]) -> Vec<u8> {
    let length = (HEADER + body.len()) as u16;
    [&[0xff; 16][..], &length.to_be_bytes(), &[code], body].concat()
}

fn frames(buffer: &mut FrameBuffer, mut bytes: &[u8]) -> Vec<Frame> {
    std::iter::from_fn(|| buffer.next(&mut bytes).expect("sound messages")).collect()
}
