//! Keys, AUTH and a sealed message against values computed by another implementation of HMAC,
//! Ed25519 and AES-GCM (Python's `hmac` and `cryptography`) from the formulas of RFC 7296 §2.14,
//! §2.15, §2.17, §2.18, RFC 5282 and RFC 7427.

use crate::crypto::secret::Secret;
use crate::crypto::sign::SigningKey;
use crate::ike::auth::{Signed, prove_now, verify_now};
use crate::ike::keys::{IkeKeys, Nonces, Secrets, Spis};
use crate::ike::*;
use crate::net::EspSpi;
use crate::wire::ike::{
    AuthMethod, Authentication, ExchangeType, Flags, Header, IkeSpi, MessageId,
};
use hex_literal::hex;

mod additional;

const SPIS: Spis = Spis { initiator: IkeSpi([1; 8]), responder: IkeSpi([2; 8]) };
const MESSAGE: &[u8] = b"init message";

fn nonces() -> Nonces {
    Nonces { initiator: (0..32).collect(), responder: (100..132).collect() }
}

fn keys(role: Role) -> IkeKeys {
    let suite = "aes256gcm16-prfsha384-curve25519".parse().unwrap();
    IkeKeys::initial(suite, &Secret::copy_of(&[0x11; 32]), &nonces(), SPIS, role).unwrap()
}

fn child_keymat(keys: &IkeKeys, shared: Option<&Secret>, role: Role) -> [Vec<u8>; 2] {
    let (suite, spis) = ("aes256gcm16".parse().unwrap(), (EspSpi(1000), EspSpi(2000)));
    let secrets = shared.cloned().map(Secrets::first).unwrap_or_default();
    let pair = keys.child_seed().keys(suite, spis, &secrets, &nonces(), role);
    assert_eq!((pair.inbound.spi, pair.outbound.spi), spis);
    [pair.inbound, pair.outbound].map(|keys| keys.keymat.as_bytes().to_vec())
}

#[test]
fn sk_pi_and_sk_pr() {
    let keys = keys(Role::Initiator);
    assert_eq!(
        keys.sk_pi.as_bytes(),
        hex!(
            "37c7a43885444cbd2f8276ff8f801cc82618b05b210a57a8"
            "41cfcab29a54174c2858dd81a6ac9a17982fd5cc6727e978"
        )
    );
    assert_eq!(
        keys.sk_pr.as_bytes(),
        hex!(
            "398aafd1752df6703a4a6b540a6276e040e4684e47d2fb19"
            "14477c931add10f04ebba1b391308e31967fae382c9a8fb4"
        )
    );
}

#[test]
fn child_keys_come_in_the_order_initiator_then_responder() {
    let from_initiator =
        hex!("523c6698b0332d539fc8ccb89e519ce0abea178d2c6b3e9f2b45588e7486f88595fde654");
    let from_responder =
        hex!("a0ac155a76d178878b07be2c6b66feab43a2b89b1aefc8ff673bf88f854fa9e70c01219b");
    let of_initiator = child_keymat(&keys(Role::Initiator), None, Role::Initiator);
    assert_eq!(of_initiator, [from_responder.to_vec(), from_initiator.to_vec()]);
    let of_responder = child_keymat(&keys(Role::Responder), None, Role::Responder);
    assert_eq!(of_responder, [from_initiator.to_vec(), from_responder.to_vec()]);
}

#[test]
fn child_keys_with_forward_secrecy_begin_with_the_shared_secret() {
    let shared = Secret::copy_of(&[0x33; 32]);
    let [from_initiator, _] = child_keymat(&keys(Role::Responder), Some(&shared), Role::Responder);
    assert_eq!(
        from_initiator,
        hex!("97db8ceb55ab4b68292ba46a1011eea06aeca7b4d29d21cd09fc26b773387b7b955a2126")
    );
}

#[test]
fn a_rekeyed_ike_sa_descends_from_sk_d() {
    let old = keys(Role::Initiator);
    let Nonces { initiator, responder } = nonces();
    let swapped = Nonces { initiator: responder, responder: initiator };
    let spis = Spis { initiator: IkeSpi([3; 8]), responder: IkeSpi([4; 8]) };
    let shared = Secret::copy_of(&[0x22; 32]);
    let new =
        old.rekeyed(old.suite, &Secrets::first(shared), &swapped, spis, Role::Initiator).unwrap();
    assert_eq!(
        new.sk_pi.as_bytes(),
        hex!("5e11a44abb61f9d525e4afe390ad296d1201630eafcf83c6" "12b726cd4b6320f7fcc021b071aa666706db8620aca1fca3")
    );
}

