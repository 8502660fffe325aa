//! What AUTH covers of the exchanges before IKE_AUTH.
//!
//! ```text
//! InitiatorSignedOctets = IKE_SA_INIT request  | Nr | prf(SK_pi, IDi') [| IntAuth]   RFC 7296 §2.15
//! ResponderSignedOctets = IKE_SA_INIT response | Ni | prf(SK_pr, IDr') [| IntAuth]
//!
//! IntAuth     = IntAuth_i | IntAuth_r | Message ID of IKE_AUTH                       RFC 9242 §3.3.2
//! IntAuth_i   = prf(SK_pi, IntAuth_i (before) | the whole request before it is sealed)
//! IntAuth_r   = prf(SK_pr, IntAuth_r (before) | the whole response before it is sealed)
//! ```
//!
//! When both sides have said that they do so, both cover both messages of IKE_SA_INIT, so that nobody
//! between them can take the strongest proposals out of the one or the other unnoticed
//! (draft-ietf-ipsecme-ikev2-downgrade-prevention-08):
//!
//! ```text
//! eight octets of zero | the IKE_SA_INIT received | the one sent | …
//! ```

use super::auth::Signed;
use super::event::Role;
use super::keys::{IkeKeys, Nonces, Proving};
use super::payloads::{Payloads, notify};
use crate::crypto::secret::Secret;
use crate::wire::ike::{Identification, MessageId, NotifyType, Payload};

/// Octets by which a transcript of both messages cannot be taken for one of them: no message
/// begins with an SPI of zero.
const BOTH: &[u8] = &[0; 8];

/// The exchanges of a handshake before IKE_AUTH.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Transcript {
    /// The IKE_SA_INIT request that was answered.
    pub init_request: Vec<u8>,
    /// Its answer.
    pub init_response: Vec<u8>,
    /// Whether both sides cover both of them.
    pub is_full: bool,
    intermediate: Intermediate,
}

/// What both sides have said in IKE_INTERMEDIATE.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug, Default)]
struct Intermediate {
    initiator: Option<Secret>,
    responder: Option<Secret>,
    exchanges: u32,
}

/// IKE_SA_INIT_FULL_TRANSCRIPT_AUTH: the sender covers both messages if the other does so, too.
pub(super) fn is_covered_in_full() -> Payload {
    notify(NotifyType::IKE_SA_INIT_FULL_TRANSCRIPT_AUTH, [])
}

/// Whether the sender of an IKE_SA_INIT says so.
pub(super) fn covers_in_full(payloads: Payloads<'_>) -> bool {
    payloads.notify(NotifyType::IKE_SA_INIT_FULL_TRANSCRIPT_AUTH).is_some()
}

impl Transcript {
    /// A handshake after IKE_SA_INIT.
    pub(super) fn new(init_request: Vec<u8>, init_response: Vec<u8>, is_full: bool) -> Transcript {
        let intermediate = Intermediate::default();
        Transcript { init_request, init_response, is_full, intermediate }
    }

    /// The message ID of the next exchange: IKE_SA_INIT had 0.
    pub(super) fn next_id(&self) -> MessageId {
        MessageId(self.intermediate.exchanges + 1)
    }

    /// An exchange of IKE_INTERMEDIATE is over; `request` and `response` are what AUTH covers of its
    /// messages, `keys` those that protected it.
    pub(super) fn on_intermediate(&mut self, keys: &IkeKeys, request: &[u8], response: &[u8]) {
        let chain = |before: &Option<Secret>, key: &Secret, covered: &[u8]| {
            let before = before.as_ref().map(Secret::as_bytes).unwrap_or_default();
            Some(keys.suite.prf.compute(key.as_bytes(), &[before, covered]))
        };
        let before = &self.intermediate;
        self.intermediate = Intermediate {
            initiator: chain(&before.initiator, &keys.sk_pi, request),
            responder: chain(&before.responder, &keys.sk_pr, response),
            exchanges: before.exchanges + 1,
        };
    }

    /// What `side` signs, with the identity that it shows.
    pub(super) fn signed<'a>(
        &'a self,
        side: Role,
        keys: Proving<'a>,
        nonces: &'a Nonces,
        identity: &'a Identification,
    ) -> Signed<'a> {
        let (sent, received, nonce, sk_p) = match side {
            Role::Initiator => {
                (&self.init_request, &self.init_response, &nonces.responder, keys.sk_pi)
            }
            Role::Responder => {
                (&self.init_response, &self.init_request, &nonces.initiator, keys.sk_pr)
            }
        };
        let messages: Vec<&[u8]> = match self.is_full {
            true => vec![BOTH, received, sent],
            false => vec![sent],
        };
        let intermediate = self.intermediate.octets();
        Signed { messages, nonce, identity, sk_p, prf: keys.prf, intermediate }
    }
}

impl Intermediate {
    /// IntAuth; nothing when there was no such exchange.
    fn octets(&self) -> Vec<u8> {
        let of = |side: &Option<Secret>| side.as_ref().map(|octets| octets.as_bytes().to_vec());
        let (Some(initiator), Some(responder)) = (of(&self.initiator), of(&self.responder)) else {
            return Vec::new();
        };
        let auth_id = (self.exchanges + 1).to_be_bytes();
        [initiator.as_slice(), &responder, &auth_id].concat()
    }
}
