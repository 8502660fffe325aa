//! Reads a configuration and the key files that it names from disk. What they mean is decided in
//! [`crate::config`].

use crate::config::{self, Config, ConfigErrors, KeyFile, KeyFiles};
use crate::crypto::secret::Secret;
use crate::os::account::Account;
use crate::os::file::{self, Contents, Stamp};
use nix::unistd::geteuid;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file itself cannot be read.
    #[error("the configuration {} cannot be read: {}", path.display(), explain(source))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Everybody on this host may change it.
    #[error("anybody may change the configuration {0}: run `chmod o-w {0}`", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// What it says is wrong.
    #[error("{0}")]
    Invalid(Box<ConfigErrors>),
}

impl LoadError {
    /// The error as text for people, in colours or plain.
    pub fn render(&self, colours: bool) -> String {
        match self {
            LoadError::Invalid(errors) => errors.render(colours),
            LoadError::Unreadable { .. } | LoadError::Exposed { .. } => format!("error: {self}"),
        }
    }
}

/// The valid configuration in the file at `path`.
///
/// # Errors
///
/// When it cannot be read, when anybody may change it, and when what it says is wrong.
pub fn load(path: &Path) -> Result<Config, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
    let (text, Contents { mode, owner, .. }) = read(path).map_err(unreadable)?;
    if mode & ANYBODY_WRITES != 0 && !file::is_open(path) {
        return Err(LoadError::Exposed { path: path.to_owned() });
    }
    parse(path, &text, &keys_beside(path, owner))
}

/// The configuration that `text` would be in the file at `path`, to which nothing is written.
///
/// # Errors
///
/// When what it says is wrong.
pub fn judge(path: &Path, text: &str) -> Result<Config, LoadError> {
    let keys = key_files(path);
    parse(path, text, &keys)
}

/// The files that the configuration at `path` names.
pub fn key_files(path: &Path) -> KeysOnDisk {
    let owner = std::fs::metadata(path).map_or(geteuid().as_raw(), |facts| facts.uid());
    keys_beside(path, owner)
}

fn keys_beside(path: &Path, owner: u32) -> KeysOnDisk {
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    KeysOnDisk { folder, owner, service: Account::of_service() }
}

fn parse(path: &Path, text: &str, keys: &KeysOnDisk) -> Result<Config, LoadError> {
    config::parse(text, &path.display().to_string(), keys)
        .map_err(|errors| LoadError::Invalid(Box::new(errors)))
}

/// The text of the file at `path`, whatever it says.
///
/// # Errors
///
/// When it cannot be read, is no regular file, or is by far too large for a configuration.
pub fn text(path: &Path) -> io::Result<String> {
    read(path).map(|(text, _)| text)
}

/// A configuration, unlike a key, may come through a pipe; but a FIFO or a device is not waited for.
fn read(path: &Path) -> io::Result<(String, Contents)> {
    let read = if file::is_open(path) { file::read_open } else { file::read };
    let mut contents = read(path, TEXT_MAX)?;
    let text = String::from_utf8(std::mem::take(&mut contents.bytes));
    Ok((text.map_err(|_| io::Error::from(ErrorKind::InvalidData))?, contents))
}

/// Key files on disk; relative paths begin at the folder of the configuration.
#[derive(Debug)]
pub struct KeysOnDisk {
    folder: PathBuf,
    /// The user id of the configuration's owner, who decides about the keys anyway.
    owner: u32,
    /// Who runs the packaged service.
    service: Option<Account>,
}

/// More than any configuration has, in bytes.
pub(crate) const TEXT_MAX: u64 = 8 << 20;
/// More than any key, certificate or revocation list holds, in bytes.
const KEY_FILE_MAX: u64 = 4 << 20;
/// The permission bit of everybody else.
const ANYBODY_WRITES: u32 = 0o002;

impl KeyFiles for KeysOnDisk {
    fn read(&self, path: &str) -> Result<KeyFile, String> {
        self.read_key(&self.folder.join(path)).map_err(|error| explain(&error))
    }

    fn shown(&self, path: &str) -> String {
        without_detours(&self.folder.join(path)).display().to_string()
    }
}

/// `configs/../keys/a.key` as `keys/a.key`. For the eye only: a link may make them differ.
fn without_detours(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for step in path.components() {
        let back = step == Component::ParentDir;
        let last = straight.components().next_back();
        match last {
            Some(Component::Normal(_)) if back => {
                straight.pop();
            }
            _ if step == Component::CurDir => {}
            _ => straight.push(step),
        }
    }
    straight
}

impl KeysOnDisk {
    /// By what the file at `path` is seen to be another than before.
    pub fn stamp(&self, path: &str) -> Option<Stamp> {
        file::stamp(&self.folder.join(path))
    }

    fn read_key(&self, path: &Path) -> io::Result<KeyFile> {
        let Contents { bytes, mode, owner, group } = file::read(path, KEY_FILE_MAX)?;
        let service = self.service.as_ref();
        let trusted = [0, geteuid().as_raw(), self.owner];
        let is_service = service.is_some_and(|service| service.uid() == owner);
        let stranger = (!trusted.contains(&owner) && !is_service).then_some(owner);
        let by_group = owner == 0 && service.is_some_and(|service| service.gid() == group);
        let wanted = if by_group { 0o640 } else { 0o600 };
        Ok(KeyFile { mode, wanted, stranger, contents: Secret::from(bytes) })
    }
}

/// An I/O error as people say it.
fn explain(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
