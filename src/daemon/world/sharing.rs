//! Connections that are shared with the other gateway of a region, by `conntrackd(8)`: one process for each
//! VPC that wants it, in the VPC's namespace, where the kernel's table of connections is. What it says and
//! hears crosses to the underlay here.
//!
//! ```text
//!   VPC's namespace                                     daemon's namespace
//!   kernel ◄─► conntrackd 127.0.0.1 ◄─► 127.0.0.2 Relay local:PORT ◄─► sibling:PORT
//! ```
//!
//! Nothing that a host sends gets near it: loopback addresses are on no wire (RFC 1122 §3.2.1.3), and the
//! underlay's socket hears one address and port. What the other one knows goes into the kernel at once
//! (`DisableExternalCache`), so that a takeover has nothing to wait for.

use crate::gateway::world::{Answer, Change, Sharing, Wish};
use crate::net::VpcId;
use crate::os::netlink::Netlink;
use crate::os::{conntrackd, netns, process};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

/// Where it hears, in the VPC's namespace.
const INSIDE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Where we hear it.
const RELAY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// The longest datagram.
const LONGEST: usize = 1 << 16;
/// It answers operators soon, or ends with a reason.
const PATIENCE: Duration = Duration::from_secs(1);
const GLANCE: Duration = Duration::from_millis(10);
/// How often we look whether the namespace still is the same.
const CHECKING: Duration = Duration::from_secs(1);

/// What the task is told.
pub(super) enum Order {
    /// A wish for sharing, or its end.
    Change(Change),
    /// Tells when everything before is done.
    Barrier(tokio::sync::oneshot::Sender<()>),
}

/// Keeps what is shared, until nobody asks any more.
pub(super) async fn keep(
    mut orders: mpsc::UnboundedReceiver<Order>,
    answers: mpsc::UnboundedSender<Vec<Answer>>,
) {
    let mut running: BTreeMap<VpcId, Running> = BTreeMap::new();
    while let Some(order) = orders.recv().await {
        let change = match order {
            Order::Change(change) => change,
            Order::Barrier(done) => {
                // Whoever waits may have gone.
                let _ = done.send(());
                continue;
            }
        };
        let (Change::Set(Wish::Sharing(sharing)) | Change::Remove(Wish::Sharing(sharing))) =
            &change
        else {
            continue;
        };
        if let Some(before) = running.remove(&sharing.vpc) {
            before.end().await;
        }
        let answer = match &change {
            Change::Remove(_) => Answer::Done(change),
            Change::Set(_) => match Running::begin(sharing.clone(), answers.clone()).await {
                Ok(now) => {
                    running.insert(sharing.vpc, now);
                    Answer::Done(change)
                }
                Err(error) => Answer::Refused(change, format!("{error:#}")),
            },
        };
        let _ = answers.send(vec![answer]);
    }
}

/// A process with its relay.
struct Running {
    task: JoinHandle<()>,
    files: Files,
}

impl Running {
    async fn begin(
        sharing: Box<Sharing>,
        answers: mpsc::UnboundedSender<Vec<Answer>>,
    ) -> Result<Running> {
        let files = Files::of(&sharing);
        let relay = Relay::open(&sharing).await?;
        let child = start(&sharing, &files).await?;
        let task = tokio::spawn(async move {
            relay.run(child, sharing.netns.as_deref()).await;
            let _ = answers.send(vec![Answer::Lost(Wish::Sharing(sharing))]);
        });
        Ok(Running { task, files })
    }

    /// The process goes with the task that has started it.
    async fn end(self) {
        self.task.abort();
        let _ = self.task.await;
        self.files.remove();
    }
}

/// What the process reads, writes and listens on.
struct Files {
    config: PathBuf,
    log: PathBuf,
    lock: PathBuf,
    socket: PathBuf,
}

impl Files {
    fn of(sharing: &Sharing) -> Files {
        let file = |ending: &str| PathBuf::from(format!("{}.{ending}", sharing.path));
        Files { config: file("conf"), log: file("log"), lock: file("lock"), socket: file("ctl") }
    }

    /// A process that was killed has left its own.
    fn remove(&self) {
        for file in [&self.config, &self.log, &self.lock, &self.socket] {
            let _ = std::fs::remove_file(file);
        }
    }
}

