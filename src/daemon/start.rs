//! The start, in an order in which a failure leaves nothing behind but the guards against
//! plaintext: they come first, what the process owns goes with it, and routes come last.

use super::args::Args;
use super::bgp::Connections;
use super::claims::Claims;
use super::control::ControlSocket;
use super::crash_secret;
use super::event_loop::{Daemon, Inputs};
use super::exit::{Cause, OrFail, Outcome};
use super::files;
use super::guard::{outline, stand_guard};
use super::jobs::JobPool;
use super::lan::Lans;
use super::listening::{Listening, Sockets};
use super::names::Names;
use super::papers::PaperWatch;
use super::path_errors;
use super::standing::StandingFile;
use super::underlay::Underlay;
use super::web::Web;
use super::world::{World, host};
use crate::config::{Config, Outline, VpcConfig, Workers};
use crate::control::Standing;
use crate::dataplane::{self, Dataplane, DataplaneConfig, VpcDevice};
use crate::gateway::world::{Host, blind_to, kept_out};
use crate::gateway::{self, Gateway};
use crate::moment::Moment;
use crate::net::VpcId;
use crate::os::caps;
use crate::os::clock::Clock;
use crate::os::random::OsRandom;
use crate::os::signal::Signals;
use anyhow::anyhow;
use std::collections::{BTreeMap, BTreeSet};
use tracing::{info, warn};

/// Brings everything up.
pub(super) async fn start(args: &Args) -> Outcome<Daemon> {
    // What is wrong with the file is said below.
    let outline = outline(&args.config).unwrap_or_default();
    let mut claims = Claims::default();
    claims.extend(&outline).or_fail(Cause::Busy)?;
    // What it says about refusals is logged.
    let _ = stand_guard(&outline).await;
    let config = files::load_or_fail(&args.config)?;
    let standing_file = StandingFile::of(&config.gateway.control_socket);
    let standing = standing_file.read()?;
    claims.extend(&Outline::of(&config)).or_fail(Cause::Busy)?;
    check_host(&config)?;
    let namespaces = config.vpcs.values().filter_map(|vpc| vpc.netns.clone()).collect();
    let host = host(Host::questions(&config), namespaces).await.or_fail_as_it_is()?;
    for vpc in blind_to(&config, &host, &host.listening(&config)) {
        warn!(
            "plaintext from the underlay is not kept out of the VPC {vpc}: one interface leads to \
             both"
        );
    }
    for device in kept_out(&config, &host, &host.listening(&config)) {
        warn!(
            "nothing comes in for a VPC by {device}, which is neither a VPC's nor the underlay's: if \
             it shall, name it in `let_in` of [[vpc]]"
        );
    }
    warn_of_interfaces(&config, &host);
    let signals = Signals::subscribe().or_fail(Cause::Runtime)?;
    let (control, calls) = ControlSocket::open(&config.gateway.control_socket).await?;
    let web = match config.gateway.http_listen {
        Some(address) => Some(Web::open(address, control.calls()).await),
        None => None,
    };
    let (mut underlay, ike) = Underlay::new();
    let workers = workers(&config);
    let clock = Clock::start();
    let devices = dataplane_config(&config, workers, clock);
    let made = devices.vpcs.clone();
    let (mut dataplane, from_dataplane) = Dataplane::start(devices).or_fail_as_it_is()?;
    let bfd = dataplane.take_bfd_reports();
    let bfd = bfd.ok_or_else(|| anyhow!("the thread of BFD has no ear")).or_fail_as_it_is()?;
    let streams = dataplane.take_stream_messages();
    let streams =
        streams.ok_or_else(|| anyhow!("nobody hears TCP connections")).or_fail_as_it_is()?;
    let ports = (config.gateway.ike_port, config.gateway.natt_port);
    let mut listening = Listening::new(ports, config.stream_port());
    let sockets = Sockets { underlay: &mut underlay, dataplane: &mut dataplane };
    listening.begin(host.sockets(&config), &config.gateway.listen, sockets)?;
    let (world, answers) = World::open();
    let (connections, tcp) = Connections::new(BTreeMap::new());
    let (lans, lan) = Lans::new(BTreeMap::new());
    let (jobs, job_answers) = JobPool::start().or_fail_as_it_is()?;
    let (names, name_answers) = Names::new();
    let (papers, found_papers) = PaperWatch::start(&args.config).or_fail_as_it_is()?;
    let mut random = OsRandom;
    let at = &mut Moment::new(clock.now(), Clock::wall(), &mut random);
    let mut gateway = Gateway::standing_as(&standing, config, host, workers, at);
    if let Some(secret) = crash_secret::read_or_make(&standing_file.beside("crash")) {
        gateway.set_crash_secret(secret);
    }
    tell_standing(&standing);
    let inputs = Inputs {
        ike,
        dataplane: from_dataplane,
        bfd,
        streams,
        tcp,
        lan,
        jobs: job_answers,
        names: name_answers,
        papers: found_papers,
        calls,
        path_errors: path_errors::listen(),
        world: answers,
    };
    let mut daemon = Daemon {
        path: args.config.clone(),
        claims,
        clock,
        random,
        gateway,
        dataplane,
        underlay,
        listening,
        world,
        devices: made.iter().map(|device| (device.vpc, device.clone())).collect(),
        connections,
        lans,
        jobs,
        names,
        papers,
        unconfirmed: None,
        standing_file,
        _control: control,
        _web: web,
        signals,
        inputs,
    };
    daemon.ask_for_ways();
    daemon.place();
    daemon.watch_lans();
    daemon.papers.watch(daemon.gateway.config());
    daemon.carry_out();
    // What an earlier run has left and this one does not want is found, and removed.
    daemon.world.look();
    let _ = daemon.world.barrier().await;
    info!(gateway = daemon.gateway.config().gateway.name, workers, "ready");
    Ok(daemon)
}

