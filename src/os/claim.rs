//! Which process keeps the routes and rules of a network namespace. They bear one mark for all
//! gateways ([`super::netlink::PROTOCOL`]), so two in one namespace would take each other's away.
//!
//! A claim is an abstract Unix socket: it lives in a network namespace, only one process can have
//! it, and it goes with its process however that ends. Its name is nobody's by right, so a holder
//! counts only when it could change routes.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use anyhow::{Context, Result, bail};
use nix::sys::socket::{UnixCredentials, getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;
use tokio::task::JoinHandle;
use tracing::warn;

use super::{caps, netns};

const NAME: &[u8] = b"vpngwd";

/// A namespace that this process keeps, until it is dropped.
#[derive(Debug)]
pub struct Claim(Option<JoinHandle<()>>);

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(answering) = &self.0 {
            answering.abort();
        }
    }
}

/// Claims a namespace by name; `None` is that of this thread. Needs a tokio runtime.
///
/// # Errors
///
/// When another gateway keeps it: its process is named.
pub fn claim(namespace: Option<&str>) -> Result<Claim> {
    let address = SocketAddr::from_abstract_name(NAME)?;
    match netns::within_or_here(namespace, || UnixListener::bind_addr(&address))? {
        Ok(listener) => hold(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let stream = netns::within_or_here(namespace, || UnixStream::connect_addr(&address))?;
            respect(getsockopt(&stream?, PeerCredentials)?)
        }
        Err(error) => Err(error).context("claiming the network namespace"),
    }
}

/// Lets others ask who we are: the kernel tells them.
fn hold(listener: UnixListener) -> Result<Claim> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::UnixListener::from_std(listener)?;
    let answer = async move { while listener.accept().await.is_ok() {} };
    Ok(Claim(Some(tokio::spawn(answer))))
}

fn respect(holder: UnixCredentials) -> Result<Claim> {
    let process = holder.pid();
    if std::process::id().try_into() == Ok(process) {
        return Ok(Claim(None));
    }
    let is_trusted = holder.uid() == 0 || holder.uid() == geteuid().as_raw();
    if is_trusted || caps::has_net_admin(process) {
        bail!(
            "process {process} keeps the routes of this network namespace: it is another vpngwd, \
             and two would take each other's routes away; stop it, or give one of them a network \
             namespace of its own"
        );
    }
    warn!(process, "a process that cannot change routes has taken the name of a gateway");
    Ok(Claim(None))
}

#[cfg(test)]
mod tests;
