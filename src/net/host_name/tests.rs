use super::*;

fn parsed(text: &str) -> Result<String, ParseHostNameError> {
    text.parse::<HostName>().map(|name| name.to_string())
}

#[test]
fn whole_names_are_taken_in_small_letters_and_without_the_last_dot() {
    assert_eq!(parsed("VPN-1.North.example"), Ok("vpn-1.north.example".to_owned()));
    assert_eq!(parsed("vpn.example."), Ok("vpn.example".to_owned()));
    assert_eq!(parsed("gateway."), Ok("gateway".to_owned()));
    assert_eq!(parsed("3com.example"), Ok("3com.example".to_owned()));
}

#[test]
fn what_is_no_whole_name_is_refused_with_its_reason() {
    let long = format!("{}.example", "a".repeat(64));
    let longer = vec!["abcdefghi"; 26].join(".");
    for (text, why) in [
        ("gateway", ParseHostNameError::Short),
        ("", ParseHostNameError::Length),
        (".", ParseHostNameError::Length),
        ("vpn..example", ParseHostNameError::Length),
        (long.as_str(), ParseHostNameError::Length),
        (longer.as_str(), ParseHostNameError::Length),
        ("203.0.113.300", ParseHostNameError::Number),
        ("vpn.example.7", ParseHostNameError::Number),
        ("192.0.2.1:500", ParseHostNameError::Character),
        ("-vpn.example", ParseHostNameError::Character),
        ("vpn_1.example", ParseHostNameError::Character),
        ("vpn.exämple", ParseHostNameError::Character),
        ("203.0.113.7/24", ParseHostNameError::Character),
        ("2001:db8::1", ParseHostNameError::Character),
    ] {
        assert_eq!(parsed(text), Err(why), "{text}");
    }
}
