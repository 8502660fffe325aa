//! A deployment of the lab for one scenario: the files of `configs/` as they are, except for the path
//! of the control socket and the names of namespaces, with keys of their own.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use vpngw::control::{PeersView, Request};
use vpngw::lab::topology::Role;
use vpngw::lab::traffic::{Pinger, Report};
use vpngw::lab::{Deployment, Lab, Settings, control};

use super::{unique_prefix, vpngwd};

/// Six gateways and six hosts, up. Dropping it takes all down.
pub(crate) struct Regions {
    pub lab: Lab,
    folder: TempDir,
}

/// A path that is probed.
#[derive(Clone, Debug)]
pub(crate) struct Path4or6 {
    pub from: String,
    pub to: String,
    pub address: IpAddr,
}

impl Regions {
    pub(crate) fn up() -> Self {
        Regions::of(Deployment::Reference)
    }

    /// Virtual machines of two tenants on compute nodes.
    pub(crate) fn with_compute_nodes() -> Self {
        Regions::of(Deployment::Compute)
    }

    /// The same with Open vSwitch in the compute nodes.
    pub fn with_open_vswitch() -> Self {
        Regions::of(Deployment::Ovs)
    }

    fn of(deployment: Deployment) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let within = |name: &str| folder.path().join(name);
        fs::create_dir(within("configs")).unwrap();
        let prefix = unique_prefix();
        copy_configs(deployment, &within("configs"), folder.path(), &prefix);
        let settings = Settings {
            prefix,
            config_dir: within("configs"),
            keys_dir: within("keys"),
            state_dir: within("state"),
            vpngwd: vpngwd::PROGRAM.into(),
            deployment,
        };
        let state = settings.state_dir.clone();
        match Lab::up(settings, &mut |line| println!("    {line}")) {
            Ok(lab) => Regions { lab, folder },
            Err(error) => {
                tell(&state);
                panic!("{error:#}");
            }
        }
    }

    /// The addresses of a host, IPv4 first.
    pub(crate) fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let node = self.lab.topology().find(host).unwrap();
        node.addresses.iter().map(|(_, address)| address.address).collect()
    }

    /// Every path between hosts of different regions, except those of `without`.
    pub(crate) fn paths(&self, without: &[String]) -> Vec<Path4or6> {
        let hosts: Vec<&str> = self.lab.topology().names(Role::Host).collect();
        let living = |host: &&&str| !without.iter().any(|gone| gone == **host);
        let region = |host: &str| host.split('-').next().unwrap_or_default().to_owned();
        let mut paths = Vec::new();
        for from in hosts.iter().filter(living) {
            for to in hosts.iter().filter(living).filter(|to| region(to) != region(from)) {
                paths.extend(self.addresses(to).into_iter().map(|address| Path4or6 {
                    from: (*from).to_owned(),
                    to: (*to).to_owned(),
                    address,
                }));
            }
        }
        paths
    }

    /// Probes some paths while `act` runs.
    pub(crate) fn probing(
        &mut self,
        paths: &[Path4or6],
        interval: Duration,
        act: impl FnOnce(&mut Lab),
    ) -> Vec<Report> {
        let start = |path: &Path4or6| {
            Pinger::start(&self.lab.namespace(&path.from), path.address, interval).unwrap()
        };
        let pingers: Vec<Pinger> = paths.iter().map(start).collect();
        act(&mut self.lab);
        Pinger::finish_all(pingers).unwrap()
    }

    /// The text of a gateway's configuration, changed; the gateway takes it over.
    pub(crate) fn reload(&self, gateway: &str, change: impl FnOnce(String) -> String) {
        let path = self.lab.settings().config_dir.join(format!("{gateway}.toml"));
        let text = change(fs::read_to_string(&path).unwrap());
        fs::write(path, text).unwrap();
        let status = self.lab.status().into_iter().find(|status| status.name == gateway);
        status.unwrap().process.unwrap().signal(Signal::SIGHUP).unwrap();
    }

    /// What a gateway says.
    pub(crate) fn ask<T: serde::de::DeserializeOwned>(
        &self,
        gateway: &str,
        request: &Request,
    ) -> T {
        control::ask(&self.lab.control_socket(gateway).unwrap(), request).unwrap()
    }

    /// How often each gateway has lost the path to each of its peers.
    pub(crate) fn losses(&self) -> Vec<(String, u32)> {
        let of_gateway = |gateway: &str| {
            let view: PeersView = self.ask(gateway, &Request::Peers);
            let gateway = gateway.to_owned();
            view.peers
                .into_iter()
                .map(move |peer| (format!("{gateway} to {}", peer.name), peer.bfd.unwrap().losses))
        };
        self.lab.topology().names(Role::Gateway).flat_map(of_gateway).collect()
    }

    /// Waits until everything works again.
    pub(crate) fn settles(&self) {
        if let Err(error) = self.lab.wait_until_connected(&mut |_| {}) {
            panic!("{error:#}");
        }
    }
}

impl Drop for Regions {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tell(&self.folder.path().join("state"));
        }
        let prefix = &self.lab.settings().prefix;
        if let Err(error) = vpngw::lab::remove(prefix) {
            eprintln!("the lab {prefix} stays behind: {error:#}");
        }
    }
}

/// A control socket has one fixed place per gateway; scenarios that run side by side differ.
fn copy_configs(deployment: Deployment, to: &Path, folder: &Path, prefix: &str) {
    let place = match deployment {
        Deployment::Reference => "configs",
        Deployment::Compute | Deployment::Ovs => "configs/compute",
    };
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
    for gateway in vpngw::lab::reference::three_regions().names(Role::Gateway) {
        let name = format!("{gateway}.toml");
        let text = fs::read_to_string(configs.join(&name)).unwrap();
        let socket = folder.join(format!("{gateway}.sock"));
        let own = format!("[gateway]\ncontrol_socket = \"{}\"", socket.display());
        assert!(text.contains("[gateway]\n"));
        let text = text.replacen("[gateway]", &own, 1).replace("../../keys/", "../keys/");
        let text = text.replace("netns = \"vpngw-", &format!("netns = \"{prefix}-"));
        fs::write(to.join(&name), text).unwrap();
    }
}

fn tell(state: &Path) {
    for entry in fs::read_dir(state).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(25)..];
        eprintln!("─── {}\n{}", entry.path().display(), last.join("\n"));
    }
}
