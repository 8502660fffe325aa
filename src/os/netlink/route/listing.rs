//! What stands in the kernel's tables. There may be very many routes: they are read, and told apart, on a
//! thread that nobody waits for.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use anyhow::{Context, Result};
use nix::errno::Errno;
use rtnetlink::packet_route::route::{RouteHeader, RouteMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use tokio::task::spawn_blocking;

use super::super::{Link, Netlink, unless};
use super::{
    DeviceRoutes, Route, destination, is_ours, name_of, outputs, read, table, taken_locally,
};
use crate::net::Prefix;

impl Netlink {
    /// How the routes of the host go over its devices: those of the main table that have to do with
    /// one of `prefixes`, and all local ones.
    pub async fn device_routes(&self, prefixes: &BTreeSet<Prefix>) -> Result<DeviceRoutes> {
        let prefixes = prefixes.clone();
        self.over_routes(move |messages, links| {
            let name = name_of(links);
            let is_asked = |to: &Prefix| prefixes.iter().any(|prefix| prefix.overlaps(to));
            let mut found = DeviceRoutes::default();
            for message in messages {
                let main = message.header.table == RouteHeader::RT_TABLE_MAIN;
                let devices = outputs(&message).into_iter().filter_map(&name);
                if main && message.header.destination_prefix_length == 0 {
                    found.defaults.extend(devices);
                } else if let Some(prefix) = taken_locally(&message) {
                    for device in devices {
                        found.local.entry(device).or_default().insert(prefix);
                    }
                } else if main && let Some(to) = destination(&message).filter(is_asked) {
                    for device in devices {
                        found.main.entry(device).or_default().insert(to);
                    }
                }
            }
            found
        })
        .await
    }

    /// All routes that carry our [`PROTOCOL`](super::PROTOCOL), in every table.
    pub async fn our_routes(&self) -> Result<Vec<Route>> {
        self.gather_our_routes(Some).await
    }

    /// What `sense` sees in these.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub async fn gather_our_routes<T, C>(
        &self,
        sense: impl Fn(Route) -> Option<T> + Send + 'static,
    ) -> Result<C>
    where
        C: FromIterator<T> + Send + 'static,
    {
        self.over_routes(move |messages, links| {
            let name = name_of(links);
            let ours = messages.filter(is_ours).filter_map(|message| read(&message, &name));
            ours.filter_map(sense).collect()
        })
        .await
    }

    /// The routes of the main table, whoever made them.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub async fn main_routes(&self) -> Result<Vec<Route>> {
        self.over_routes(|messages, links| {
            let name = name_of(links);
            let main = messages.filter(|m| m.header.table == RouteHeader::RT_TABLE_MAIN);
            main.filter_map(|message| read(&message, &name)).collect()
        })
        .await
    }

    /// Takes the routes that nobody knows out of tables that are ours alone; says which they were.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub async fn remove_strangers(
        &self,
        is_our_table: impl Fn(u32) -> bool + Send + 'static,
        is_known: impl Fn(&Route) -> bool + Send + 'static,
    ) -> Result<Vec<String>> {
        let strangers: Vec<RouteMessage> = self
            .over_routes(move |messages, links| {
                let name = name_of(links);
                let knows = |message: &RouteMessage| {
                    is_ours(message) && read(message, &name).is_some_and(|route| is_known(&route))
                };
                let inside = messages.filter(|message| is_our_table(table(message)));
                inside.filter(|message| !knows(message)).collect()
            })
            .await?;
        let mut removed = Vec::new();
        for message in strangers {
            let words = destination(&message).map_or("a route".to_owned(), |to| to.to_string());
            let outcome = self.handle.route().del(message).execute().await;
            unless(outcome, &[Errno::ESRCH]).with_context(|| format!("removing {words}"))?;
            removed.push(words);
        }
        Ok(removed)
    }

    /// What `gather` makes of all routes of both families, and of the devices.
    async fn over_routes<T: Send + 'static>(
        &self,
        gather: impl FnOnce(&mut dyn Iterator<Item = RouteMessage>, &[Link]) -> T + Send + 'static,
    ) -> Result<T> {
        let (bulk, links) = (Arc::clone(&self.bulk), self.links().await?);
        let listing = spawn_blocking(move || -> io::Result<T> {
            let mut all = Vec::new();
            for family in [AddressFamily::Inet, AddressFamily::Inet6] {
                let mut question = RouteMessage::default();
                question.header.address_family = family;
                all.extend(bulk.list(RouteNetlinkMessage::GetRoute(question))?);
            }
            let mut routes = all.into_iter().filter_map(|message| match message {
                RouteNetlinkMessage::NewRoute(route) => Some(route),
                _ => None,
            });
            Ok(gather(&mut routes, &links))
        });
        listing.await?.context("listing routes")
    }
}
