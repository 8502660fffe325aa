//! RFC 7748 vectors, and public values that must be refused.

use super::*;
use crate::random::Seeded;
use hex_literal::hex;

impl KeyExchange {
    /// A key exchange without secrets, for tests that explore many runs.
    pub fn transparent(group: Group, own: u8) -> KeyExchange {
        let public = vec![own; group.public_len()];
        KeyExchange { group, private: Private::Transparent(own), public }
    }
}

impl KeyExchange {
    /// Our half as responder of a key exchange without secrets, and what is agreed on.
    ///
    /// # Errors
    ///
    /// When the public value has another length.
    pub fn respond_transparently(self, peer: &[u8]) -> Result<(Vec<u8>, Secret), KexError> {
        let (group, Private::Transparent(own)) = (self.group, self.private) else {
            panic!("only one without secrets is transparent");
        };
        let (needed, given) = (group.public_len(), peer.len());
        match needed == given {
            true => Ok((vec![own; group.answer_len()], Secret::from(vec![own ^ peer[0]; 32]))),
            false => Err(KexError::Length { group, needed, given }),
        }
    }
}

impl Clone for KeyExchange {
    fn clone(&self) -> KeyExchange {
        let private = match &self.private {
            Private::Curve25519(private) => Private::Curve25519(private.clone()),
            Private::Ecp(_) => panic!("ring's private keys are used once and have no copies"),
            Private::Transparent(own) => Private::Transparent(*own),
            Private::Ecp521 { seed } => Private::Ecp521 { seed: seed.clone() },
            Private::Modp { group, seed } => Private::Modp { group, seed: seed.clone() },
            Private::Kem { kem, seed } => Private::Kem { kem: *kem, seed: seed.clone() },
        };
        KeyExchange { group: self.group, private, public: self.public.clone() }
    }
}

/// A generator that gives one private key.
struct Fixed([u8; 32]);

impl Random for Fixed {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0);
    }
}

