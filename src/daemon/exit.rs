//! How the daemon ends: the exit code by which a supervisor knows whether a restart can help, and
//! one sentence for a person.

use std::fmt;
use std::process::ExitCode;

/// Why the daemon could not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Something failed while running: 1. A restart may help.
    Runtime,
    /// The configuration or the command line is wrong: 2. A restart does not help.
    Configuration,
    /// A capability or a device is missing: 3.
    Missing,
    /// An address or a port is in use, or a second daemon runs: 4.
    Busy,
}

impl Cause {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Cause::Runtime => 1,
            Cause::Configuration => 2,
            Cause::Missing => 3,
            Cause::Busy => 4,
        }
    }
}

/// An end that is not a clean one.
#[derive(Debug)]
pub struct Failure {
    /// What kind of end.
    pub cause: Cause,
    /// What happened and what to do, in one sentence.
    pub error: anyhow::Error,
}

impl Failure {
    /// A failure with the cause that the error of the operating system behind it names.
    pub fn of(error: anyhow::Error) -> Failure {
        Failure { cause: cause_of(&error), error }
    }
}

/// A result whose error ends the daemon.
pub(super) type Outcome<T> = Result<T, Failure>;

/// Gives an error the kind of end that it leads to.
pub(super) trait OrFail<T> {
    /// Ends the daemon with `cause` when this is an error.
    fn or_fail(self, cause: Cause) -> Outcome<T>;
    /// Ends the daemon when this is an error, with the cause that the error of the operating
    /// system behind it names.
    fn or_fail_as_it_is(self) -> Outcome<T>;
}

impl<T, E: Into<anyhow::Error>> OrFail<T> for Result<T, E> {
    fn or_fail(self, cause: Cause) -> Outcome<T> {
        self.map_err(|error| Failure { cause, error: error.into() })
    }

    fn or_fail_as_it_is(self) -> Outcome<T> {
        self.map_err(|error| Failure::of(error.into()))
    }
}

/// The kind of end that an error of the operating system leads to.
fn cause_of(error: &anyhow::Error) -> Cause {
    let number = error.chain().find_map(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
        io.or_else(|| cause.downcast_ref::<nix::errno::Errno>().map(|errno| *errno as i32))
    });
    match number {
        Some(libc::EADDRINUSE | libc::EBUSY | libc::EEXIST) => Cause::Busy,
        Some(libc::EPERM | libc::EACCES | libc::ENODEV | libc::ENOENT | libc::ENXIO) => {
            Cause::Missing
        }
        Some(_) | None => Cause::Runtime,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> ExitCode {
        ExitCode::from(failure.cause.code())
    }
}

#[cfg(test)]
mod tests;