#[test]
fn an_empty_informational_request_is_sealed_octet_by_octet() {
    let flags = Flags { initiator: true, ..Flags::default() };
    let (initiator, responder) = (SPIS.initiator, SPIS.responder);
    let header =
        Header::new(initiator, responder, ExchangeType::INFORMATIONAL, flags, MessageId(2));
    let sealed = keys(Role::Initiator).seal.seal(&header, &[]);
    assert_eq!(
        sealed,
        hex!("010101010101010102020202020202022e2025080000000200000039" "0000001d0000000000000001" "9cf86d9588fb519298c011ec5be4d83cc8")
    );
    let opened = keys(Role::Responder).open.open(&sealed).unwrap();
    assert_eq!(opened.payloads().unwrap(), []);
}

/// By the same formulas, with SK_a in front of SK_e, AES-256-CBC and HMAC-SHA2-256-128.
#[test]
fn with_cbc_and_hmac_every_key_and_the_padding_has_its_place() {
    let keys = |role| {
        let suite = "aes256-sha256-curve25519".parse().unwrap();
        IkeKeys::initial(suite, &Secret::copy_of(&[0x11; 32]), &nonces(), SPIS, role).unwrap()
    };
    let mut initiator = keys(Role::Initiator);
    assert_eq!(
        initiator.sk_pi.as_bytes(),
        hex!("ce9d1fc25d4eff941df8eb91d13d1b455edc87014c139513d0a376a932bd2740")
    );
    let suite = "aes128-sha1".parse().unwrap();
    let spis = (EspSpi(1000), EspSpi(2000));
    let child =
        initiator.child_seed().keys(suite, spis, &Secrets::default(), &nonces(), Role::Initiator);
    assert_eq!(
        child.outbound.keymat.as_bytes(),
        hex!("2f2e36c2e32b027c944b4484bb56832ef45786d62782e139ef7c2f4a41b6c1a83c5ccaf1")
    );
    assert_eq!(
        child.inbound.keymat.as_bytes(),
        hex!("844ab2290aca16e447ead1e6cc80eb2c8226d8a4caf1f29bda3914aed09c1ad38a691269")
    );
    let flags = Flags { initiator: true, ..Flags::default() };
    let header = Header::new(
        SPIS.initiator,
        SPIS.responder,
        ExchangeType::INFORMATIONAL,
        flags,
        MessageId(2),
    );
    let sealed = initiator.seal.seal(&header, &[]);
    assert_eq!(
        sealed,
        hex!(
            "010101010101010102020202020202022e2025080000000200000050"
            "00000034 1d3be368921907ca59f8170f9f3f8c2d"
            "35239d02f044df842558573461a0a593 87875100664d928efead811d3f310d0f"
        )
    );
    assert_eq!(keys(Role::Responder).open.open(&sealed).unwrap().payloads().unwrap(), []);
    for bit in 0..sealed.len() * 8 {
        let mut forged = sealed.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert!(keys(Role::Responder).open.open(&forged).is_err(), "bit {bit}");
    }
}

fn check_auth(own: Credentials, peer: Credentials, expected: Authentication) {
    let (identity, keys) = (Identity::Fqdn("east-a".into()), keys(Role::Initiator));
    let nonce = nonces().responder;
    let prf = keys.suite.prf;
    let payload = identity.to_wire();
    let signed = |message| Signed {
        messages: vec![message],
        nonce: &nonce,
        identity: &payload,
        sk_p: &keys.sk_pi,
        prf,
        intermediate: Vec::new(),
    };
    let (signed, other) = (signed(MESSAGE), signed);
    assert_eq!(prove_now(&own, &signed), expected);
    assert_eq!(verify_now(&peer, &signed, &expected).unwrap().into_parts().0, identity);
    for bit in 0..expected.data.len() * 8 {
        let mut forged = expected.clone();
        forged.data[bit / 8] ^= 1 << (bit % 8);
        assert!(verify_now(&peer, &signed, &forged).is_err(), "bit {bit}");
    }
    for message in [&MESSAGE[1..], b"init messagf"] {
        assert!(verify_now(&peer, &other(message), &expected).is_err());
    }
}

#[test]
fn auth_by_pre_shared_key() {
    let psk = || Credentials::Psk(Secret::copy_of(b"secret"));
    let data = hex!(
        "fe2e086055edcfe54c8ad62d533ad10f9ea42088aac1f757"
        "839164732cc14d51535865afd27e0f54929503da4b724c84"
    );
    let method = AuthMethod::SHARED_KEY_MIC;
    check_auth(psk(), psk(), Authentication { method, data: data.to_vec() });
}

#[test]
fn auth_by_ed25519_signature() {
    let (own, other) = (SigningKey::from_seed(&[7; 32]), SigningKey::from_seed(&[8; 32]));
    let public = own.verifying_key();
    let data = hex!(
        "07 300506032b6570"
        "6c09caf99c2cd28ed231758421f32ff57487e0019fe7300c3738f5d7670094ad"
        "64218255a27841ebe3344f212c260c8647b77bc55f516c5c6351cff4e80da501"
    );
    let method = AuthMethod::DIGITAL_SIGNATURE;
    check_auth(
        Credentials::PublicKey { own, peer: other.verifying_key() },
        Credentials::PublicKey { own: other, peer: public },
        Authentication { method, data: data.to_vec() },
    );
}
