//! The task that carries out wishes and watches what becomes of them.

mod filters;
mod watching;

use super::admission::Admissions;
use super::forwarding::Forwarding;
use super::grounds::{Grounds, Namespace};
use super::outlets;
use super::segments;
use super::translation::Translations;
use super::words::{self, route};
use super::{Job, Place};
use crate::gateway::world::{Answer, Change, Ground, Outlet, Questions, Segment, Wish};
use crate::net::VpcId;
use crate::os::netlink::{InterfaceAddress, Loss, RouteChange};
use anyhow::{Context, Result, bail};
use filters::Tally;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

/// How many jobs are taken at once.
const BATCH: usize = 1024;
/// Changes of devices come in crowds: the look waits for their end, so long.
const SETTLING: Duration = Duration::from_millis(100);
/// How often we look whether the namespaces still are the same.
const CHECKING: Duration = Duration::from_secs(1);

/// How often is counted what came to segments.
const COUNTING: Duration = Duration::from_secs(2);
/// Stations of a segment that are told of.
const STATIONS: usize = 4096;

/// Why a route has no place.
const NOWHERE: &str = "the VPC has no device";

/// See the module.
pub(super) struct Carrier {
    queue: mpsc::UnboundedReceiver<Job>,
    answers: mpsc::UnboundedSender<Vec<Answer>>,
    places: BTreeMap<VpcId, Place>,
    grounds: Grounds,
    losses: mpsc::UnboundedReceiver<(Namespace, Loss)>,
    /// Namespaces to look at, and when.
    doubtful: BTreeSet<Namespace>,
    /// Who may send into the segments of VPCs.
    admissions: Admissions,
    /// The VPCs' TUN devices, as far as they are wanted.
    devices: BTreeMap<VpcId, Wish>,
    /// The segments' devices.
    segments: BTreeMap<VpcId, (Namespace, String)>,
    /// What translates public addresses of VPCs.
    translations: Translations,
    /// When what came to them is counted again, and what is being counted.
    next_count: Option<Instant>,
    counting: Option<JoinHandle<Tally>>,
    /// Where hosts are to be forwarded, and whether they are.
    forwarding: Forwarding,
    /// The ways to these are watched, in our own namespace.
    questions: Questions,
    next_look: Option<Instant>,
    next_check: Instant,
}

impl Carrier {
    /// A carrier that has not begun.
    pub(super) fn new(
        queue: mpsc::UnboundedReceiver<Job>,
        answers: mpsc::UnboundedSender<Vec<Answer>>,
    ) -> Carrier {
        let (told, losses) = mpsc::unbounded_channel();
        Carrier {
            queue,
            answers,
            places: BTreeMap::new(),
            grounds: Grounds::new(told),
            losses,
            doubtful: BTreeSet::new(),
            admissions: Admissions::default(),
            devices: BTreeMap::new(),
            segments: BTreeMap::new(),
            translations: Translations::default(),
            next_count: None,
            counting: None,
            forwarding: Forwarding::default(),
            questions: Questions::default(),
            next_look: None,
            next_check: Instant::now() + CHECKING,
        }
    }

    /// Works until nobody asks for anything any more.
    pub(super) async fn run(mut self) {
        let mut jobs = Vec::with_capacity(BATCH);
        loop {
            let (next_look, next_count, next_check) =
                (self.next_look, self.next_count, self.next_check);
            tokio::select! {
                biased;
                taken = self.queue.recv_many(&mut jobs, BATCH) => {
                    if taken == 0 {
                        return;
                    }
                    self.work(std::mem::take(&mut jobs)).await;
                }
                Some((namespace, loss)) = self.losses.recv() => self.on_losses(namespace, loss),
                () = sleep_until(next_look.unwrap_or_else(Instant::now)), if next_look.is_some() => {
                    self.look().await;
                }
                () = sleep_until(next_count.unwrap_or_else(Instant::now)), if next_count.is_some() => {
                    self.begin_count();
                }
                tally = finished(&mut self.counting), if self.counting.is_some() => {
                    self.counting = None;
                    self.counted(tally).await;
                }
                () = sleep_until(next_check) => self.check(),
            }
        }
    }

    /// What stood in a namespace that is another one now does not stand, and forwarding may be off.
    fn check(&mut self) {
        self.next_check = Instant::now() + CHECKING;
        let moves = self.grounds.check();
        self.answer(moves.left.into_iter().map(Answer::Replaced).collect());
        let turns = self.forwarding.check();
        self.answer(turns.lost);
        for namespace in moves.new.into_iter().chain(turns.found) {
            self.doubt(namespace, None);
        }
    }

