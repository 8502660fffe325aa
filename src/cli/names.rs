//! What the host names of peers mean, seen from here.

use crate::config::{Config, Meaning};
use crate::net::{HostName, RemoteId};
use crate::os::dns;
use futures::stream::{self, StreamExt};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Look-ups at the same time, at most.
const AT_ONCE: usize = 16;

/// A name as the DNS and the host's own table have it now.
pub(super) struct LookedUp {
    /// The name.
    pub(super) host: HostName,
    /// The addresses at which the peer can be.
    pub(super) usable: Vec<IpAddr>,
    /// What is not as it should be, in a sentence for each.
    pub(super) complaints: Vec<String>,
}

/// Looks up all names of a configuration, on a host with the addresses `own`.
pub(super) fn look_up(config: &Config, own: &BTreeSet<IpAddr>) -> Vec<LookedUp> {
    let named = config.peers.values();
    let named: BTreeMap<RemoteId, HostName> =
        named.filter_map(|peer| Some((peer.remote, peer.remote_name.clone()?))).collect();
    if named.is_empty() {
        return Vec::new();
    }
    let all = named.into_iter().map(|(remote, host)| async move {
        let answer = dns::look_up(&host).await;
        (remote, host, answer)
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answers = runtime
        .map(|runtime| runtime.block_on(stream::iter(all).buffered(AT_ONCE).collect::<Vec<_>>()));
    let judged = |(remote, host, answer): (RemoteId, HostName, anyhow::Result<dns::Addresses>)| {
        let found = match answer {
            Ok(found) => found.all,
            Err(error) => {
                let complaints = vec![format!("{error:#}")];
                return LookedUp { host, usable: Vec::new(), complaints };
            }
        };
        let meaning = Meaning::of(&found, remote, config, own);
        let mut complaints = meaning.complaints(&host);
        if meaning.usable.is_empty() {
            complaints.push(format!("{host} means no address at which the peer can be"));
        }
        LookedUp { host, usable: meaning.usable, complaints }
    };
    answers.unwrap_or_default().into_iter().map(judged).collect()
}
