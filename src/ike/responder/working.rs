//! An IKE SA that a peer has begun waits for public-key work.

use super::super::connections::Connections;
use super::super::context::Context;
use super::super::event::IkeSaId;
use super::super::job::{Client, Done, JobId, Work};
use super::super::stats::Discard;
use super::admission::{Signing, Verifying};
use super::intermediate::Mixing;
use super::{Answering, Step};
use crate::time::Timestamp;
use std::net::SocketAddr;

/// An IKE SA, not yet established, that goes on when a job is done.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(in super::super) struct Working {
    job: JobId,
    stage: Stage,
    /// When the peer must have authenticated itself.
    pub expires_at: Timestamp,
}

/// What the work is for.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum Stage {
    /// The key exchange, to answer IKE_SA_INIT.
    Answering(Box<Answering>),
    /// One more key exchange, to answer IKE_INTERMEDIATE.
    Mixing(Box<Mixing>),
    /// The peer's proof.
    Verifying(Box<Verifying>),
    /// Our proof, to answer IKE_AUTH.
    Signing(Box<Signing>),
}

impl Working {
    /// Asks for `work`, by which `stage` goes on.
    pub(super) fn ask(
        stage: Stage,
        work: Work,
        expires_at: Timestamp,
        ctx: &mut Context<'_>,
    ) -> Box<Working> {
        let job = ctx.jobs.ask(stage.client(), stage.origin().1.local, work);
        Box::new(Working { job, stage, expires_at })
    }

    /// Where IKE_SA_INIT came from, and the SPIs.
    pub(crate) fn origin(&self) -> (SocketAddr, IkeSaId) {
        self.stage.origin()
    }

    /// Whether this is the job that is waited for.
    pub(crate) fn awaits(&self, job: JobId) -> bool {
        self.job == job
    }

    /// The same IKE_SA_INIT again: answered once already, or soon (RFC 7296 §2.1).
    pub(crate) fn answer_again(&self, datagram: &[u8], ctx: &mut Context<'_>) {
        match &self.stage {
            Stage::Answering(state) if state.init_request == datagram => {
                ctx.out.count(Discard::Retransmission);
            }
            Stage::Answering(_) => ctx.out.count(Discard::Unexpected),
            Stage::Mixing(state) => state.half_open().answer_again(datagram, ctx),
            Stage::Verifying(state) => state.half_open().answer_again(datagram, ctx),
            Stage::Signing(state) => state.half_open().answer_again(datagram, ctx),
        }
    }

    /// One datagram whose header names this IKE SA: perhaps the request again that is being
    /// worked on. It is not computed twice.
    pub(crate) fn handle(&self, datagram: &[u8], ctx: &mut Context<'_>) {
        let again = match &self.stage {
            Stage::Answering(_) => false,
            Stage::Mixing(state) => state.is_about(datagram),
            Stage::Verifying(state) => state.is_about(datagram),
            Stage::Signing(state) => state.is_about(datagram),
        };
        ctx.out.count(if again { Discard::Retransmission } else { Discard::Unexpected });
    }

    /// The work is done.
    pub(crate) fn resume(
        self,
        done: Done,
        connections: &Connections,
        ctx: &mut Context<'_>,
    ) -> Step {
        match (self.stage, done) {
            (Stage::Answering(state), Done::Responded(Ok((public, shared)))) => {
                state.answer(public, &shared, self.expires_at, ctx)
            }
            (Stage::Answering(_), Done::Responded(Err(_))) => Step::Dropped(Discard::PublicValue),
            (Stage::Mixing(state), Done::Responded(Ok((public, shared)))) => {
                state.answer(public, shared, ctx)
            }
            (Stage::Mixing(state), Done::Responded(Err(error))) => {
                state.refuse(error.to_string(), ctx)
            }
            (Stage::Verifying(state), Done::Verified(found)) => {
                state.settle(found, connections, ctx)
            }
            (Stage::Signing(state), Done::Signed(Some(proof))) => {
                state.answer(proof, connections, ctx)
            }
            // The peer will ask again.
            (Stage::Mixing(state), Done::Lost) => Step::HalfOpen(state.into_half_open()),
            (Stage::Verifying(state), Done::Lost) => Step::HalfOpen(state.into_half_open()),
            (Stage::Signing(state), Done::Lost) => Step::HalfOpen(state.into_half_open()),
            (
                Stage::Answering(_) | Stage::Mixing(_) | Stage::Verifying(_) | Stage::Signing(_),
                _,
            ) => Step::Dropped(Discard::Unexpected),
        }
    }
}

impl Stage {
    fn client(&self) -> Client {
        match self {
            Stage::Answering(state) => state.client,
            Stage::Mixing(state) => state.half_open().client,
            Stage::Verifying(state) => state.half_open().client,
            Stage::Signing(state) => state.client(),
        }
    }

    fn origin(&self) -> (SocketAddr, IkeSaId) {
        match self {
            Stage::Answering(state) => (state.path.remote, state.id),
            Stage::Mixing(state) => state.half_open().origin(),
            Stage::Verifying(state) => state.half_open().origin(),
            Stage::Signing(state) => state.half_open().origin(),
        }
    }
}
