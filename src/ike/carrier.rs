//! In what a connection's next attempt goes: in UDP, or in TCP while UDP is not answered (RFC 9329
//! §5.1).
//!
//! ```text
//!                  an attempt got no answer
//!       UDP ─────────────────────────────────────► TCP, since then
//!        ▲                                          │   │ every 30 s that it is up
//!        ├──────────────────────────────────────────┘   ▼
//!        │            neither did one in TCP          one attempt in UDP, beside what works
//!        └──────────────────────────────────────────────┘ answered: what came up in TCP gives way
//! ```
//!
//! An IKE SA stays in what it was made in: a new one is made to change that.

use super::config::{ConnectionConfig, Encapsulation};
use crate::time::Timestamp;
use std::time::Duration;

/// So long an attempt waits for an answer while there is another way to try: IKE_SA_INIT goes out four
/// times, where the RFC wants it "retransmitted at least once".
const TRIAL: Duration = Duration::from_millis(2500);
/// From one attempt in UDP beside a tunnel in TCP to the next.
const UDP_AGAIN: Duration = Duration::from_secs(30);

/// What is known of both ways to a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Carrier {
    /// UDP has not been answered since then, so attempts go in TCP.
    silent_since: Option<Timestamp>,
    /// When UDP is tried again beside what works.
    again_at: Option<Timestamp>,
    /// That is being done.
    trying: bool,
}

impl Carrier {
    /// Whether the next attempt goes in TCP.
    pub(super) fn is_streamed(&self, mode: Encapsulation) -> bool {
        match mode {
            Encapsulation::Udp => false,
            Encapsulation::Tcp => true,
            Encapsulation::Auto => self.silent_since.is_some() && !self.trying,
        }
    }

    /// Whether an attempt in UDP is being made beside an IKE SA that works.
    pub(super) fn is_trying(&self) -> bool {
        self.trying
    }

    /// Since when UDP has not been answered, if that is why TCP is used.
    pub(super) fn silent_since(&self) -> Option<Timestamp> {
        self.silent_since
    }

    /// The configuration for one attempt: with another way to try, nobody waits as long as without.
    pub(super) fn of_attempt(config: &ConnectionConfig) -> Option<ConnectionConfig> {
        let give_up = config.retransmit.give_up.min(TRIAL);
        (config.encapsulation == Encapsulation::Auto).then(|| {
            let mut config = config.clone();
            config.retransmit.give_up = give_up;
            config
        })
    }

    /// An attempt has had no answer. Says whether the other way is to be tried at once: not after
    /// both.
    pub(super) fn on_silence(&mut self, mode: Encapsulation, now: Timestamp) -> bool {
        if mode != Encapsulation::Auto {
            return false;
        }
        let was_udp = self.silent_since.is_none();
        self.silent_since = was_udp.then_some(now);
        was_udp
    }

    /// There is a new IKE SA, whoever began it.
    pub(super) fn on_up(&mut self, streamed: bool, now: Timestamp) {
        if !streamed {
            self.silent_since = None;
        }
        self.again_at = self.silent_since.map(|_| now + UDP_AGAIN);
    }

    /// When UDP is to be tried beside what works.
    pub(super) fn again_at(&self, mode: Encapsulation) -> Option<Timestamp> {
        self.again_at.filter(|_| mode == Encapsulation::Auto && !self.trying)
    }

    /// It is tried now.
    pub(super) fn try_again(&mut self, now: Timestamp) {
        self.trying = true;
        self.again_at = Some(now + UDP_AGAIN);
    }

    /// It has come to an end.
    pub(super) fn leave_off(&mut self) {
        self.trying = false;
    }
}

#[cfg(test)]
mod tests;
