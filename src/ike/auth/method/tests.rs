use super::*;
use crate::pki::samples::{Authority, Leaf};

fn key(algorithm: &'static rcgen::SignatureAlgorithm) -> PrivateKey {
    Authority::new("CA").issue(Leaf { algorithm, ..Leaf::of(&["a.example"]) }).key
}

fn choose_any(key: &PrivateKey, peer: PeerHashes) -> Result<Scheme, AuthFailure> {
    choose(key, &key.algorithms(), peer)
}

fn hashes(numbers: &[u8]) -> PeerHashes {
    let data: Vec<u8> = numbers.iter().flat_map(|number| [0, *number]).collect();
    PeerHashes::of(Payloads(&[notify(NotifyType::SIGNATURE_HASH_ALGORITHMS, data)]))
}

/// RFC 7427 §4: a signature uses a hash that its verifier has named; RFC 4754 without.
#[test]
fn a_signature_is_one_that_the_peer_verifies() {
    let (p256, p384) = (&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384);
    let unaware = PeerHashes::of(Payloads(&[]));
    let digital = AuthMethod::DIGITAL_SIGNATURE;
    for (algorithm, peer, method) in [
        (p256, hashes(&[2, 3]), Ok(digital)),
        (p384, hashes(&[2, 3]), Ok(digital)),
        (p256, hashes(&[3]), Err(AuthFailure::NoCommonHash)),
        (p384, hashes(&[2, 5]), Err(AuthFailure::NoCommonHash)),
        (p256, unaware, Ok(AuthMethod::ECDSA_SHA2_256_P256)),
        (p384, unaware, Ok(AuthMethod::ECDSA_SHA2_384_P384)),
        (&rcgen::PKCS_ED25519, hashes(&[5]), Ok(digital)),
        (&rcgen::PKCS_ED25519, hashes(&[2]), Err(AuthFailure::NoEd25519)),
        (&rcgen::PKCS_ED25519, unaware, Err(AuthFailure::NoEd25519)),
    ] {
        assert_eq!(choose_any(&key(algorithm), peer).map(|scheme| scheme.method), method);
    }
}

/// r and s of methods 9 and 10 are as long as the order of the curve (RFC 4754 §3), whatever
/// zeros they begin with.
#[test]
fn ecdsa_signatures_change_their_form_without_loss() {
    let mut short = vec![0; 31];
    short.push(1);
    let mut high = vec![0xff; 32];
    high[31] = 0;
    for (r, s) in [(short.clone(), high.clone()), (high.clone(), short), (vec![0x7f; 32], high)] {
        let der = der(&r, &s);
        assert_eq!(fixed(&der, 32), Some([r, s].concat()));
        for cut in 0..der.len() {
            assert_eq!(fixed(&der[..cut], 32), None, "cut at {cut}");
        }
    }
    assert_eq!(fixed(&der(&[1; 33], &[1; 33]), 32), None);
}

#[test]
fn every_scheme_reads_back_and_verifies() {
    for algorithm in
        [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519]
    {
        let key = key(algorithm);
        for peer in [hashes(&[2, 3, 4, 5]), PeerHashes::of(Payloads(&[]))] {
            let Ok(scheme) = choose_any(&key, peer) else { continue };
            let signature = key.sign(scheme.algorithm, b"octets").unwrap();
            let auth = scheme.payload(&signature).unwrap();
            assert_eq!(read(&auth), Ok((scheme.algorithm, signature)));
            // Behind its algorithm a signature may have any length.
            let named = 1 + usize::from(auth.data[0]);
            let digital = auth.method == AuthMethod::DIGITAL_SIGNATURE;
            for cut in 0..if digital { named } else { auth.data.len() } {
                let data = auth.data[..cut].to_vec();
                assert!(read(&Authentication { data, ..auth.clone() }).is_err(), "cut at {cut}");
            }
        }
    }
}

#[test]
fn other_methods_are_named() {
    let of = |method| read(&Authentication { method, data: vec![1; 64] });
    let wanted = AuthMethod::DIGITAL_SIGNATURE;
    for used in [AuthMethod::SHARED_KEY_MIC, AuthMethod::RSA_DIGITAL_SIGNATURE, AuthMethod::NULL] {
        assert_eq!(of(used), Err(AuthFailure::Method { used, wanted }));
    }
}
