//! Proof of identity: the AUTH payload (RFC 7296 §2.15), by pre-shared key or by an Ed25519
//! signature (RFC 7427 §3, RFC 8420 §2).

use super::failure::AuthFailure;
use super::job::Work;
use super::payloads::Payloads;
use crate::crypto::credentials::Credentials;
use crate::crypto::prf::Prf;
use crate::crypto::secret::{Secret, ct_eq};
use crate::crypto::sign::{SIGNATURE_LEN, VerifyingKey};
use crate::wire::ike::{
    AuthMethod, Authentication, HashAlgorithm, Identification, Identity, NotifyType, Payload,
};

const KEY_PAD: &[u8] = b"Key Pad for IKEv2";

/// DER of the AlgorithmIdentifier of Ed25519: SEQUENCE { OID 1.3.101.112 } (RFC 8410 §3).
const ED25519_ALGORITHM: [u8; 7] = [0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];

/// What one side's AUTH payload covers:
///
/// ```text
/// SignedOctets = RealMessage | Nonce of the other side | prf(SK_p, RestOfIDPayload)
/// ```
pub(super) struct Signed<'a> {
    /// That side's IKE_SA_INIT message.
    pub message: &'a [u8],
    /// The other side's nonce.
    pub nonce: &'a [u8],
    /// That side's identity as its payload has it, with whatever the reserved octets hold.
    pub identity: &'a Identification,
    /// That side's SK_pi or SK_pr.
    pub sk_p: &'a Secret,
    /// The PRF of the IKE SA.
    pub prf: Prf,
}

/// The peer has proved to be who the connection wants it to be. Without such a value no IKE SA
/// is established; only [`examine`] and [`Claim::settle`] make one.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Authenticated {
    identity: Identity,
}

impl Authenticated {
    /// The identity that is proved.
    pub fn into_identity(self) -> Identity {
        self.identity
    }
}

impl Signed<'_> {
    fn octets(&self) -> Vec<u8> {
        let id = self.identity.body();
        let maced_id = self.prf.compute(self.sk_p.as_bytes(), &[&id]);
        [self.message, self.nonce, maced_id.as_bytes()].concat()
    }

    /// prf(prf(Shared Secret, "Key Pad for IKEv2"), SignedOctets)
    fn shared_key_mic(&self, psk: &Secret) -> Secret {
        let key = self.prf.compute(psk.as_bytes(), &[KEY_PAD]);
        self.prf.compute(key.as_bytes(), &[&self.octets()])
    }
}

/// Our own AUTH payload.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum Proof {
    /// Here it is.
    Made(Authentication),
    /// A signature is needed first; [`signed`] makes the payload of it.
    ToSign(Work),
}

/// Proves who we are by `credentials`.
pub(super) fn prove(credentials: &Credentials, signed: &Signed<'_>) -> Proof {
    match credentials {
        Credentials::Psk(psk) => Proof::Made(Authentication {
            method: AuthMethod::SHARED_KEY_MIC,
            data: signed.shared_key_mic(psk).as_bytes().to_vec(),
        }),
        Credentials::PublicKey { own, .. } => {
            Proof::ToSign(Work::Sign { key: own.clone(), octets: signed.octets() })
        }
    }
}

/// The AUTH payload that holds our signature.
pub(super) fn signed(signature: &[u8; SIGNATURE_LEN]) -> Authentication {
    Authentication { method: AuthMethod::DIGITAL_SIGNATURE, data: signature_value(signature) }
}

/// What the peer's AUTH payload is worth.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum Verdict {
    /// It proves the identity, or it does not.
    Known(Result<Authenticated, AuthFailure>),
    /// The signature must be verified first.
    ToVerify(Claim),
}

/// A signature that would prove the identity of a peer.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Claim {
    identity: Identity,
    key: VerifyingKey,
}

