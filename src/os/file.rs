//! Files with the facts that decide whether a key in them is a secret.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use zeroize::Zeroizing;

/// A FIFO that nobody writes to opens at once, and a terminal does not become ours.
const NO_WAITING: i32 = libc::O_NONBLOCK | libc::O_NOCTTY;

/// Where the files of this process are that are open.
const OPEN: [&str; 3] = ["/dev/fd", "/proc/self/fd", "/proc/thread-self/fd"];

/// A file as it was at one moment.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Permission bits, such as `0o600`.
    pub mode: u32,
    /// The owner's user id.
    pub owner: u32,
    /// The group's id.
    pub group: u32,
}

/// Who may do what with a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Permission bits, such as `0o600`.
    pub mode: u32,
    /// The user that it is given to; `None` leaves it with the writer.
    pub owner: Option<u32>,
    /// The group that it is given to; `None` leaves it with the writer's or the folder's.
    pub group: Option<u32>,
}

/// By what a file is seen to be another, or to have been written to, without reading it: device, inode,
/// length, and when it and what is said of it were changed last, in seconds and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp([u64; 3], [i64; 4]);

/// What the file at `path`, or the one that a link there leads to, shows now; `None` where there is none.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let facts = fs::metadata(path).ok()?;
    let changed = [facts.mtime(), facts.mtime_nsec(), facts.ctime(), facts.ctime_nsec()];
    Some(Stamp([facts.dev(), facts.ino(), facts.len()], changed))
}

impl From<u32> for Access {
    fn from(mode: u32) -> Access {
        Access { mode, owner: None, group: None }
    }
}

/// Never shows the bytes: they may be a key.
impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Contents({} bytes, mode {:o})", self.bytes.len(), self.mode)
    }
}

/// Reads a regular file of at most `limit` bytes and the facts about it through one descriptor.
///
/// # Errors
///
/// When it cannot be read, is larger, or is no regular file: a FIFO or a device is not waited for.
pub fn read(path: &Path, limit: u64) -> io::Result<Contents> {
    let file = OpenOptions::new().read(true).custom_flags(NO_WAITING).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    contents(file, limit)
}

/// Whether a path stands for something that this process has open already, such as `/dev/stdin`.
pub fn is_open(path: &Path) -> bool {
    path == Path::new("/dev/stdin") || OPEN.iter().any(|folder| path.starts_with(folder))
}

/// As [`read`], from what [`is_open`]: a pipe is read to its end.
///
/// # Errors
///
/// When it cannot be read, or is larger.
pub fn read_open(path: &Path, limit: u64) -> io::Result<Contents> {
    contents(fs::File::open(path)?, limit)
}

fn contents(file: fs::File, limit: u64) -> io::Result<Contents> {
    let facts = file.metadata()?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("it is larger than {} KiB", limit >> 10)));
    }
    let bytes = std::mem::take(&mut *bytes);
    Ok(Contents { bytes, mode: facts.mode() & 0o7777, owner: facts.uid(), group: facts.gid() })
}

/// A folder that no other process changes which locks it, too, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _held: Flock<fs::File>,
}

/// Locks a folder by the file `.lock` in it, which is open for writing: NFS locks no other. While another
/// process has it this waits, after it has called `on_wait`.
///
/// # Errors
///
/// When there is no such folder, it cannot be written to, or its file system has no locks.
pub fn lock(folder: &Path, on_wait: impl FnOnce()) -> Result<Lock> {
    let context = || format!("{} cannot be locked", folder.display());
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(folder.join(".lock")).with_context(context)?;
    let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).or_else(|(file, error)| {
        if error != Errno::EWOULDBLOCK {
            return Err((file, error));
        }
        on_wait();
        Flock::lock(file, FlockArg::LockExclusive)
    });
    Ok(Lock { _held: held.map_err(|(_, error)| error).with_context(context)? })
}

/// Writes a new file with the given permissions in one step: it is whole or not there, also when
/// the disk is full.
///
/// # Errors
///
/// When there is such a file already, which stays as it is, or the folder cannot be written to.
pub fn write_new(path: &Path, bytes: &[u8], access: impl Into<Access>) -> Result<()> {
    let beside = write_beside(path, bytes, access.into())?;
    // Unlike a rename, a link never takes the place of another file.
    let linked = fs::hard_link(&beside, path);
    let _ = fs::remove_file(&beside);
    linked.with_context(|| format!("{} cannot be created", path.display()))
}

/// Replaces a file in one step: readers see the old contents or the new, never a part.
///
/// # Errors
///
/// When the folder cannot be written to; the old contents stay.
pub fn replace(path: &Path, bytes: &[u8], access: impl Into<Access>) -> Result<()> {
    let beside = write_beside(path, bytes, access.into())?;
    fs::rename(&beside, path).with_context(|| format!("{} cannot be replaced", path.display()))
}

/// Writes a file in the same folder, which is not left behind when that fails.
fn write_beside(path: &Path, bytes: &[u8], access: Access) -> Result<PathBuf> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let _ = fs::remove_file(&beside);
    let written = write(&beside, bytes, access);
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(beside)
}

fn write(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let Access { mode, owner, group } = access;
    let is_given = owner.is_some() || group.is_some();
    let first = if is_given { mode & 0o700 } else { mode };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(first).open(path)?;
    if is_given {
        // The group's rights come after the group, so that no other ever has them.
        fchown(&file, owner, group)?;
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
