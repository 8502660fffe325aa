//! The gateway's wishes, carried out by netlink in the order they come, and answered.
//!
//! A task of its own does it, so that a thousand routes do not hold up a handshake; routes that
//! follow each other are on the way to the kernel together. What needs an address or a route
//! waits at a barrier. The task also watches every namespace that it works in: what somebody
//! else takes away is told at once, and after what may have taken something away it looks anew.
//! Devices are not made here: they are the data plane's.

mod admission;
mod carrier;
mod forwarding;
mod grounds;
mod look;
mod outlets;
mod segments;
mod sharing;
mod translation;
mod words;

pub(super) use look::{host, sources};

use crate::gateway::world::{Answer, Change, Questions, Wish};
use crate::net::VpcId;
use carrier::Carrier;
use sharing::Order;
use std::collections::BTreeSet;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Where a VPC lives on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Network namespace; `None` is our own.
    pub namespace: Option<String>,
    /// TUN device.
    pub device: String,
}

/// What the task is told.
#[derive(Debug)]
enum Job {
    Change(Change),
    Place(VpcId, Place),
    Barrier(oneshot::Sender<()>),
    Ways(Questions),
    Look,
}

/// Where answers come out.
pub(super) type Answers = mpsc::UnboundedReceiver<Vec<Answer>>;

/// Carries out wishes in the background.
#[derive(Debug)]
pub(super) struct World {
    jobs: mpsc::UnboundedSender<Job>,
    task: JoinHandle<()>,
    sharing: mpsc::UnboundedSender<Order>,
}

impl World {
    /// Begins; answers come out of the receiver.
    pub(super) fn open() -> (World, Answers) {
        let (jobs, queue) = mpsc::unbounded_channel();
        let (answers, receiver) = mpsc::unbounded_channel();
        let (sharing, orders) = mpsc::unbounded_channel();
        tokio::spawn(sharing::keep(orders, answers.clone()));
        let task = tokio::spawn(Carrier::new(queue, answers).run());
        (World { jobs, task, sharing }, receiver)
    }

    /// Makes a change after all that were asked for before.
    pub(super) fn apply(&self, change: Change) {
        match &change {
            // It waits for a process, which nothing else waits for.
            Change::Set(Wish::Sharing(_)) | Change::Remove(Wish::Sharing(_)) => {
                let _ = self.sharing.send(Order::Change(change));
            }
            Change::Set(_) | Change::Remove(_) => self.tell(Job::Change(change)),
        }
    }

    /// From now on this is where a VPC lives.
    pub(super) fn place(&self, vpc: VpcId, place: Place) {
        self.tell(Job::Place(vpc, place));
    }

    /// From now on watches how the host reaches these.
    pub(super) fn watch_ways(&self, questions: Questions) {
        self.tell(Job::Ways(questions));
    }

    /// Looks at every namespace that was worked in, and answers what was found.
    pub(super) fn look(&self) {
        self.tell(Job::Look);
    }

    /// Resolves when everything that was asked for is done.
    pub(super) fn barrier(&self) -> oneshot::Receiver<()> {
        let (done, wait) = oneshot::channel();
        self.tell(Job::Barrier(done));
        wait
    }

    /// Waits until everything is done.
    pub(super) async fn finish(self) {
        let _ = self.barrier().await;
        let (done, wait) = oneshot::channel();
        let _ = self.sharing.send(Order::Barrier(done));
        let _ = wait.await;
        self.task.abort();
    }

    /// The task ends only with the daemon; then nothing needs to be done any more.
    fn tell(&self, job: Job) {
        let _ = self.jobs.send(job);
    }
}

/// Makes sure of `wishes` and says what became of them, in order.
pub(super) async fn stand(places: Vec<(VpcId, Place)>, wishes: BTreeSet<Wish>) -> Vec<Answer> {
    let (world, mut answers) = World::open();
    places.into_iter().for_each(|(vpc, place)| world.place(vpc, place));
    wishes.into_iter().for_each(|wish| world.apply(Change::Set(wish)));
    world.finish().await;
    let mut all = Vec::new();
    while let Ok(some) = answers.try_recv() {
        all.extend(some);
    }
    all
}