    /// Carries out jobs in their order; routes that follow each other go together.
    async fn work(&mut self, jobs: Vec<Job>) {
        let (mut routes, mut guards) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Change(change) if in_crowds(&change) => {
                    self.change_guards(std::mem::take(&mut guards)).await;
                    routes.push(change);
                }
                Job::Change(change) if matches!(wish(&change), Wish::Admission(_)) => {
                    self.change_routes(std::mem::take(&mut routes)).await;
                    guards.push(change);
                }
                job => {
                    self.change_routes(std::mem::take(&mut routes)).await;
                    self.change_guards(std::mem::take(&mut guards)).await;
                    self.work_on(job).await;
                }
            }
        }
        self.change_routes(routes).await;
        self.change_guards(guards).await;
    }

    async fn work_on(&mut self, job: Job) {
        match job {
            Job::Change(change) if matches!(wish(&change), Wish::Translation(_)) => {
                self.translate(change).await;
            }
            Job::Change(change) => {
                let outcome = self.change(&change).await;
                self.answer(vec![judge(change, outcome)]);
            }
            Job::Place(vpc, place) => drop(self.places.insert(vpc, place)),
            // Whoever waits may have gone.
            Job::Barrier(done) => drop(done.send(())),
            Job::Ways(questions) => self.questions = questions,
            Job::Look => {
                self.doubtful.extend(self.grounds.names().cloned());
                self.look().await;
            }
        }
    }

    /// Routes of one namespace after the other; those of one keep their order.
    async fn change_routes(&mut self, changes: Vec<Change>) {
        let mut crowds: BTreeMap<Namespace, (Vec<Change>, Vec<RouteChange>)> = BTreeMap::new();
        for change in changes {
            match self.in_words(&change) {
                Some(words) => {
                    let crowd = crowds.entry(self.namespace(wish(&change))).or_default();
                    crowd.0.push(change);
                    crowd.1.push(words);
                }
                None => self.answer(vec![Answer::Refused(change, NOWHERE.to_owned())]),
            }
        }
        for (namespace, (changes, words)) in crowds {
            let answers = match self.grounds.enter(&namespace) {
                Ok(netlink) => {
                    let outcomes = netlink.change_routes(words).await;
                    changes
                        .into_iter()
                        .zip(outcomes)
                        .map(|(c, outcome)| judge(c, outcome))
                        .collect()
                }
                Err(error) => {
                    let refused = |change| Answer::Refused(change, format!("{error:#}"));
                    changes.into_iter().map(refused).collect()
                }
            };
            self.answer(answers);
        }
    }

    async fn set_segment(&mut self, segment: &Segment) -> Result<()> {
        if !self.admissions.guards(segment.vpc) {
            bail!("its guard does not stand: anybody could send into it");
        }
        self.grounds.enter(&None)?;
        self.grounds.enter(&segment.netns)?;
        let underlay = self.grounds.entered(&None)?;
        let inside = self.grounds.entered(&segment.netns)?;
        segments::set(segment, underlay, inside).await?;
        let place = (segment.netns.clone(), segment.name.clone());
        self.segments.insert(segment.vpc, place);
        Ok(())
    }

    async fn set_outlet(&mut self, outlet: &Outlet) -> Result<()> {
        if !self.translations.stands(outlet.vpc) {
            bail!("what translates there does not stand: packets could leave as they are");
        }
        self.grounds.enter(&None)?;
        self.grounds.enter(&outlet.netns)?;
        let underlay = self.grounds.entered(&None)?;
        outlets::set(outlet, underlay, self.grounds.entered(&outlet.netns)?).await
    }

    fn in_words(&self, change: &Change) -> Option<RouteChange> {
        let route = route(wish(change), &self.places)?;
        Some(match change {
            Change::Set(_) => RouteChange::Set(route),
            Change::Remove(_) => RouteChange::Remove(route),
        })
    }

    async fn change(&mut self, change: &Change) -> Result<()> {
        if let Change::Set(Wish::Segment(segment)) = change {
            return self.set_segment(segment).await;
        }
        self.note_device(change);
        if let Change::Set(Wish::Outlet(outlet)) = change {
            return self.set_outlet(outlet).await;
        }
        let namespace = self.namespace(wish(change));
        let device = wish(change).vpc().and_then(|vpc| self.places.get(&vpc));
        let device = device.map(|place| place.device.clone()).unwrap_or_default();
        let netlink = self.grounds.enter(&namespace)?;
        match change {
            Change::Set(wish @ Wish::Forwarding { .. }) => self.forwarding.set(wish, &namespace),
            Change::Remove(wish @ Wish::Forwarding { .. }) => {
                self.forwarding.remove(wish);
                Ok(())
            }
            Change::Set(Wish::Address { address, .. }) => {
                netlink.add_address(&device, InterfaceAddress::host(*address)).await
            }
            Change::Remove(Wish::Address { address, .. }) => {
                netlink.remove_address(&device, InterfaceAddress::host(*address)).await
            }
            Change::Set(Wish::Rule(rule)) => netlink.add_rule(&words::rule(rule)).await,
            Change::Remove(Wish::Rule(rule)) => netlink.remove_rule(&words::rule(rule)).await,
            Change::Remove(Wish::Segment(segment)) => segments::remove(segment, netlink).await,
            Change::Set(wish @ Wish::Public { address, .. }) => {
                outlets::free(*address, netlink).await?;
                netlink.set_route(&route(wish, &self.places).context(NOWHERE)?).await
            }
            Change::Remove(Wish::Outlet(outlet)) => {
                outlets::remove(outlet, netlink).await?;
                // Perhaps of an earlier run, of which only the devices are found.
                let (translations, vpc) = (&self.translations, outlet.vpc);
                if translations.stands(vpc) { Ok(()) } else { clear(outlet.netns.clone()).await }
            }
            Change::Set(Wish::VirtualMac(wish)) => segments::set_virtual_mac(wish, netlink).await,
            Change::Remove(Wish::VirtualMac(wish)) => {
                segments::remove_virtual_mac(wish, netlink).await
            }
            Change::Set(Wish::Device { name, mtu, .. }) => {
                netlink.set_mtu(name, u32::from(*mtu)).await
            }
            // The device goes with its queues; routes and guards are changed in crowds.
            Change::Remove(Wish::Device { .. })
            | Change::Set(
                Wish::Guard { .. }
                | Wish::Home { .. }
                | Wish::Route { .. }
                | Wish::Onward { .. }
                | Wish::Bar { .. }
                | Wish::Fence { .. }
                | Wish::Segment(_)
                | Wish::Admission(_)
                | Wish::Translation(_)
                | Wish::Outlet(_)
                | Wish::Exit { .. }
                | Wish::Closed { .. }
                | Wish::Sharing(_),
            )
            | Change::Remove(
                Wish::Guard { .. }
                | Wish::Home { .. }
                | Wish::Route { .. }
                | Wish::Onward { .. }
                | Wish::Bar { .. }
                | Wish::Fence { .. }
                | Wish::Admission(_)
                | Wish::Translation(_)
                | Wish::Exit { .. }
                | Wish::Closed { .. }
                | Wish::Public { .. }
                | Wish::Sharing(_),
            ) => Ok(()),
        }
    }

    fn note_device(&mut self, change: &Change) {
        match change {
            Change::Set(wish @ Wish::Device { vpc, .. }) => {
                self.devices.insert(*vpc, wish.clone());
            }
            Change::Remove(Wish::Device { vpc, .. }) => drop(self.devices.remove(vpc)),
            Change::Set(_) | Change::Remove(_) => {}
        }
    }

    fn namespace(&self, wish: &Wish) -> Namespace {
        match wish.ground() {
            Ground::Named(name) => name.map(str::to_owned),
            Ground::Of(vpc) => self.places.get(&vpc).and_then(|place| place.namespace.clone()),
        }
    }

    /// Nobody listens any more when the daemon ends.
    fn answer(&self, answers: Vec<Answer>) {
        if !answers.is_empty() {
            let _ = self.answers.send(answers);
        }
    }
}

/// The end of what runs beside; nobody asks where nothing does.
async fn finished<T>(running: &mut Option<JoinHandle<T>>) -> Result<T, JoinError> {
    match running {
        Some(handle) => handle.await,
        None => std::future::pending().await,
    }
}

/// Whether a change is one of a route that needs no look at the host before.
fn in_crowds(change: &Change) -> bool {
    wish(change).table().is_some() && !matches!(change, Change::Set(Wish::Public { .. }))
}

fn wish(change: &Change) -> &Wish {
    match change {
        Change::Set(wish) | Change::Remove(wish) => wish,
    }
}

fn judge(change: Change, outcome: Result<()>) -> Answer {
    match outcome {
        Ok(()) => {
            debug!(?change, "done");
            Answer::Done(change)
        }
        Err(error) => Answer::Refused(change, format!("{error:#}")),
    }
}

/// What an earlier run has left of a translation.
async fn clear(namespace: Namespace) -> Result<()> {
    spawn_blocking(move || super::translation::clear(namespace.as_deref())).await?
}
