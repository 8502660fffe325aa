use super::*;

#[test]
fn communities_are_read_and_written_as_operators_write_them() {
    let standard = |value| Community::Standard(value);
    let cases = [
        ("65001:100", standard(0xfde9_0064)),
        ("0:0", standard(0)),
        ("65535:65535", standard(0xffff_ffff)),
        ("no-export", standard(0xffff_ff01)),
        ("graceful-shutdown", standard(0xffff_0000)),
        ("4200000001:0:7", Community::Large(Asn(4_200_000_001), 0, 7)),
    ];
    for (text, community) in cases {
        assert_eq!(text.parse(), Ok(community));
        assert_eq!(community.to_string(), text);
    }
    assert_eq!("65535:65281".parse(), Ok(standard(0xffff_ff01)), "by its number, too");
}

#[test]
fn what_is_none_is_refused() {
    for text in
        ["", "65001", "65536:1", "1:65536", "1:2:3:4", "a:b", "1:-1", "+1:2", "1: 2", "1:2:"]
    {
        assert!(text.parse::<Community>().is_err(), "{text:?}");
    }
}