/// What was said to the process before holds: whoever reads the log need not wonder.
fn tell_standing(standing: &Standing) {
    if standing.drained {
        warn!("this gateway is drained, until `vpnctl undrain`");
    }
    for peer in &standing.disabled {
        warn!(peer, "{peer} is disabled, until `vpnctl enable {peer}`");
    }
}

fn dataplane_config(config: &Config, workers: u32, clock: Clock) -> DataplaneConfig {
    let device = |(id, vpc): (&VpcId, &VpcConfig)| VpcDevice {
        vpc: *id,
        name: vpc.tun.clone(),
        netns: vpc.netns.clone(),
        mtu: gateway::device_mtu(config, *id),
    };
    DataplaneConfig {
        workers: workers as usize,
        vpcs: config.vpcs.iter().map(device).collect(),
        clock,
    }
}

/// Checks what the host must give us, and warns of what it should.
fn check_host(config: &Config) -> Outcome<()> {
    let mut needed = vec![caps::NET_ADMIN];
    if config.gateway.ike_port < 1024 || config.gateway.natt_port < 1024 {
        needed.push(caps::NET_BIND_SERVICE);
    }
    if config.vpcs.values().any(|vpc| !vpc.vrrp.is_empty()) {
        needed.push(caps::NET_RAW);
    }
    if config.vpcs.values().any(|vpc| vpc.netns.is_some()) {
        needed.push(caps::SYS_ADMIN);
    }
    caps::require(&needed).or_fail(Cause::Missing)?;
    caps::require_tun().or_fail(Cause::Missing)?;
    drop_privileges(config).or_fail(Cause::Runtime)?;
    Ok(())
}

/// Warns of interfaces towards hosts that are not there: they may come later.
fn warn_of_interfaces(config: &Config, host: &Host) {
    for vpc in config.vpcs.values() {
        let Some(devices) = host.devices_in(vpc.netns.as_deref()) else { continue };
        let of_vrrp = vpc.vrrp.iter().map(|router| &router.interface);
        let named: BTreeSet<&String> = vpc.interface.iter().chain(of_vrrp).collect();
        // That of a segment is made by us.
        let segment = vpc.vxlan.as_ref().map(|vxlan| &vxlan.interface);
        let others = named.into_iter().filter(|name| Some(*name) != segment);
        for interface in others.filter(|name| !devices.contains_key(*name)) {
            let vpc = &vpc.name;
            warn!(
                vpc,
                interface, "there is no {interface}, which VPC {vpc} names; it is waited for"
            );
        }
    }
}

/// Checks that a configuration needs nothing that was given up at the start.
pub(super) fn check_privileges(config: &Config) -> anyhow::Result<()> {
    let namespaces = config.vpcs.values().any(|vpc| vpc.netns.is_some());
    if namespaces && caps::require(&[caps::SYS_ADMIN]).is_err() {
        anyhow::bail!(
            "a VPC in a network namespace needs CAP_SYS_ADMIN, which this daemon has not or gave \
             up at its start; restart it"
        );
    }
    Ok(())
}

/// Keeps what the gateway works with and gives up the rest: a daemon that root started must not be
/// able to do all that root can.
fn drop_privileges(config: &Config) -> anyhow::Result<()> {
    let lasting = [
        caps::NET_ADMIN,
        caps::NET_RAW,
        caps::NET_BIND_SERVICE,
        caps::DAC_READ_SEARCH,
        caps::IPC_LOCK,
        caps::SYS_NICE,
    ];
    let namespaces = config.vpcs.values().any(|vpc| vpc.netns.is_some());
    let kept: Vec<_> = lasting.into_iter().chain(namespaces.then_some(caps::SYS_ADMIN)).collect();
    caps::keep_only(&kept)
}

fn workers(config: &Config) -> u32 {
    match config.gateway.workers {
        Workers::Exactly(count) => count.get().into(),
        Workers::Auto => u32::try_from(dataplane::default_workers()).unwrap_or(1),
    }
}
