use super::*;
use std::time::Duration;

/// Kinds and bodies of the blocks of a file; every length stands twice.
fn blocks(mut file: &[u8]) -> Vec<(u32, &[u8])> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
    let mut blocks = Vec::new();
    while !file.is_empty() {
        let length = number(&file[4..]) as usize;
        assert_eq!(length % 4, 0);
        assert_eq!(number(&file[length - 4..]) as usize, length);
        blocks.push((number(file), &file[8..length - 4]));
        file = &file[length..];
    }
    blocks
}

#[test]
fn a_file_is_a_section_interfaces_and_packets() {
    let interfaces = [
        Interface { name: "wan0".to_owned(), what: "underlay", link: Link::Ethernet },
        Interface { name: "vpn-office".to_owned(), what: "inside", link: Link::Ip },
    ];
    let mut file = Vec::new();
    let mut writer = Writer::begin(&mut file, &interfaces).unwrap();
    let at = UNIX_EPOCH + Duration::new(1_800_000_000, 123_456_789);
    writer.packet(1, at, &[0x45, 1, 2, 3, 4]).unwrap();
    let blocks = blocks(&file);
    let kinds: Vec<u32> = blocks.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [SECTION_HEADER, INTERFACE, INTERFACE, PACKET]);
    assert_eq!(
        blocks[0].1,
        [0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]
    );
    assert_eq!(&blocks[1].1[..14], [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 4, 0, b'w', b'a']);
    assert_eq!(blocks[2].1[0], 101);
    let packet = blocks[3].1;
    let nanos = 1_800_000_000_123_456_789_u64;
    assert_eq!(packet[..4], 1_u32.to_le_bytes());
    assert_eq!(packet[4..8], ((nanos >> 32) as u32).to_le_bytes());
    assert_eq!(packet[8..12], (nanos as u32).to_le_bytes());
    assert_eq!(packet[12..20], [5, 0, 0, 0, 5, 0, 0, 0]);
    assert_eq!(packet[20..], [0x45, 1, 2, 3, 4, 0, 0, 0]);
}
