//! Proof of identity: the AUTH payload (RFC 7296 §2.15), by pre-shared key, by an Ed25519 signature
//! (RFC 7427 §3, RFC 8420 §2), or by a signature with the key of a certificate (RFC 4945).

mod certificates;
mod method;

use super::failure::AuthFailure;
use super::fault::{self, Fault};
use super::job::Work;
use crate::crypto::prf::Prf;
use crate::crypto::private_key::PrivateKey;
use crate::crypto::secret::{Secret, ct_eq};
use crate::crypto::sign::{SigningKey, VerifyingKey};
use crate::crypto::signature::Algorithm;
use crate::pki::{Credentials, Question, Refusal, Vouched};
use crate::wire::ike::{AuthMethod, Authentication, Identification, Identity};
use std::sync::Arc;

pub(super) use certificates::{Shown, own_certificates, request};
pub(super) use method::{PeerHashes, Scheme, hash_algorithms};

const KEY_PAD: &[u8] = b"Key Pad for IKEv2";

/// What one side's AUTH payload covers:
///
/// ```text
/// SignedOctets = RealMessage | Nonce of the other side | prf(SK_p, RestOfIDPayload) [| IntAuth]
/// ```
///
/// [`Transcript`](super::transcript::Transcript) makes it.
pub(super) struct Signed<'a> {
    /// That side's IKE_SA_INIT message, or both.
    pub messages: Vec<&'a [u8]>,
    /// The other side's nonce.
    pub nonce: &'a [u8],
    /// That side's identity as its payload has it, with whatever the reserved octets hold.
    pub identity: &'a Identification,
    /// That side's SK_pi or SK_pr.
    pub sk_p: &'a Secret,
    /// The PRF of the IKE SA.
    pub prf: Prf,
    /// IntAuth: what both sides have said in IKE_INTERMEDIATE (RFC 9242 §3.3.2).
    pub intermediate: Vec<u8>,
}

/// The peer has proved to be who the connection wants it to be. Without such a value no IKE SA
/// is established; only [`examine`] and [`Claim::settle`] make one.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Authenticated {
    identity: Identity,
    vouched: Option<Arc<Vouched>>,
}

impl Authenticated {
    /// The identity that is proved, and the certificate that it was proved by, if it was one.
    pub(super) fn into_parts(self) -> (Identity, Option<Arc<Vouched>>) {
        (self.identity, self.vouched)
    }
}

impl Signed<'_> {
    fn octets(&self) -> Vec<u8> {
        let id = self.identity.body();
        let maced_id = self.prf.compute(self.sk_p.as_bytes(), &[&id]);
        let rest = [self.nonce, maced_id.as_bytes(), &self.intermediate];
        [self.messages.concat(), rest.concat()].concat()
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
    /// A signature is needed first.
    ToSign(Work),
}

/// Proves who we are by `credentials`, to a peer that verifies signatures over these hashes.
///
/// # Errors
///
/// When the peer cannot verify any signature that we can make.
pub(super) fn prove(
    credentials: &Credentials,
    signed: &Signed<'_>,
    peer: PeerHashes,
) -> Result<Proof, AuthFailure> {
    let (key, scheme) = match credentials {
        Credentials::Psk(psk) => {
            return Ok(Proof::Made(Authentication {
                method: AuthMethod::SHARED_KEY_MIC,
                data: signed.shared_key_mic(psk).as_bytes().to_vec(),
            }));
        }
        Credentials::PublicKey { own, .. } => raw(own, peer)?,
        Credentials::Certificate { own, .. } => {
            (own.key().clone(), method::choose(own.key(), &own.algorithms(), peer)?)
        }
    };
    Ok(Proof::ToSign(Work::Sign { key, scheme, octets: signed.octets() }))
}

/// Whether a peer that verifies signatures over these hashes can be shown `credentials`.
///
/// # Errors
///
/// Why it cannot.
pub(super) fn can_prove(credentials: &Credentials, peer: PeerHashes) -> Result<(), AuthFailure> {
    match credentials {
        Credentials::Psk(_) => Ok(()),
        Credentials::PublicKey { own, .. } => raw(own, peer).map(drop),
        Credentials::Certificate { own, .. } => {
            method::choose(own.key(), &own.algorithms(), peer).map(drop)
        }
    }
}

/// A key without a certificate, and how it signs for the peer.
fn raw(own: &SigningKey, peer: PeerHashes) -> Result<(PrivateKey, Scheme), AuthFailure> {
    let key = PrivateKey::Ed25519(own.clone());
    let scheme = method::choose(&key, &key.algorithms(), peer)?;
    Ok((key, scheme))
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
    evidence: Evidence,
}

