//! Post-quantum pre-shared keys (RFC 8784): a secret that both sides have goes into the keys of an IKE
//! SA and of all that descends from it, beside whatever the key exchanges bring.
//!
//! ```text
//!   HDR, SAi1, KEi, Ni, N(USE_PPK)                              ──►
//!                                   ◄──  HDR, SAr1, KEr, Nr, N(USE_PPK)
//!   HDR, SK {IDi, AUTH, …, N(PPK_IDENTITY), [N(NO_PPK_AUTH)]}   ──►
//!                                   ◄──  HDR, SK {IDr, AUTH, …, N(PPK_IDENTITY)}
//!
//!   SK_d = prf+(PPK, SK_d'), SK_pi = prf+(PPK, SK_pi'), SK_pr = prf+(PPK, SK_pr')
//! ```
//!
//! AUTH covers it, with SK_p of the one kind; NO_PPK_AUTH is AUTH with SK_p of the other kind, for a
//! responder that has no such key and may go on without.

use super::failure::PpkFailure;
use super::payloads::{Payloads, notify};
use crate::pki::Ppk;
use crate::wire::ike::{Authentication, NotifyType, Payload};

/// The type of an identifier that both sides have in their configurations (RFC 8784 §5.1).
const PPK_ID_FIXED: u8 = 2;

/// USE_PPK: the sender of an IKE_SA_INIT has such a key for the other side.
pub(super) fn is_used() -> Payload {
    notify(NotifyType::USE_PPK, [])
}

/// Whether the sender of an IKE_SA_INIT says so.
pub(super) fn is_used_by_sender(payloads: Payloads<'_>) -> bool {
    payloads.notify(NotifyType::USE_PPK).is_some()
}

/// PPK_IDENTITY of an initiator: which key its AUTH rests on.
pub(super) fn identity(ppk: &Ppk) -> Payload {
    notify(NotifyType::PPK_IDENTITY, [&[PPK_ID_FIXED], ppk.id.as_bytes()].concat())
}

/// PPK_IDENTITY of a responder: the key is in use.
pub(super) fn is_in_use() -> Payload {
    notify(NotifyType::PPK_IDENTITY, [])
}

/// Whether a responder says so; what else it says there is ignored (RFC 8784 §3).
pub(super) fn is_in_use_by_sender(payloads: Payloads<'_>) -> bool {
    payloads.notify(NotifyType::PPK_IDENTITY).is_some()
}

/// NO_PPK_AUTH: our proof without the key, by the same method as that with it.
pub(super) fn proof_without(proof: Authentication) -> Payload {
    notify(NotifyType::NO_PPK_AUTH, proof.data)
}

/// By what a responder is to authenticate an initiator.
#[derive(Debug)]
pub(super) enum Choice<'a> {
    /// With the key, by AUTH.
    With(&'a Ppk),
    /// Without it, by AUTH.
    Without,
    /// Without it, by NO_PPK_AUTH.
    Instead(Authentication),
}

/// What an initiator has said of its key.
pub(super) struct Said<'a> {
    /// Both sides have said USE_PPK.
    pub both_use: bool,
    /// AUTH and what stands beside it.
    pub payloads: Payloads<'a>,
    pub auth: &'a Authentication,
}

/// The table of RFC 8784 §3: what is to be done where the connection has `ours`.
///
/// # Errors
///
/// Why the initiator does not get in.
pub(super) fn choose<'a>(ours: Option<&'a Ppk>, said: &Said<'_>) -> Result<Choice<'a>, PpkFailure> {
    let is_required = ours.is_some_and(|ours| ours.required);
    if !said.both_use {
        return match is_required {
            true => Err(PpkFailure::NotUsed),
            false => Ok(Choice::Without),
        };
    }
    let named = said.payloads.notify(NotifyType::PPK_IDENTITY).ok_or(PpkFailure::NotNamed)?;
    let fits = |ours: &&Ppk| named.data.split_first() == Some((&PPK_ID_FIXED, ours.id.as_bytes()));
    if let Some(ours) = ours.filter(fits) {
        return Ok(Choice::With(ours));
    }
    let instead = said.payloads.notify(NotifyType::NO_PPK_AUTH).filter(|_| !is_required);
    match instead {
        Some(instead) => {
            let Authentication { method, .. } = *said.auth;
            Ok(Choice::Instead(Authentication { method, data: instead.data.clone() }))
        }
        None => Err(PpkFailure::Unknown {
            presented: String::from_utf8_lossy(named.data.get(1..).unwrap_or_default()).into(),
            ours: ours.map(|ours| ours.id.clone()),
        }),
    }
}

#[cfg(test)]
mod tests;
