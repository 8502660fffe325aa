//! IKE_SA_INIT and IKE_AUTH: what comes up, and what does not and why.

use super::net::*;
use crate::crypto::suite::{EspSuite, IkeSuite};
use crate::ike::*;
use crate::wire::ike::ExchangeType;

fn same_psk() -> (Credentials, Credentials) {
    (psk("one secret for both"), psk("one secret for both"))
}

fn ike(text: &str) -> IkeSuite {
    text.parse().expect("an IKE suite")
}

fn esp(text: &str) -> EspSuite {
    text.parse().expect("an ESP suite")
}

#[test]
fn a_tunnel_comes_up_with_a_pre_shared_key() {
    let mut net = Net::new(1, config_pair(same_psk()));
    net.run(secs(1));
    net.assert_one_tunnel();
    assert_eq!(net.ends[WEST].state(), ConnectionState::Up);
}

#[test]
fn a_tunnel_comes_up_with_public_keys() {
    let mut net = Net::new(2, config_pair(key_pairs()));
    net.run(secs(1));
    net.assert_one_tunnel();
}

#[test]
fn a_tunnel_comes_up_over_ipv6() {
    let addresses = ["2001:db8::1", "2001:db8::2"];
    let mut net = Net::new(3, config_pair_at(key_pairs(), addresses));
    net.run(secs(1));
    net.assert_one_tunnel();
}

#[test]
fn every_suite_carries_a_tunnel() {
    for aead in ["aes128gcm16", "aes256gcm16", "chacha20poly1305"] {
        for prf in ["prfsha256", "prfsha384", "prfsha512"] {
            for group in ["curve25519", "ecp256", "ecp384"] {
                let suite = ike(&format!("{aead}-{prf}-{group}"));
                let mut configs = config_pair(same_psk());
                for config in &mut configs {
                    config.ike_suites = vec![suite];
                    config.esp_suites = vec![esp(&format!("{aead}-{group}-esn"))];
                }
                let mut net = Net::new(4, configs);
                net.run(secs(1));
                net.assert_one_tunnel();
                assert_eq!(net.ends[EAST].ike_sas()[0].suite, suite);
                net.at(WEST, |endpoint, now, random| endpoint.rekey_child(CONNECTION, now, random));
                net.run(secs(1));
                net.assert_one_tunnel();
            }
        }
    }
}

#[test]
fn ike_auth_moves_to_the_port_of_nat_traversal() {
    let mut net = Net::new(5, config_pair(same_psk()));
    net.run(secs(3));
    for datagram in &net.log {
        let header = datagram.header();
        let init = header.exchange_type == ExchangeType::IKE_SA_INIT;
        let port = if init { 500 } else { 4500 };
        assert_eq!((datagram.from.port(), datagram.to.port()), (port, port));
    }
}
