//! What a lab must remember between two commands: a file under `/run/vpngw-lab`, which a
//! restart of the machine clears together with the namespaces that it speaks of.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use crate::os::file;
use crate::os::process::Process;

const DIRECTORY: &str = "/run/vpngw-lab";
/// More than any lab has to remember.
const SIZE_MAX: u64 = 1 << 20;

/// A lab as it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// How it was brought up.
    pub settings: Settings,
    /// The gateways that were started, dead ones included.
    pub gateways: BTreeMap<String, Process>,
    /// What is broken now.
    pub faults: Vec<Fault>,
}

/// What makes one lab differ from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// What the names of its namespaces begin with.
    pub prefix: String,
    /// The folder that holds `NAME.toml` for every gateway.
    pub config_dir: PathBuf,
    /// The folder that the configurations' key files lie in.
    pub keys_dir: PathBuf,
    /// Where logs go.
    pub state_dir: PathBuf,
    /// The daemon's program.
    pub vpngwd: PathBuf,
}

impl State {
    /// A lab of which nothing stands yet.
    pub fn new(settings: Settings) -> Self {
        State { settings, gateways: BTreeMap::new(), faults: Vec::new() }
    }

    /// Reads what an earlier command has left; `None` when there is no such lab.
    pub fn load(prefix: &str) -> Result<Option<Self>> {
        let path = path(prefix)?;
        if !path.exists() {
            return Ok(None);
        }
        let contents = file::read(&path, SIZE_MAX)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        let state = serde_json::from_slice(&contents.bytes);
        state.map(Some).with_context(|| format!("{} is damaged: delete it", path.display()))
    }

    /// Writes it down.
    pub fn save(&self) -> Result<()> {
        fs::create_dir_all(DIRECTORY).with_context(|| format!("creating {DIRECTORY}"))?;
        file::replace(&path(&self.settings.prefix)?, &serde_json::to_vec_pretty(self)?, 0o644)
    }

    /// Forgets a lab.
    pub fn forget(prefix: &str) -> Result<()> {
        match fs::remove_file(path(prefix)?) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn path(prefix: &str) -> Result<PathBuf> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if prefix.is_empty() || !prefix.bytes().all(is_plain) {
        bail!("'{prefix}' cannot be a lab's prefix: use letters, digits and '-'");
    }
    Ok(PathBuf::from(DIRECTORY).join(format!("{prefix}.json")))
}
