//! Files with the facts that decide whether a key in them is a secret.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Larger than any configuration or key; bounds what a wrong path can make us read.
const SIZE_MAX: u64 = 16 << 20;

/// A file as it was at one moment.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Permission bits, such as `0o600`.
    pub mode: u32,
    /// The owner's user id.
    pub owner: u32,
}

impl Contents {
    /// True when group or others may read or write it: no place for a private key.
    pub fn is_exposed(&self) -> bool {
        self.mode & 0o077 != 0
    }
}

/// Never shows the bytes: they may be a key.
impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Contents({} bytes, mode {:o})", self.bytes.len(), self.mode)
    }
}

/// Reads a file and its permissions through one descriptor.
pub fn read(path: &Path) -> Result<Contents> {
    let failed = || format!("{} cannot be read", path.display());
    let file = File::open(path).with_context(failed)?;
    let facts = file.metadata().with_context(failed)?;
    if !facts.is_file() {
        bail!("{} is not a regular file", path.display());
    }
    let mut bytes = Vec::new();
    file.take(SIZE_MAX + 1).read_to_end(&mut bytes).with_context(failed)?;
    if bytes.len() as u64 > SIZE_MAX {
        bail!("{} is larger than {} MiB", path.display(), SIZE_MAX >> 20);
    }
    Ok(Contents { bytes, mode: facts.mode() & 0o7777, owner: facts.uid() })
}

/// Writes a new file with the given permissions; refuses to touch one that exists.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("{} cannot be created", path.display()))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// Replaces a file in one step: readers see the old contents or the new, never a part.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let _ = fs::remove_file(&beside);
    write_new(&beside, bytes, mode)?;
    fs::rename(&beside, path).with_context(|| format!("{} cannot be replaced", path.display()))
}

#[cfg(test)]
mod tests;
