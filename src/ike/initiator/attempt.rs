//! What lasts through an attempt, whichever cookie or group the peer asks for.

use super::super::config::{ConnectionConfig, ConnectionId};
use super::super::context::Context;
use super::super::failure::FailureReason;
use super::super::job::{Ephemeral, Work};
use super::super::path::Path;
use super::super::proposal::Beside;
use super::Step;
use super::working::{Stage, Working};
use crate::crypto::kex::Group;
use crate::time::Timestamp;
use crate::wire::ike::IkeSpi;
use std::sync::Arc;

/// How often one attempt begins anew for a cookie or another group: an honest peer asks for
/// each once.
const MAX_RESTARTS: u32 = 6;

/// An attempt to connect, before the peer has answered.
#[cfg_attr(test, derive(Clone))]
#[derive(Debug)]
pub(in super::super) struct Attempt {
    pub connection: ConnectionId,
    pub(super) config: Arc<ConnectionConfig>,
    pub(super) spi: IkeSpi,
    pub(super) path: Path,
    pub(super) nonce: Vec<u8>,
    pub(super) cookie: Option<Vec<u8>>,
    restarts: u32,
    /// The last refusal, which may have been forged.
    pub(super) hint: Option<FailureReason>,
    pub(super) began_at: Timestamp,
    /// It is made beside an IKE SA that works: nobody need hear that it gets no answer.
    pub(super) quiet: bool,
}

impl Attempt {
    /// Begins an attempt that will send IKE_SA_INIT from `path`, `quiet` when nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`FailureReason::Ours`] when the connection has no suite to offer.
    pub(crate) fn begin(
        connection: ConnectionId,
        config: Arc<ConnectionConfig>,
        spi: IkeSpi,
        (path, quiet): (Path, bool),
        ctx: &mut Context<'_>,
    ) -> Result<Step, FailureReason> {
        let suite = config.ike_suites.first().ok_or(FailureReason::Ours("no IKE suite"))?;
        let ours = Ephemeral::new(suite.group, ctx);
        let attempt = Attempt {
            connection,
            spi,
            path,
            nonce: ctx.nonce(),
            cookie: None,
            restarts: 0,
            hint: None,
            began_at: ctx.now,
            quiet,
            config,
        };
        Ok(attempt.generate(ours, ctx))
    }

    fn generate(self, ours: Ephemeral, ctx: &mut Context<'_>) -> Step {
        Working::ask(Stage::Generating(Box::new(self)), Work::Generate(ours), ctx)
    }

    /// The key exchanges that may stand beside the first.
    pub(super) fn beside(&self) -> Beside {
        Beside::initial(self.config.post_quantum)
    }

    /// Whether the peer may make us begin anew once more.
    pub(super) fn may_restart(&self) -> bool {
        self.restarts < MAX_RESTARTS
    }

    /// We begin anew.
    pub(super) fn on_restart(&mut self) {
        self.restarts += 1;
    }

    /// Begins anew with a fresh key exchange of `group`.
    pub(super) fn regroup(mut self, group: Group, ctx: &mut Context<'_>) -> Step {
        self.on_restart();
        let ours = Ephemeral::new(group, ctx);
        self.generate(ours, ctx)
    }
}
