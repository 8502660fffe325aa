//! Our attempt waits for public-key work.

use super::super::auth;
use super::super::child::Offer;
use super::super::config::{ConnectionConfig, ConnectionId};
use super::super::context::Context;
use super::super::event::{IkeSaId, Role};
use super::super::failure::FailureReason;
use super::super::fragments::Fragmentation;
use super::super::intermediate::Agenda;
use super::super::job::{Client, Done, JobId, Work};
use super::super::keys::{IkeKeys, Nonces, Spis};
use super::super::path::Path;
use super::super::proposal::without_group;
use super::super::selector::Lack;
use super::super::stats::Discard;
use super::super::transcript::Transcript;
use super::await_auth::Verifying;
use super::await_init::Acceptance;
use super::await_intermediate::AgreeingMore;
use super::keyed::PpkState;
use super::{Attempt, AwaitInit, AwaitIntermediate, Keyed, Step};
use crate::crypto::secret::Secret;
use crate::crypto::suite::Additional;
use crate::time::Timestamp;
use crate::wire::ike::IkeSpi;
use std::net::SocketAddr;

/// An attempt that goes on when a job is done.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(in super::super) struct Working {
    job: JobId,
    stage: Stage,
    expires_at: Timestamp,
}

/// What the work is for.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) enum Stage {
    /// Our half of the key exchange, to send IKE_SA_INIT.
    Generating(Box<Attempt>),
    /// The shared secret: the peer has accepted.
    Agreeing(Box<Agreeing>),
    /// Our half of one more key exchange, to send IKE_INTERMEDIATE.
    GeneratingMore(Box<Keyed>),
    /// The secret of that one: the peer has answered IKE_INTERMEDIATE.
    AgreeingMore(Box<AgreeingMore>),
    /// Our proof, to send IKE_AUTH.
    Signing(Box<Keyed>),
    /// The peer's proof.
    Verifying(Box<Verifying>),
}

/// The peer has accepted IKE_SA_INIT.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(super) struct Agreeing {
    pub attempt: Attempt,
    pub acceptance: Acceptance,
    pub init_request: Vec<u8>,
    pub init_response: Vec<u8>,
}

impl Stage {
    fn of(&self) -> (ConnectionId, &ConnectionConfig, IkeSpi) {
        match self {
            Stage::Generating(attempt) => attempt.owner(),
            Stage::Agreeing(agreeing) => agreeing.attempt.owner(),
            Stage::GeneratingMore(keyed) | Stage::Signing(keyed) => keyed.owner(),
            Stage::AgreeingMore(agreeing) => agreeing.keyed.owner(),
            Stage::Verifying(verifying) => verifying.state.keyed.owner(),
        }
    }
}

impl Attempt {
    fn owner(&self) -> (ConnectionId, &ConnectionConfig, IkeSpi) {
        (self.connection, &self.config, self.spi)
    }
}

impl Keyed {
    fn owner(&self) -> (ConnectionId, &ConnectionConfig, IkeSpi) {
        (self.connection, &self.config, self.id.local)
    }
}

impl Working {
    /// Asks for `work`, by which `stage` goes on.
    pub(super) fn ask(stage: Stage, work: Work, ctx: &mut Context<'_>) -> Step {
        let (connection, config, spi) = stage.of();
        let expires_at = ctx.now + config.retransmit.give_up;
        let job = ctx.jobs.ask(Client::Connection(connection), spi, work);
        Step::Working(Box::new(Working { job, stage, expires_at }))
    }

    /// The connection of the attempt.
    pub(crate) fn connection(&self) -> ConnectionId {
        self.stage.of().0
    }

    /// Whether this is the job that is waited for.
    pub(crate) fn awaits(&self, job: JobId) -> bool {
        self.job == job
    }

    /// Whether IKE_AUTH was sent.
    pub(crate) fn has_sent_auth(&self) -> bool {
        match self.stage {
            Stage::Generating(_) | Stage::Agreeing(_) | Stage::Signing(_) => false,
            Stage::GeneratingMore(_) | Stage::AgreeingMore(_) => false,
            Stage::Verifying(_) => true,
        }
    }

    /// When the work is given up.
    pub(crate) fn timeout(&self) -> Timestamp {
        self.expires_at
    }

    /// One datagram whose header names this attempt: what it could answer has been answered.
    pub(crate) fn handle(&self, ctx: &mut Context<'_>) {
        ctx.out.count(Discard::StrayResponse);
    }

