//! Reads a configuration and the key files that it names from disk. What they mean is decided in
//! [`crate::config`].

use crate::config::{self, Config, ConfigErrors, KeyFile, KeyFiles};
use crate::crypto::secret::Secret;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
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
    /// What it says is wrong.
    #[error("{0}")]
    Invalid(Box<ConfigErrors>),
}

impl LoadError {
    /// The error as text for people, in colours or plain.
    pub fn render(&self, colours: bool) -> String {
        match self {
            LoadError::Invalid(errors) => errors.render(colours),
            LoadError::Unreadable { .. } => format!("error: {self}"),
        }
    }
}

/// The valid configuration in the file at `path`.
pub fn load(path: &Path) -> Result<Config, LoadError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    config::parse(&text, &path.display().to_string(), &KeysOnDisk { folder })
        .map_err(|errors| LoadError::Invalid(Box::new(errors)))
}

/// Key files on disk; relative paths begin at `folder`.
struct KeysOnDisk {
    folder: PathBuf,
}

/// More than any key file holds.
const KEY_FILE_MAX: u64 = 64 * 1024;

impl KeyFiles for KeysOnDisk {
    fn read(&self, path: &str) -> Result<KeyFile, String> {
        read_key(&self.folder.join(path)).map_err(|error| explain(&error))
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

fn read_key(path: &Path) -> io::Result<KeyFile> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut contents = Vec::new();
    file.take(KEY_FILE_MAX).read_to_end(&mut contents)?;
    Ok(KeyFile { mode: metadata.permissions().mode(), contents: Secret::from(contents) })
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
