//! Where the log goes: to journald with its fields when systemd started us, else to standard
//! error. What one peer can make us write is bounded in time ([`limit`]).

mod limit;

use super::exit::{Cause, Failure, OrFail, Outcome};
use anyhow::anyhow;
use limit::Limit;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging of what `filter` lets through.
pub fn start(filter: &str) -> Outcome<()> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        let error = anyhow!("--log {filter:?} is no filter ({error}); write for example \"debug\"");
        Failure { cause: Cause::Configuration, error }
    })?;
    let registry = tracing_subscriber::registry().with(filter).with(Limit::default());
    match journald() {
        Some(layer) => registry.with(layer).try_init(),
        None => {
            let colours = std::io::stderr().is_terminal();
            let layer = tracing_subscriber::fmt::layer();
            registry.with(layer.with_writer(std::io::stderr).with_ansi(colours)).try_init()
        }
    }
    .or_fail(Cause::Runtime)
}

/// systemd sets JOURNAL_STREAM when our standard error is the journal's.
fn journald() -> Option<tracing_journald::Layer> {
    std::env::var_os("JOURNAL_STREAM")?;
    tracing_journald::layer().ok()
}
