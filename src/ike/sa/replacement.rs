//! An SA that is to take another's place, asked for by one side or by both at once: what IKE SAs
//! and Child SAs have in common (RFC 7296 §2.8.1, §2.8.2, §2.25).
//!
//! When both ask at once, two SAs are made in place of one. "The SA created with the lowest of
//! the four nonces SHOULD be closed by the endpoint that created it", and the creator of the
//! other deletes the old one.

use super::super::fault::{self, Fault};
use super::super::keys::Nonces;
use super::super::state::state_of_fields;
use std::time::Duration;

/// How long to wait after a refusal that time will not heal soon.
pub(super) const REFUSED: Duration = Duration::from_secs(10);

/// Our side of a replacement under way; `K` is how this side knows an SA that the peer made.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Attempt<K> {
    nonce: Vec<u8>,
    rival: Option<Rival<K>>,
    /// Whether it is the second try, with the group that the peer asked for.
    regrouped: bool,
}

/// An SA that the peer made meanwhile in place of the same one.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
struct Rival<K> {
    sa: K,
    lowest_nonce: Vec<u8>,
}

/// Which of the SAs that were made at once stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome<K> {
    /// Ours; the peer's is redundant, if it has made one.
    Ours { redundant: Option<K> },
    /// The peer's.
    Theirs(K),
}

impl<K: Copy + PartialEq> Attempt<K> {
    pub(super) fn new(nonce: Vec<u8>, regrouped: bool) -> Self {
        Attempt { nonce, rival: None, regrouped }
    }

    pub(super) fn nonce(&self) -> &[u8] {
        &self.nonce
    }

    /// Whether the peer may still ask for another group: an honest one does so once.
    pub(super) fn may_regroup(&self) -> bool {
        !self.regrouped
    }

    /// The peer has made `sa` in place of the same one.
    pub(super) fn on_rival(&mut self, sa: K, nonces: &Nonces) {
        self.rival = Some(Rival { sa, lowest_nonce: nonces.lowest().to_vec() });
    }

    pub(super) fn rival(&self) -> Option<K> {
        self.rival.as_ref().map(|rival| rival.sa)
    }

    /// What the peer made, out of here: it needs no judgement any more.
    pub(super) fn take_rival(&mut self) -> Option<K> {
        self.rival.take().map(|rival| rival.sa)
    }

    /// What the peer made is gone.
    pub(super) fn forget_rival(&mut self, sa: K) {
        self.rival.take_if(|rival| rival.sa == sa);
    }

    /// The peer has answered with its nonce: who stays?
    pub(super) fn conclude(&self, responder: &[u8]) -> (Nonces, Outcome<K>) {
        let nonces = Nonces { initiator: self.nonce.clone(), responder: responder.to_vec() };
        let outcome = match &self.rival {
            Some(rival) if loses(&nonces, &rival.lowest_nonce) => Outcome::Theirs(rival.sa),
            rival => Outcome::Ours { redundant: rival.as_ref().map(|rival| rival.sa) },
        };
        (nonces, outcome)
    }
}

/// Whether the SA of the exchange with these nonces goes, when the other side's has `rival` as its lowest.
pub(super) fn loses(nonces: &Nonces, rival: &[u8]) -> bool {
    let lower = *nonces.lowest() <= *rival;
    lower != fault::is_on(Fault::KeepsLowestNonce)
}

state_of_fields!(Attempt<K> { nonce, rival, regrouped });
state_of_fields!(Rival<K> { sa, lowest_nonce });

#[cfg(test)]
mod tests;
