//! The network namespaces that we work in, each with its netlink and a watch. A namespace is known by
//! a name, and the name may be given to another one: what stood in the first is not in the second.

use crate::os::netlink::{Author, Loss, LossWatch, Netlink};
use crate::os::netns::{self, Identity};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::error;

/// Time until a watch that has ended is opened again.
pub(super) const REOPEN: Duration = Duration::from_secs(1);

/// The name of a namespace; `None` is the daemon's own.
pub(super) type Namespace = Option<String>;

struct Ground {
    netlink: Netlink,
    watch: JoinHandle<()>,
    identity: Identity,
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

/// See the module.
pub(super) struct Grounds {
    open: BTreeMap<Namespace, Ground>,
    /// Those that were there before.
    missing: BTreeSet<Namespace>,
    told: mpsc::UnboundedSender<(Namespace, Loss)>,
}

/// What has become of namespaces.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// They are gone, or are others now.
    pub left: Vec<Namespace>,
    /// They are there, and nobody has looked at them.
    pub new: BTreeSet<Namespace>,
}

impl Grounds {
    /// None yet; what is lost in them is told.
    pub(super) fn new(told: mpsc::UnboundedSender<(Namespace, Loss)>) -> Grounds {
        Grounds { open: BTreeMap::new(), missing: BTreeSet::new(), told }
    }

    /// Netlink of a namespace, opened and watched from the first use on.
    pub(super) fn enter(&mut self, namespace: &Namespace) -> Result<&Netlink> {
        if !self.open.contains_key(namespace) {
            let identity = netns::identity(namespace.as_deref())?;
            let netlink = Netlink::open(namespace.as_deref())?;
            let author = netlink.author();
            let watch =
                LossWatch::open(namespace.as_deref(), author).context("watching the host")?;
            let place = (namespace.clone(), author);
            let watch = tokio::spawn(pass_on(place, watch, self.told.clone()));
            self.open.insert(namespace.clone(), Ground { netlink, watch, identity });
            self.missing.remove(namespace);
        }
        self.entered(namespace)
    }

    /// The same, of one that was entered.
    pub(super) fn entered(&self, namespace: &Namespace) -> Result<&Netlink> {
        self.open.get(namespace).map(|ground| &ground.netlink).context("no netlink")
    }

    /// Those that were entered.
    pub(super) fn names(&self) -> impl Iterator<Item = &Namespace> {
        self.open.keys()
    }

    /// Whether it was there and is not now.
    pub(super) fn lacks(&self, namespace: &Namespace) -> bool {
        self.missing.contains(namespace)
    }

    /// Looks whether the names still are of the same namespaces, and leaves those that are not.
    pub(super) fn check(&mut self) -> Moves {
        let now = |namespace: &Namespace| netns::identity(namespace.as_deref()).ok();
        let others = self.open.iter().filter(|(name, ground)| now(name) != Some(ground.identity));
        let left: Vec<Namespace> = others.map(|(name, _)| name.clone()).collect();
        self.open.retain(|name, _| !left.contains(name));
        self.missing.extend(left.iter().cloned());
        let (new, missing) =
            std::mem::take(&mut self.missing).into_iter().partition(|name| now(name).is_some());
        self.missing = missing;
        Moves { left, new }
    }
}

/// Passes on what a namespace loses. A watch that ends is opened again, and what happened
/// meanwhile is not known. What we do ourselves, as `author`, is no loss.
async fn pass_on(
    (namespace, author): (Namespace, Author),
    mut watch: LossWatch,
    told: mpsc::UnboundedSender<(Namespace, Loss)>,
) {
    loop {
        let loss = watch.next().await;
        if loss.is_none() {
            watch = open_again(namespace.as_deref(), author).await;
        }
        if told.send((namespace.clone(), loss.unwrap_or(Loss::Unknown))).is_err() {
            return;
        }
    }
}

async fn open_again(namespace: Option<&str>, author: Author) -> LossWatch {
    loop {
        tokio::time::sleep(REOPEN).await;
        match LossWatch::open(namespace, author) {
            Ok(watch) => return watch,
            Err(error) => error!(?namespace, error = format!("{error:#}"), "nobody watches"),
        }
    }
}
