//! Vectors of Wycheproof (`mlkem_*_test.json`, "based on official round 3 seeds 0"), with digests in
//! place of what is long. The message is the one that NIST's known answers have for that seed.

use super::*;
use crate::crypto::digest::sha256;
use crate::crypto::kex::KeyExchange;
use hex_literal::hex;

const SEED: [u8; 64] = hex!(
    "7c9935a0b07694aa0c6d10e4db6b1add2fd81a25ccb148032dcd739936737f2d"
    "8626ed79d451140800e03b59b956f8210e556067407d13dc90fa9e8b872bfb8f"
);
const MESSAGE: [u8; 32] = hex!("147c03f7a5bebba406c8fae1874d7f13c80efe79a3a9a874cc09fe76f6997615");

/// Digests of encapsulation key and ciphertext, and the secret.
const ANSWERS: [(Kem, [[u8; 32]; 3]); 3] = [
    (
        Kem::MlKem512,
        [
            hex!("852523749efd2b78d1074e5de629060312cd9397933a19ddb7482cfda5e92614"),
            hex!("bc29d7df8bc5465d980601d800259793e2603825a572da6cd198a512cc6d1a34"),
            hex!("319839e82ab6b222de7b619e80da8391522bbb37677018494a4742c53f9abfdf"),
        ],
    ),
    (
        Kem::MlKem768,
        [
            hex!("86adbca81f4fee893e2fb58fb98aa2fe188f501fed268d7f4056f8c05c4e53c4"),
            hex!("36829a2f35cbf4deb62c0a12a15c22dae9f8d2c252566fc24f88abe805cb575e"),
            hex!("e7184a0975ee3470878d2d159ec83129c8aec253d4ee17b4810311d198cd0368"),
        ],
    ),
    (
        Kem::MlKem1024,
        [
            hex!("61b95ec8c32ae85ad7a17ae5b9c2dfb083e05f767da3ba9a0a8092ea6b4cbf7a"),
            hex!("508136a13f8a7920e3434498c6975cbbab457d809309eb2f92453e7409738210"),
            hex!("489dd1e9c2be4af3482bdb35bb26ce760e6e414da6ecbe489985748a825f1cd6"),
        ],
    ),
];

fn opened_by(kem: Kem, seed: Seed, ciphertext: &[u8]) -> Option<Secret> {
    of!(kem, decapsulate(seed, ciphertext))
}

#[test]
fn wycheproof_keys_ciphertexts_and_secrets() {
    for (kem, [key_digest, ciphertext_digest, secret]) in ANSWERS {
        let seed = Seed::from(SEED);
        let key = of!(kem, public_of(seed));
        assert_eq!((key.len(), sha256(&[&key])), (kem.lengths().0, key_digest), "{kem:?}");
        let (ciphertext, shared) = encapsulate_with(kem, &B32::from(MESSAGE), &key).unwrap();
        assert_eq!(sha256(&[&ciphertext]), ciphertext_digest, "{kem:?}");
        assert_eq!((ciphertext.len(), shared.as_bytes()), (kem.lengths().1, &secret[..]));
        let opened = opened_by(kem, seed, &ciphertext).unwrap();
        assert_eq!(opened.as_bytes(), secret);
    }
}

#[test]
fn both_halves_of_a_key_exchange_agree_and_depend_on_their_seeds() {
    for group in Group::KEMS {
        let ours = |seed| KeyExchange::from_seed(group, &[seed; 32]).unwrap();
        assert_eq!(ours(1).public().len(), group.public_len());
        let (answer, theirs) = KeyExchange::respond(group, &[2; 32], ours(1).public()).unwrap();
        assert_eq!(answer.len(), group.answer_len());
        assert!(ours(1).agree(&answer).unwrap().ct_eq(&theirs));
        assert!(!ours(3).agree(&answer).unwrap().ct_eq(&theirs), "another private key");
        let private = ours(1).private().unwrap();
        let resumed = KeyExchange::from_private(group, &private).unwrap();
        assert!(resumed.agree(&answer).unwrap().ct_eq(&theirs));
        let other = KeyExchange::respond(group, &[4; 32], ours(1).public()).unwrap();
        assert!(other.0 != answer && !other.1.ct_eq(&theirs), "another chance");
    }
}

/// FIPS 203 §7.2: every coefficient is below the modulus.
#[test]
fn encapsulation_keys_beyond_the_modulus_and_of_other_lengths_are_refused() {
    for group in Group::KEMS {
        let key = KeyExchange::from_seed(group, &[1; 32]).unwrap().public().to_vec();
        let mut beyond = key.clone();
        (beyond[0], beyond[1]) = (0xff, beyond[1] | 0x0f);
        let refused = KeyExchange::respond(group, &[2; 32], &beyond).unwrap_err();
        assert_eq!(refused, KexError::PublicValue(group));
        let needed = group.public_len();
        for given in [0, 32, needed - 1, needed + 1] {
            let refused = KeyExchange::respond(group, &[2; 32], &vec![0; given]).unwrap_err();
            assert_eq!(refused, KexError::Length { group, needed, given });
        }
    }
}

#[test]
fn a_changed_ciphertext_gives_another_secret_and_one_of_another_length_none() {
    let group = Group::MlKem768;
    let ours = || KeyExchange::from_seed(group, &[1; 32]).unwrap();
    let (mut answer, theirs) = KeyExchange::respond(group, &[2; 32], ours().public()).unwrap();
    let (needed, given) = (group.answer_len(), 3);
    let refused = ours().agree(&answer[..given]).unwrap_err();
    assert_eq!(refused, KexError::Length { group, needed, given });
    answer[7] ^= 1;
    assert!(!ours().agree(&answer).unwrap().ct_eq(&theirs));
}
