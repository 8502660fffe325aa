//! The same with additional key exchanges: RFC 9370 §2.2.2, §2.2.4, RFC 9242 §3.3.2, and both
//! IKE_SA_INIT messages under AUTH.

use super::*;
use crate::crypto::digest::sha256;
use crate::ike::fragments::{Fragmentation, Reassembly};
use crate::ike::transcript::Transcript;
use crate::time::Timestamp;
use crate::wire::ike::{KeyExchange, KeyExchangeMethod, Payload, covered};

fn secret(octet: u8) -> Secret {
    Secret::copy_of(&[octet; 32])
}

fn updated(keys: &IkeKeys, octet: u8) -> IkeKeys {
    keys.updated(secret(octet), &nonces(), SPIS, Role::Initiator).unwrap()
}

#[test]
fn every_ike_intermediate_makes_keys_of_those_before() {
    let first = updated(&keys(Role::Initiator), 0x44);
    assert_eq!(
        first.sk_pi.as_bytes(),
        hex!(
            "d638f10c469a31e64b88bc210add0b4023a60bbed6cb8c52"
            "85edd5026aed9233b20064a4cb1333be332a5796de9a808b"
        )
    );
    assert_eq!(
        updated(&first, 0x45).sk_pi.as_bytes(),
        hex!(
            "390eccb66deea8bcd397b3c8de6c49d51e2de127c078e1bc"
            "4c9c78053a401cd863ebe9b6e1df6d014f0aa0a6e85835c0"
        )
    );
}

#[test]
fn secrets_of_ike_followup_ke_come_after_the_nonces() {
    let old = keys(Role::Initiator);
    let Nonces { initiator, responder } = nonces();
    let swapped = Nonces { initiator: responder, responder: initiator };
    let spis = Spis { initiator: IkeSpi([3; 8]), responder: IkeSpi([4; 8]) };
    let mut secrets = Secrets::first(secret(0x22));
    secrets.push(secret(0x55));
    let new = old.rekeyed(old.suite, &secrets, &swapped, spis, Role::Initiator).unwrap();
    assert_eq!(
        new.sk_pi.as_bytes(),
        hex!(
            "632680fe416260a4a446a8ba2af4a91d297d3e0b080818ab"
            "ad80ac768030899c6e9c3c14110494813d4ebcfa5eb9cc47"
        )
    );
    let mut secrets = Secrets::first(secret(0x33));
    secrets.push(secret(0x66));
    secrets.push(secret(0x67));
    let (suite, spis) = ("aes256gcm16".parse().unwrap(), (EspSpi(1000), EspSpi(2000)));
    let seed = old.child_seed();
    let child = seed.keys(suite, spis, &secrets, &nonces(), Role::Initiator);
    assert_eq!(
        child.outbound.keymat.as_bytes(),
        hex!("7f9977a0e0f91465f7caf5e4e82209d7731d7466f4d90d3a29ed322bebfd53532391048a")
    );
}

fn header(id: u32, response: bool) -> Header {
    let flags = Flags { initiator: !response, response, version: false };
    let exchange = ExchangeType::IKE_INTERMEDIATE;
    Header::new(SPIS.initiator, SPIS.responder, exchange, flags, MessageId(id))
}

fn exchange(octet: u8, len: usize) -> [Payload; 1] {
    let (method, data) = (KeyExchangeMethod::ML_KEM_768, vec![octet; len]);
    [Payload::KeyExchange(KeyExchange { method, data })]
}

#[test]
fn auth_covers_every_ike_intermediate_and_both_messages_of_ike_sa_init() {
    let (first, request, response) =
        (keys(Role::Initiator), b"init request".to_vec(), b"init response".to_vec());
    let second = updated(&first, 0x44);
    let last = updated(&second, 0x45);
    let mut transcript = Transcript::new(request, response, true);
    for (id, keys) in [(1, &first), (2, &second)] {
        let request = covered(&header(id, false), &exchange(0xa0 + id as u8, 40));
        let response = covered(&header(id, true), &exchange(0xb0 + id as u8, 30));
        transcript.on_intermediate(keys, &request, &response);
    }
    let identity = Identity::Fqdn("east-a".into()).to_wire();
    let nonces = nonces();
    let signed = transcript.signed(Role::Initiator, last.proving(None), &nonces, &identity);
    assert_eq!(
        sha256(&[&signed.intermediate]),
        hex!("82219ad199c6f43516d81c8921e48b8669a0190639da9941350faac5b0752246")
    );
    let auth = prove_now(&Credentials::Psk(Secret::copy_of(b"secret")), &signed);
    assert_eq!(
        auth.data,
        hex!(
            "64a2c9df3977af971c975f75a94027c2de6b32effeb57878"
            "76151fe441a44d0f6905efcd2ad4795b1bcf792a963009ee"
        )
    );
}

/// RFC 9242 §3.3.2: fragments change nothing about it.
#[test]
fn what_auth_covers_of_a_message_is_the_same_in_fragments() {
    let (mut sender, receiver) = (keys(Role::Initiator), keys(Role::Responder));
    let (header, payloads) = (header(1, false), exchange(7, 1184));
    let expected = covered(&header, &payloads);
    let remote = "192.0.2.1:4500".parse().unwrap();
    for agreed in [false, true] {
        let fragmentation = Fragmentation::agreed(agreed);
        let sealed = fragmentation.seal(&mut sender.seal, &header, &payloads, remote);
        assert_eq!(sealed.datagrams().count() > 1, agreed);
        let (mut all, now) = (Reassembly::default(), Timestamp::ZERO);
        let opened = sealed.datagrams().filter_map(|datagram| {
            all.open(&receiver.open, agreed, datagram, now).expect("authentic")
        });
        assert_eq!(opened.last().expect("whole").covered(), expected);
    }
}
