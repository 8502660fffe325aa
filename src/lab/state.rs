//! What a lab must remember between two commands: a file under `/run/vpngw-lab`, which a
//! restart of the machine clears together with the namespaces that it speaks of.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::topology::Topology;
use super::{compute, reference};
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

/// Which networks a lab consists of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deployment {
    /// [`mod@reference`]: hosts on the gateways' own link.
    #[default]
    Reference,
    /// [`compute`]: two tenants' virtual machines on compute nodes.
    Compute,
    /// The same, with Open vSwitch ([`super::ovs`]) in the compute nodes.
    Ovs,
}

impl Deployment {
    /// All of them.
    pub const ALL: [Deployment; 3] = [Deployment::Reference, Deployment::Compute, Deployment::Ovs];

    /// Its networks.
    pub fn topology(self) -> Topology {
        match self {
            Deployment::Reference => reference::three_regions(),
            Deployment::Compute => compute::three_regions(true),
            Deployment::Ovs => compute::three_regions(false),
        }
    }

    /// Whether packets of one host are to reach another: from region to region and, where zones have
    /// routers between them, from zone to zone, but never from tenant to tenant.
    pub fn connects(self, from: &str, to: &str) -> bool {
        let region = |name: &str| name.split('-').next().unwrap_or_default().to_owned();
        match self {
            Deployment::Reference => region(from) != region(to),
            Deployment::Compute | Deployment::Ovs => {
                let tenant = |name| compute::place(name).map(|(_, tenant, _)| tenant);
                from != to && tenant(from) == tenant(to)
            }
        }
    }

    /// The device of a gateway towards hosts.
    pub fn lan(self) -> &'static str {
        match self {
            Deployment::Reference => "vpc0",
            Deployment::Compute | Deployment::Ovs => "fab0",
        }
    }
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
    /// Its networks.
    #[serde(default)]
    pub deployment: Deployment,
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
