//! The peer's certificate while the IKE SA stands: looked at again whenever keys are replaced, and
//! when authorities or revocation lists are.
//!
//! ```text
//!   rekeyed, reconfigured ──► job ──► still good
//!                               │ revoked: the IKE SA ends now
//!                               └ anything else: another IKE SA is made beside it, for which the
//!                                 peer may have a newer certificate; this one ends a little later
//! ```
//!
//! IKEv2 has no other way to show a new certificate than a new IKE SA (RFC 7296 §2.8.3). So when our
//! own has changed, one is made when the keys are due to be replaced, in place of a rekeying.

use super::super::config::ConnectionConfig;
use super::super::context::Context;
use super::super::failure::DownReason;
use super::super::job::{Done, JobId, Work};
use super::super::state::state_of_fields;
use super::{Effect, Established};
use crate::pki::{Credentials, Question, Refusal, Vouched};
use crate::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// How long an IKE SA stands whose peer has to show a newer certificate.
const GRACE: Duration = Duration::from_secs(60);

/// What an IKE SA knows of the peer's certificate, and of ours.
#[derive(Clone, Debug, Default)]
pub(super) struct Vouching {
    /// By which the peer has proved who it is; `None` when it did otherwise.
    pub certificate: Option<Arc<Vouched>>,
    /// Ours is another one since.
    own_changed: bool,
    /// The job that looks at it again.
    job: Option<JobId>,
    /// It does not hold any more, and the IKE SA ends then.
    condemned: Option<(Timestamp, Refusal)>,
    /// Another IKE SA is to take the place of this one.
    outdated: bool,
}

impl Vouching {
    /// What is known of the peer's certificate after the handshake.
    pub(super) fn of(certificate: Option<Arc<Vouched>>) -> Vouching {
        Vouching { certificate, ..Vouching::default() }
    }

    /// What a successor takes over.
    pub(super) fn heritage(&self) -> Vouching {
        Vouching { job: None, ..self.clone() }
    }

    /// Whether this job is waited for.
    pub(super) fn awaits(&self, job: JobId) -> bool {
        self.job == Some(job)
    }

    /// When the IKE SA ends because of it.
    pub(super) fn end_at(&self) -> Option<Timestamp> {
        self.condemned.as_ref().map(|(at, _)| *at)
    }
}

impl Established {
    /// Has the peer's certificate looked at again.
    pub(crate) fn recheck(&mut self, ctx: &mut Context<'_>) {
        let (Some(vouched), Credentials::Certificate { trust, .. }) =
            (&self.vouching.certificate, &self.config.credentials)
        else {
            return;
        };
        let question = Question {
            trust: trust.clone(),
            presented: vouched.presented().clone(),
            identity: self.remote_id().clone(),
            at: ctx.wall,
        };
        let work = Work::Recheck(Box::new(question));
        self.vouching.job = Some(ctx.jobs.ask(self.client(), self.id().local, work));
    }

    /// The job is done that has looked at it.
    pub(super) fn rechecked(&mut self, done: Done, ctx: &mut Context<'_>) {
        self.vouching.job = None;
        match done {
            Done::Rechecked(Ok(vouched)) => {
                if let Some(issuer) = vouched.stale_crl() {
                    tracing::warn!(connection = self.connection.0, %issuer, "revocation list is old");
                }
                self.vouching.certificate = Some(Arc::from(vouched));
                self.vouching.condemned = None;
            }
            Done::Rechecked(Err(refusal)) => self.condemn(refusal, ctx),
            // Nobody could look: the next rekeying will.
            _ => {}
        }
    }

    fn condemn(&mut self, refusal: Refusal, ctx: &mut Context<'_>) {
        if self.is_over() {
            return;
        }
        if matches!(refusal, Refusal::Revoked { .. }) {
            return self.close(DownReason::Certificate(refusal), ctx);
        }
        tracing::warn!(
            connection = self.connection.0, ike = %self.id(), %refusal,
            "the peer's certificate does not hold any more; it is asked for another"
        );
        let end = self.vouching.end_at().unwrap_or(ctx.now + GRACE);
        self.vouching.condemned = Some((end, refusal));
        self.reauthenticate();
    }

    /// Another IKE SA is to take the place of this one.
    pub(crate) fn reauthenticate(&mut self) {
        self.vouching.outdated = true;
        self.effects.push(Effect::Reauthenticate);
    }

    /// Whether another IKE SA, with the newest certificates, is to take the place of this one.
    pub(crate) fn is_outdated(&self) -> bool {
        self.vouching.outdated
    }

    /// The peer is to see our new certificate now: the keys are due to be replaced. Says whether a
    /// new IKE SA is made for it.
    pub(super) fn renews(&mut self, ctx: &mut Context<'_>) -> bool {
        let due = self.life.rekey_at <= ctx.now && self.config.initiate;
        if !due || !std::mem::take(&mut self.vouching.own_changed) {
            return false;
        }
        // Should that fail, there are new keys at least.
        self.life.rekey_at = ctx.now + GRACE;
        self.reauthenticate();
        true
    }

    /// The configuration was another before: certificates may have changed.
    pub(super) fn on_credentials(&mut self, old: &ConnectionConfig, ctx: &mut Context<'_>) {
        let (
            Credentials::Certificate { own: before, trust: believed },
            Credentials::Certificate { own, trust },
        ) = (&old.credentials, &self.config.credentials)
        else {
            return;
        };
        self.vouching.own_changed |= before != own;
        if believed != trust {
            self.recheck(ctx);
        }
    }

    /// The time of a certificate that does not hold any more is over.
    pub(super) fn end_condemned(&mut self, ctx: &mut Context<'_>) {
        let over = self.vouching.end_at().is_some_and(|end| end <= ctx.now);
        if let Some((_, refusal)) = self.vouching.condemned.take_if(|_| over) {
            self.close(DownReason::Certificate(refusal), ctx);
        }
    }
}

state_of_fields!(Kept { certificate, own_changed });

/// What another process needs of it: whether the certificate still holds it finds out itself.
struct Kept {
    certificate: Option<Arc<Vouched>>,
    own_changed: bool,
}

impl super::super::state::State for Vouching {
    fn write(&self, out: &mut super::super::state::StateWriter) {
        let Vouching { certificate, own_changed, .. } = self.clone();
        Kept { certificate, own_changed }.write(out);
    }

    fn read(
        from: &mut super::super::state::StateReader<'_>,
    ) -> Result<Self, crate::wire::DecodeError> {
        let Kept { certificate, own_changed } = super::super::state::State::read(from)?;
        Ok(Vouching { own_changed, ..Vouching::of(certificate) })
    }
}
