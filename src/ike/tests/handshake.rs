//! IKE_SA_INIT and IKE_AUTH: what comes up, and what does not and why.

use super::net::*;
use crate::crypto::cipher::Cipher;
use crate::crypto::kex::Group;
use crate::crypto::prf::Prf;
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
    let ciphers = Cipher::all()
        .flat_map(|cipher| Prf::ALL.map(|prf| IkeSuite { cipher, prf, group: Group::Curve25519 }));
    let groups = Group::DIFFIE_HELLMAN
        .map(|group| IkeSuite { group, ..ike("aes256gcm16-prfsha256-curve25519") });
    for suite in ciphers.chain(groups) {
        let IkeSuite { cipher, group, .. } = suite;
        let mut configs = config_pair(same_psk());
        for config in &mut configs {
            config.ike_suites = vec![suite];
            slot(config).esp_suites = vec![EspSuite { cipher, group: Some(group), esn: true }];
        }
        let mut net = Net::new(4, configs);
        net.run(secs(1));
        net.assert_one_tunnel();
        assert_eq!(net.ends[EAST].ike_sas()[0].suite, suite);
        net.at(WEST, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
        net.run(secs(1));
        net.assert_one_tunnel();
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

#[test]
fn differing_pre_shared_keys_fail_on_both_sides_with_the_reason() {
    let mut net = Net::new(6, config_pair((psk("one secret"), psk("another secret"))));
    net.run(ms(400));
    assert!(net.ends[WEST].failures()[0].contains("does not accept our identity or our key"));
    assert!(net.ends[EAST].failures()[0].contains("pre-shared keys of west.example"));
    no_tunnel(&net);
}

#[test]
fn a_wrong_public_key_fails_on_both_sides_with_the_reason() {
    let (west, _) = key_pairs();
    let stranger = crate::crypto::sign::SigningKey::from_seed(&[9; 32]);
    let Credentials::PublicKey { own, .. } = key_pairs().1 else { panic!("public keys") };
    let east = Credentials::PublicKey { own, peer: stranger.verifying_key() };
    let mut net = Net::new(7, config_pair((west, east)));
    net.run(ms(400));
    assert!(net.ends[WEST].failures()[0].contains("AUTHENTICATION_FAILED"));
    assert!(net.ends[EAST].failures()[0].contains("signature of west.example"));
    no_tunnel(&net);
}

#[test]
fn a_responder_with_a_wrong_key_is_found_out_and_told() {
    let (mut west, east) = key_pairs();
    let stranger = crate::crypto::sign::SigningKey::from_seed(&[9; 32]);
    if let Credentials::PublicKey { peer, .. } = &mut west {
        *peer = stranger.verifying_key();
    }
    let mut net = Net::new(8, config_pair((west, east)));
    net.run(ms(400));
    assert!(net.ends[WEST].failures()[0].contains("signature of east.example"));
    let rejected =
        |event: &Event| matches!(event, Event::Down { reason: DownReason::RejectedByPeer });
    assert_eq!(net.ends[EAST].count(rejected), 1);
    no_tunnel(&net);
}

#[test]
fn wrong_identities_fail_on_both_sides_with_the_reason() {
    let mut configs = config_pair(same_psk());
    configs[EAST].remote_id = Identity::Fqdn("south.example".into());
    let mut net = Net::new(9, configs);
    net.run(ms(400));
    assert!(net.ends[EAST].failures()[0].contains("calls itself west.example, but south.example"));
    assert!(net.ends[WEST].failures()[0].contains("AUTHENTICATION_FAILED"));
    no_tunnel(&net);

    let mut configs = config_pair(same_psk());
    configs[WEST].remote_id = Identity::KeyId(vec![1, 2]);
    let mut net = Net::new(10, configs);
    net.run(ms(400));
    assert!(net.ends[EAST].failures()[0].contains("asks for keyid:0x0102, but this side is east"));
    no_tunnel(&net);
}

#[test]
fn a_pre_shared_key_is_no_answer_to_a_public_key() {
    let mut net = Net::new(11, config_pair((psk("a secret"), key_pairs().1)));
    net.run(ms(400));
    let failure = &net.ends[EAST].failures()[0];
    assert!(failure.contains("SHARED_KEY_MIC, but DIGITAL_SIGNATURE is configured"), "{failure}");
    no_tunnel(&net);
}

#[test]
fn identities_of_every_type_are_accepted() {
    use crate::wire::ike::IdType;
    let identities = [
        Identity::Address("192.0.2.1".parse().expect("an address")),
        Identity::Address("2001:db8::1".parse().expect("an address")),
        Identity::Rfc822("gateway@west.example".into()),
        Identity::KeyId(vec![0, 1, 2, 255]),
        Identity::Other { id_type: IdType::DER_ASN1_DN, data: vec![0x30, 0] },
    ];
    for identity in identities {
        let mut configs = config_pair(same_psk());
        configs[WEST].local_id = identity.clone();
        configs[EAST].remote_id = identity;
        let mut net = Net::new(12, configs);
        net.run(secs(1));
        net.assert_one_tunnel();
    }
}

#[test]
fn no_common_ike_suite_is_explained_on_both_sides() {
    let mut configs = config_pair(same_psk());
    configs[WEST].ike_suites = vec![ike("aes128gcm16-prfsha256-ecp256")];
    configs[EAST].ike_suites = vec![ike("aes256gcm16-prfsha384-curve25519")];
    let mut net = Net::new(13, configs);
    net.run(secs(3));
    let (west, east) = (net.ends[WEST].failures(), net.ends[EAST].failures());
    assert!(
        west[0].contains("accepts none of what this side offers: aes128gcm16-prfsha256-ecp256")
    );
    let told = "the peer offers aes128gcm16-prfsha256-ecp256; this side accepts aes256gcm16-prfsha384-curve25519";
    assert!(east[0].contains(told), "{}", east[0]);
    no_tunnel(&net);
}

#[test]
fn no_common_esp_suite_is_explained_on_both_sides() {
    let mut configs = config_pair(same_psk());
    slot(&mut configs[WEST]).esp_suites = vec![esp("aes128gcm16-esn")];
    slot(&mut configs[EAST]).esp_suites = vec![esp("aes128gcm16")];
    let mut net = Net::new(14, configs);
    net.run(ms(400));
    let (west, east) = (net.ends[WEST].failures(), net.ends[EAST].failures());
    assert!(west[0].contains("accepts none of what this side offers: aes128gcm16-esn"), "{west:?}");
    assert!(east[0].contains("the peer offers aes128gcm16-esn; this side accepts aes128gcm16"));
    no_tunnel(&net);
}

#[test]
fn no_common_traffic_is_explained_on_both_sides() {
    let mut configs = config_pair(same_psk());
    slot(&mut configs[WEST]).remote_ts = selectors(&["10.3.0.0/16"]);
    let mut net = Net::new(15, configs);
    net.run(ms(400));
    let (west, east) = (net.ends[WEST].failures(), net.ends[EAST].failures());
    assert!(west[0].contains("accepts none of local 10.1.0.0/16"), "{west:?}");
    assert!(east[0].contains("with 10.3.0.0/16 on this one"), "{east:?}");
    no_tunnel(&net);
}

#[test]
fn selectors_are_narrowed_to_what_both_allow() {
    let mut configs = config_pair(same_psk());
    slot(&mut configs[WEST]).remote_ts = selectors(&["10.0.0.0/8", "fd02::/48"]);
    slot(&mut configs[WEST]).local_ts = selectors(&["0.0.0.0/0"]);
    let mut net = Net::new(16, configs);
    net.run(secs(1));
    net.assert_one_tunnel();
    let child = &net.ends[WEST].ike_sas()[0].children[0];
    assert_eq!(child.local_ts, selectors(&["10.1.0.0/16"]));
    assert_eq!(child.remote_ts, selectors(&["10.2.0.0/16", "fd02::/64"]));
}

#[test]
fn a_peer_without_esn_gets_its_32_bit_numbers() {
    let mut configs = config_pair(same_psk());
    slot(&mut configs[WEST]).esp_suites = vec![esp("aes256gcm16-esn"), esp("aes256gcm16")];
    slot(&mut configs[EAST]).esp_suites = vec![esp("aes256gcm16")];
    let mut net = Net::new(17, configs);
    net.run(secs(1));
    net.assert_one_tunnel();
    assert!(!net.ends[WEST].ike_sas()[0].children[0].suite.esn);
}

#[test]
fn another_group_is_asked_for_and_given() {
    let mut configs = config_pair(same_psk());
    configs[WEST].ike_suites =
        vec![ike("aes128gcm16-prfsha256-curve25519"), ike("aes256gcm16-prfsha384-ecp384")];
    configs[EAST].ike_suites = vec![ike("aes256gcm16-prfsha384-ecp384")];
    for config in &mut configs {
        slot(config).esp_suites = vec![esp("aes256gcm16-curve25519"), esp("aes256gcm16-ecp256")];
    }
    slot(&mut configs[EAST]).esp_suites.remove(0);
    let mut net = Net::new(18, configs);
    net.run(secs(1));
    net.assert_one_tunnel();
    assert_eq!(net.ends[WEST].endpoint.stats().discarded(Discard::UnprotectedHint), 0);
    net.at(WEST, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
    net.run(secs(1));
    net.assert_one_tunnel();
    assert_eq!(net.ends[EAST].ike_sas()[0].children[0].suite, esp("aes256gcm16-ecp256"));
}

#[test]
fn a_loaded_responder_demands_a_cookie() {
    let mut settings = EndpointConfig::default();
    settings.half_open.cookies_above = 0;
    let mut net = Net::with_settings(19, config_pair(same_psk()), settings);
    net.run(secs(1));
    net.assert_one_tunnel();
    assert_eq!(net.ends[EAST].endpoint.stats().discarded(Discard::CookieMissing), 1);
    assert_eq!(net.ends[EAST].endpoint.stats().discarded(Discard::CookieWrong), 0);
}

#[test]
fn cookie_and_other_group_combine() {
    let mut settings = EndpointConfig::default();
    settings.half_open.cookies_above = 0;
    let mut configs = config_pair(same_psk());
    configs[WEST].ike_suites =
        vec![ike("aes128gcm16-prfsha256-curve25519"), ike("aes256gcm16-prfsha384-ecp384")];
    configs[EAST].ike_suites = vec![ike("aes256gcm16-prfsha384-ecp384")];
    let mut net = Net::with_settings(20, configs, settings);
    net.run(secs(1));
    net.assert_one_tunnel();
}

#[test]
fn a_handshake_survives_loss_and_duplicates() {
    for seed in 0..30 {
        let mut net = Net::new(100 + seed, config_pair(same_psk()));
        net.faults = Faults { loss_percent: 25, duplicate_percent: 20, jitter: ms(50) };
        net.run_until(secs(60), |net| net.ends[WEST].state() == ConnectionState::Up);
        net.faults = Faults::default();
        net.run(secs(20));
        net.assert_one_tunnel();
    }
}

#[test]
fn silence_is_reported_and_tried_again() {
    let mut net = Net::new(21, config_pair(same_psk()));
    net.filter = Some(Box::new(|_, _| false));
    net.run(secs(61));
    let failure = &net.ends[WEST].failures()[0];
    assert!(failure.contains("no answer to IKE_SA_INIT for 60 s"), "{failure}");
    assert!(net.ends[WEST].transmits < 20);
    net.filter = None;
    net.run(secs(10));
    net.assert_one_tunnel();
}

#[test]
fn a_peer_without_nat_traversal_is_refused_with_the_reason() {
    use crate::wire::ike::{Message, NotifyType, Payload};
    let mut net = Net::new(22, config_pair(same_psk()));
    let request = net.log[0].clone();
    let mut message = Message::decode(request.message()).expect("a message");
    message.payloads.retain(|payload| match payload {
        Payload::Notify(notify) => notify.notify_type != NotifyType::NAT_DETECTION_SOURCE_IP,
        _ => true,
    });
    message.header.initiator_spi.0[0] ^= 1;
    net.deliver(Datagram { bytes: message.encode(), ..request });
    assert!(net.ends[EAST].failures()[0].contains("does not support NAT traversal"));
}

/// The datagram as somebody else's implementation would send it.
fn of_another_kind(datagram: &Datagram) -> Datagram {
    use crate::wire::ike::{Message, Payload};
    let mut message = Message::decode(datagram.message()).expect("a message");
    message.payloads.retain(|payload| !matches!(payload, Payload::VendorId(_)));
    Datagram { bytes: message.encode(), ..datagram.clone() }
}

#[test]
fn esp_without_udp_is_refused_in_words_before_it_would_be_sent() {
    let unclaimed = || {
        let configs = config_pair(same_psk());
        configs.map(|config| ConnectionConfig { force_encapsulation: false, ..config })
    };
    let words = "set force_encapsulation = true";
    // The responder.
    let mut net = Net::new(24, unclaimed());
    net.filter = Some(Box::new(|_, _| false));
    let request = of_another_kind(&net.log[0]);
    net.deliver(request);
    assert!(net.ends[EAST].failures()[0].contains(words), "{:?}", net.ends[EAST].failures());
    // The initiator.
    let mut net = Net::new(24, unclaimed());
    net.filter = Some(Box::new(|datagram, _| !datagram.header().flags.response));
    net.run(ms(50));
    let answer = net.log.iter().find(|datagram| datagram.header().flags.response);
    let answer = of_another_kind(answer.expect("an answer"));
    net.deliver(answer);
    net.run(secs(61));
    assert!(net.ends[WEST].failures()[0].contains(words), "{:?}", net.ends[WEST].failures());
    // Two of our kind speak nothing else.
    let mut net = Net::new(24, unclaimed());
    net.run(secs(1));
    net.assert_one_tunnel();
}

#[test]
fn only_a_nat_in_front_of_us_makes_keepalives() {
    let keepalives = |net: &Net, end: usize| {
        let from = net.ends[end].endpoint.view(CONNECTION).expect("known").ike_sas[0].local;
        net.log.iter().filter(|one| one.from == from && one.bytes == [0xff]).count()
    };
    let mut net = Net::new(23, config_pair(same_psk()));
    net.run(secs(61));
    assert_eq!((keepalives(&net, WEST), keepalives(&net, EAST)), (0, 0));
}

fn no_tunnel(net: &Net) {
    for end in &net.ends {
        assert_eq!(end.children(), 0);
        assert!(end.ike_sas().is_empty());
        assert!(end.sending.is_none());
    }
}
