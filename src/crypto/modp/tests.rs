//! Against Python's integers and primes computed from the formula of RFC 3526 with the digits of π.

use super::*;
use crate::crypto::digest::sha256;
use hex_literal::hex;

/// The octets `first`, `first` + 1, …
fn exponent(first: u8) -> [u8; EXPONENT_LEN] {
    std::array::from_fn(|at| first + at as u8)
}

/// A prime as octets, plus or minus something small.
fn near_prime<const LIMBS: usize>(prime: &Prime<LIMBS>, offset: i8) -> Vec<u8> {
    let small = Uint::from_u8(offset.unsigned_abs());
    let prime = prime.modulus().get();
    let value = if offset < 0 { prime.wrapping_sub(&small) } else { prime.wrapping_add(&small) };
    value.to_be_bytes().as_ref().to_vec()
}

#[test]
fn public_values_and_secrets_are_those_of_another_implementation() {
    for (group, public, secret) in [
        (
            &MODP_1024,
            hex!("a12c20cb5e4b8edfa84498bab2f7e3a4b09fde5c1f9479742f8d0f81a2514239"),
            hex!("0e1265ecf393f0433aa5c708c7437cbcf49c2eef3c8650a709ea7cf9dceef4ae"),
        ),
        (
            &MODP_1536,
            hex!("8e71b3ba2f9b465d2cadbf2d178c88de405584aaefab314c773a6cd5ba577feb"),
            hex!("21db498333dabf5cc3ed839fca270aa84967c68f07266fc81441491c3ef75b7d"),
        ),
        (
            &MODP_2048,
            hex!("8df3eee583501a45e5af58f33dfa2e7e3f338a3203e6b6628aedc4dc348a216e"),
            hex!("78870cdf3d7be7ab6e8e60d986bc2513e796af4922395dbc4d35edee2b9e1327"),
        ),
        (
            &MODP_3072,
            hex!("f8034e693b0a0959c41f8b2205abd41de0718788eb3b59e2de259b63279f8757"),
            hex!("6ef0389d1540cd9034d79efe804ebde7f4dc39b1dcf7ea0005655bbb59ff0918"),
        ),
        (
            &MODP_4096,
            hex!("98c3085677538ebfdd402b16495acba6e957e790870ccdca22443050c2fe4768"),
            hex!("fff4dd12284c3c42d4a770ace6144af763af505d0df2b5ad77043dbdd1d459e8"),
        ),
    ] {
        let theirs = group.public(&exponent(101));
        assert_eq!(sha256(&[&group.public(&exponent(1))]), public);
        let shared = group.agree(&exponent(1), &theirs).unwrap();
        assert_eq!((shared.len(), sha256(&[shared.as_bytes()])), (group.len(), secret));
        let ours = group.public(&exponent(1));
        assert_eq!(group.agree(&exponent(101), &ours), Some(shared));
    }
}

#[test]
fn a_secret_with_a_zero_in_front_keeps_it() {
    let mut exponent = [0; EXPONENT_LEN];
    exponent[EXPONENT_LEN - 2..].copy_from_slice(&818_u16.to_be_bytes());
    let theirs = MODP_2048.public(&self::exponent(101));
    let shared = MODP_2048.agree(&exponent, &theirs).unwrap();
    assert_eq!(shared.as_bytes()[..3], hex!("00c76d"));
    assert_eq!(shared.len(), 256);
}

/// RFC 6989 §2.1: the secret would be known to everyone.
#[test]
fn trivial_values_and_values_beyond_the_prime_are_refused() {
    fn check<const LIMBS: usize>(group: &Modp, prime: &Prime<LIMBS>) {
        let mut one = vec![0; group.len()];
        assert_eq!(group.agree(&exponent(1), &one), None);
        one[group.len() - 1] = 1;
        assert_eq!(group.agree(&exponent(1), &one), None);
        for (offset, acceptable) in [(-2, true), (-1, false), (0, false), (1, false), (9, false)] {
            let agreed = group.agree(&exponent(1), &near_prime(prime, offset));
            assert_eq!(agreed.is_some(), acceptable, "the prime and {offset}");
        }
        assert_eq!(group.agree(&exponent(1), &vec![0xff; group.len()]), None);
        assert_eq!(group.agree(&exponent(1), &vec![3; group.len() - 1]), None);
        assert_eq!(group.agree(&exponent(1), &vec![3; group.len() + 1]), None);
    }
    check(&MODP_1024, &PRIME_1024);
    check(&MODP_1536, &PRIME_1536);
    check(&MODP_2048, &PRIME_2048);
    check(&MODP_3072, &PRIME_3072);
    check(&MODP_4096, &PRIME_4096);
}

/// 2 generates the squares, whose number is half of the prime less 1: a prime with one digit wrong
/// would not pass.
#[test]
fn two_has_the_order_that_a_safe_prime_gives_it() {
    fn check<const LIMBS: usize>(prime: &Prime<LIMBS>) {
        let order = prime.modulus().get().wrapping_sub(&Uint::ONE).wrapping_shr(1);
        let two = FixedMontyForm::new(&Uint::from_u8(2), prime);
        assert_eq!(two.pow(&order).retrieve(), Uint::ONE);
    }
    check(&PRIME_1024);
    check(&PRIME_1536);
    check(&PRIME_2048);
    check(&PRIME_3072);
    check(&PRIME_4096);
}