async fn start(sharing: &Sharing, files: &Files) -> Result<Child> {
    let program = conntrackd::program().context(
        "conntrackd is not installed (apt install conntrackd): connections that hosts begin end with \
         their gateway",
    )?;
    files.remove();
    std::fs::write(&files.config, config(sharing, files))
        .with_context(|| format!("writing {}", files.config.display()))?;
    let mut command = std::process::Command::new(program);
    command.arg("-C").arg(&files.config).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let netns = sharing.netns.as_deref().context("the VPC has no network namespace")?;
    netns::place(&mut command, netns)?;
    process::end_with_this_thread(&mut command);
    let mut command = Command::from(command);
    let mut child =
        command.kill_on_drop(true).spawn().with_context(|| format!("running {program}"))?;
    let until = Instant::now() + PATIENCE;
    while !files.socket.exists() && Instant::now() < until {
        if child.try_wait()?.is_some() {
            bail!("conntrackd: {}", complaint(&files.log));
        }
        sleep(GLANCE).await;
    }
    info!(vpc = sharing.path, sibling = %sharing.sibling, "connections are shared");
    Ok(child)
}

/// The first mistake that a log tells, without its time.
fn complaint(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let mistake = text.lines().find_map(|line| line.split_once("[ERROR] "));
    mistake.map_or("it ended without a word", |(_, words)| words).to_owned()
}

/// Its configuration (`conntrackd.conf(5)`). What goes through tunnels is not translated, and its own
/// conversation is nobody else's.
fn config(sharing: &Sharing, files: &Files) -> String {
    let port = sharing.port;
    let ignored = sharing.ignored.iter().map(|prefix| format!("  IPv4_address {prefix}\n"));
    let ignored: String = ignored.collect();
    format!(
        "Sync {{\n Mode FTFW {{\n  DisableExternalCache on\n  StartupResync on\n }}\n \
         UDP {{\n  IPv4_address {INSIDE}\n  IPv4_Destination_Address {RELAY}\n  Port {port}\n  \
         Interface lo\n  Checksum on\n }}\n}}\n\
         General {{\n LogFile {}\n LockFile {}\n UNIX {{\n  Path {}\n }}\n \
         NetlinkEventsReliable on\n \
         Filter From Userspace {{\n Protocol Accept {{\n  TCP\n  UDP\n  SCTP\n  ICMP\n }}\n \
         Address Ignore {{\n  IPv4_address 127.0.0.0/8\n{ignored} }}\n }}\n}}\n",
        files.log.display(),
        files.lock.display(),
        files.socket.display(),
    )
}

/// Carries datagrams between the process and the other gateway.
struct Relay {
    inside: UdpSocket,
    outside: UdpSocket,
    process: SocketAddr,
}

impl Relay {
    async fn open(sharing: &Sharing) -> Result<Relay> {
        let Sharing { local, sibling, port, netns, .. } = sharing;
        let name = netns.as_deref().context("the VPC has no network namespace")?;
        Netlink::open(Some(name))?.set_up("lo").await?;
        let bind = || std::net::UdpSocket::bind((RELAY, *port));
        let inside =
            netns::within(name, bind)?.with_context(|| format!("UDP port {port} in {name}"))?;
        inside.set_nonblocking(true)?;
        let own = SocketAddr::new(*local, *port);
        let outside = UdpSocket::bind(own).await.with_context(|| format!("UDP {own}"))?;
        // From now on nobody else is heard.
        outside.connect((*sibling, *port)).await.with_context(|| format!("a way to {sibling}"))?;
        let process = SocketAddr::from((INSIDE, *port));
        Ok(Relay { inside: UdpSocket::from_std(inside)?, outside, process })
    }

    /// Until the process ends, or its namespace is another one. A datagram that is lost is sent again.
    async fn run(self, mut child: Child, netns: Option<&str>) {
        let (mut said, mut heard) = (vec![0; LONGEST], vec![0; LONGEST]);
        let begun_in = netns::identity(netns).ok();
        let mut check = interval(CHECKING);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ended = child.wait() => {
                    return warn!(?ended, "conntrackd has ended");
                }
                received = self.inside.recv_from(&mut said) => {
                    if let Some(datagram) = received.ok().and_then(|(length, _)| said.get(..length)) {
                        let _ = self.outside.send(datagram).await;
                    }
                }
                received = self.outside.recv(&mut heard) => {
                    if let Some(datagram) = received.ok().and_then(|length| heard.get(..length)) {
                        let _ = self.inside.send_to(datagram, self.process).await;
                    }
                }
                _ = check.tick() => {
                    if netns::identity(netns).ok() != begun_in {
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
