//! Post-quantum pre-shared keys (RFC 8784): which pairs of configurations make a tunnel, with or
//! without the key, and what both sides hear when they make none.

use super::net::*;
use super::raw_peer::RawPeer;
use crate::crypto::secret::Secret;
use crate::ike::*;
use crate::pki::samples::{Authority, credential_pair};
use crate::wire::ike::*;

fn key(id: &str, octet: u8, required: bool) -> Option<Ppk> {
    Some(Ppk { id: id.to_owned(), secret: Secret::copy_of(&[octet; 32]), required })
}

fn pair(credentials: (Credentials, Credentials), ppks: [Option<Ppk>; 2]) -> [ConnectionConfig; 2] {
    let [west, east] = config_pair(credentials);
    let [of_west, of_east] = ppks;
    [ConnectionConfig { ppk: of_west, ..west }, ConnectionConfig { ppk: of_east, ..east }]
}

fn secrets() -> (Credentials, Credentials) {
    (psk("one secret for both"), psk("one secret for both"))
}

/// Whether the key is in use in the one tunnel; it survives new keys of everything.
fn in_use(configs: [ConnectionConfig; 2]) -> bool {
    let mut net = Net::new(11, configs);
    net.run(secs(1));
    net.assert_one_tunnel();
    let before = [WEST, EAST].map(|end| net.ends[end].ike_sas()[0].ppk_in_use);
    for end in [WEST, EAST] {
        net.at(end, |endpoint, at| endpoint.rekey_ike(CONNECTION, at));
        net.run(secs(1));
        net.at(end, |endpoint, at| endpoint.rekey_child(CONNECTION, SLOT, at));
        net.run(secs(1));
        net.assert_one_tunnel();
    }
    let after = [WEST, EAST].map(|end| net.ends[end].ike_sas()[0].ppk_in_use);
    assert_eq!(before, after);
    assert_eq!(before[WEST], before[EAST]);
    before[WEST]
}

/// What both sides are told where no tunnel comes up.
fn refused(configs: [ConnectionConfig; 2]) -> [String; 2] {
    let mut net = Net::new(12, configs);
    net.run(ms(2500));
    assert_eq!([WEST, EAST].map(|end| net.ends[end].ike_sas().len()), [0, 0]);
    [WEST, EAST].map(|end| net.ends[end].failures().join("\n"))
}

#[test]
fn every_pair_of_wishes_about_a_ppk_ends_as_the_table_says() {
    let (red, must_red) = (key("red", 1, false), key("red", 1, true));
    let (blue, must_blue) = (key("blue", 1, false), key("blue", 1, true));
    for (west, east, expected) in [
        (&None, &None, Some(false)),
        (&red, &None, Some(false)),
        (&None, &red, Some(false)),
        (&red, &red, Some(true)),
        (&red, &must_red, Some(true)),
        (&must_red, &red, Some(true)),
        (&must_red, &must_red, Some(true)),
        (&red, &blue, Some(false)),
        (&must_red, &None, None),
        (&None, &must_red, None),
        (&must_red, &blue, None),
        (&red, &must_blue, None),
        (&must_red, &must_blue, None),
    ] {
        let configs = pair(secrets(), [west.clone(), east.clone()]);
        match expected {
            Some(used) => assert_eq!(in_use(configs), used, "{west:?} {east:?}"),
            None => drop(refused(configs)),
        }
    }
}

#[test]
fn a_ppk_goes_with_every_kind_of_proof_and_with_ml_kem() {
    let authority = Authority::new("test CA");
    let certificates = credential_pair(&authority, ["west.example", "east.example"]);
    for credentials in [secrets(), key_pairs(), certificates] {
        for required in [false, true] {
            for post_quantum in [PostQuantum::Off, PostQuantum::Require] {
                let ppks = [key("red", 1, required), key("red", 1, required)];
                let configs = pair(credentials.clone(), ppks);
                let configs = configs.map(|config| ConnectionConfig { post_quantum, ..config });
                assert!(in_use(configs), "{required} {post_quantum:?}");
            }
        }
        // The responder has another: NO_PPK_AUTH proves who the initiator is.
        let ppks = [key("red", 1, false), key("blue", 1, false)];
        assert!(!in_use(pair(credentials, ppks)));
    }
}

