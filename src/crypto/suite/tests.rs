//! Tests of the names of suites.

use super::*;

#[test]
fn every_default_survives_text_and_serde() {
    for suite in DEFAULT_IKE_SUITES.iter() {
        assert_eq!(suite.to_string().parse(), Ok(*suite));
        let json = serde_json::to_string(suite).unwrap();
        assert_eq!(serde_json::from_str::<IkeSuite>(&json).unwrap(), *suite);
    }
    for suite in default_esp_suites(&DEFAULT_IKE_SUITES) {
        assert_eq!(suite.to_string().parse(), Ok(suite));
        let json = serde_json::to_string(&suite).unwrap();
        assert_eq!(serde_json::from_str::<EspSuite>(&json).unwrap(), suite);
    }
}

#[test]
fn pfs_follows_what_the_ike_sa_may_be_agreed_with() {
    let ike = ["aes256gcm16-prfsha384-ecp384", "aes128gcm16-prfsha256-ecp256"];
    let ike = ike.map(|text| text.parse().unwrap());
    let suites = default_esp_suites(&ike);
    let words: Vec<String> = suites.iter().map(ToString::to_string).collect();
    assert_eq!(
        words[..3],
        ["aes256gcm16-ecp384-esn", "aes256gcm16-ecp256-esn", "aes256gcm16-ecp384"]
    );
    assert!(words.contains(&"chacha20poly1305-ecp256".to_owned()));
    assert!(words.contains(&"aes256gcm16-esn".to_owned()), "and none at all");
    assert!(suites.iter().all(|suite| suite.group != Some(Group::Curve25519)));
}

#[test]
fn nothing_weak_is_a_default_and_everything_else_is_but_ecp521() {
    let esp_defaults = default_esp_suites(&DEFAULT_IKE_SUITES);
    for cipher in Cipher::all() {
        for group in Group::DIFFIE_HELLMAN {
            let unasked = |weakness: Option<Weakness>| weakness.is_none() && group != Group::Ecp521;
            for prf in Prf::ALL {
                let suite = IkeSuite { cipher, prf, group };
                let is_default = DEFAULT_IKE_SUITES.contains(&suite);
                assert_eq!(is_default, unasked(suite.weakness()), "{suite}");
            }
            for esn in [false, true] {
                let suite = EspSuite { cipher, esn, group: Some(group) };
                assert_eq!(esp_defaults.contains(&suite), unasked(suite.weakness()), "{suite}");
            }
        }
    }
    let weak = |text: &str| text.parse::<IkeSuite>().unwrap().weakness();
    assert_eq!(weak("aes128-sha1-prfsha256-modp2048"), Some(Weakness::Sha1));
    assert_eq!(weak("aes128-sha256-prfsha1-modp2048"), Some(Weakness::Sha1));
    assert_eq!(weak("aes256gcm16-prfsha256-modp1536"), Some(Weakness::ShortGroup));
}

/// RFC 8221 §5 and §6, RFC 8247 §2: neither we nor an operator can ask for it.
#[test]
fn what_must_not_be_used_is_no_word() {
    for cipher in ["des", "3des", "null", "blowfish128", "idea", "cast128"] {
        let text = format!("{cipher}-sha256-modp2048");
        assert!(text.parse::<IkeSuite>().is_err() && text.parse::<EspSuite>().is_err(), "{text}");
    }
    for integrity in ["md5", "md5_128", "desmac", "kpdk"] {
        let text = format!("aes256-{integrity}-modp2048");
        assert!(text.parse::<IkeSuite>().is_err() && text.parse::<EspSuite>().is_err(), "{text}");
    }
    for group in ["modp768", "modp1024s160", "modp2048s224", "modp2048s256"] {
        assert!(format!("aes256-sha256-{group}").parse::<IkeSuite>().is_err(), "{group}");
    }
    assert!("aes256-sha256-prfmd5-modp2048".parse::<IkeSuite>().is_err());
    assert!("aes256-sha256-modp2048".parse::<IkeSuite>().is_ok(), "and this is a suite");
}

#[test]
fn names_are_those_of_strongswan() {
    let ike = IkeSuite {
        cipher: AeadAlgorithm::Aes256Gcm16.into(),
        prf: Prf::HmacSha384,
        group: Group::Curve25519,
    };
    assert_eq!(ike.to_string(), "aes256gcm16-prfsha384-curve25519");
    for text in [
        "aes256gcm16-prfsha384-x25519",
        "AES256GCM16-PRFSHA384-CURVE25519",
        "aes256gcm-prfsha384-curve25519",
        " curve25519-prfsha384-aes256gcm16 ",
    ] {
        assert_eq!(text.parse(), Ok(ike), "{text}");
    }
}

