//! Sessions with the routers of a VPC: over the VPC's interface and no other device, with nobody but the
//! routers that the operator names.

use super::{Guests, Newcomer, PORT, accept_all};
use crate::daemon::world::Place;
use crate::gateway::{Lan, Shield};
use crate::net::VpcId;
use crate::os::tcp::{self, Anchor, Terms};
use anyhow::{Context, Result};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{debug, warn};

/// An interface may come later than we do, and be made anew.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where sessions over a VPC's interface live.
pub(super) fn place<'p>(place: &'p Place, lan: &'p Lan) -> tcp::Place<'p> {
    tcp::Place { namespace: place.namespace.as_deref(), device: Some(&lan.interface) }
}

/// The terms on which a router's segments are taken.
pub(super) fn terms(shield: &Shield) -> Terms<'_> {
    let password = shield.password.as_ref().map(|password| password.as_bytes());
    Terms { password, unforwarded: shield.ttl_security }
}

/// Accepts connections of routers until it is aborted.
pub(super) async fn listen(
    vpc: VpcId,
    (home, lan): (Place, Lan),
    local: IpAddr,
    guests: Arc<Guests>,
    accepted: mpsc::Sender<Newcomer>,
) {
    let mut complained = false;
    loop {
        match open(&home, &lan, local) {
            Ok(listener) => {
                let anchor = Anchor::of(&listener);
                tokio::select! {
                    () = accept_all(vpc, listener, guests.clone(), Some(&lan), &accepted) => return,
                    () = follow(anchor, &lan.interface) => {}
                }
            }
            Err(error) if !complained => {
                complained = true;
                warn!(%local, error = format!("{error:#}"), "no router of the VPC can connect yet");
            }
            Err(_) => {}
        }
        sleep(PATIENCE).await;
    }
}

fn open(home: &Place, lan: &Lan, local: IpAddr) -> Result<TcpListener> {
    let listener = tcp::listen(place(home, lan), SocketAddr::new(local, PORT))?;
    for (router, shield) in &lan.routers {
        if let Some(password) = terms(shield).password {
            let failed = || format!("asking for a password (TCP-MD5) of {router}");
            tcp::sign(&listener, *router, password).with_context(failed)?;
        }
    }
    Ok(listener)
}

/// Whether a connection is one of a router, on its terms.
pub(super) fn admits(lan: &Lan, stream: &TcpStream, remote: IpAddr) -> bool {
    let Some(shield) = lan.routers.get(&remote) else {
        debug!(%remote, "who connects is no router of the VPC");
        return false;
    };
    !shield.ttl_security || tcp::take_unforwarded(stream, remote.is_ipv4()).is_ok()
}

/// Stays on the interface when it is made anew; ends when that cannot be.
async fn follow(anchor: std::io::Result<Anchor>, interface: &str) {
    let Ok(anchor) = anchor else { return };
    loop {
        sleep(PATIENCE).await;
        if let Err(error) = anchor.bind(interface) {
            debug!(interface, %error, "an interface towards routers is gone");
            return;
        }
    }
}
