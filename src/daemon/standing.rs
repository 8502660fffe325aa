//! What the operator has said to a running gateway and what outlives its process, in a file: a gateway
//! that was drained begins drained, and a peer that was disabled is refused from the first packet on.
//!
//! The file is written before an answer is given. It stands in the state folder that systemd gives
//! ([`STATE_DIRECTORY`]), which outlives a reboot; else beside the control socket.

use super::exit::{Cause, Failure, Outcome};
use crate::control::Standing;
use crate::os::file;
use anyhow::{Context, Result, anyhow};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where systemd says that state is kept (systemd.exec(5), `StateDirectory=`).
const STATE_DIRECTORY: &str = "STATE_DIRECTORY";
/// Thousands of names fit.
const LIMIT: u64 = 1 << 20;

/// The file of one gateway.
#[derive(Debug)]
pub(super) struct StandingFile {
    path: PathBuf,
}

impl StandingFile {
    /// The file of the gateway with this control socket.
    pub(super) fn of(control_socket: &str) -> StandingFile {
        let folders = std::env::var(STATE_DIRECTORY).unwrap_or_default();
        StandingFile { path: place(Path::new(control_socket), &folders) }
    }

    /// The place of another file that outlives the process.
    pub(super) fn beside(&self, extension: &str) -> PathBuf {
        self.path.with_extension(extension)
    }

    /// What was said; nothing when there is no file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or understood: then nobody knows whom to refuse.
    pub(super) fn read(&self) -> Outcome<Standing> {
        let contents = match file::read(&self.path, LIMIT) {
            Ok(contents) => contents,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Standing::default()),
            Err(error) => return Err(self.unreadable(&error)),
        };
        serde_json::from_slice(&contents.bytes).map_err(|error| self.unreadable(&error))
    }

    /// Keeps what was said.
    ///
    /// # Errors
    ///
    /// When the file cannot be written; what was there stays.
    pub(super) fn write(&self, standing: &Standing) -> Result<()> {
        let folder = self.path.parent().ok_or_else(|| anyhow!("it has no folder"))?;
        std::fs::create_dir_all(folder)?;
        let text = serde_json::to_string(standing)? + "\n";
        file::replace(&self.path, text.as_bytes(), 0o600)
            .with_context(|| format!("writing {}", self.path.display()))
    }

    fn unreadable(&self, error: &dyn std::fmt::Display) -> Failure {
        let path = self.path.display();
        let error = anyhow!(
            "{path} says whether this gateway is drained and which peers are disabled, and cannot be \
             read: {error}; repair it, or remove it to begin with neither"
        );
        Failure { cause: Cause::Configuration, error }
    }
}

/// The first of the state folders, which are separated by colons; else where the control socket is.
fn place(control_socket: &Path, folders: &str) -> PathBuf {
    let beside = control_socket.with_extension("state");
    let folder = folders.split(':').next().filter(|folder| !folder.is_empty());
    match (folder, beside.file_name()) {
        (Some(folder), Some(name)) => Path::new(folder).join(name),
        (Some(_), None) | (None, _) => beside,
    }
}

#[cfg(test)]
mod tests;
