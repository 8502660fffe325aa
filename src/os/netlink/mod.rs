//! Devices, addresses, routes and rules of one network namespace, by rtnetlink.
//!
//! A [`Netlink`] belongs to the namespace that it was opened in, whichever thread uses it.
//! Adding what is there and removing what is not there succeeds, so that a caller can bring
//! about a state without knowing the one before. Everything that is added carries
//! [`PROTOCOL`], by which the next start finds what a crash has left.

mod address;
mod bulk;
mod link;
mod neighbour;
mod route;
mod rule;
mod veth;
mod vxlan;
mod watch;

use std::io;
use std::sync::Arc;

use anyhow::Result;
use bulk::Bulk;
use nix::errno::Errno;
use rtnetlink::Handle;
use tokio::task::JoinHandle;

pub use crate::net::InterfaceAddress;
pub use link::Link;
pub use route::{Route, RouteChange, Via};
pub use rule::{Action, GuardRule, MAIN_TABLE, Mark, Rule};
pub use vxlan::Vxlan;
pub use watch::{LinkEvent, LinkWatch, Loss, LossWatch};

use super::netns;

/// The number that marks our addresses, routes and rules in the kernel's tables
/// (`rtm_protocol`, `IFA_PROTO`, `FRA_PROTOCOL`). iproute2 shows it as `proto 79`.
pub const PROTOCOL: u8 = 79;
/// What an administrator's own settings carry (`RTPROT_STATIC`).
const STATIC: u8 = 4;

/// Who has caused a change, in the kernel's words: the port of a netlink socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Author(u32);

/// A connection to one namespace's tables. Needs a tokio runtime.
#[derive(Debug)]
pub struct Netlink {
    handle: Handle,
    connection: JoinHandle<()>,
    /// For routes, of which there may be very many.
    bulk: Arc<Bulk>,
    protocol: u8,
}

impl Netlink {
    /// The namespace of this thread.
    pub fn here() -> Result<Self> {
        Self::open(None)
    }

    /// A namespace by name; `None` is that of this thread.
    pub fn open(namespace: Option<&str>) -> Result<Self> {
        let runtime = tokio::runtime::Handle::current();
        let connect = || -> io::Result<_> {
            let _inside = runtime.enter();
            Ok((rtnetlink::new_connection()?, Bulk::open()?))
        };
        let ((connection, handle, _), bulk) = netns::within_or_here(namespace, connect)??;
        let (connection, bulk) = (tokio::spawn(connection), Arc::new(bulk));
        Ok(Netlink { handle, connection, bulk, protocol: PROTOCOL })
    }

    /// Who the kernel says it is that [changes routes](Netlink::change_routes) here.
    pub fn author(&self) -> Author {
        self.bulk.author()
    }

    /// From now on marks what it adds as an administrator's, which nothing of ours removes.
    pub fn as_administrator(self) -> Self {
        self.marking(STATIC)
    }

    fn marking(mut self, protocol: u8) -> Self {
        self.protocol = protocol;
        self
    }
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// The error number in a kernel's answer.
fn errno(error: &rtnetlink::Error) -> Option<Errno> {
    match error {
        rtnetlink::Error::NetlinkError(message) => Some(Errno::from_raw(-message.raw_code())),
        _ => None,
    }
}

/// Success also when the kernel answers that it is already so.
fn unless(
    outcome: Result<(), rtnetlink::Error>,
    already: &[Errno],
) -> Result<(), rtnetlink::Error> {
    match outcome {
        Err(error) if errno(&error).is_some_and(|number| already.contains(&number)) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
