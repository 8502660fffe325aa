//! Diffie-Hellman over the MODP groups of RFC 3526, and of RFC 2409 for one old peer more: g = 2
//! modulo a safe prime.
//!
//! Public values and secrets have the length of the prime, with zeros in front (RFC 7296 §2.14,
//! §3.4). Exponents are short, as SP 800-56A §5.6.1.1.1 allows for safe primes: twice the bits of
//! security that the group gives, and a little more. Whoever sees times learns nothing of them:
//! `crypto-bigint` raises to a power in a time that depends on lengths only.
//!
//! The primes have a formula, which begins with the digits of π (RFC 3526 §3 to §5); the tests'
//! values come from primes that were computed by it.

use super::secret::Secret;
use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, Uint};
use std::sync::LazyLock;
use zeroize::{Zeroize, Zeroizing};

/// A group: its prime, and how long private exponents are.
pub(super) struct Modp {
    len: usize,
    exponent_bits: u32,
    power: fn(base: &[u8], exponent: &Exponent, bits: u32) -> Option<Vec<u8>>,
}

/// A private exponent, of which each group takes as many of the lowest bits as it needs.
type Exponent = Uint<EXPONENT_LIMBS>;
const EXPONENT_LIMBS: usize = 6;
/// Octets of a private exponent's seed.
pub(super) const EXPONENT_LEN: usize = EXPONENT_LIMBS * 8;

type Prime<const LIMBS: usize> = LazyLock<FixedMontyParams<LIMBS>>;

fn prime<const LIMBS: usize>(hex: &'static str) -> FixedMontyParams<LIMBS> {
    FixedMontyParams::new_vartime(Odd::<Uint<LIMBS>>::from_be_hex(hex))
}

static PRIME_1024: Prime<16> = LazyLock::new(|| prime(HEX_1024));
static PRIME_1536: Prime<24> = LazyLock::new(|| prime(HEX_1536));
static PRIME_2048: Prime<32> = LazyLock::new(|| prime(HEX_2048));
static PRIME_3072: Prime<48> = LazyLock::new(|| prime(HEX_3072));
static PRIME_4096: Prime<64> = LazyLock::new(|| prime(HEX_4096));

/// The 1024-bit group, transform 2 (RFC 2409 §6.2).
pub(super) const MODP_1024: Modp = Modp {
    len: 128,
    exponent_bits: 192,
    power: |base, exponent, bits| power(base, exponent, bits, &PRIME_1024),
};
/// The 1536-bit group, transform 5 (RFC 3526 §2).
pub(super) const MODP_1536: Modp = Modp {
    len: 192,
    exponent_bits: 192,
    power: |base, exponent, bits| power(base, exponent, bits, &PRIME_1536),
};
/// The 2048-bit group, transform 14 (RFC 3526 §3).
pub(super) const MODP_2048: Modp = Modp {
    len: 256,
    exponent_bits: 256,
    power: |base, exponent, bits| power(base, exponent, bits, &PRIME_2048),
};
/// The 3072-bit group, transform 15 (RFC 3526 §4).
pub(super) const MODP_3072: Modp = Modp {
    len: 384,
    exponent_bits: 320,
    power: |base, exponent, bits| power(base, exponent, bits, &PRIME_3072),
};
/// The 4096-bit group, transform 16 (RFC 3526 §5).
pub(super) const MODP_4096: Modp = Modp {
    len: 512,
    exponent_bits: 384,
    power: |base, exponent, bits| power(base, exponent, bits, &PRIME_4096),
};

impl Modp {
    /// Bytes of a public value, and of a shared secret.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The public value of a private exponent, which these octets make.
    pub(super) fn public(&self, exponent: &[u8; EXPONENT_LEN]) -> Vec<u8> {
        let mut generator = vec![0; self.len];
        generator[self.len - 1] = 2;
        self.raise(&generator, exponent).unwrap_or_default() // 2 is in every group
    }

    /// The secret shared with the owner of a public value; `None` for a value that is not between
    /// 1 and the prime less 1 (RFC 6989 §2.1), or of another length.
    pub(super) fn agree(&self, exponent: &[u8; EXPONENT_LEN], peer: &[u8]) -> Option<Secret> {
        self.raise(peer, exponent).map(Secret::from)
    }

    fn raise(&self, base: &[u8], exponent: &[u8; EXPONENT_LEN]) -> Option<Vec<u8>> {
        let exponent = Zeroizing::new(Exponent::from_be_slice(exponent));
        (self.power)(base, &exponent, self.exponent_bits)
    }
}

/// `base` to the power of the lowest `bits` bits of `exponent`, when the base is no trivial one.
fn power<const LIMBS: usize>(
    base: &[u8],
    exponent: &Exponent,
    bits: u32,
    prime: &FixedMontyParams<LIMBS>,
) -> Option<Vec<u8>> {
    if base.len() != LIMBS * 8 {
        return None;
    }
    let (base, last) = (Uint::from_be_slice(base), prime.modulus().wrapping_sub(&Uint::ONE));
    let acceptable = base > Uint::ONE && base < last;
    if !acceptable {
        return None;
    }
    let mut raised = FixedMontyForm::new(&base, prime).pow_bounded_exp(exponent, bits);
    let result = Zeroizing::new(raised.retrieve());
    raised.zeroize();
    Some(result.to_be_bytes().as_ref().to_vec())
}

const HEX_1024: &str = "\
    FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22\
    514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6\
    F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381\
    FFFFFFFFFFFFFFFF";
const HEX_1536: &str = "\
    FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22\
    514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6\
    F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3D\
    C2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB\
    9ED529077096966D670C354E4ABC9804F1746C08CA237327FFFFFFFFFFFFFFFF";
const HEX_2048: &str = "\
    FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22\
    514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6\
    F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3D\
    C2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB\
    9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E8603\
    9B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510\
    15728E5A8AACAA68FFFFFFFFFFFFFFFF";
const HEX_3072: &str = "\
    FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22\
    514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6\
    F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3D\
    C2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB\
    9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E8603\
    9B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510\
    15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7D\
    B3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864\
    D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E208E24FA074E5AB31\
    43DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF";
const HEX_4096: &str = "\
    FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22\
    514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6\
    F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3D\
    C2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB\
    9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E8603\
    9B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510\
    15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7D\
    B3970F85A6E1E4C7ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864\
    D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E208E24FA074E5AB31\
    43DB5BFCE0FD108E4B82D120A92108011A723C12A787E6D788719A10BDBA5B2699C327186AF4E23C\
    1A946834B6150BDA2583E9CA2AD44CE8DBBBC2DB04DE8EF92E8EFC141FBECAA6287C59474E6BC05D\
    99B2964FA090C3A2233BA186515BE7ED1F612970CEE2D7AFB81BDD762170481CD0069127D5B05AA9\
    93B4EA988D8FDDC186FFB7DC90A6C08F4DF435C934063199FFFFFFFFFFFFFFFF";

#[cfg(test)]
mod tests;
