use super::super::{KeysInMemory, parse};
use super::*;

fn config(vpcs: &[&str], peers: &[(&str, &str)]) -> Config {
    let mut text = "[gateway]\nname = \"g\"\n".to_owned();
    for vpc in vpcs {
        text += &format!("[[vpc]]\nname = \"{vpc}\"\nprefixes = []\n");
    }
    for (index, (peer, vpc)) in peers.iter().enumerate() {
        text += &format!(
            "[[peer]]\nname = \"{peer}\"\nvpc = \"{vpc}\"\nremote_address = \"192.0.2.{}\"\n\
             psk_file = \"psk\"\nstatic_routes = []\n",
            index + 1
        );
    }
    let keys = KeysInMemory::new().with("psk", "0123456789abcdef");
    parse(&text, "gateway.toml", &keys).unwrap_or_else(|errors| panic!("{errors}"))
}

fn peers(config: &Config) -> Vec<(u32, &str)> {
    config.peers.iter().map(|(id, peer)| (id.0, peer.name.as_str())).collect()
}

#[test]
fn peers_keep_their_numbers_when_others_come_and_go() {
    let running = config(&["v"], &[("a", "v"), ("b", "v"), ("c", "v")]);
    assert_eq!(peers(&running), [(0, "a"), (1, "b"), (2, "c")]);

    let new = config(&["v"], &[("d", "v"), ("c", "v"), ("a", "v"), ("e", "v")]);
    let new = new.numbered_like(&running);
    assert_eq!(peers(&new), [(0, "a"), (2, "c"), (3, "d"), (4, "e")]);
}

#[test]
fn peers_follow_their_vpc() {
    let running = config(&["shop", "bank"], &[("a", "shop"), ("b", "bank")]);
    let new = config(&["bank", "shop"], &[("a", "shop"), ("b", "bank")]).numbered_like(&running);
    for peer in new.peers.values() {
        let vpc = if peer.name == "a" { "shop" } else { "bank" };
        assert_eq!(new.vpcs[&peer.vpc].name, vpc);
    }
    assert_eq!(new.vpc_named("shop").unwrap().0, running.vpc_named("shop").unwrap().0);
}

#[test]
fn an_unchanged_file_is_no_difference() {
    let running = config(&["shop", "bank"], &[("a", "shop"), ("b", "bank")]);
    let new = config(&["bank", "shop"], &[("b", "bank"), ("a", "shop")]);
    let unchanged = config(&["shop", "bank"], &[("a", "shop"), ("b", "bank")]);
    assert_eq!(unchanged.numbered_like(&running), running);
    assert_ne!(new, running, "the order of the file gives other numbers");
}

#[test]
fn a_bgp_identifier_that_nobody_wrote_does_not_change_with_the_addresses_to_listen_on() {
    let at = |address: &str, more: &str| {
        let text = format!("[gateway]\nname = \"g\"\nlisten = [\"{address}\"]\n{more}");
        let text = text + "[[vpc]]\nname = \"v\"\nprefixes = []\n";
        parse(&text, "gateway.toml", &KeysInMemory::new()).expect("a configuration")
    };
    let running = at("192.0.2.1", "");
    let next = at("192.0.2.2", "").numbered_like(&running);
    assert_eq!(next.gateway.router_id, running.gateway.router_id);
    let written = at("192.0.2.2", "router_id = \"192.0.2.9\"\n").numbered_like(&running);
    assert_eq!(written.gateway.router_id.to_string(), "192.0.2.9");
}
