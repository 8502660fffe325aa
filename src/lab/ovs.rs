//! Open vSwitch on compute nodes in place of Linux bridges: Debian's `openvswitch-switch`, whose
//! datapath in user space needs no kernel module. Each node has a database and a switch of its own.
//!
//! ```text
//!   virtual machine ── vm-TENANT ─ [ bridge TENANT ] ─ VXLAN ports, one for each VTEP
//!                                        fabric ── fab0 ─ [ bridge br-phy ] with the node's address
//! ```
//!
//! The ports towards VTEPs are protected: what comes in by one does not go out by another, as the
//! VTEPs have it all from its sender.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::network::namespace;
use super::topology::{Node, Segment};
use super::{daemon, wait_for};
use crate::config::defaults::VXLAN_PORT;
use crate::os::netlink::Netlink;
use crate::os::{netns, offload};

/// Where Debian has the switch.
const SWITCHES: [&str; 2] = ["/usr/lib/openvswitch-switch/ovs-vswitchd", "/usr/sbin/ovs-vswitchd"];
const DATABASE: &str = "/usr/sbin/ovsdb-server";
const DATABASE_TOOL: &str = "/usr/bin/ovsdb-tool";
const CONTROL: &str = "/usr/bin/ovs-vsctl";
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";
/// The bridge of the fabric.
const FABRIC: &str = "br-phy";
/// How long a database may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(20);

/// Whether the programs are there.
pub fn is_installed() -> bool {
    switch().is_some()
        && [DATABASE, DATABASE_TOOL, CONTROL, SCHEMA].iter().all(|file| Path::new(file).exists())
}

fn switch() -> Option<&'static str> {
    SWITCHES.into_iter().find(|program| Path::new(program).exists())
}

/// Starts a switch in a compute node, which goes on until the lab is taken down, and gives it its
/// bridges. What it writes goes to a folder in `state`.
pub fn start(prefix: &str, node: &Node, state: &Path) -> Result<()> {
    let switch =
        switch().context("Open vSwitch is not installed: apt install openvswitch-switch")?;
    let folder = state.join(format!("ovs-{}", node.name));
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => fs::create_dir_all(&folder)?,
    }
    let site = Site { namespace: namespace(prefix, &node.name), folder };
    let file = |name: &str| site.folder.join(name).display().to_string();
    site.run(DATABASE_TOOL, &["create", &file("conf.db"), SCHEMA])?;
    let remote = format!("--remote=punix:{}", file("db.sock"));
    site.leave_running(DATABASE, &[&remote, &file("conf.db")], "ovsdb-server.log")?;
    site.await_file("db.sock")?;
    site.control(&["--no-wait", "init"])?;
    site.leave_running(switch, &[&site.database()], "ovs-vswitchd.log")?;
    site.add_bridges(node)?;
    site.take_address(node)
}

/// Has checksums finished by who sends to a switch: it does not do so itself, and drops the packets.
pub fn finish_checksums(prefix: &str, node: &str, device: &str) -> Result<()> {
    offload::finish_checksums(Some(&namespace(prefix, node)), device)
}

/// Where a switch runs.
struct Site {
    namespace: String,
    folder: PathBuf,
}

impl Site {
    fn database(&self) -> String {
        format!("unix:{}", self.folder.join("db.sock").display())
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder);
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
            command.env(variable, &self.folder);
        }
        netns::place(&mut command, &self.namespace)?;
        Ok(command)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let mut command = self.command(program, arguments)?;
        let output = command.stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("running {program}"))?;
        if !output.status.success() {
            bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    fn control(&self, arguments: &[&str]) -> Result<()> {
        let database = format!("--db={}", self.database());
        let common = [database.as_str(), "--timeout=10"];
        self.run(CONTROL, &[&common, arguments].concat())
    }

    fn leave_running(&self, program: &str, arguments: &[&str], log: &str) -> Result<()> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder);
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] {
            command.env(variable, &self.folder);
        }
        daemon::start_in(&mut command, &self.namespace, &self.folder.join(log)).map(drop)
    }

    fn await_file(&self, name: &str) -> Result<()> {
        let (path, until) = (self.folder.join(name), Instant::now() + PATIENCE);
        while !path.exists() {
            if Instant::now() > until {
                bail!("{} does not come", path.display());
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    fn add_bridges(&self, node: &Node) -> Result<()> {
        let mut words = bridge(FABRIC);
        words.extend(["--", "add-port", FABRIC, "fab0"].map(str::to_owned));
        for segment in &node.segments {
            words.push("--".to_owned());
            words.extend(bridge(&segment.bridge));
            let machine = format!("vm-{}", segment.bridge);
            words.extend(["--", "add-port", &segment.bridge, &machine].map(str::to_owned));
            words.extend(tunnels(segment));
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.control(&words)
    }

    /// The node's address is on the bridge, which finds the ways to other VTEPs by it.
    fn take_address(&self, node: &Node) -> Result<()> {
        wait_for(async {
            let netlink = Netlink::open(Some(&self.namespace))?.as_administrator();
            for (device, address) in &node.addresses {
                netlink.remove_address(device, *address).await?;
                netlink.add_address(FABRIC, *address).await?;
            }
            netlink.set_up(FABRIC).await
        })
    }
}

fn bridge(name: &str) -> Vec<String> {
    let words = ["add-br", name, "--", "set", "bridge", name, "datapath_type=netdev"];
    words.map(str::to_owned).to_vec()
}

/// A port for each VTEP of a segment.
fn tunnels(segment: &Segment) -> Vec<String> {
    let Segment { device, vni, local, vteps, bridge } = segment;
    let port = |(number, vtep): (usize, &std::net::IpAddr)| {
        let name = format!("{device}-{number}");
        [
            "--".to_owned(),
            "add-port".to_owned(),
            bridge.clone(),
            name.clone(),
            "--".to_owned(),
            "set".to_owned(),
            "interface".to_owned(),
            name.clone(),
            "type=vxlan".to_owned(),
            format!("options:key={vni}"),
            format!("options:local_ip={local}"),
            format!("options:remote_ip={vtep}"),
            format!("options:dst_port={VXLAN_PORT}"),
            "--".to_owned(),
            "set".to_owned(),
            "port".to_owned(),
            name,
            "protected=true".to_owned(),
        ]
    };
    vteps.iter().enumerate().flat_map(port).collect()
}
