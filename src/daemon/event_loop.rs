//! The loop: one input, then all outputs, then waiting for the next input.

use super::bgp::{Connections, TcpEvent};
use super::claims::Claims;
use super::control::ControlSocket;
use super::exit::{Cause, Failure, Outcome};
use super::jobs::JobPool;
use super::lan::{LanEvent, Lans};
use super::listening::{Listening, Sockets};
use super::names::{LookedUp, Names};
use super::papers::{FoundPaper, PaperWatch};
use super::path_errors::{PathError, Undelivered};
use super::reload::Unconfirmed;
use super::serving::Call;
use super::standing::StandingFile;
use super::underlay::Underlay;
use super::web::Web;
use super::world::{Answers, Place, World};
use super::{logging, notify, unsent};
use crate::control::{FailureKind, Page, Reply, Request, Standing};
use crate::dataplane::{
    BfdReceiver, BfdReport, ControlReceiver, Dataplane, FromDataplane, FromStreams, StreamReceiver,
    VpcDevice,
};
use crate::gateway::world::{Answer, Change, Host, Wish};
use crate::gateway::{BfdOutput, Datagram, Gateway, Output, Unsent};
use crate::ike::JobAnswer;
use crate::moment::Moment;
use crate::net::{VpcId, is_streamed};
use crate::os::clock::Clock;
use crate::os::memory::scrub_stack;
use crate::os::random::OsRandom;
use crate::os::signal::{Signal, Signals};
use crate::os::udp;
use crate::routing::bfd::fsm;
use crate::time::Timestamp;
use anyhow::anyhow;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::error;

/// Everything that runs.
pub(super) struct Daemon {
    pub(super) path: PathBuf,
    pub(super) claims: Claims,
    pub(super) clock: Clock,
    pub(super) random: OsRandom,
    pub(super) gateway: Gateway,
    pub(super) dataplane: Dataplane,
    pub(super) underlay: Underlay,
    pub(super) listening: Listening,
    pub(super) world: World,
    /// The devices that the data plane has made.
    pub(super) devices: BTreeMap<VpcId, VpcDevice>,
    pub(super) connections: Connections,
    pub(super) lans: Lans,
    pub(super) jobs: JobPool,
    pub(super) names: Names,
    pub(super) papers: PaperWatch,
    /// A configuration that waits to be confirmed.
    pub(super) unconfirmed: Option<Unconfirmed>,
    /// What the operator has said that outlives the daemon.
    pub(super) standing_file: StandingFile,
    /// Removes its file when the daemon ends.
    pub(super) _control: ControlSocket,
    /// Ends with the daemon.
    pub(super) _web: Option<Web>,
    pub(super) signals: Signals,
    pub(super) inputs: Inputs,
}

/// Where inputs come from.
pub(super) struct Inputs {
    pub(super) ike: mpsc::Receiver<Datagram>,
    pub(super) dataplane: ControlReceiver,
    pub(super) bfd: BfdReceiver,
    pub(super) streams: StreamReceiver,
    pub(super) tcp: mpsc::Receiver<TcpEvent>,
    pub(super) lan: mpsc::Receiver<LanEvent>,
    pub(super) jobs: mpsc::Receiver<JobAnswer>,
    pub(super) calls: mpsc::Receiver<Call>,
    pub(super) path_errors: mpsc::Receiver<PathError>,
    pub(super) world: Answers,
    pub(super) names: mpsc::UnboundedReceiver<LookedUp>,
    pub(super) papers: mpsc::Receiver<FoundPaper>,
}

/// One input.
pub(super) enum Input {
    Datagram(Datagram),
    Dataplane(FromDataplane),
    Bfd(BfdReport),
    Streams(FromStreams),
    Tcp(TcpEvent),
    Lan(LanEvent),
    Job(JobAnswer),
    Call(Call),
    PathError(PathError),
    World(Vec<Answer>),
    Name(LookedUp),
    Paper(FoundPaper),
    Signal(Signal),
    Timeout,
    /// Nothing has come, and there is something left to do.
    Turn,
    /// It is time to try again to listen where that was not possible.
    Listen,
    /// Nobody has confirmed the configuration.
    Unconfirmed,
    Watchdog,
}

