//! The addresses on which IKE and ESP are received. They follow the host's while the daemon runs;
//! what cannot be bound now (an IPv6 address that is still being checked for duplicates, a port that
//! somebody else has for a moment) is tried again.

use super::exit::{Cause, Failure, OrFail, Outcome};
use super::underlay::Underlay;
use crate::dataplane::Dataplane;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// Time until what could not be bound is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Those who own sockets.
pub(super) struct Sockets<'d> {
    pub underlay: &'d mut Underlay,
    pub dataplane: &'d mut Dataplane,
}

/// Where we listen, and where we want to.
#[derive(Debug)]
pub(super) struct Listening {
    ike_port: u16,
    natt_port: u16,
    /// Where TCP connections are taken, if they are.
    stream_port: Option<u16>,
    wanted: BTreeSet<IpAddr>,
    open: BTreeSet<IpAddr>,
    /// Those of them on which TCP connections are taken.
    streaming: BTreeSet<IpAddr>,
    retry_at: Option<Instant>,
}

impl Listening {
    /// Listens nowhere yet.
    pub(super) fn new((ike_port, natt_port): (u16, u16), stream_port: Option<u16>) -> Listening {
        let (wanted, open, streaming) = <(BTreeSet<_>, BTreeSet<_>, BTreeSet<_>)>::default();
        Listening { ike_port, natt_port, stream_port, wanted, open, streaming, retry_at: None }
    }

    /// Takes TCP connections on this port from now on, too, or none any more.
    pub(super) fn take_streams(&mut self, port: Option<u16>, mut sockets: Sockets<'_>) {
        if port == self.stream_port {
            return;
        }
        for address in std::mem::take(&mut self.streaming) {
            self.leave_streams(address, &sockets);
        }
        self.stream_port = port;
        self.open_missing(false, &mut sockets);
    }

    /// Listens on `wanted` for the first time.
    ///
    /// # Errors
    ///
    /// When somebody else has a port, or an address that is `written` in the configuration cannot be
    /// bound.
    pub(super) fn begin(
        &mut self,
        wanted: BTreeSet<IpAddr>,
        written: &[IpAddr],
        mut sockets: Sockets<'_>,
    ) -> Outcome<()> {
        for &address in &wanted {
            match self.open(address, &mut sockets) {
                Err(failure) if failure.cause == Cause::Busy || written.contains(&address) => {
                    return Err(failure);
                }
                Err(failure) => self.put_off(address, &failure),
                Ok(()) => {}
            }
        }
        self.wanted = wanted;
        Ok(())
    }

    /// Listens on exactly `wanted` from now on, as far as that is possible.
    pub(super) fn change(&mut self, wanted: BTreeSet<IpAddr>, mut sockets: Sockets<'_>) {
        let superfluous: Vec<IpAddr> = self.open.difference(&wanted).copied().collect();
        for address in superfluous {
            self.close(address, &mut sockets);
        }
        self.wanted = wanted;
        self.open_missing(false, &mut sockets);
    }

    /// When to try again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Tries again what could not be bound.
    pub(super) fn retry(&mut self, mut sockets: Sockets<'_>) {
        self.open_missing(true, &mut sockets);
    }

    fn open_missing(&mut self, was_told: bool, sockets: &mut Sockets<'_>) {
        self.retry_at = None;
        let is_missing = |address: &&IpAddr| {
            !self.open.contains(*address)
                || self.stream_port.is_some() && !self.streaming.contains(*address)
        };
        let missing: Vec<IpAddr> = self.wanted.iter().filter(is_missing).copied().collect();
        for address in missing {
            match self.open(address, sockets) {
                Ok(()) => info!(%address, "listening"),
                Err(_) if was_told => self.retry_at = Some(Instant::now() + AGAIN),
                Err(failure) => self.put_off(address, &failure),
            }
        }
    }

    fn put_off(&mut self, address: IpAddr, failure: &Failure) {
        warn!(%address, error = %failure, "not listening there yet; it is tried again");
        self.retry_at = Some(Instant::now() + AGAIN);
    }

    /// Opens what is missing of an address.
    fn open(&mut self, address: IpAddr, sockets: &mut Sockets<'_>) -> Outcome<()> {
        if !self.open.contains(&address) {
            let [ike, natt] = self.places(address);
            sockets.underlay.listen_on(ike)?;
            let opened = sockets.dataplane.listen_on(natt).or_fail_as_it_is();
            if opened.is_err() {
                sockets.underlay.leave(ike);
            }
            opened?;
            self.open.insert(address);
        }
        let Some(port) = self.stream_port.filter(|_| !self.streaming.contains(&address)) else {
            return Ok(());
        };
        let place = SocketAddr::new(address, port);
        sockets.dataplane.streams().listen_on(place).or_fail_as_it_is()?;
        self.streaming.insert(address);
        Ok(())
    }

    fn leave_streams(&self, address: IpAddr, sockets: &Sockets<'_>) {
        let Some(port) = self.stream_port else { return };
        if let Err(error) = sockets.dataplane.leave_streams(SocketAddr::new(address, port)) {
            warn!(%address, error = format!("{error:#}"), "TCP connections are still taken");
        }
    }

    fn close(&mut self, address: IpAddr, sockets: &mut Sockets<'_>) {
        let [ike, natt] = self.places(address);
        self.open.remove(&address);
        if self.streaming.remove(&address) {
            self.leave_streams(address, sockets);
        }
        sockets.underlay.leave(ike);
        match sockets.dataplane.leave(natt) {
            Ok(()) => info!(%address, "not listening any more"),
            Err(error) => warn!(%address, error = format!("{error:#}"), "a socket stays open"),
        }
    }

    fn places(&self, address: IpAddr) -> [SocketAddr; 2] {
        [self.ike_port, self.natt_port].map(|port| SocketAddr::new(address, port))
    }
}
