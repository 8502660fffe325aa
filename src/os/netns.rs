//! Named network namespaces, laid out as `ip netns` does: a file under `/run/netns` that the
//! namespace is mounted on, so `ip netns exec NAME …` works with ours and we with its.
//!
//! A namespace belongs to a thread. [`within`] therefore runs its closure on a thread of its
//! own; sockets opened there stay in that namespace wherever they are used afterwards.
#![expect(unsafe_code, reason = "a child process enters its namespace between fork and exec")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};

/// Where the namespaces' names live (`ip-netns(8)`).
const DIRECTORY: &str = "/run/netns";
/// What a name may be made of; everything else could leave the directory.
const NAME_MAX: usize = 64;

/// The file that names a namespace.
pub fn path(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

/// True when a namespace of that name is there.
pub fn exists(name: &str) -> bool {
    path(name).exists()
}

/// The names in use, sorted.
pub fn list() -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(DIRECTORY) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Makes a namespace with its loopback device still down, and names it.
pub fn create(name: &str) -> Result<()> {
    check_name(name)?;
    prepare_directory().context("preparing /run/netns")?;
    let file = path(name);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o444)
        .open(&file)
        .with_context(|| format!("creating network namespace {name}"))?;
    let made = thread::scope(|scope| join(scope.spawn(|| pin_new_namespace(&file))));
    if made.is_err() {
        let _ = fs::remove_file(&file);
    }
    made.with_context(|| format!("creating network namespace {name}"))
}

/// Removes a name; the namespace goes when its last process and socket have gone. Removing
/// what is not there succeeds.
pub fn delete(name: &str) -> Result<()> {
    check_name(name)?;
    let file = path(name);
    if !file.exists() {
        return Ok(());
    }
    while umount2(&file, MntFlags::MNT_DETACH).is_ok() {}
    fs::remove_file(&file).with_context(|| format!("deleting network namespace {name}"))
}

/// What a namespace is, by whatever name: two names of one are equal here. `None` is that of this
/// thread.
pub fn identity(name: Option<&str>) -> Result<Identity> {
    let file = match name {
        Some(name) => open(name)?,
        None => File::open("/proc/thread-self/ns/net").context("opening our network namespace")?,
    };
    let metadata = file.metadata().context("looking at a network namespace")?;
    Ok(Identity { device: metadata.dev(), inode: metadata.ino() })
}

/// See [`identity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
}

/// Opens a namespace, to move a device into it or to enter it.
pub fn open(name: &str) -> Result<File> {
    // What else somebody has put there is not waited for.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path(name));
    opened.with_context(|| format!("there is no network namespace {name}"))
}

/// Runs `work` in the namespace `name`, on a thread of its own, and hands back its result.
pub fn within<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> Result<T> {
    let namespace = open(name)?;
    thread::scope(|scope| {
        join(scope.spawn(move || -> Result<T> {
            setns(&namespace, CloneFlags::CLONE_NEWNET)
                .with_context(|| format!("entering network namespace {name}"))?;
            Ok(work())
        }))
    })
}

/// [`within`] when there is a name, else here and now.
pub fn within_or_here<T: Send>(name: Option<&str>, work: impl FnOnce() -> T + Send) -> Result<T> {
    match name {
        Some(name) => within(name, work),
        None => Ok(work()),
    }
}

/// Makes `command` run in the namespace `name`.
pub fn place(command: &mut Command, name: &str) -> Result<()> {
    let namespace = open(name)?;
    // SAFETY: between fork and exec only `setns` is called, which is async-signal-safe and
    // allocates nothing; the descriptor lives as long as the closure.
    unsafe {
        command
            .pre_exec(move || setns(&namespace, CloneFlags::CLONE_NEWNET).map_err(io::Error::from));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > NAME_MAX || name.starts_with('.') || !name.bytes().all(plain)
    {
        bail!("'{name}' cannot name a network namespace: use letters, digits, '-' and '_'");
    }
    Ok(())
}

/// A shared mount point, so that names made here are seen from every mount namespace.
fn prepare_directory() -> io::Result<()> {
    fs::create_dir_all(DIRECTORY)?;
    let none = None::<&str>;
    let shared = MsFlags::MS_SHARED | MsFlags::MS_REC;
    if mount(none, DIRECTORY, none, shared, none).is_err() {
        let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(DIRECTORY), DIRECTORY, none, bind, none)?;
        mount(none, DIRECTORY, none, shared, none)?;
    }
    Ok(())
}

/// Runs on a thread that ends right afterwards: only its own namespace changes.
fn pin_new_namespace(file: &Path) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    let none = None::<&str>;
    mount(Some("/proc/thread-self/ns/net"), file, none, MsFlags::MS_BIND, none)?;
    Ok(())
}

/// A panic in the closure goes on in the caller.
fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[cfg(test)]
mod tests;
