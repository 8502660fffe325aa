use super::*;
use hex_literal::hex;

/// RFC 7427, appendix A: A.1.2, A.3.2, A.3.3, A.4.3; RFC 8410 §3.
#[test]
fn identifiers_are_those_of_the_rfcs() {
    let known: [(Algorithm, &[u8]); 5] = [
        (Algorithm::RsaPkcs1(Hash::Sha256), &hex!("300d06092a864886f70d01010b0500")),
        (Algorithm::Ecdsa(Hash::Sha256), &hex!("300a06082a8648ce3d040302")),
        (Algorithm::Ecdsa(Hash::Sha384), &hex!("300a06082a8648ce3d040303")),
        (
            Algorithm::RsaPss(Hash::Sha256),
            &hex!(
                "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a86"
                "4886f70d010108300d06096086480165030402010500a203020120"
            ),
        ),
        (Algorithm::Ed25519, &hex!("300506032b6570")),
    ];
    for (algorithm, identifier) in known {
        assert_eq!(identifier_of(algorithm).as_deref(), Some(identifier), "{algorithm}");
        assert_eq!(algorithm_of(identifier), Some(algorithm));
    }
}

#[test]
fn every_algorithm_reads_back_from_its_identifier() {
    for algorithm in all().filter(|&algorithm| algorithm != Algorithm::Ecdsa(Hash::Sha512)) {
        let identifier = identifier_of(algorithm).unwrap();
        assert_eq!(algorithm_of(&identifier), Some(algorithm));
        for cut in 0..identifier.len() {
            assert_eq!(algorithm_of(&identifier[..cut]), None);
        }
    }
    assert_eq!(identifier_of(Algorithm::Ecdsa(Hash::Sha512)), None);
}

/// RFC 4055 §5: "Implementations MUST accept the parameters being absent as well as present."
#[test]
fn rsa_without_parameters_is_rsa() {
    let absent = hex!("300b06092a864886f70d01010b");
    assert_eq!(algorithm_of(&absent), Some(Algorithm::RsaPkcs1(Hash::Sha256)));
}

/// sha1WithRSAEncryption (RFC 7427 appendix A.1.1) and ecdsa-with-SHA1 (A.3.1).
#[test]
fn sha1_is_not_verified() {
    assert_eq!(algorithm_of(&hex!("300d06092a864886f70d0101050500")), None);
    assert_eq!(algorithm_of(&hex!("300906072a8648ce3d0401")), None);
}
