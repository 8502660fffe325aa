//! How `vpnctl` ends: what scripts and monitors can tell apart.

use super::client::{NotRunning, Silent};
use anyhow::Error;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// All is well.
    #[default]
    Well,
    /// Something is down, or a check has found something.
    Down,
    /// The command could not be carried out.
    Refused,
    /// No gateway answers.
    NoGateway,
}

impl Ending {
    /// How a command ends with an error.
    pub(super) fn of(error: &Error) -> Ending {
        if error.is::<NotRunning>() || error.is::<Silent>() {
            Ending::NoGateway
        } else {
            Ending::Refused
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> ExitCode {
        ExitCode::from(match ending {
            Ending::Well => 0,
            Ending::Down => 1,
            Ending::Refused => 2,
            Ending::NoGateway => 3,
        })
    }
}
