//! One more key exchange before IKE_AUTH (RFC 9242, RFC 9370 §2.2.2). Who asks is not known yet, so
//! this costs no more than the first one: one piece of work for each request, and one at a time.

use super::super::context::Context;
use super::super::event::Role;
use super::super::exchange::LastAnswer;
use super::super::failure::FailureReason;
use super::super::fault::{self, Fault};
use super::super::intermediate;
use super::super::job::{Client, Ephemeral, Work};
use super::super::keys::Spis;
use super::super::path::Path;
use super::super::payloads::{Payloads, notify, public_value_of};
use super::super::protect::Opened;
use super::super::stats::Discard;
use super::admission::AuthRequest;
use super::half_open::{AuthRefusal, HalfOpen};
use super::working::{Stage, Working};
use super::{Step, answer_header};
use crate::crypto::digest::sha256;
use crate::crypto::kex::Group;
use crate::crypto::secret::Secret;
use crate::wire::ike::{NotifyType, covered};

/// An IKE_INTERMEDIATE that will be answered.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Mixing {
    half_open: Box<HalfOpen>,
    digest: [u8; 32],
    from: Path,
    /// What AUTH covers of it.
    covered: Vec<u8>,
    group: Group,
}

impl HalfOpen {
    /// A request for the key exchange that is due.
    pub(super) fn intermediate(
        self: Box<Self>,
        opened: &Opened,
        group: Group,
        from: Path,
        ctx: &mut Context<'_>,
    ) -> Step {
        if matches!(self.client, Client::Stranger(_)) && ctx.jobs.is_full() {
            ctx.out.count(Discard::Busy);
            return Step::HalfOpen(self);
        }
        let digest = opened.digest();
        let public = match opened.payloads() {
            Ok(payloads) => public_value_in(Payloads(payloads), group),
            Err(error) => Err(breach(error.to_string())),
        };
        match public {
            Ok(public) => {
                let work = Work::Respond { ours: Ephemeral::new(group, ctx), public };
                let expires_at = self.expires_at;
                let covered = opened.covered().to_vec();
                let mixing = Mixing { half_open: self, digest, from, covered, group };
                Step::Working(Working::ask(Stage::Mixing(Box::new(mixing)), work, expires_at, ctx))
            }
            Err(refusal) => {
                let request = AuthRequest::of_another(digest, from);
                self.refuse(refusal, &request, ctx)
            }
        }
    }
}

/// The peer's public value.
fn public_value_in(payloads: Payloads<'_>, group: Group) -> Result<Vec<u8>, AuthRefusal> {
    if let Some(unknown) = payloads.unknown_critical() {
        let answer = notify(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, [unknown.0]);
        let text = format!("unknown critical payload of type {}", unknown.0);
        return Err(AuthRefusal::with(answer, FailureReason::Breach(text)));
    }
    let public = intermediate::public_value(payloads, group, group.public_len());
    public.ok_or_else(|| {
        breach("IKE_INTERMEDIATE holds no public value of the agreed method".to_owned())
    })
}

fn breach(text: String) -> AuthRefusal {
    AuthRefusal::new(NotifyType::INVALID_SYNTAX, FailureReason::Breach(text))
}

impl Mixing {
    /// Both sides have the secret: the answer, still protected by the keys of before.
    pub(super) fn answer(self, public: Vec<u8>, shared: Secret, ctx: &mut Context<'_>) -> Step {
        let Mixing { mut half_open, digest, from, covered: request, group } = self;
        let header = answer_header(half_open.id, half_open.due(), half_open.transcript.next_id());
        let payloads = [public_value_of(group, public)];
        let (key, remote) = (&mut half_open.keys.seal, from.remote);
        let response = half_open.fragmentation.on(&from).seal(key, &header, &payloads, remote);
        ctx.out.send_sealed(&from, &response);
        half_open.answered = Some(LastAnswer::new(digest, response, ctx.now));
        let covered = covered(&header, &payloads);
        half_open.transcript.on_intermediate(&half_open.keys, &request, &covered);
        half_open.agenda.on_done();
        if fault::is_on(Fault::KeepsFirstKeys) {
            return Step::HalfOpen(half_open);
        }
        let spis = Spis { initiator: half_open.id.remote, responder: half_open.id.local };
        match half_open.keys.updated(shared, &half_open.nonces, spis, Role::Responder) {
            Ok(keys) => half_open.keys = keys,
            Err(_) => return Step::Dropped(Discard::PublicValue),
        }
        Step::HalfOpen(half_open)
    }

    /// The peer's public value is worth nothing: it is told, and the half-open IKE SA is over.
    pub(super) fn refuse(self, why: String, ctx: &mut Context<'_>) -> Step {
        ctx.out.count(Discard::PublicValue);
        let Mixing { half_open, digest, from, .. } = self;
        let request = AuthRequest::of_another(digest, from);
        half_open.refuse(breach(why), &request, ctx)
    }

    /// The half-open IKE SA that waits.
    pub(super) fn half_open(&self) -> &HalfOpen {
        &self.half_open
    }

    /// As if the request had not come.
    pub(super) fn into_half_open(self) -> Box<HalfOpen> {
        self.half_open
    }

    /// Whether this datagram is the request.
    pub(super) fn is_about(&self, datagram: &[u8]) -> bool {
        self.digest == sha256(&[datagram])
    }
}
