//! A live deployment in network namespaces of one machine: real daemons, real configuration
//! files, real packets; nothing outside the namespaces is touched.
//!
//! `vpnctl lab` and the tests drive the same [`Lab`]. It needs root and a kernel with network
//! namespaces, veth, bridges and TUN, and no tool besides the daemon. All functions block; do
//! not call them from inside an async runtime.

pub mod compute;
pub mod control;
pub mod daemon;
pub mod fault;
pub mod network;
pub mod ovs;
pub mod reference;
pub mod state;
pub mod topology;
pub mod traffic;

use std::future::Future;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::os::netlink::{GuardRule, Netlink};
use crate::os::process::Process;
use crate::os::{caps, netns};
pub use fault::{Fault, FaultKind};
use state::State;
pub use state::{Deployment, Settings};
use topology::{Plug, Role, Topology};

/// The prefix of the lab that `vpnctl lab` means when nothing else is said.
pub const DEFAULT_PREFIX: &str = "vpngw";
/// Six handshakes on one core, BGP and VRRP fit many times into this.
const SETTLING: Duration = Duration::from_secs(60);
const GLANCE: Duration = Duration::from_millis(100);

/// The reference deployment, up.
#[derive(Debug)]
pub struct Lab {
    state: State,
    topology: Topology,
}

/// A gateway of a lab.
#[derive(Clone, Debug)]
pub struct GatewayStatus {
    /// Its name.
    pub name: String,
    /// Its process while it runs.
    pub process: Option<Process>,
    /// What is broken there.
    pub faults: Vec<FaultKind>,
}

impl Lab {
    /// Brings the reference deployment up and waits until every host reaches every host of
    /// another region. Removes what an earlier lab of that prefix has left. `tell` hears of
    /// each step; when one fails, everything is taken down again.
    pub fn up(settings: Settings, tell: &mut dyn FnMut(&str)) -> Result<Self> {
        caps::require(&[caps::NET_ADMIN, caps::NET_RAW, caps::SYS_ADMIN])
            .context("a lab makes network namespaces, which takes root")?;
        caps::require_tun()?;
        remove(&settings.prefix)?;
        let topology = settings.deployment.topology();
        let mut lab = Lab { state: State::new(settings), topology };
        let stands = lab.assemble(tell).and_then(|()| lab.wait_until_connected(tell));
        match stands {
            Ok(()) => Ok(lab),
            Err(error) => {
                let _ = lab.down();
                Err(error)
            }
        }
    }

    /// The lab that an earlier command has brought up.
    pub fn open(prefix: &str) -> Result<Self> {
        match State::load(prefix)? {
            Some(state) => Ok(Lab { topology: state.settings.deployment.topology(), state }),
            None => bail!("no lab is up: start one with 'vpnctl lab up'"),
        }
    }

    /// Ends the daemons and removes every namespace. Logs stay.
    pub fn down(self) -> Result<()> {
        remove(&self.state.settings.prefix)
    }

    /// How it was brought up.
    pub fn settings(&self) -> &Settings {
        &self.state.settings
    }

    /// The networks that it consists of.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The namespace of a host, gateway or router.
    pub fn namespace(&self, node: &str) -> String {
        network::namespace(&self.state.settings.prefix, node)
    }

    /// The gateways in order, with what runs and what is broken.
    pub fn status(&self) -> Vec<GatewayStatus> {
        let gateways = self.topology.names(Role::Gateway);
        gateways.map(|name| self.gateway_status(name)).collect()
    }

    fn gateway_status(&self, name: &str) -> GatewayStatus {
        let process = self.state.gateways.get(name).copied();
        let faults = self.state.faults.iter().filter(|fault| fault.gateway == name);
        GatewayStatus {
            name: name.to_owned(),
            process: process.filter(Process::is_alive),
            faults: faults.map(|fault| fault.kind).collect(),
        }
    }

    /// The path of a gateway's control socket, as its configuration has it.
    pub fn control_socket(&self, gateway: &str) -> Result<String> {
        control::socket_of(&daemon::config(&self.state.settings, gateway))
    }

    /// Runs a program in a host, gateway or router, and waits for it.
    pub fn exec(&self, node: &str, argv: &[String]) -> Result<ExitStatus> {
        self.known(node)?;
        let [program, arguments @ ..] = argv else { bail!("there is no program to run") };
        let mut command = Command::new(program);
        command.args(arguments);
        netns::place(&mut command, &self.namespace(node))?;
        command.status().with_context(|| format!("running {program} in {node}"))
    }