impl Daemon {
    /// Runs until a signal ends it.
    pub(super) async fn run(mut self) -> Outcome<()> {
        let status = format!("{} peer(s)", self.gateway.config().peers.len());
        notify::ready(&status);
        let period = notify::watchdog_interval();
        let mut watchdog = interval(period.unwrap_or(Duration::from_secs(3600)));
        watchdog.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let input = tokio::select! {
                input = self.next_input() => input,
                _ = watchdog.tick() => Input::Watchdog,
            };
            match input {
                Input::Signal(Signal::Terminate) => break,
                Input::Dataplane(FromDataplane::Failed { why }) => {
                    self.end().await;
                    return Err(Failure { cause: Cause::Runtime, error: anyhow!(why) });
                }
                Input::Watchdog if period.is_some() => notify::alive(),
                other => self.handle(other),
            }
            self.carry_out();
        }
        self.end().await;
        Ok(())
    }

    pub(super) async fn next_input(&mut self) -> Input {
        let inputs = &mut self.inputs;
        let deadline = self.gateway.poll_timeout().map(|(at, _)| self.clock.instant(at));
        let deadline = deadline.map_or_else(far, Instant::from_std);
        let listen_at = self.listening.retry_at();
        let confirm_at = self.unconfirmed.as_ref().map(|standing| standing.until);
        // What peers have announced is worked off before they are heard again, and between turns
        // everybody else is.
        let is_busy = self.gateway.is_busy();
        tokio::select! {
            signal = self.signals.next() => Input::Signal(signal),
            Some(report) = inputs.bfd.recv() => Input::Bfd(report),
            Some(message) = inputs.dataplane.recv() => Input::Dataplane(message),
            Some(message) = inputs.streams.recv() => Input::Streams(message),
            Some(datagram) = inputs.ike.recv() => Input::Datagram(datagram),
            Some(event) = inputs.lan.recv() => Input::Lan(event),
            Some(event) = inputs.tcp.recv(), if !is_busy => Input::Tcp(event),
            Some(event) = self.connections.accept() => Input::Tcp(event),
            Some(answer) = inputs.jobs.recv() => Input::Job(answer),
            Some(call) = inputs.calls.recv() => Input::Call(call),
            Some(error) = inputs.path_errors.recv() => Input::PathError(error),
            Some(answers) = inputs.world.recv() => Input::World(answers),
            Some(answer) = inputs.names.recv() => Input::Name(answer),
            Some(found) = inputs.papers.recv() => Input::Paper(found),
            () = sleep_until(deadline), if !is_busy => Input::Timeout,
            () = yield_now(), if is_busy => Input::Turn,
            () = sleep_until(listen_at.unwrap_or_else(far)), if listen_at.is_some() => Input::Listen,
            () = sleep_until(confirm_at.unwrap_or_else(far)), if confirm_at.is_some() => Input::Unconfirmed,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn handle(&mut self, input: Input) {
        let now = self.now();
        let gateway = &mut self.gateway;
        let at = &mut Moment::new(now, Clock::wall(), &mut self.random);
        let has_turned = matches!(input, Input::Timeout | Input::Turn);
        match input {
            Input::Datagram(Datagram { local, remote, bytes }) => {
                gateway.handle_datagram(local, remote, &bytes, at);
            }
            Input::Dataplane(FromDataplane::Datagram { local, remote, bytes }) => {
                gateway.handle_datagram(local, remote, &bytes, at);
            }
            Input::Dataplane(FromDataplane::Inner { peer, vpc, packet }) => {
                gateway.handle_inner(peer, vpc, &packet, now);
            }
            Input::Dataplane(FromDataplane::Echo { peer, echo }) => {
                gateway.handle_echo(peer, echo, now);
            }
            Input::Dataplane(FromDataplane::Strayed { local, strayed }) => {
                gateway.handle_strayed(local, strayed, at);
            }
            Input::Streams(FromStreams::Datagram { local, remote, bytes }) => {
                gateway.handle_datagram(local, remote, &bytes, at);
            }
            // The peers there are asked at once, in a new connection if we have made the old one.
            Input::Streams(FromStreams::Closed { local, remote }) => {
                gateway.handle_unreachable(local, remote, now);
            }
            Input::Bfd(BfdReport { peer, report }) => gateway.handle_bfd(peer, report, now),
            Input::Tcp(TcpEvent { vpc, connection, input }) => {
                gateway.handle_tcp(vpc, connection, input, now);
            }
            Input::Lan(LanEvent::Link(link)) => gateway.handle_link(&link, now),
            Input::Lan(LanEvent::Vrrp { vpc, interface, source, bytes }) => {
                gateway.handle_vrrp(vpc, &interface, source, &bytes, now);
            }
            Input::Lan(LanEvent::Unseen { vpc, interface }) => {
                gateway.handle_unseen_link(vpc, &interface, now);
            }
            Input::Lan(LanEvent::Frame { vpc, interface, bytes }) => {
                gateway.handle_neighbor_frame(vpc, &interface, &bytes, now);
            }
            Input::Job(answer) => {
                self.jobs.on_answer();
                gateway.handle_job(answer, at);
            }
            Input::Call(call) => self.answer(call),
            Input::PathError(PathError { local, remote, why }) => match why {
                Undelivered::TooBig(mtu) => gateway.handle_too_big(local, remote, mtu, now),
                Undelivered::Unreachable => gateway.handle_unreachable(local, remote, now),
            },
            Input::World(answers) => self.on_world(answers),
            Input::Name(LookedUp { remote, host, answer }) => {
                gateway.handle_look_up(remote, &host, answer, at);
            }
            Input::Paper(paper) if !self.papers.wants(&paper) => {}
            Input::Paper(FoundPaper { files, found, .. }) => {
                gateway.handle_paper(&files, found, at);
            }
            Input::Signal(Signal::Reload) => {
                if let Err(sentence) = self.reload(None) {
                    error!("{sentence}");
                }
            }
            Input::Dataplane(FromDataplane::DeviceGone { vpc, why }) => {
                error!("{why}; it is made anew");
                self.on_device_gone(vpc);
            }
            Input::Dataplane(FromDataplane::Unsent { local, remote, errno }) => {
                self.on_unsent_esp(local, remote, errno);
            }
            // Timers do not wait until everything is worked off.
            Input::Timeout | Input::Turn => gateway.handle_timeout(at),
            Input::Listen => {
                let Daemon { underlay, dataplane, listening, .. } = self;
                listening.retry(Sockets { underlay, dataplane });
            }
            Input::Unconfirmed => self.roll_back(),
            Input::Signal(Signal::Terminate)
            | Input::Watchdog
            | Input::Dataplane(FromDataplane::Failed { .. }) => {}
        }
        // After every input, so that whoever floods us does not keep it from being done.
        if !has_turned {
            self.gateway.go_on(now);
        }
    }

    fn answer(&mut self, call: Call) {
        let page = match call.request {
            Request::Reload { confirm } => match self.reload(confirm.map(Duration::from_secs)) {
                Ok(sentence) => Reply::done(sentence).into(),
                Err(sentence) => Reply::failed(FailureKind::InvalidConfig, sentence).into(),
            },
            Request::Plan => self.plan().into(),
            Request::Confirm => self.confirm().into(),
            Request::Log { filter } => logging::answer(filter.as_deref()).into(),
            request => {
                let now = self.now();
                let counters = self.dataplane.counters().read();
                let bfd = self.dataplane.bfd().discards().read();
                let counters = counters.chain(bfd).map(|(name, count)| (name.to_owned(), count));
                self.gateway.note_dataplane(counters.collect());
                let before = self.gateway.standing();
                let at = &mut Moment::new(now, Clock::wall(), &mut self.random);
                let page = self.gateway.handle_page(&request, call.after.as_ref(), at);
                self.keep_standing(&before, page)
            }
        };
        let _ = call.reply.send(page);
    }

    /// What the operator has said outlives the daemon; where it does not, the answer says so.
    fn keep_standing(&self, before: &Standing, page: Page) -> Page {
        let standing = self.gateway.standing();
        if standing == *before {
            return page;
        }
        match (self.standing_file.write(&standing), page) {
            (Err(error), Page { reply: Reply::Done(done), .. }) => {
                error!(error = format!("{error:#}"), "what was said will not outlive this process");
                let message = format!(
                    "{}; but only until the daemon ends, for it cannot be kept: {error:#}",
                    done.message
                );
                Reply::done(message).into()
            }
            (_, page) => page,
        }
    }

    /// Watches the interfaces towards hosts that the configuration names.
    pub(super) fn watch_lans(&mut self) {
        for (id, vpc) in &self.gateway.config().vpcs {
            vpc.interface.iter().for_each(|interface| self.lans.watch(*id, interface));
        }
    }

    /// Carries out what the gateway wants, in its order, and has its public-key work done.
    pub(super) fn carry_out(&mut self) {
        let (mut keys_moved, mut done_here) = (false, 0);
        loop {
            keys_moved |= self.carry_out_outputs();
            let Some(answer) = self.jobs.fill(&mut done_here, || self.gateway.poll_job()) else {
                break;
            };
            let now = self.now();
            self.gateway.handle_job(answer, &mut Moment::new(now, Clock::wall(), &mut self.random));
            keys_moved = true;
        }
        if keys_moved {
            scrub_stack();
        }
    }

    /// Carries out all outputs; says whether keys may have been in use.
    fn carry_out_outputs(&mut self) -> bool {
        let mut keys_moved = false;
        while let Some(output) = self.gateway.poll_output() {
            keys_moved |=
                matches!(output, Output::Datagram(_) | Output::Probe(_) | Output::Publish(_));
            match output {
                Output::Datagram(datagram) => self.send(&datagram),
                Output::Probe(datagram) => self.send_probe(&datagram),
                Output::Listen(addresses) => {
                    let Daemon { underlay, dataplane, listening, .. } = self;
                    listening.change(addresses, Sockets { underlay, dataplane });
                }
                Output::Stream(output) => self.carry_out_stream(output),
                Output::Publish(snapshot) => self.dataplane.publish(snapshot),
                Output::World(change) => self.change(change),
                Output::Tcp(output) => {
                    let ready = self.world.barrier();
                    self.connections.carry_out(output, ready);
                }
                Output::Vrrp(output) => self.lans.carry_out(output),
                Output::Bfd(output) => self.watch_path(output),
                Output::LookUp { remote, host } => self.names.look_up(remote, host),
                Output::WatchWays => self.ask_for_ways(),
                Output::Echo { tunnel, echo } => {
                    // Counted by reason where it is decided.
                    let _ = self.dataplane.send_echo(&tunnel, &echo);
                }
                Output::Inner { tunnel, mut packet } => {
                    // Counted by reason where it is decided.
                    let _ = self.dataplane.send_inner(&tunnel, &mut packet);
                }
            }
        }
        keys_moved
    }

    fn watch_path(&self, output: BfdOutput) {
        let bfd = self.dataplane.bfd();
        match output {
            BfdOutput::Watch { peer, tunnel, endpoints, config } => {
                bfd.watch(peer, tunnel, endpoints, config);
            }
            BfdOutput::HoldDown { peer, path_ends: true } => {
                bfd.administer(peer, fsm::Event::PathEnds);
            }
            BfdOutput::HoldDown { peer, path_ends: false } => {
                bfd.administer(peer, fsm::Event::Disable);
            }
            BfdOutput::Forget { peer } => bfd.forget(peer),
            BfdOutput::Hint { peer, hint } => bfd.hint(peer, hint),
        }
    }

    /// Devices are the data plane's, everything else is netlink's.
    fn change(&mut self, change: Change) {
        match &change {
            Change::Set(Wish::Device { vpc, name, netns, mtu }) => {
                let device =
                    VpcDevice { vpc: *vpc, name: name.clone(), netns: netns.clone(), mtu: *mtu };
                self.set_device(device, change);
            }
            Change::Remove(Wish::Device { vpc, .. }) => self.remove_device(*vpc),
            Change::Set(_) | Change::Remove(_) => self.world.apply(change),
        }
    }

    /// Makes a device, or changes the MTU of the one that is there.
    fn set_device(&mut self, device: VpcDevice, change: Change) {
        let standing = self.devices.get(&device.vpc);
        if standing.is_some_and(|old| (&old.name, &old.netns) == (&device.name, &device.netns)) {
            self.devices.insert(device.vpc, device);
            return self.world.apply(change);
        }
        let answer = match self.dataplane.add_vpc(&device) {
            Ok(()) => {
                self.connections.on_device(device.vpc, &device.name);
                self.devices.insert(device.vpc, device);
                Answer::Done(change)
            }
            Err(error) => Answer::Refused(change, format!("{error:#}")),
        };
        self.gateway.handle_world(vec![answer], self.now());
    }

    /// Has the ways to the peers watched.
    pub(super) fn ask_for_ways(&self) {
        self.world.watch_ways(Host::questions(self.gateway.config()));
    }

    /// Tells everybody where the VPCs live.
    pub(super) fn place(&mut self) {
        for (&id, vpc) in &self.gateway.config().vpcs {
            let place = Place { namespace: vpc.netns.clone(), device: vpc.tun.clone() };
            self.world.place(id, place.clone());
            self.connections.place(id, place.clone());
            self.lans.place(id, place);
        }
    }

    /// The device is wished for again, and with it what stood on it.
    pub(super) fn on_device_gone(&mut self, vpc: VpcId) {
        let Some(VpcDevice { name, netns, mtu, .. }) = self.devices.get(&vpc).cloned() else {
            return;
        };
        self.remove_device(vpc);
        let lost = Answer::Lost(Wish::Device { vpc, name, netns, mtu });
        self.gateway.handle_world(vec![lost], self.now());
        self.world.look();
    }

    fn remove_device(&mut self, vpc: VpcId) {
        self.devices.remove(&vpc);
        if let Err(error) = self.dataplane.remove_vpc(vpc) {
            error!(error = format!("{error:#}"), "the device of a VPC stays");
        }
    }

    fn send(&mut self, datagram: &Datagram) {
        let Datagram { local, remote, bytes } = datagram;
        let in_tcp = is_streamed(*local);
        let sent = match local.port() == self.gateway.config().gateway.natt_port {
            _ if in_tcp => self.send_streamed(datagram),
            true => self.dataplane.send_control(*local, *remote, bytes),
            false => self.underlay.send(datagram),
        };
        if let Err(error) = sent {
            self.gateway.handle_unsent(datagram, unsent::reason(&error, local.ip()), self.now());
        }
    }

    /// Sends a datagram that measures the path. What does not fit the interface is no failure.
    fn send_probe(&mut self, datagram: &Datagram) {
        let Datagram { local, remote, bytes } = datagram;
        let Err(error) = self.dataplane.send_probe(*local, *remote, bytes) else { return };
        match unsent::reason(&error, local.ip()) {
            Unsent::TooBig => self.learn_mtu(*local, *remote),
            reason => self.gateway.handle_unsent(datagram, reason, self.now()),
        }
    }

    fn on_unsent_esp(&mut self, local: SocketAddr, remote: SocketAddr, errno: i32) {
        match unsent::reason(&io::Error::from_raw_os_error(errno), local.ip()) {
            Unsent::TooBig => self.learn_mtu(local, remote),
            reason => self.gateway.handle_unsent_esp(remote, reason, self.now()),
        }
    }

    /// The interface has become smaller: the host knows what it takes.
    fn learn_mtu(&mut self, local: SocketAddr, remote: SocketAddr) {
        if let Ok(mtu) = udp::route_mtu(local.ip(), remote) {
            self.gateway.handle_too_big(local, remote, mtu, self.now());
        }
    }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}
