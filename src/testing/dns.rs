//! What names mean on the virtual network.

use crate::gateway::Found;
use crate::net::HostName;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// The DNS, as all nodes see it.
#[derive(Debug)]
pub(super) struct Dns {
    /// How long an answer takes.
    pub delay: Duration,
    /// The TTL of every answer.
    pub ttl: Duration,
    /// Whether it answers at all.
    pub works: bool,
    /// How many questions it was asked.
    pub asked: usize,
    names: BTreeMap<String, BTreeSet<IpAddr>>,
}

impl Default for Dns {
    fn default() -> Dns {
        Dns {
            delay: Duration::from_millis(20),
            ttl: Duration::from_secs(60),
            works: true,
            asked: 0,
            names: BTreeMap::new(),
        }
    }
}

impl Dns {
    /// A name means these addresses from now on.
    pub(super) fn set(&mut self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().expect("an address"));
        self.names.insert(name.to_owned(), addresses.collect());
    }

    /// What is answered to a question.
    pub(super) fn answer(&mut self, host: &HostName) -> Result<Found, String> {
        self.asked += 1;
        if !self.works {
            return Err(format!("nobody answers about {host}"));
        }
        match self.names.get(host.as_str()) {
            Some(addresses) => {
                Ok(Found { addresses: addresses.clone(), sources: BTreeMap::new(), ttl: self.ttl })
            }
            None => Err(format!("there is no {host}")),
        }
    }
}
