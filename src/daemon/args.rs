//! The command line of vpngwd.

use clap::{Parser, ValueEnum};
use std::path::PathBuf;

/// The gateway daemon: brings the tunnels of its configuration up and keeps them up.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "vpngwd",
    version,
    after_help = "Exit codes: 0 clean end, 1 failure while running, 2 wrong configuration or \
                  command line, 3 missing capability or device, 4 address or port in use.\n\
                  SIGHUP reads the configuration again; SIGTERM ends in order."
)]
pub struct Args {
    /// The configuration
    #[arg(long, short, value_name = "FILE", default_value = "/etc/vpngw/vpngw.toml")]
    pub config: PathBuf,
    /// Check the configuration, say what is wrong with it, and end
    #[arg(long)]
    pub check: bool,
    /// Make the guards against plaintext stand that the configuration asks for, and end: before
    /// the network is up, and whatever else is wrong with the file
    #[arg(long, conflicts_with = "check")]
    pub guard: bool,
    /// What to log, for example "debug" or "info,vpngw::ike=trace"
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
    /// How to write the log where it does not go to the journal
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub log_format: LogFormat,
}

/// How lines of the log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, with all fields.
    Json,
}
