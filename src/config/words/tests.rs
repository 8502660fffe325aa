use super::*;
use proptest::prelude::*;

#[test]
fn durations_have_a_unit() {
    let millis = |text: &str| parse_duration(text).map(|duration| duration.as_millis());
    assert_eq!(millis("300ms"), Some(300));
    assert_eq!(millis("1.5s"), Some(1500));
    assert_eq!(millis("2 m"), Some(120_000));
    assert_eq!(millis("4h"), Some(14_400_000));
    assert_eq!(millis("1d"), Some(86_400_000));
    for wrong in ["", "s", "1", "1 year", "-1s", "infs", "1s2", "é"] {
        assert_eq!(millis(wrong), None, "{wrong}");
    }
}

#[test]
fn integers_are_read_in_every_notation_of_toml() {
    for text in ["1280", "1_280", "0x500", "0o2400", "0b10100000000"] {
        let value = DeValue::parse(text).unwrap();
        assert_eq!(integer("the MTU", 0..=9000_u16)(value.get_ref()).unwrap(), 1280, "{text}");
    }
}

#[test]
fn an_address_with_a_length_is_told_to_lose_it() {
    let fault = address(&DeValue::String("10.0.0.1/24".into())).unwrap_err();
    assert_eq!(
        fault,
        Fault::new("\"10.0.0.1/24\" is not an IP address")
            .label("not an address")
            .help("leave the length out: \"10.0.0.1\"")
    );
}

#[test]
fn an_address_of_the_underlay_means_the_same_on_every_link() {
    let value = |text: &str| DeValue::String(text.to_owned().into());
    for good in ["192.0.2.1", "2001:db8::1", "fd00::1", "169.254.7.1"] {
        assert_eq!(underlay_address(&value(good)).unwrap(), good.parse::<IpAddr>().unwrap());
    }
    for bad in ["fe80::1", "::ffff:192.0.2.1"] {
        assert!(underlay_address(&value(bad)).is_err(), "{bad}");
        assert!(listen_address(&value(bad)).is_err(), "{bad}");
    }
    assert!(inside_address(&value("fe80::1")).is_ok(), "inside, the tunnel is the link");
}

proptest! {
    #[test]
    fn durations_of_any_text_do_not_panic(text in ".{0,20}") {
        let _ = parse_duration(&text);
    }
}