    /// The work is done.
    pub(crate) fn resume(self, done: Done, ctx: &mut Context<'_>) -> Step {
        match (self.stage, done) {
            (Stage::Generating(attempt), Done::Generated(Ok(ours))) => {
                Step::AwaitInit(AwaitInit::send(*attempt, ours, ctx))
            }
            (Stage::Generating(_), Done::Generated(Err(_))) => {
                Step::Failed(FailureReason::Ours("no randomness"))
            }
            (Stage::Agreeing(agreeing), Done::Agreed(Ok(shared))) => agreeing.agreed(&shared, ctx),
            (Stage::Agreeing(agreeing), Done::Agreed(Err(_))) => agreeing.disagreed(ctx),
            (Stage::GeneratingMore(keyed), Done::Generated(Ok(ours))) => {
                Step::AwaitIntermediate(AwaitIntermediate::send(*keyed, ours, ctx))
            }
            (stage @ Stage::GeneratingMore(_), Done::Generated(Err(_))) => {
                stage.fail("no randomness", ctx)
            }
            (Stage::AgreeingMore(agreeing), Done::Agreed(shared)) => agreeing.settle(shared, ctx),
            (Stage::Signing(keyed), Done::Signed(Some(proof))) => keyed.on_proof(proof, ctx),
            (stage @ Stage::Signing(_), Done::Signed(None)) => {
                stage.fail("the private key makes no signature", ctx)
            }
            (Stage::Verifying(verifying), Done::Verified(found)) => {
                verifying.settle(found.into_iter().next(), ctx)
            }
            (stage, Done::Lost) => stage.fail("public-key work was lost", ctx),
            (stage, _) => stage.fail("the answer to a job is to another question", ctx),
        }
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(self: Box<Self>, ctx: &mut Context<'_>) -> Step {
        if ctx.now < self.expires_at {
            return Step::Working(self);
        }
        self.abandon(ctx);
        Step::Failed(FailureReason::Ours("public-key work was not done in time"))
    }

    /// Gives back what the attempt had taken.
    pub(crate) fn abandon(&self, ctx: &mut Context<'_>) {
        self.stage.abandon(ctx);
    }
}

impl Stage {
    fn fail(self, why: &'static str, ctx: &mut Context<'_>) -> Step {
        self.abandon(ctx);
        Step::Failed(FailureReason::Ours(why))
    }

    fn abandon(&self, ctx: &mut Context<'_>) {
        match self {
            Stage::Generating(_) | Stage::Agreeing(_) => {}
            Stage::GeneratingMore(keyed) | Stage::Signing(keyed) => keyed.abandon(ctx),
            Stage::AgreeingMore(agreeing) => agreeing.keyed.abandon(ctx),
            Stage::Verifying(verifying) => verifying.state.keyed.abandon(ctx),
        }
    }
}

impl Agreeing {
    /// Both sides have the secret: keys, and IKE_AUTH on the port of NAT traversal.
    fn agreed(self: Box<Self>, shared: &Secret, ctx: &mut Context<'_>) -> Step {
        let Agreeing { attempt, acceptance, init_request, init_response } = *self;
        let hashes = acceptance.hashes;
        if let Err(failure) = auth::can_prove(&attempt.config.credentials, hashes) {
            return Step::Failed(FailureReason::Authentication(failure));
        }
        let nonces = Nonces { initiator: attempt.nonce, responder: acceptance.nonce };
        let id = IkeSaId { local: attempt.spi, remote: acceptance.responder };
        let spis = Spis { initiator: id.local, responder: id.remote };
        let keys = IkeKeys::initial(acceptance.suite, shared, &nonces, spis, Role::Initiator);
        let Ok(keys) = keys else {
            return Step::Failed(FailureReason::Ours("keys do not fit the suite"));
        };
        let Some((first, slot)) = attempt.config.first_slot() else {
            return Step::Failed(FailureReason::Ours("no slots"));
        };
        let suites = without_group(&slot.esp_suites);
        let traffic = Lack::of_all(first).traffic(slot);
        let keyed = Keyed {
            connection: attempt.connection,
            id,
            keys,
            nonces,
            path: natt_path(attempt.path, ctx.settings.ike_port, ctx.settings.natt_port),
            nat: acceptance.nat,
            transcript: Transcript::new(init_request, init_response, acceptance.covers_in_full),
            agenda: Agenda::new(acceptance.additional),
            offer: Offer::new(
                (first, slot),
                traffic,
                (suites, Additional::NONE),
                acceptance.names_slots,
                ctx,
            ),
            names_slots: acceptance.names_slots,
            fragmentation: Fragmentation::agreed(
                ctx.settings.fragmentation && acceptance.takes_fragments,
            ),
            hashes,
            ppk: PpkState::new(acceptance.uses_ppk),
            began_at: attempt.began_at,
            config: attempt.config,
        };
        keyed.go_on(ctx)
    }

    /// The peer's public value is worth nothing. Perhaps it was forged: with a fresh key the
    /// true peer can still answer.
    fn disagreed(self: Box<Self>, ctx: &mut Context<'_>) -> Step {
        ctx.out.count(Discard::PublicValue);
        let Agreeing { attempt, acceptance, .. } = *self;
        if attempt.may_restart() {
            return attempt.regroup(acceptance.suite.group, ctx);
        }
        let reason = "every answer to IKE_SA_INIT holds a public value that is not acceptable";
        Step::Failed(FailureReason::Breach(reason.to_owned()))
    }
}

/// "The initiator MUST … change to port 4500" when there is a NAT, and may without one
/// (RFC 7296 §2.23). A TCP connection stays where it is.
fn natt_path(path: Path, ike_port: u16, natt_port: u16) -> Path {
    if path.is_streamed() {
        return path;
    }
    let at = |address: SocketAddr| {
        let port = if address.port() == ike_port { natt_port } else { address.port() };
        SocketAddr::new(address.ip(), port)
    };
    Path { local: at(path.local), remote: at(path.remote) }
}
