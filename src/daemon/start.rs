//! The start, in an order in which a failure leaves nothing behind: what the process owns goes
//! with it, and routes come last.

use super::args::Args;
use super::bgp::Connections;
use super::control::ControlSocket;
use super::event_loop::{Daemon, Inputs};
use super::exit::{Cause, OrFail, Outcome};
use super::files;
use super::ingress::Ingress;
use super::kernel::{Kernel, Place};
use super::lan::Lans;
use super::underlay::Underlay;
use crate::config::{Config, VpcConfig, Workers};
use crate::dataplane::{self, Dataplane, DataplaneConfig, VpcDevice};
use crate::gateway::{self, Gateway};
use crate::moment::Moment;
use crate::net::VpcId;
use crate::os::caps;
use crate::os::clock::Clock;
use crate::os::random::OsRandom;
use crate::os::signal::Signals;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tracing::{info, warn};

/// Brings everything up.
pub async fn start(args: &Args) -> Outcome<Daemon> {
    let config = files::load_or_fail(&args.config)?;
    check_host(&config)?;
    let signals = Signals::subscribe().or_fail(Cause::Runtime)?;
    let (control, calls) = ControlSocket::open(&config.gateway.control_socket).await?;
    let (underlay, ike) = Underlay::open(&config.gateway.listen, config.gateway.ike_port)?;
    let workers = workers(&config);
    let devices = dataplane_config(&config, workers);
    let (dataplane, from_dataplane) = Dataplane::start(devices).or_fail_as_it_is()?;
    let places = places(&config);
    let kernel = Kernel::open(places.clone()).await.or_fail_as_it_is()?;
    let (connections, tcp) = Connections::new(places.clone());
    let (lans, lan) = Lans::new(places);
    let (clock, mut random) = (Clock::start(), OsRandom);
    let at = &mut Moment::new(clock.now(), Clock::wall(), &mut random);
    let gateway = Gateway::new(config, workers, at);
    let inputs = Inputs { ike, dataplane: from_dataplane, tcp, lan, calls };
    let mut daemon = Daemon {
        path: args.config.clone(),
        clock,
        random,
        gateway,
        dataplane,
        underlay,
        kernel,
        connections,
        lans,
        _control: control,
        signals,
        inputs,
    };
    daemon.watch_lans();
    daemon.carry_out();
    daemon.kernel.forget_stale();
    daemon.kernel.guard(Ingress::of(daemon.gateway.config()));
    let _ = daemon.kernel.barrier().await;
    info!(gateway = daemon.gateway.config().gateway.name, workers, "ready");
    Ok(daemon)
}

fn dataplane_config(config: &Config, workers: u32) -> DataplaneConfig {
    let port = config.gateway.natt_port;
    let listen = config.gateway.listen.iter().map(|address| SocketAddr::new(*address, port));
    let device = |(id, vpc): (&VpcId, &VpcConfig)| VpcDevice {
        vpc: *id,
        name: vpc.tun.clone(),
        netns: vpc.netns.clone(),
        mtu: gateway::device_mtu(config, *id),
    };
    DataplaneConfig {
        workers: workers as usize,
        listen: listen.collect(),
        vpcs: config.vpcs.iter().map(device).collect(),
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
    for vpc in config.vpcs.values() {
        for remedy in caps::forwarding_off(vpc.netns.as_deref()) {
            warn!(vpc = vpc.name, "the kernel does not forward packets of this VPC; run: {remedy}");
        }
    }
    Ok(())
}

fn places(config: &Config) -> BTreeMap<VpcId, Place> {
    let place = |(id, vpc): (&VpcId, &VpcConfig)| {
        (*id, Place { namespace: vpc.netns.clone(), device: vpc.tun.clone() })
    };
    config.vpcs.iter().map(place).collect()
}

fn workers(config: &Config) -> u32 {
    match config.gateway.workers {
        Workers::Exactly(count) => count.get().into(),
        Workers::Auto => u32::try_from(dataplane::default_workers()).unwrap_or(1),
    }
}