const ALICE: [u8; 32] = hex!("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
const BOB: [u8; 32] = hex!("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
const BOB_PUBLIC: [u8; 32] =
    hex!("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
const SHARED: [u8; 32] = hex!("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");

/// Every u coordinate of a point of small order, canonical and not, without the unused bit.
const SMALL_ORDER: [[u8; 32]; 7] = [
    hex!("0000000000000000000000000000000000000000000000000000000000000000"),
    hex!("0100000000000000000000000000000000000000000000000000000000000000"),
    hex!("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    hex!("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    hex!("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    hex!("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    hex!("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
];

fn with_private(scalar: [u8; 32]) -> KeyExchange {
    KeyExchange::generate(Group::Curve25519, &mut Fixed(scalar)).unwrap()
}

fn fresh(group: Group) -> KeyExchange {
    KeyExchange::generate(group, &mut Seeded::new(1)).unwrap()
}

#[test]
fn rfc_7748_section_6_1() {
    let bob = with_private(BOB);
    assert_eq!(bob.public(), BOB_PUBLIC);
    let alice_public = with_private(ALICE).public().to_vec();
    assert_eq!(bob.agree(&alice_public).unwrap().as_bytes(), SHARED);
    assert_eq!(with_private(ALICE).agree(&BOB_PUBLIC).unwrap().as_bytes(), SHARED);
}

#[test]
fn the_unused_bit_of_a_curve25519_value_is_ignored() {
    let mut public = BOB_PUBLIC;
    public[31] |= 0x80; // RFC 7748 §5
    assert_eq!(with_private(ALICE).agree(&public).unwrap().as_bytes(), SHARED);
}

#[test]
fn curve25519_values_of_small_order_are_refused() {
    for mut public in SMALL_ORDER {
        for unused_bit in [0, 0x80] {
            public[31] |= unused_bit;
            let refused = fresh(Group::Curve25519).agree(&public).unwrap_err();
            assert_eq!(refused, KexError::PublicValue(Group::Curve25519));
        }
    }
}

#[test]
fn both_sides_agree_in_every_group() {
    for group in Group::DIFFIE_HELLMAN {
        let mut random = Seeded::new(7);
        let one = KeyExchange::generate(group, &mut random).unwrap();
        let other = KeyExchange::generate(group, &mut random).unwrap();
        assert_eq!(one.public().len(), group.public_len());
        assert_ne!(one.public(), other.public());
        let (one_public, other_public) = (one.public().to_vec(), other.public().to_vec());
        let shared = one.agree(&other_public).unwrap();
        assert_eq!(shared, other.agree(&one_public).unwrap());
        let is_point = matches!(group, Group::Ecp256 | Group::Ecp384 | Group::Ecp521);
        assert_eq!(shared.len(), group.public_len() / if is_point { 2 } else { 1 });
    }
}

/// All but `ring`'s.
#[test]
fn a_private_key_that_was_carried_elsewhere_makes_the_same_secret() {
    for group in Group::DIFFIE_HELLMAN {
        let (ours, theirs) = (fresh(group), KeyExchange::generate(group, &mut Seeded::new(2)));
        let Some(private) = ours.private() else {
            assert!(matches!(group, Group::Ecp256 | Group::Ecp384));
            continue;
        };
        let again = KeyExchange::from_private(group, &private).unwrap();
        assert_eq!(again.public(), ours.public());
        let theirs = theirs.unwrap().public().to_vec();
        assert_eq!(again.agree(&theirs), ours.agree(&theirs));
        assert!(KeyExchange::from_private(group, &Secret::copy_of(&[1; 31])).is_none());
    }
}

#[test]
fn modp_values_that_make_the_secret_known_are_refused() {
    for group in [Group::Modp2048, Group::Modp3072, Group::Modp4096] {
        let mut one = vec![0; group.public_len()];
        one[group.public_len() - 1] = 1;
        for value in [vec![0; group.public_len()], one, vec![0xff; group.public_len()]] {
            assert_eq!(fresh(group).agree(&value), Err(KexError::PublicValue(group)));
        }
    }
}

#[test]
fn public_values_of_another_length_are_refused() {
    for group in Group::DIFFIE_HELLMAN {
        for given in [0, 1, 31, 32, 33, 63, 64, 65, 95, 96, 97, 131, 132, 133, 200] {
            if given != group.public_len() {
                let refused = fresh(group).agree(&vec![4; given]).unwrap_err();
                assert_eq!(refused, KexError::Length { group, needed: group.public_len(), given });
            }
        }
    }
}

#[test]
fn ecp_points_off_the_curve_are_refused() {
    for group in [Group::Ecp256, Group::Ecp384, Group::Ecp521] {
        let refused = Err(KexError::PublicValue(group));
        let good = fresh(group).public().to_vec();
        let half = group.public_len() / 2;
        let zero = vec![0; group.public_len()]; // also how some write the point at infinity
        let ones = vec![0xff; group.public_len()]; // coordinates beyond the field
        let swapped = [&good[half..], &good[..half]].concat();
        let mut nudged = good.clone();
        nudged[group.public_len() - 1] ^= 1;
        for public in [zero, ones, swapped, nudged] {
            assert_eq!(fresh(group).agree(&public), refused);
        }
    }
}

#[test]
fn ecp256_coordinates_must_be_reduced() {
    // The point (0, √b) with x written as p: on the curve only for those who reduce it.
    let p = hex!("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
    let root_of_b = hex!("66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4");
    let honest = [&[0; 32][..], &root_of_b].concat();
    assert!(fresh(Group::Ecp256).agree(&honest).is_ok());
    let refused = fresh(Group::Ecp256).agree(&[p, root_of_b].concat());
    assert_eq!(refused, Err(KexError::PublicValue(Group::Ecp256)));
}
