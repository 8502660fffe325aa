//! The peer has lost the IKE SA, and shows it (RFC 6290 §4).
//!
//! As responder we give our token in the answer that makes the IKE SA; as initiator of a rekeying,
//! whose SPIs are known only then, in an INFORMATIONAL exchange right after (§4.3).

use super::super::context::Context;
use super::super::failure::DownReason;
use super::super::path::Path;
use super::super::payloads::Payloads;
use super::super::stats::Discard;
use super::{Effect, Established};
use crate::time::Timestamp;
use crate::wire::ike::{Header, Message, Payload, PayloadType};

/// Whether a message claims to be protected.
pub(super) fn is_protected(header: &Header) -> bool {
    matches!(header.next_payload, PayloadType::SK | PayloadType::SKF)
}

impl Established {
    /// A message without protection. None is answered (RFC 6290 §4.5), and only one is believed: with
    /// the token that the peer has given us, from where the peer is.
    pub(super) fn on_unprotected(&mut self, datagram: &[u8], path: Path, ctx: &mut Context<'_>) {
        let here = self.path.path().remote.ip() == path.remote.ip();
        let believes = here && ctx.settings.crash_detection;
        let message = Message::decode(datagram).ok().filter(|_| believes);
        let shown = message.is_some_and(|message| {
            self.peer_token.shows_loss(Payloads(&message.payloads), ctx.now)
        });
        if !shown {
            return ctx.out.count(Discard::NotAuthentic);
        }
        tracing::info!(connection = self.connection.0, ike = %self.id(), "the peer has lost the IKE SA");
        if self.is_active() {
            self.effects.push(Effect::Reconnect);
        }
        self.end(DownReason::PeerRestarted, ctx);
    }

    /// The successor for which we have asked has come with this answer.
    pub(super) fn begin_tokens(&mut self, answer: Payloads<'_>, ctx: &mut Context<'_>) {
        self.peer_token.on_told(answer);
        self.owe_token(ctx);
    }

    /// The peer is to get a token of ours in place of the one that it may have.
    pub(super) fn owe_token(&mut self, ctx: &mut Context<'_>) {
        self.owes_token = ctx.crash_token(self.id(), self.local_ip()).is_some();
    }

    /// Our token, if the peer has yet to get it. A request is repeated until it is answered, so it is
    /// not owed any longer once it is in one.
    pub(super) fn take_token(&mut self, ctx: &mut Context<'_>) -> Option<Payload> {
        let owed = std::mem::take(&mut self.owes_token);
        ctx.crash_token(self.id(), self.local_ip()).filter(|_| owed)
    }

    /// When the peer is to be asked for a sign of life: at once, if it is to be told something.
    pub(super) fn probe_at(&self) -> Timestamp {
        match self.owes_token || self.owes_addresses() {
            true => Timestamp::ZERO,
            false => self.liveness.probe_at(&self.config.liveness),
        }
    }
}