    /// Breaks something.
    pub fn fail(&mut self, kind: FaultKind, gateway: &str) -> Result<()> {
        if self.topology.find(gateway).is_none_or(|node| node.role != Role::Gateway) {
            let names: Vec<&str> = self.topology.names(Role::Gateway).collect();
            bail!("there is no gateway '{gateway}': choose one of {}", names.join(", "));
        }
        let fault = Fault { kind, gateway: gateway.to_owned() };
        self.inflict(&fault)?;
        if !self.state.faults.contains(&fault) {
            self.state.faults.push(fault);
        }
        self.state.save()
    }

    /// Repairs what was broken, at one gateway or everywhere, and starts daemons that do not
    /// run. Says what it repaired.
    pub fn heal(&mut self, gateway: Option<&str>) -> Result<Vec<Fault>> {
        if let Some(name) = gateway {
            self.known(name)?;
        }
        let meant = |name: &str| gateway.is_none_or(|gateway| gateway == name);
        let (healed, kept): (Vec<Fault>, Vec<Fault>) =
            self.state.faults.drain(..).partition(|fault| meant(&fault.gateway));
        self.state.faults = kept;
        for fault in &healed {
            self.mend(fault)?;
        }
        let gateways: Vec<String> = self.topology.names(Role::Gateway).map(str::to_owned).collect();
        for name in gateways.iter().filter(|name| meant(name)) {
            if self.gateway_status(name).process.is_none() {
                self.start(name)?;
            }
        }
        self.state.save()?;
        Ok(healed)
    }

    /// Waits until every tunnel is up and every host reaches every host of the other regions,
    /// over IPv4 and IPv6.
    pub fn wait_until_connected(&self, tell: &mut dyn FnMut(&str)) -> Result<()> {
        let begin = Instant::now();
        let total = self.wait_for_tunnels(begin + SETTLING)?;
        let seconds = || begin.elapsed().as_secs_f64();
        tell(&format!("all {total} tunnels are up after {:.1} s", seconds()));
        let all = self.journeys();
        let mut missing = all.clone();
        while !missing.is_empty() {
            self.require_daemons()?;
            missing.retain(|journey| !journey.succeeds());
            let Some(journey) = missing.first() else { break };
            if begin.elapsed() > SETTLING {
                let logs = self.state.settings.state_dir.display();
                bail!(
                    "{} of {} paths do not work, {journey} among them; the logs are in {logs}",
                    missing.len(),
                    all.len()
                );
            }
        }
        tell(&format!("all {} paths between hosts work after {:.1} s", all.len(), seconds()));
        Ok(())
    }

    /// Each tunnel has two ends. Says how many tunnels there are.
    fn wait_for_tunnels(&self, until: Instant) -> Result<usize> {
        let gateways: Vec<&str> = self.topology.names(Role::Gateway).collect();
        let sockets: Vec<String> =
            gateways.iter().map(|name| self.control_socket(name)).collect::<Result<_>>()?;
        loop {
            self.require_daemons()?;
            let ends: Vec<Result<(usize, usize)>> =
                sockets.iter().map(|socket| control::tunnels(socket)).collect();
            let all: usize = ends.iter().flatten().map(|(_, all)| all).sum();
            let is_up = |ends: &Result<(usize, usize)>| matches!(ends, Ok((up, all)) if up == all);
            if ends.iter().all(is_up) {
                return Ok(all / 2);
            }
            if Instant::now() > until {
                let late = gateways.iter().zip(ends).find(|(_, ends)| !is_up(ends));
                let (name, ends) = late.context("no gateway is late")?;
                let (up, all) = ends.with_context(|| format!("{name} does not answer"))?;
                let log = daemon::log(&self.state.settings, name);
                bail!("only {up} of {all} tunnels of {name} are up; see {}", log.display());
            }
        }
    }

    fn assemble(&mut self, tell: &mut dyn FnMut(&str)) -> Result<()> {
        // Written before anything exists, so that an interrupted start can be taken down.
        self.state.save()?;
        let gateways: Vec<String> = self.topology.names(Role::Gateway).map(str::to_owned).collect();
        let settings = &self.state.settings;
        let names = gateways.iter().map(String::as_str);
        let made = daemon::make_missing_keys(&settings.keys_dir, names)?;
        if !made.is_empty() {
            tell(&format!("made keys for {} in {}", made.join(", "), settings.keys_dir.display()));
        }
        wait_for(network::build(&settings.prefix, &self.topology))?;
        self.start_switches(tell)?;
        let nodes = self.topology.nodes.len();
        tell(&format!("made {nodes} network namespaces, {}-*", settings.prefix));
        for name in &gateways {
            daemon::forget(&self.state.settings, name)?;
            self.start(name)?;
        }
        self.require_daemons()?;
        tell(&format!("started vpngwd for {}", gateways.join(", ")));
        Ok(())
    }