/// Whose signature it would have to be.
#[derive(Clone, Debug)]
pub(super) enum Evidence {
    /// The owner's of this key.
    Key(VerifyingKey),
    /// That of whoever has the key of a certificate, which must be one that proves the identity.
    Certificates(Box<Question>),
}

/// What was found out about a claim.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum Finding {
    /// The signature is that of the key.
    Fits,
    /// It is not.
    DoesNotFit,
    /// The signature is that of this certificate, which proves the identity.
    Vouched(Box<Vouched>),
    /// The certificate does not prove it, or the signature is not that of its key.
    Refused(Refusal),
}

impl Evidence {
    /// Does the work.
    pub(super) fn find(&self, algorithm: Algorithm, octets: &[u8], signature: &[u8]) -> Finding {
        match self {
            Evidence::Key(key) => match key.verify(octets, signature) {
                Ok(()) => Finding::Fits,
                Err(_) => Finding::DoesNotFit,
            },
            Evidence::Certificates(question) => {
                let vouched = question.answer().and_then(|vouched| {
                    vouched.verify(algorithm, octets, signature).map(|()| vouched)
                });
                vouched.map_or_else(Finding::Refused, |vouched| Finding::Vouched(Box::new(vouched)))
            }
        }
    }
}

impl Claim {
    /// What is to be found out, for claims that all rest on the same AUTH payload.
    pub(super) fn work<'a>(
        claims: impl IntoIterator<Item = &'a Claim>,
        signed: &Signed<'_>,
        auth: &Authentication,
    ) -> Option<Work> {
        let (algorithm, signature) = method::read(auth).ok()?;
        let evidence = claims.into_iter().map(|claim| claim.evidence.clone()).collect();
        Some(Work::Verify { evidence, algorithm, octets: signed.octets(), signature })
    }

    /// What the claim is worth, by what was found out about it.
    ///
    /// # Errors
    ///
    /// Why it proves nothing.
    pub(super) fn settle(self, found: Option<Finding>) -> Result<Authenticated, AuthFailure> {
        let Claim { identity, evidence } = self;
        match (evidence, found) {
            (Evidence::Key(_), Some(Finding::Fits)) => {
                Ok(Authenticated { identity, vouched: None })
            }
            (Evidence::Certificates(_), Some(Finding::Vouched(vouched))) => {
                Ok(Authenticated { identity, vouched: Some(Arc::from(vouched)) })
            }
            (Evidence::Certificates(_), Some(Finding::Refused(refusal))) => {
                Err(AuthFailure::Certificate { identity, refusal })
            }
            (Evidence::Key(_) | Evidence::Certificates(_), _) => {
                Err(AuthFailure::BadSignature(identity))
            }
        }
    }
}

/// Looks at the peer's AUTH payload, with the certificates `shown` beside it: everything but
/// signatures is decided at once.
pub(super) fn examine(
    credentials: &Credentials,
    signed: &Signed<'_>,
    auth: &Authentication,
    shown: &Shown,
) -> Verdict {
    let identity = Identity::from_wire(signed.identity);
    let evidence = match credentials {
        Credentials::Psk(psk) => return Verdict::Known(examine_mic(psk, signed, auth, identity)),
        Credentials::PublicKey { peer, .. } => {
            method::check_for_key(auth).map(|()| Evidence::Key(*peer))
        }
        Credentials::Certificate { trust, .. } => method::read(auth).and_then(|_| {
            let question = shown.question(trust.clone(), identity.clone());
            let question = question.map_err(|refusal| AuthFailure::Certificate {
                identity: identity.clone(),
                refusal,
            })?;
            Ok(Evidence::Certificates(Box::new(question)))
        }),
    };
    match evidence {
        Ok(evidence) => Verdict::ToVerify(Claim { identity, evidence }),
        Err(failure) => Verdict::Known(Err(failure)),
    }
}

fn examine_mic(
    psk: &Secret,
    signed: &Signed<'_>,
    auth: &Authentication,
    identity: Identity,
) -> Result<Authenticated, AuthFailure> {
    let (used, wanted) = (auth.method, AuthMethod::SHARED_KEY_MIC);
    if used != wanted {
        return Err(AuthFailure::Method { used, wanted });
    }
    let believed = fault::is_on(Fault::BelievesAnybody) || fault::is_on(Fault::AnswersBeforeAuth);
    match ct_eq(signed.shared_key_mic(psk).as_bytes(), &auth.data) || believed {
        true => Ok(Authenticated { identity, vouched: None }),
        false => Err(AuthFailure::PskMismatch(identity)),
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use tests::{prove_now, verify_now};