#[test]
fn cbc_comes_with_integrity_and_its_prf_goes_without_saying() {
    let cipher = Cipher::CbcHmac(CbcAlgorithm::Aes256Cbc, Integrity::HmacSha256_128);
    let ike = IkeSuite { cipher, prf: Prf::HmacSha256, group: Group::Ecp256 };
    for text in ["aes256-sha256-ecp256", "aes256-sha256-prfsha256-ecp256", "sha256-ecp256-aes256"] {
        assert_eq!(text.parse(), Ok(ike), "{text}");
    }
    assert_eq!(ike.to_string(), "aes256-sha256-ecp256");
    let other_prf = IkeSuite { prf: Prf::HmacSha384, ..ike };
    assert_eq!(other_prf.to_string(), "aes256-sha256-prfsha384-ecp256");
    assert_eq!(other_prf.to_string().parse(), Ok(other_prf));
    let esp = EspSuite { cipher, esn: true, group: Some(Group::Ecp384) };
    assert_eq!("aes256-sha256-ecp384-esn".parse(), Ok(esp));
    assert_eq!(esp.to_string(), "aes256-sha256-ecp384-esn");
}

#[test]
fn every_suite_of_ciphers_prfs_and_groups_survives_text() {
    for cipher in Cipher::all() {
        for group in Group::DIFFIE_HELLMAN {
            for prf in Prf::ALL {
                let suite = IkeSuite { cipher, prf, group };
                assert_eq!(suite.to_string().parse(), Ok(suite));
            }
            for esn in [false, true] {
                let suite = EspSuite { cipher, esn, group: Some(group) };
                assert_eq!(suite.to_string().parse(), Ok(suite));
            }
        }
    }
}

#[test]
fn esn_and_pfs_are_optional_words() {
    let parse = |text: &str| text.parse::<EspSuite>().unwrap();
    let cipher = AeadAlgorithm::ChaCha20Poly1305.into();
    let plain = EspSuite { cipher, esn: false, group: None };
    assert_eq!(parse("chacha20poly1305"), plain);
    assert_eq!(parse("chacha20poly1305-noesn"), plain);
    assert_eq!(parse("chacha20poly1305-esn"), EspSuite { esn: true, ..plain });
    let with_pfs = EspSuite { group: Some(Group::Ecp384), esn: true, ..plain };
    assert_eq!(parse("chacha20poly1305-ecp384-esn"), with_pfs);
    assert_eq!(with_pfs.to_string(), "chacha20poly1305-ecp384-esn");
}

#[test]
fn a_misspelt_word_names_the_nearest() {
    let error = "aes265gcm16-prfsha384-curve25519".parse::<IkeSuite>().unwrap_err();
    assert!(error.to_string().contains("did you mean \"aes256gcm16\"?"), "{error}");
    let error = "aes256gcm16-curve25591".parse::<EspSuite>().unwrap_err();
    assert!(error.to_string().contains("did you mean \"curve25519\"?"), "{error}");
    let error = "aes256gcm16-prfsha384-brainpool".parse::<IkeSuite>().unwrap_err();
    assert!(error.to_string().contains("\"brainpool\""), "{error}");
    assert!(!error.to_string().contains("did you mean"), "{error}");
    assert!(error.to_string().contains("ecp384"), "{error}");
}

#[test]
fn missing_and_doubled_words_are_named() {
    let error = "aes256gcm16-curve25519".parse::<IkeSuite>().unwrap_err();
    assert!(error.to_string().contains("lacks a PRF"), "{error}");
    let error = "prfsha256-curve25519".parse::<IkeSuite>().unwrap_err();
    assert!(error.to_string().contains("lacks a cipher"), "{error}");
    let error = "aes256gcm16-aes128gcm16".parse::<EspSuite>().unwrap_err();
    assert!(error.to_string().contains("names the cipher twice"), "{error}");
    let error = "aes256-ecp256".parse::<EspSuite>().unwrap_err();
    assert!(error.to_string().contains("lacks an integrity algorithm"), "{error}");
    let error = "aes256gcm16-sha384-ecp384".parse::<IkeSuite>().unwrap_err();
    assert!(error.to_string().contains("leave sha384 out"), "{error}");
    let error = "aes256-sha256-sha1".parse::<EspSuite>().unwrap_err();
    assert!(error.to_string().contains("names the integrity algorithm twice"), "{error}");
    assert!("".parse::<EspSuite>().is_err());
    assert!("aes256gcm16-prfsha256".parse::<EspSuite>().is_err());
    assert!("aes256gcm16-prfsha256-curve25519-esn".parse::<IkeSuite>().is_err());
}