#[test]
fn both_sides_hear_why_a_ppk_keeps_them_apart() {
    let must = |id| key(id, 1, true);
    let [west, _] = refused(pair(secrets(), [must("red"), None]));
    assert!(west.contains("has no post-quantum pre-shared key for this side"), "{west}");
    let [west, east] = refused(pair(secrets(), [None, must("red")]));
    assert!(west.contains("AUTHENTICATION_FAILED"), "{west}");
    assert!(east.contains("has no post-quantum pre-shared key for this side"), "{east}");
    let [west, _] = refused(pair(secrets(), [must("red"), key("blue", 1, false)]));
    assert!(west.contains("AUTHENTICATION_FAILED"), "{west}");
    let [_, east] = refused(pair(secrets(), [key("red", 1, false), must("blue")]));
    assert!(east.contains("uses the post-quantum pre-shared key \"red\""), "{east}");
    assert!(east.contains("this side has \"blue\""), "{east}");
    for credentials in [secrets(), key_pairs()] {
        let [_, east] = refused(pair(credentials, [key("red", 1, false), key("red", 2, false)]));
        assert!(east.contains("or the post-quantum pre-shared key \"red\", differs"), "{east}");
    }
}

/// A responder that does without although it has the key, or is made to seem to, is not believed by
/// an initiator that requires it.
#[test]
fn taking_use_ppk_out_of_either_message_is_found_out() {
    for answer in [false, true] {
        let ppks = [key("red", 1, false), key("red", 1, false)];
        let configs = pair(secrets(), ppks).map(|config| ConnectionConfig {
            post_quantum: PostQuantum::Off,
            initiate: false,
            ..config
        });
        let mut net = Net::new(13, configs);
        net.filter = Some(Box::new(move |datagram, _| {
            let header = datagram.header();
            let is_init = header.exchange_type == ExchangeType::IKE_SA_INIT;
            !(is_init && header.flags.response == answer)
        }));
        net.at(WEST, |endpoint, at| endpoint.initiate(CONNECTION, at));
        for _ in 0..3 {
            net.run(ms(200));
            let stripped = net.log.iter().rev().find(|datagram| {
                let header = datagram.header();
                let is_init = header.exchange_type == ExchangeType::IKE_SA_INIT;
                is_init && header.flags.response == answer
            });
            let Some(stripped) = stripped.cloned() else { continue };
            net.deliver(without_use_ppk(stripped));
        }
        net.run(ms(300));
        assert!(net.ends.iter().all(|end| end.ike_sas().is_empty()), "{answer}");
        let failures: Vec<String> = net.ends.iter().flat_map(End::failures).collect();
        assert!(
            failures
                .iter()
                .any(|failure| failure.contains("differ") || failure.contains("does not name its")),
            "{failures:?}"
        );
    }
}

fn without_use_ppk(datagram: Datagram) -> Datagram {
    let mut message = Message::decode(datagram.message()).unwrap();
    message.payloads.retain(|payload| {
        !matches!(payload, Payload::Notify(notify) if notify.notify_type == NotifyType::USE_PPK)
    });
    Datagram { bytes: message.encode(), ..datagram }
}

#[test]
fn a_peer_that_says_use_ppk_and_names_no_key_is_refused() {
    let east = pair(secrets(), [None, key("red", 1, false)])[EAST].clone();
    let says = Payload::Notify(Notify::new(NotifyType::USE_PPK, []));
    let (mut peer, request) = RawPeer::half_open_with(east, &[says]);
    let answer = peer.deliver_and_open(&request).expect("an answer");
    let failed = Payload::Notify(Notify::new(NotifyType::AUTHENTICATION_FAILED, []));
    assert_eq!(answer, [failed]);
    assert!(!peer.is_up());
}
