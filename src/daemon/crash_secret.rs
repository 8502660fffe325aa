//! What shows peers after a restart that we have lost our IKE SAs (RFC 6290 §5.1): 32 random octets in
//! a file beside that of [`StandingFile`](super::standing::StandingFile), made at the first start and
//! kept from then on. Without them peers find out by our silence.

use crate::crypto::secret::Secret;
use crate::os::file::{self, Contents};
use crate::os::random::OsRandom;
use crate::random::Random;
use anyhow::{Result, ensure};
use std::io::ErrorKind;
use std::path::Path;
use tracing::warn;

const OCTETS: usize = 32;

/// The secret in this file; made if there is none. `None`, and a warning, when it can be neither.
pub(super) fn read_or_make(path: &Path) -> Option<Secret> {
    let secret = match file::read(path, OCTETS as u64 + 1) {
        Ok(contents) => check(&contents),
        Err(error) if error.kind() == ErrorKind::NotFound => make(path),
        Err(error) => Err(error.into()),
    };
    secret
        .inspect_err(|error| {
            warn!(
                "{}: {error}; until that is mended, peers find out only by silence when this gateway \
                 has restarted",
                path.display()
            );
        })
        .ok()
}

fn check(contents: &Contents) -> Result<Secret> {
    let remedy = "remove it, and another is made";
    let size = contents.bytes.len();
    ensure!(size == OCTETS, "it has {size} octets, and a secret of ours has {OCTETS}; {remedy}");
    ensure!(contents.mode & 0o077 == 0, "others may read it, mode {:o}; {remedy}", contents.mode);
    Ok(Secret::copy_of(&contents.bytes))
}

fn make(path: &Path) -> Result<Secret> {
    let mut octets = [0; OCTETS];
    OsRandom.fill(&mut octets);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    file::replace(path, &octets, 0o600)?;
    Ok(Secret::copy_of(&octets))
}

#[cfg(test)]
mod tests;
