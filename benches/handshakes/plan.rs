//! What the command line says.

use crate::papers::Proof;
use crate::responder::Kind;
use anyhow::{Context, Result, bail};
use std::str::FromStr;
use std::time::Duration;

/// How a tunnel is watched while nothing is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watching {
    /// How often the responder asks by IKE whether a peer is there.
    pub probe: Duration,
    /// How often both ends show by BFD that they are, if at all.
    pub bfd: Option<Duration>,
}

/// What to measure.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Whether the rate of handshakes is measured.
    pub handshakes: bool,
    /// Whether idle tunnels are.
    pub idle: bool,
    /// Who answers.
    pub responders: Vec<Kind>,
    /// How both sides prove who they are.
    pub proofs: Vec<Proof>,
    /// Handshakes of one figure.
    pub count: usize,
    /// Figures of which the median counts.
    pub rounds: u32,
    /// Numbers of idle tunnels.
    pub tunnels: Vec<u32>,
    /// How long idle tunnels are watched.
    pub seconds: Duration,
    /// How they are watched by the responder meanwhile.
    pub watching: Watching,
}

impl Plan {
    /// `None` unless it is `cargo bench` that asks: as a test of `cargo test` this does nothing.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Plan>> {
        let arguments: Vec<String> = arguments.collect();
        if !arguments.iter().any(|argument| argument == "--bench") {
            return Ok(None);
        }
        let mut plan = Plan {
            handshakes: true,
            idle: true,
            responders: vec![Kind::Vpngw, Kind::Charon],
            proofs: vec![Proof::Psk, Proof::Ed25519, Proof::Certificate],
            count: 2_000,
            rounds: 3,
            tunnels: vec![1_000, 10_000],
            seconds: Duration::from_secs(20),
            watching: Watching { probe: Duration::from_secs(30), bfd: None },
        };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value =
                || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => {}
                "--only" => match value()?.as_str() {
                    "handshakes" => plan.idle = false,
                    "idle" => plan.handshakes = false,
                    other => bail!("{other:?} is neither \"handshakes\" nor \"idle\""),
                },
                "--responders" => plan.responders = listed(&value()?)?,
                "--proofs" => plan.proofs = listed(&value()?)?,
                "--count" => plan.count = value()?.parse()?,
                "--rounds" => plan.rounds = value()?.parse()?,
                "--tunnels" => plan.tunnels = listed(&value()?)?,
                "--seconds" => plan.seconds = Duration::from_secs(value()?.parse()?),
                "--probe" => plan.watching.probe = Duration::from_secs(value()?.parse()?),
                "--bfd" => {
                    plan.watching.bfd = Some(Duration::from_millis(value()?.parse()?));
                    plan.responders = vec![Kind::Vpngw];
                }
                other => {
                    bail!("unknown argument {other}; see the top of benches/handshakes/main.rs")
                }
            }
        }
        Ok(Some(plan))
    }
}

fn listed<T>(text: &str) -> Result<Vec<T>>
where
    T: FromStr,
    anyhow::Error: From<T::Err>,
{
    text.split(',').map(|item| Ok(item.parse()?)).collect()
}
