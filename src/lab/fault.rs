//! Ways to break a lab, each of which the gateways must survive.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// What can be done to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// `kill -9`: the process is gone without a word.
    Kill,
    /// SIGTERM: the process says goodbye.
    Stop,
    /// SIGSTOP: the process hangs, with its sockets and devices as they were.
    Hang,
    /// The cable to the underlay is pulled.
    WanDown,
    /// The cable to the VPC is pulled.
    LanDown,
    /// The underlay drops everything from and to it, in silence, with all links up.
    Blackhole,
    /// The underlay drops everything to it, while what it sends arrives.
    OneWay,
    /// The underlay drops everything from it, while it hears everybody.
    OneWayOut,
    /// Its router of the underlay is gone: the link is up, and nobody is there.
    Router,
    /// The whole availability zone is gone: gateway killed, its cables and its host's pulled.
    Zone,
}

impl FaultKind {
    /// All kinds.
    pub const ALL: [FaultKind; 10] = [
        FaultKind::Kill,
        FaultKind::Stop,
        FaultKind::Hang,
        FaultKind::WanDown,
        FaultKind::LanDown,
        FaultKind::Blackhole,
        FaultKind::OneWay,
        FaultKind::OneWayOut,
        FaultKind::Router,
        FaultKind::Zone,
    ];

    /// The word for it on the command line.
    pub fn name(self) -> &'static str {
        match self {
            FaultKind::Kill => "kill",
            FaultKind::Stop => "stop",
            FaultKind::Hang => "hang",
            FaultKind::WanDown => "wan-down",
            FaultKind::LanDown => "lan-down",
            FaultKind::Blackhole => "blackhole",
            FaultKind::OneWay => "one-way",
            FaultKind::OneWayOut => "one-way-out",
            FaultKind::Router => "router",
            FaultKind::Zone => "zone",
        }
    }

    /// What it does, in a few words.
    pub fn summary(self) -> &'static str {
        match self {
            FaultKind::Kill => "killed the daemon (SIGKILL)",
            FaultKind::Stop => "asked the daemon to end (SIGTERM)",
            FaultKind::Hang => "stopped the daemon where it was (SIGSTOP)",
            FaultKind::WanDown => "pulled the underlay cable",
            FaultKind::LanDown => "pulled the VPC cable",
            FaultKind::Blackhole => "the underlay drops its packets in silence, both ways",
            FaultKind::OneWay => "the underlay drops what is sent to it",
            FaultKind::OneWayOut => "the underlay drops what it sends",
            FaultKind::Router => "its router of the underlay is gone, with all links up",
            FaultKind::Zone => "the whole zone is gone: gateway, host and cables",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for FaultKind {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> Result<Self> {
        match FaultKind::ALL.into_iter().find(|kind| kind.name() == text) {
            Some(kind) => Ok(kind),
            None => {
                let names = FaultKind::ALL.map(FaultKind::name).join(", ");
                bail!("there is no failure '{text}'; choose one of {names}")
            }
        }
    }
}

/// One thing that is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fault {
    /// What was done.
    pub kind: FaultKind,
    /// To which gateway.
    pub gateway: String,
}
