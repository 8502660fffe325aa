//! What the command line says.

use crate::texts::Remote;
use anyhow::{Context, Result, bail};
use std::time::Duration;

/// What to measure.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Numbers of tunnels.
    pub sizes: Vec<u32>,
    /// How the hub knows its peers.
    pub remotes: Vec<Remote>,
    /// The longest that one cell may take.
    pub limit: Duration,
    /// Whether a program reads the result.
    pub json: bool,
}

impl Plan {
    /// `None` unless it is `cargo bench` that asks: as a test of `cargo test` this does nothing.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Plan>> {
        let arguments: Vec<String> = arguments.collect();
        if !arguments.iter().any(|argument| argument == "--bench") {
            return Ok(None);
        }
        let mut plan = Plan {
            sizes: vec![10, 100, 1_000, 10_000],
            remotes: vec![Remote::Any, Remote::Fixed],
            limit: Duration::from_secs(20),
            json: false,
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => {}
                "--json" => plan.json = true,
                "--limit" => plan.limit = Duration::from_secs_f64(value()?.parse()?),
                "--sizes" => plan.sizes = listed(&value()?)?,
                "--remote" => plan.remotes = listed(&value()?)?,
                other => bail!("unknown argument {other}; see the top of benches/control/main.rs"),
            }
        }
        Ok(Some(plan))
    }
}

fn listed<T>(text: &str) -> Result<Vec<T>>
where
    T: std::str::FromStr,
    anyhow::Error: From<T::Err>,
{
    text.split(',').map(|item| Ok(item.parse()?)).collect()
}
