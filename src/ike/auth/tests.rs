use super::super::job::Done;
use super::super::payloads::Payloads;
use super::*;
use crate::crypto::sign::SigningKey;
use crate::time::WallTime;
use crate::wire::ike::NotifyType;

fn psk(text: &str) -> Credentials {
    Credentials::Psk(Secret::copy_of(text.as_bytes()))
}

fn keys(own: u8, peer: u8) -> Credentials {
    let key = |seed| SigningKey::from_seed(&[seed; 32]);
    Credentials::PublicKey { own: key(own), peer: key(peer).verifying_key() }
}

/// A peer that verifies all that we do.
fn any_hash() -> PeerHashes {
    PeerHashes::of(Payloads(&[hash_algorithms()]))
}

/// Our own AUTH payload, signed on the spot.
pub(crate) fn prove_now(credentials: &Credentials, signed: &Signed<'_>) -> Authentication {
    match prove(credentials, signed, any_hash()) {
        Ok(Proof::Made(proof)) => proof,
        Ok(Proof::ToSign(work)) => match work.run() {
            Done::Signed(proof) => proof.expect("the key signs"),
            other => panic!("a signature is asked for, not {other:?}"),
        },
        Err(failure) => panic!("{failure}"),
    }
}

/// Checks the peer's AUTH payload on the spot.
pub(crate) fn verify_now(
    credentials: &Credentials,
    signed: &Signed<'_>,
    auth: &Authentication,
) -> Result<Authenticated, AuthFailure> {
    let shown = Shown::in_payloads(Payloads(&[]), WallTime::SIMULATED);
    match examine(credentials, signed, auth, &shown) {
        Verdict::Known(result) => result,
        Verdict::ToVerify(claim) => match Claim::work([&claim], signed, auth).unwrap().run() {
            Done::Verified(found) => claim.settle(found.into_iter().next()),
            other => panic!("a verification is asked for, not {other:?}"),
        },
    }
}

/// Runs `check` with what one side signs.
fn with_signed(message: &[u8], check: impl FnOnce(&Signed<'_>)) {
    let identity = Identity::Fqdn("west.example".into()).to_wire();
    let sk_p = Secret::copy_of(&[3; 32]);
    let prf = Prf::HmacSha256;
    check(&Signed {
        messages: vec![message],
        nonce: &[4; 32],
        identity: &identity,
        sk_p: &sk_p,
        prf,
        intermediate: Vec::new(),
    });
}

#[test]
fn a_proof_verifies_with_the_matching_credentials_only() {
    with_signed(b"message", |signed| {
        for (ours, theirs) in [(psk("one"), psk("one")), (keys(1, 2), keys(2, 1))] {
            let proof = prove_now(&ours, signed);
            assert!(verify_now(&theirs, signed, &proof).is_ok());
        }
        let mismatch = verify_now(&psk("two"), signed, &prove_now(&psk("one"), signed));
        assert!(matches!(mismatch, Err(AuthFailure::PskMismatch(_))));
        let bad = verify_now(&keys(2, 9), signed, &prove_now(&keys(1, 2), signed));
        assert!(matches!(bad, Err(AuthFailure::BadSignature(_))));
        let method = verify_now(&keys(2, 1), signed, &prove_now(&psk("one"), signed));
        assert!(matches!(method, Err(AuthFailure::Method { .. })));
    });
}

#[test]
fn reserved_octets_of_the_identity_are_covered_as_they_stand() {
    with_signed(b"message", |signed| {
        let proof = prove_now(&psk("one"), signed);
        let identity = Identification { reserved: [0, 0, 1], ..signed.identity.clone() };
        let odd = Signed {
            messages: signed.messages.clone(),
            intermediate: Vec::new(),
            identity: &identity,
            ..*signed
        };
        assert!(verify_now(&psk("one"), &odd, &proof).is_err());
        assert!(verify_now(&psk("one"), &odd, &prove_now(&psk("one"), &odd)).is_ok());
    });
}

#[test]
fn a_proof_does_not_fit_another_message() {
    for (ours, theirs) in [(psk("one"), psk("one")), (keys(1, 2), keys(2, 1))] {
        let mut proof = None;
        with_signed(b"message", |signed| proof = Some(prove_now(&ours, signed)));
        let proof = proof.expect("made above");
        with_signed(b"massage", |signed| assert!(verify_now(&theirs, signed, &proof).is_err()));
    }
}

#[test]
fn every_change_to_a_proof_is_noticed() {
    with_signed(b"message", |signed| {
        let proof = prove_now(&keys(1, 2), signed);
        for index in 0..proof.data.len() {
            let mut changed = proof.clone();
            changed.data[index] ^= 1;
            assert!(verify_now(&keys(2, 1), signed, &changed).is_err(), "octet {index}");
            changed.data.truncate(index);
            assert!(verify_now(&keys(2, 1), signed, &changed).is_err(), "cut at {index}");
        }
    });
}

#[test]
fn a_signature_stands_behind_the_algorithm_identifier_of_ed25519() {
    with_signed(b"message", |signed| {
        let proof = prove_now(&keys(1, 2), signed);
        assert_eq!(proof.method, AuthMethod::DIGITAL_SIGNATURE);
        assert_eq!(proof.data[..8], [7, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70]);
        assert_eq!(proof.data.len(), 8 + 64);
    });
}

#[test]
fn another_signature_algorithm_is_named_as_the_reason() {
    with_signed(b"message", |signed| {
        // ecdsa-with-SHA256, RFC 7427 appendix A.3.2
        let ecdsa = [12, 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02, 1];
        let auth = Authentication { method: AuthMethod::DIGITAL_SIGNATURE, data: ecdsa.to_vec() };
        let refused = verify_now(&keys(2, 1), signed, &auth);
        assert!(matches!(refused, Err(AuthFailure::SignatureAlgorithm)));
    });
}

#[test]
fn a_signature_is_only_shown_to_who_can_verify_it() {
    assert_eq!(can_prove(&keys(1, 2), any_hash()), Ok(()));
    let sha2 =
        [super::super::payloads::notify(NotifyType::SIGNATURE_HASH_ALGORITHMS, [0, 2, 0, 3])];
    let sha2 = PeerHashes::of(Payloads(&sha2));
    assert_eq!(can_prove(&keys(1, 2), sha2), Err(AuthFailure::NoEd25519));
    assert_eq!(can_prove(&psk("one"), sha2), Ok(()));
}
