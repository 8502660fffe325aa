use super::*;

#[test]
fn an_interface_address_keeps_its_host_bits() {
    let address: InterfaceAddress = "10.1.1.2/24".parse().unwrap();
    assert_eq!(address.to_string(), "10.1.1.2/24");
}

#[test]
fn an_interface_address_must_fit_its_family() {
    for text in ["10.1.1.2", "10.1.1.2/33", "fd00::/129", "x/8", "10.0.0.0/x"] {
        assert!(text.parse::<InterfaceAddress>().is_err(), "{text}");
    }
}

#[tokio::test]
async fn the_loopback_device_is_found_by_name() {
    let netlink = Netlink::here().unwrap();
    assert_eq!(netlink.link("lo").await.unwrap().name, "lo");
    assert_eq!(netlink.find_link("no-such-device").await.unwrap(), None);
}

#[tokio::test]
async fn what_is_not_there_needs_no_removal() {
    let netlink = Netlink::here().unwrap();
    let address = "192.0.2.1/32".parse().unwrap();
    netlink.remove_address("no-such-device", address).await.unwrap();
    netlink.delete_link("no-such-device").await.unwrap();
}
