//! The gateways' processes in a lab.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::control::socket_of;
use super::state::Settings;
use crate::crypto::sign::SigningKey;
use crate::os::process::{self, Process};
use crate::os::random::OsRandom;
use crate::os::{file, netns};

/// How long a daemon may take to say goodbye.
const PATIENCE: Duration = Duration::from_secs(10);

/// The configuration of a gateway.
pub fn config(settings: &Settings, gateway: &str) -> PathBuf {
    settings.config_dir.join(format!("{gateway}.toml"))
}

/// The log of a gateway.
pub fn log(settings: &Settings, gateway: &str) -> PathBuf {
    settings.state_dir.join(format!("{gateway}.log"))
}

/// Removes the log of an earlier run, and what was said to a gateway then.
pub fn forget(settings: &Settings, gateway: &str) -> Result<()> {
    let socket = socket_of(&config(settings, gateway))?;
    forget_file(&log(settings, gateway))?;
    forget_file(&Path::new(&socket).with_extension("state"))
}

fn forget_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Starts a gateway in its namespace; it goes on when this process ends.
pub fn start(settings: &Settings, namespace: &str, gateway: &str) -> Result<Process> {
    let path = log(settings, gateway);
    let mut command = Command::new(&settings.vpngwd);
    command.arg("--config").arg(config(settings, gateway));
    start_in(&mut command, namespace, &path)
        .with_context(|| format!("starting {} for {gateway}", settings.vpngwd.display()))
}

/// Starts any daemon in a namespace with its output going to the end of a file.
pub fn start_in(command: &mut Command, namespace: &str, log: &Path) -> Result<Process> {
    let output = append(log)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    netns::place(command, namespace)?;
    process::detach(command);
    let child = command.spawn()?;
    let process = Process::of(child.id());
    reap(child);
    process.with_context(|| last_lines(log))
}

/// A daemon's own last words, for the error of whoever waited for it.
pub fn last_lines(log: &Path) -> String {
    const LINES: usize = 8;
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    format!("{} ends with:\n{}", log.display(), lines.get(from..).unwrap_or_default().join("\n"))
}

/// Asks daemons to end, all at once, and waits for them.
pub fn stop(processes: impl Iterator<Item = Process> + Clone) -> Result<()> {
    for process in processes.clone() {
        process.signal(nix::sys::signal::Signal::SIGTERM)?;
    }
    for process in processes {
        process.end(PATIENCE)?;
    }
    Ok(())
}

/// Makes the key pairs that are missing: `NAME.key` (PKCS#8, mode 600) and `NAME.pub` (one
/// line of base64). Says whose it made.
pub fn make_missing_keys<'n>(
    folder: &Path,
    gateways: impl Iterator<Item = &'n str>,
) -> Result<Vec<&'n str>> {
    fs::create_dir_all(folder)?;
    let mut made = Vec::new();
    for gateway in gateways {
        if !folder.join(format!("{gateway}.key")).exists() {
            make_key(folder, gateway)?;
            made.push(gateway);
        }
    }
    Ok(made)
}

fn make_key(folder: &Path, gateway: &str) -> Result<()> {
    let key = SigningKey::generate(&mut OsRandom);
    let private = folder.join(format!("{gateway}.key"));
    file::write_new(&private, key.to_pkcs8_pem().as_bytes(), 0o600)?;
    let public = format!("{}\n", key.verifying_key().to_base64());
    file::replace(&folder.join(format!("{gateway}.pub")), public.as_bytes(), 0o644)
}

fn append(log: &Path) -> Result<File> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)?;
    }
    let opened = OpenOptions::new().create(true).append(true).open(log);
    opened.with_context(|| format!("{} cannot be written", log.display()))
}

/// Takes the exit status when it comes, so that no zombie stays behind.
fn reap(mut child: Child) {
    std::thread::spawn(move || child.wait());
}
