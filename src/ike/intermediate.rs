//! IKE_INTERMEDIATE between IKE_SA_INIT and IKE_AUTH (RFC 9242), for key exchanges beside the first
//! (RFC 9370 §2.2.2). Both roles do it alike:
//!
//! ```text
//! HDR(IKE_INTERMEDIATE), SK {KEi(n)}  ──►
//!                       ◄──  HDR(IKE_INTERMEDIATE), SK {KEr(n)}      one for each of them
//! ```
//!
//! Each is protected by the keys of the one before, and covered by AUTH; see
//! [`Transcript`](super::transcript::Transcript).

use super::payloads::{Payloads, notify};
use super::proposal::method_of;
use crate::crypto::kex::Group;
use crate::crypto::suite::Additional;
use crate::wire::ike::{NotifyType, Payload};
use std::collections::VecDeque;

/// INTERMEDIATE_EXCHANGE_SUPPORTED (RFC 9242 §3.1).
pub(super) fn supported() -> Payload {
    notify(NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED, [])
}

/// Whether the sender of an IKE_SA_INIT does IKE_INTERMEDIATE.
pub(super) fn is_done_by_sender(payloads: Payloads<'_>) -> bool {
    payloads.notify(NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED).is_some()
}

/// The additional key exchanges of a handshake: which there are, and which are yet to be made.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Agenda {
    /// All of them.
    pub all: Additional,
    open: VecDeque<Group>,
}

impl Agenda {
    /// All of `all` are to be made.
    pub(super) fn new(all: Additional) -> Agenda {
        Agenda { all, open: all.groups().collect() }
    }

    /// The next.
    pub(super) fn next(&self) -> Option<Group> {
        self.open.front().copied()
    }

    /// The next is made.
    pub(super) fn on_done(&mut self) {
        self.open.pop_front();
    }
}

/// The public value in a message for a key exchange of `group`, which has `len` octets there.
pub(super) fn public_value(payloads: Payloads<'_>, group: Group, len: usize) -> Option<Vec<u8>> {
    let public = payloads.key_exchange()?;
    let fits = public.method == method_of(group) && public.data.len() == len;
    fits.then(|| public.data.clone())
}
