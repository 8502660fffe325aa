//! Whether the peer may have lost a Child SA while its IKE SA lives (RFC 7296 §2.4): packets go out in
//! it, and nothing comes back. That is how traffic looks, too, which has one direction only. So what
//! follows must harm nobody: new keys, made before the old ones go, and ever more seldom while they
//! change nothing.
//!
//! Only counters are looked at here. Peers that answer questions inside ESP, or speak BFD, are not
//! judged by them ([`super::probing`]).

use crate::time::Timestamp;
use std::time::Duration;

/// Packets go out for so long before the first doubt …
const FIRST: Duration = Duration::from_secs(5);
/// … four times as long before each further one, and so long at the most.
const LONGEST: Duration = Duration::from_secs(1800);
/// Fewer packets say nothing.
const FEW: u64 = 3;
/// Who sends nothing for so long begins anew.
const LULL: Duration = Duration::from_secs(10);

/// How long packets go out before the doubt after so many.
fn patience(doubts: u32) -> Duration {
    (FIRST * 4_u32.saturating_pow(doubts.min(8))).min(LONGEST)
}

/// What one Child SA has sent since something came in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Silence {
    sent: u64,
    begun: Option<Begun>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Begun {
    at: Timestamp,
    /// Packets sent before.
    sent: u64,
    last: Timestamp,
}

impl Silence {
    /// Looks at the SA, which has `sent` so many packets so far, and has `heard` something since the
    /// last look. Whether there is doubt now, after so many `doubts` that changed nothing.
    pub(super) fn look(&mut self, sent: u64, heard: bool, doubts: u32, now: Timestamp) -> bool {
        let before = std::mem::replace(&mut self.sent, sent);
        if heard {
            self.begun = None;
        }
        if heard || before == sent {
            return false;
        }
        let goes_on = self.begun.filter(|begun| now.since(begun.last) <= LULL);
        let begun = goes_on.unwrap_or(Begun { at: now, sent: before, last: now });
        self.begun = Some(Begun { last: now, ..begun });
        let doubt = now.since(begun.at) >= patience(doubts) && sent - begun.sent >= FEW;
        if doubt {
            self.begun = None;
        }
        doubt
    }
}

#[cfg(test)]
mod tests;
