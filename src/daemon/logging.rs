//! Where the log goes: to journald with its fields when systemd started us, else to standard
//! error. What one peer can make us write is bounded in time ([`limit`]); what is written at all, an
//! operator changes while the daemon runs.

mod journal;
mod limit;

use super::LogFormat;
use super::exit::{Cause, Failure, OrFail, Outcome};
use crate::control::{FailureKind, Reply};
use anyhow::{Result, anyhow, bail};
use journal::Journal;
use limit::Limit;
use std::io::IsTerminal;
use std::sync::OnceLock;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

/// The filter in use; there is one log in a process.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging of what `filter` lets through.
pub(super) fn start(filter: &str, format: LogFormat) -> Outcome<()> {
    let filter = parse(filter).map_err(|error| {
        let error = anyhow!("--log {error}");
        Failure { cause: Cause::Configuration, error }
    })?;
    let (filter, handle) = reload::Layer::new(filter);
    // A second start in one process, as in tests, keeps the first one's.
    let _ = FILTER.set(handle);
    let registry = tracing_subscriber::registry().with(filter).with(Limit::default());
    match journald() {
        Some(journal) => registry.with(journal).try_init(),
        None => {
            let colours = std::io::stderr().is_terminal();
            let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
            let layer = match format {
                LogFormat::Text => layer.with_ansi(colours).boxed(),
                LogFormat::Json => layer.json().flatten_event(true).boxed(),
            };
            registry.with(layer).try_init()
        }
    }
    .or_fail(Cause::Runtime)
}

/// Says what is logged, or changes it.
pub(super) fn answer(filter: Option<&str>) -> Reply {
    let outcome = match filter {
        Some(filter) => change(filter),
        None => current(),
    };
    outcome.map_or_else(
        |error| Reply::failed(FailureKind::BadRequest, error.to_string()),
        |filter| Reply::done(format!("what is logged: {filter}")),
    )
}

fn change(filter: &str) -> Result<String> {
    let (filter, handle) = (parse(filter)?, handle()?);
    handle.reload(filter)?;
    tracing::info!("the log filter was changed");
    current()
}

fn current() -> Result<String> {
    Ok(handle()?.with_current(|filter| filter.to_string())?)
}

fn handle() -> Result<&'static reload::Handle<EnvFilter, Registry>> {
    FILTER.get().ok_or_else(|| anyhow!("nothing is logged"))
}

/// The filter that a text means. A word alone must be a level: as the name of a target, which it
/// could be, it would silence everything.
fn parse(text: &str) -> Result<EnvFilter> {
    for word in text.split(',').map(str::trim).filter(|word| !word.contains('=')) {
        let is_ours = word.starts_with("vpngw");
        if word.is_empty() || (word.parse::<LevelFilter>().is_err() && !is_ours) {
            bail!(
                "{word:?} is no level: write error, warn, info, debug or trace, or for a part of the \
                 daemon for example \"info,vpngw::ike=trace\""
            );
        }
    }
    EnvFilter::try_new(text).map_err(|error| anyhow!("{text:?} is no filter: {error}"))
}

/// systemd sets JOURNAL_STREAM when our standard error is the journal's.
fn journald() -> Option<Journal> {
    std::env::var_os("JOURNAL_STREAM")?;
    Journal::open().ok()
}

#[cfg(test)]
mod tests;
