//! USE_AGGFRAG: whether the packets of a Child SA are AGGFRAG payloads (RFC 9347 §5.1, §6.1.4).
//!
//! Whoever asks for a Child SA may wish so, and the other grants it or says nothing; then it is a Child SA
//! as any other. A peer may require what we cannot do (reports for congestion control, packets that
//! are not cut): its wish is not granted.

use super::failure::ChildRefusal;
use super::payloads::{Payloads, notify};
use crate::wire::ike::{NotifyType, Payload};

/// We require nothing: neither C (reports for congestion control) nor D (packets that are not cut).
const FLAGS: [u8; 1] = [0];

/// The wish, and the word that it is granted.
pub(super) fn wanted() -> Payload {
    notify(NotifyType::USE_AGGFRAG, FLAGS)
}

/// Whether the peer wishes it and requires nothing that we cannot do.
pub(super) fn may_be_granted(request: Payloads<'_>) -> bool {
    request.notify(NotifyType::USE_AGGFRAG).is_some_and(|wish| wish.data == FLAGS)
}

/// Whether the peer grants our wish.
///
/// # Errors
///
/// When it requires what we cannot do: it has a Child SA then that we cannot have.
pub(super) fn is_granted(answer: Payloads<'_>) -> Result<bool, ChildRefusal> {
    match answer.notify(NotifyType::USE_AGGFRAG) {
        None => Ok(false),
        Some(_) if may_be_granted(answer) => Ok(true),
        Some(_) => Err(ChildRefusal::Breach(
            "the peer grants AGGFRAG and requires what is not known here (congestion control, no \
             fragments): write `aggfrag = false`",
        )),
    }
}
