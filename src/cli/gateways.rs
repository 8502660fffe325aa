//! Which gateways a command is for.

use super::args::Common;
use super::client::NotRunning;
use crate::config::defaults::{RUN_DIR, control_socket};
use crate::os::process;
use anyhow::{Error, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A gateway on this host, by its control socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Its name, as far as the socket's name tells.
    pub(super) name: String,
    /// Its control socket.
    pub(super) socket: PathBuf,
}

impl Target {
    fn at(socket: PathBuf) -> Target {
        let name = socket.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Target { name, socket }
    }
}

/// The gateways that a view is for: the chosen one, else all.
pub(super) fn all(common: &Common) -> Result<Vec<Target>> {
    if let Some(chosen) = chosen(common) {
        return Ok(vec![chosen]);
    }
    let mut found = found(Path::new(RUN_DIR))?;
    if let Some(pid) = common.pid {
        found.retain(|target| process::listener(&target.socket) == Some(pid));
        if found.is_empty() {
            let why = format!("process {pid} is no gateway with a socket in {RUN_DIR}");
            return Err(Error::new(NotRunning(why)));
        }
    }
    if found.is_empty() {
        return Err(Error::new(NotRunning(format!(
            "no gateway runs on this host: there is no socket in {RUN_DIR}; start one with \
             `vpngwd --config FILE`, or six with `vpnctl lab up`"
        ))));
    }
    Ok(found)
}

/// The gateway that an action is for. With several, one has to be chosen.
pub(super) fn one(common: &Common) -> Result<Target> {
    let mut targets = all(common)?;
    match (targets.pop(), targets.is_empty()) {
        (Some(only), true) => Ok(only),
        (last, _) => {
            let names: Vec<String> =
                targets.into_iter().chain(last).map(|target| target.name).collect();
            bail!("several gateways run here, choose one with --gateway: {}", names.join(", "))
        }
    }
}

fn chosen(common: &Common) -> Option<Target> {
    let by_path = common.socket.clone().map(Target::at);
    let by_name = common.gateway.as_ref();
    by_path.or_else(|| by_name.map(|name| Target::at(PathBuf::from(control_socket(name)))))
}

/// The control sockets in `folder`, in the order of their names.
pub(super) fn found(folder: &Path) -> Result<Vec<Target>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            bail!("this user may not look into {RUN_DIR}; run vpnctl as root (sudo vpnctl …)")
        }
        Err(error) => return Err(error.into()),
    };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let sockets = paths.filter(|path| path.extension().is_some_and(|end| end == "sock"));
    let mut targets: Vec<Target> = sockets.map(Target::at).collect();
    targets.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(targets)
}

#[cfg(test)]
mod tests;
