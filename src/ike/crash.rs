//! Quick crash detection (RFC 6290): a peer that asks for an IKE SA which a restart has taken from us
//! is shown that it is really gone, and need not wait until we have been silent for long.
//!
//! ```text
//!   maker                                          taker
//!   SK {…, AUTH, N(QCD_TOKEN), …}  ──────────────►  remembers it with the IKE SA
//!   ~~~ restarts ~~~
//!                 ◄──────────────────────────────  a request under the IKE SA
//!   N(INVALID_IKE_SPI), N(QCD_TOKEN)  ───────────►  the same token: the IKE SA is gone
//!
//!   token = prf(secret, "…" | SPI of the maker | SPI of the taker | address of the maker)
//! ```
//!
//! Both sides are both. The secret outlives the process, and belongs to one gateway alone: another
//! that had it, too, could be asked for tokens of IKE SAs that stand (§9.2). For the same reason the
//! maker's SPI comes first, and not the initiator's: a header says which of its two SPIs is the
//! receiver's, and who says it the wrong way round asks for an IKE SA that is not there, with the
//! SPIs of one that is. With the address, a gateway that was cloned together with its secret has
//! other tokens all the same.

use super::event::IkeSaId;
use super::fault::{self, Fault};
use super::limits::TOKENS;
use super::payloads::Payloads;
use super::state::{State, StateReader, StateWriter};
use crate::crypto::digest::sha256;
use crate::crypto::prf::Prf;
use crate::crypto::secret::{Secret, ct_eq};
use crate::time::{Bucket, Timestamp};
use crate::wire::DecodeError;
use crate::wire::ike::{Notify, NotifyType, Payload, ProtocolId};
use std::net::IpAddr;

const LABEL: &[u8] = b"vpngw: this IKE SA is lost";
/// "Tokens MUST be at least 16 octets long, and no more than 128" (RFC 6290 §5).
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=128;
/// Tokens looked at in one message: "at least four" (RFC 6290 §4.5).
const AT_ONCE: usize = 4;

/// Our token for an IKE SA that runs from `local`, made with `secret` (RFC 6290 §5).
pub(super) fn token(secret: &Secret, id: IkeSaId, local: IpAddr) -> Payload {
    let address = match local {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    let (first, second) = match fault::is_on(Fault::SortsTokens) {
        true => (id.local.min(id.remote), id.local.max(id.remote)),
        false => (id.local, id.remote),
    };
    let parts: [&[u8]; 4] = [LABEL, &first.0, &second.0, &address];
    let token = Prf::HmacSha256.compute(secret.as_bytes(), &parts);
    Payload::Notify(Notify {
        // "MUST be 1, as this message is related to an IKE SA" (RFC 6290 §4.1).
        protocol: ProtocolId::IKE,
        ..Notify::new(NotifyType::QUICK_CRASH_DETECTION, token.as_bytes())
    })
}

/// The peer's token for an IKE SA, of which we keep a digest.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerToken {
    digest: Option<[u8; 32]>,
    examined: Bucket,
}

impl PeerToken {
    /// What a protected message says of it; nothing when it says nothing.
    pub(super) fn of(payloads: Payloads<'_>) -> PeerToken {
        let mut token = PeerToken::default();
        token.on_told(payloads);
        token
    }

    /// The peer may give another token in any protected message (RFC 6290 §4.4).
    pub(super) fn on_told(&mut self, payloads: Payloads<'_>) {
        if let Some(told) = tokens(payloads).next() {
            self.digest = Some(sha256(&[told]));
        }
    }

    /// Whether a message without protection shows that the peer has lost the IKE SA. How often one
    /// is looked at is limited (RFC 6290 §8.1).
    pub(super) fn shows_loss(&mut self, payloads: Payloads<'_>, now: Timestamp) -> bool {
        let lost = [NotifyType::INVALID_IKE_SPI, NotifyType::INVALID_SPI];
        let says_so = lost.into_iter().any(|lost| payloads.notify(lost).is_some());
        let Some(digest) = self.digest.filter(|_| says_so) else { return false };
        let believed = fault::is_on(Fault::BelievesAnyToken);
        self.examined.take(TOKENS, now)
            && tokens(payloads)
                .take(AT_ONCE)
                .any(|shown| ct_eq(&sha256(&[shown]), &digest) || believed)
    }
}

fn tokens(payloads: Payloads<'_>) -> impl Iterator<Item = &[u8]> {
    let all = payloads.notifies();
    let tokens = all.filter(|notify| notify.notify_type == NotifyType::QUICK_CRASH_DETECTION);
    tokens.map(|notify| notify.data.as_slice()).filter(|token| LENGTHS.contains(&token.len()))
}

/// How often tokens were looked at is none of it.
impl State for PeerToken {
    fn write(&self, out: &mut StateWriter) {
        self.digest.write(out);
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, DecodeError> {
        Ok(PeerToken { digest: State::read(from)?, examined: Bucket::default() })
    }
}

#[cfg(test)]
mod tests;