    /// Compute nodes whose bridges are not the kernel's.
    fn start_switches(&self, tell: &mut dyn FnMut(&str)) -> Result<()> {
        let Settings { deployment, prefix, state_dir, .. } = &self.state.settings;
        if *deployment != Deployment::Ovs {
            return Ok(());
        }
        let of = |role: Role| self.topology.nodes.iter().filter(move |node| node.role == role);
        for node in of(Role::Compute) {
            ovs::start(prefix, node, state_dir)
                .with_context(|| format!("starting Open vSwitch in {}", node.name))?;
        }
        for (role, device) in [(Role::Gateway, "fab0"), (Role::Host, "eth0")] {
            of(role).try_for_each(|node| ovs::finish_checksums(prefix, &node.name, device))?;
        }
        tell(&format!("started Open vSwitch in {} compute nodes", of(Role::Compute).count()));
        Ok(())
    }

    fn start(&mut self, gateway: &str) -> Result<()> {
        let namespace = self.namespace(gateway);
        let process = daemon::start(&self.state.settings, &namespace, gateway)?;
        self.state.gateways.insert(gateway.to_owned(), process);
        self.state.save()
    }

    /// An error with the last words of a daemon that should run and does not.
    fn require_daemons(&self) -> Result<()> {
        std::thread::sleep(GLANCE);
        let is_hurt = |name: &str| {
            let mut faults = self.state.faults.iter().filter(|fault| fault.gateway == name);
            faults.any(|fault| {
                matches!(fault.kind, FaultKind::Kill | FaultKind::Stop | FaultKind::Zone)
            })
        };
        let ended = self.state.gateways.iter().find(|(name, p)| !p.is_alive() && !is_hurt(name));
        match ended {
            Some((name, _)) => {
                let log = daemon::log(&self.state.settings, name);
                bail!("the daemon of {name} has ended; {}", daemon::last_lines(&log))
            }
            None => Ok(()),
        }
    }

    fn journeys(&self) -> Vec<traffic::Journey> {
        let hosts: Vec<&topology::Node> =
            self.topology.nodes.iter().filter(|node| node.role == Role::Host).collect();
        let deployment = self.state.settings.deployment;
        let mut journeys = Vec::new();
        for from in &hosts {
            for to in hosts.iter().filter(|to| deployment.connects(&from.name, &to.name)) {
                for (_, address) in &to.addresses {
                    journeys.push(traffic::Journey {
                        from: from.name.clone(),
                        namespace: self.namespace(&from.name),
                        to: to.name.clone(),
                        target: address.address,
                    });
                }
            }
        }
        journeys
    }

    fn inflict(&self, fault: &Fault) -> Result<()> {
        let process = self.state.gateways.get(&fault.gateway).copied();
        match fault.kind {
            FaultKind::Kill => kill(process),
            FaultKind::Stop => daemon::stop(process.into_iter()),
            FaultKind::Hang => signal(process, Signal::SIGSTOP),
            FaultKind::WanDown | FaultKind::LanDown => self.set_cables(fault, false),
            FaultKind::Blackhole | FaultKind::OneWay | FaultKind::OneWayOut => {
                self.set_guards(fault, true)
            }
            FaultKind::Router => self.set_router(fault, false),
            FaultKind::Zone => {
                kill(process)?;
                self.set_cables(fault, false)
            }
        }
    }

    fn mend(&self, fault: &Fault) -> Result<()> {
        match fault.kind {
            FaultKind::Kill | FaultKind::Stop => Ok(()),
            FaultKind::Hang => {
                signal(self.state.gateways.get(&fault.gateway).copied(), Signal::SIGCONT)
            }
            FaultKind::Router => self.set_router(fault, true),
            FaultKind::WanDown | FaultKind::LanDown | FaultKind::Zone => {
                self.set_cables(fault, true)
            }
            FaultKind::Blackhole | FaultKind::OneWay | FaultKind::OneWayOut => {
                self.set_guards(fault, false)
            }
        }
    }

