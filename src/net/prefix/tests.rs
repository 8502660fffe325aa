use super::*;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

#[test]
fn a_prefix_prints_as_it_was_read() {
    for text in ["10.1.0.0/16", "0.0.0.0/0", "fd00:1::/48", "::/0", "192.0.2.1/32"] {
        assert_eq!(prefix(text).to_string(), text);
    }
}

#[test]
fn host_bits_are_refused_with_the_network_to_write_instead() {
    let error = "10.1.2.3/16".parse::<Prefix>().unwrap_err();
    assert_eq!(error.to_string(), "10.1.2.3/16 has host bits set; the network is 10.1.0.0/16");
}

#[test]
fn nonsense_is_refused() {
    for text in ["", "10.1.0.0/33", "ten/8", "fd00::/129", "10.1/16"] {
        assert!(text.parse::<Prefix>().is_err(), "{text}");
    }
}

#[test]
fn covering_and_overlapping_follow_the_lengths() {
    let (wide, narrow, other) = (prefix("10.0.0.0/8"), prefix("10.1.0.0/16"), prefix("11.0.0.0/8"));
    assert!(wide.covers(&narrow) && !narrow.covers(&wide));
    assert!(narrow.overlaps(&wide) && !narrow.overlaps(&other));
    assert!(!prefix("::/0").covers(&narrow));
}

#[test]
fn containing_clears_host_bits() {
    assert_eq!(Prefix::containing("10.1.2.3".parse().unwrap(), 16), Some(prefix("10.1.0.0/16")));
    assert_eq!(Prefix::containing("10.1.2.3".parse().unwrap(), 33), None);
}
