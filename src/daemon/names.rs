//! Looks names of peers up, each in a task of its own: a DNS server that is slow holds nothing up.

use super::world::sources;
use crate::gateway::Found;
use crate::net::{HostName, RemoteId};
use crate::os::dns;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};

/// Look-ups at the same time, at most; others wait.
const AT_ONCE: usize = 16;

/// Addresses of one name at most for which the host is asked from where it would send there.
const SOURCES: usize = 64;

/// What became of a look-up.
#[derive(Debug)]
pub(super) struct LookedUp {
    /// The remote gateway that has the name.
    pub(super) remote: RemoteId,
    /// The name.
    pub(super) host: HostName,
    /// What was found, or why nothing was.
    pub(super) answer: Result<Found, String>,
}

/// Those who look up.
#[derive(Debug)]
pub(super) struct Names {
    answers: mpsc::UnboundedSender<LookedUp>,
    places: Arc<Semaphore>,
}

impl Names {
    /// Answers come out of the receiver, one for every question: the gateway asks again only then.
    pub(super) fn new() -> (Names, mpsc::UnboundedReceiver<LookedUp>) {
        let (answers, answered) = mpsc::unbounded_channel();
        (Names { answers, places: Arc::new(Semaphore::new(AT_ONCE)) }, answered)
    }

    /// Looks a name up.
    pub(super) fn look_up(&self, remote: RemoteId, host: HostName) {
        let (answers, places) = (self.answers.clone(), Arc::clone(&self.places));
        tokio::spawn(async move {
            let _place = places.acquire().await;
            let answer = match dns::look_up(&host).await {
                Ok(dns::Addresses { all, ttl }) => {
                    let sources = sources(all.iter().copied().take(SOURCES).collect());
                    Ok(Found { addresses: all, sources, ttl })
                }
                Err(error) => Err(format!("{error:#}")),
            };
            // Nobody is left to hear of it when the daemon ends.
            let _ = answers.send(LookedUp { remote, host, answer });
        });
    }
}