    /// Pulls a cable at the far end, as a switch that dies: the device sees its carrier go.
    fn set_cables(&self, fault: &Fault, plugged: bool) -> Result<()> {
        let gateway = fault.gateway.as_str();
        let zone = reference::in_zone(gateway);
        let lan = self.state.settings.deployment.lan();
        let host = zone.as_ref().map_or(gateway, |(_, host)| host.as_str());
        let (host, device) = match self.state.settings.deployment {
            Deployment::Reference => (host.to_owned(), "eth0"),
            Deployment::Compute | Deployment::Ovs => (gateway.replacen('-', "-node-", 1), "fab0"),
        };
        let host = host.as_str();
        let ends = match fault.kind {
            FaultKind::WanDown => vec![(gateway, "wan0")],
            FaultKind::LanDown => vec![(gateway, lan)],
            FaultKind::Zone => vec![(gateway, "wan0"), (gateway, lan), (host, device)],
            FaultKind::Kill
            | FaultKind::Stop
            | FaultKind::Hang
            | FaultKind::Blackhole
            | FaultKind::OneWay
            | FaultKind::OneWayOut
            | FaultKind::Router => Vec::new(),
        };
        for (node, device) in ends {
            let far = self.topology.far_end(node, device);
            let far = far.with_context(|| format!("{node} has no cable at {device}"))?;
            wait_for(self.set_plug(far, plugged))?;
        }
        Ok(())
    }

    async fn set_plug(&self, plug: &Plug, plugged: bool) -> Result<()> {
        let netlink = Netlink::open(Some(&self.namespace(&plug.node)))?;
        match plugged {
            true => netlink.set_up(&plug.device).await,
            false => netlink.set_down(&plug.device).await,
        }
    }

    /// Takes the router away from behind a gateway's cable, which keeps its carrier.
    fn set_router(&self, fault: &Fault, there: bool) -> Result<()> {
        let far = self.topology.far_end(&fault.gateway, "wan0");
        let far = far.context("the gateway has no cable at wan0")?;
        let bridge = far.bridge.as_deref().context("the cable ends at no bridge")?;
        wait_for(async {
            let netlink = Netlink::open(Some(&self.namespace(&far.node)))?;
            match there {
                true => netlink.set_bridge(&far.device, bridge).await,
                false => netlink.leave_bridge(&far.device).await,
            }
        })
    }

    /// The router between the regions drops a gateway's packets.
    fn set_guards(&self, fault: &Fault, standing: bool) -> Result<()> {
        let node = self.topology.find(&fault.gateway).context("there is no such gateway")?;
        let wan = node.addresses.iter().find(|(device, _)| device == "wan0");
        let (_, address) = wan.context("the gateway has no underlay address")?;
        let host = format!("{}/32", address.address).parse().context("not an IPv4 address")?;
        let guards = match fault.kind {
            FaultKind::OneWay => vec![GuardRule::to(host)],
            FaultKind::OneWayOut => vec![GuardRule::from(host)],
            _ => vec![GuardRule::to(host), GuardRule::from(host)],
        };
        let router = self.namespace(reference::UNDERLAY);
        wait_for(async {
            let netlink = Netlink::open(Some(&router))?;
            for guard in &guards {
                match standing {
                    true => netlink.add_guard(guard).await?,
                    false => netlink.remove_guard(guard).await?,
                }
            }
            Ok(())
        })
    }

    fn known(&self, node: &str) -> Result<()> {
        if self.topology.find(node).is_some() {
            return Ok(());
        }
        let names: Vec<&str> = self.topology.nodes.iter().map(|node| node.name.as_str()).collect();
        bail!("there is no '{node}' in the lab: choose one of {}", names.join(", "))
    }
}

/// Takes a lab down, whatever state it is in; without one, nothing happens.
pub fn remove(prefix: &str) -> Result<()> {
    if let Some(state) = State::load(prefix)? {
        daemon::stop(state.gateways.values().copied())?;
    }
    for deployment in Deployment::ALL {
        network::remove(prefix, &deployment.topology())?;
    }
    State::forget(prefix)
}

fn kill(process: Option<Process>) -> Result<()> {
    let Some(process) = process else { return Ok(()) };
    process.signal(Signal::SIGKILL)?;
    process.wait(SETTLING);
    Ok(())
}

fn signal(process: Option<Process>, signal: Signal) -> Result<()> {
    process.map_or(Ok(()), |process| process.signal(signal))
}

/// Runs netlink's futures to their end.
pub fn wait_for<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}