impl Claim {
    /// What is to be found out, for claims that all rest on the same AUTH payload.
    pub fn work<'a>(
        claims: impl IntoIterator<Item = &'a Claim>,
        signed: &Signed<'_>,
        auth: &Authentication,
    ) -> Work {
        Work::Verify {
            keys: claims.into_iter().map(|claim| claim.key).collect(),
            octets: signed.octets(),
            signature: signature_in(&auth.data).unwrap_or_default().to_vec(),
        }
    }

    /// What the claim is worth, now that the signature was verified or was not.
    ///
    /// # Errors
    ///
    /// [`AuthFailure::BadSignature`] when it does not fit the key of the peer.
    pub fn settle(self, verified: bool) -> Result<Authenticated, AuthFailure> {
        match verified {
            true => Ok(Authenticated { identity: self.identity }),
            false => Err(AuthFailure::BadSignature(self.identity)),
        }
    }
}

/// Looks at the peer's AUTH payload: everything but signatures is decided at once.
pub(super) fn examine(
    credentials: &Credentials,
    signed: &Signed<'_>,
    auth: &Authentication,
) -> Verdict {
    let (used, wanted) = (auth.method, method(credentials));
    if used != wanted {
        return Verdict::Known(Err(AuthFailure::Method { used, wanted }));
    }
    let identity = Identity::from_wire(signed.identity);
    match credentials {
        Credentials::Psk(psk) => {
            let fits = ct_eq(signed.shared_key_mic(psk).as_bytes(), &auth.data);
            Verdict::Known(match fits {
                true => Ok(Authenticated { identity }),
                false => Err(AuthFailure::PskMismatch(identity)),
            })
        }
        Credentials::PublicKey { peer, .. } => match signature_in(&auth.data) {
            None => Verdict::Known(Err(AuthFailure::SignatureAlgorithm)),
            Some(_) => Verdict::ToVerify(Claim { identity, key: *peer }),
        },
    }
}

fn method(credentials: &Credentials) -> AuthMethod {
    match credentials {
        Credentials::Psk(_) => AuthMethod::SHARED_KEY_MIC,
        Credentials::PublicKey { .. } => AuthMethod::DIGITAL_SIGNATURE,
    }
}

/// ASN.1 length, AlgorithmIdentifier, signature (RFC 7427 §3).
fn signature_value(signature: &[u8]) -> Vec<u8> {
    let length = [ED25519_ALGORITHM.len() as u8];
    [length.as_slice(), &ED25519_ALGORITHM, signature].concat()
}

fn signature_in(data: &[u8]) -> Option<&[u8]> {
    let (&length, rest) = data.split_first()?;
    let (algorithm, signature) = rest.split_at_checked(length.into())?;
    (algorithm == ED25519_ALGORITHM).then_some(signature)
}

/// SIGNATURE_HASH_ALGORITHMS: we verify signatures that hash by themselves (RFC 8420 §2).
pub(super) fn hash_algorithms() -> Payload {
    let identity = HashAlgorithm::IDENTITY.0.to_be_bytes();
    super::payloads::notify(NotifyType::SIGNATURE_HASH_ALGORITHMS, identity)
}

/// Whether the sender of these payloads verifies Ed25519 signatures.
pub(super) fn verifies_ed25519(payloads: Payloads<'_>) -> bool {
    let identity = HashAlgorithm::IDENTITY.0.to_be_bytes();
    payloads
        .notify(NotifyType::SIGNATURE_HASH_ALGORITHMS)
        .is_some_and(|notify| notify.data.chunks_exact(2).any(|hash| hash == identity))
}

/// Whether a peer that does or does not verify Ed25519 signatures can be shown `credentials`.
pub(super) fn can_prove(credentials: &Credentials, peer_verifies: bool) -> Result<(), AuthFailure> {
    match credentials {
        Credentials::PublicKey { .. } if !peer_verifies => Err(AuthFailure::NoEd25519),
        Credentials::PublicKey { .. } | Credentials::Psk(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use tests::{prove_now, verify_now};
