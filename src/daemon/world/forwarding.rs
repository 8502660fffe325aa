//! Whether the host forwards packets of the VPCs. It is for the operator to turn on, once the guards
//! stand; what we do is look, and no netlink tells of it.

use super::grounds::Namespace;
use crate::gateway::world::{Answer, Wish};
use crate::os::sysctl;
use anyhow::{Result, bail};
use std::collections::{BTreeMap, BTreeSet};

/// A namespace and an address family.
type Side = (Namespace, bool);

/// Where packets are to be forwarded, and whether they were at the last look.
#[derive(Debug, Default)]
pub(super) struct Forwarding {
    spots: BTreeMap<Wish, Spot>,
}

#[derive(Debug)]
struct Spot {
    side: Side,
    /// The devices that packets come in by.
    devices: BTreeSet<String>,
    is_on: bool,
}

/// What has become of forwarding since the last look.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// It is off.
    pub lost: Vec<Answer>,
    /// It is on in these.
    pub found: BTreeSet<Namespace>,
}

impl Forwarding {
    /// Watches one from now on.
    ///
    /// # Errors
    ///
    /// When it is off, with what turns it on.
    pub(super) fn set(&mut self, wish: &Wish, namespace: &Namespace) -> Result<()> {
        let Wish::Forwarding { ipv4, devices, .. } = wish else { return Ok(()) };
        let side = (namespace.clone(), *ipv4);
        let outcome = require(&side, devices);
        let spot = Spot { side, devices: devices.clone(), is_on: outcome.is_ok() };
        self.spots.insert(wish.clone(), spot);
        outcome
    }

    /// Does not watch it any more.
    pub(super) fn remove(&mut self, wish: &Wish) {
        self.spots.remove(wish);
    }

    /// Looks at all of them.
    pub(super) fn check(&mut self) -> Turns {
        let mut turns = Turns::default();
        for (wish, spot) in &mut self.spots {
            let is_on = require(&spot.side, &spot.devices).is_ok();
            match (std::mem::replace(&mut spot.is_on, is_on), is_on) {
                (true, false) => turns.lost.push(Answer::Lost(wish.clone())),
                (false, true) => drop(turns.found.insert(spot.side.0.clone())),
                (true, true) | (false, false) => {}
            }
        }
        turns
    }
}

/// IPv6 asks one setting only; IPv4 asks that of the device that a packet comes in by, and the one
/// for all sets these when it is written.
fn require((namespace, ipv4): &Side, devices: &BTreeSet<String>) -> Result<()> {
    let general = match ipv4 {
        true => "net.ipv4.ip_forward",
        false => "net.ipv6.conf.all.forwarding",
    };
    let of_device = devices.iter().filter(|_| *ipv4);
    let of_device = of_device.map(|device| format!("net/ipv4/conf/{device}/forwarding"));
    for key in [general.to_owned()].into_iter().chain(of_device) {
        // A device that is not there yet forwards nothing and stops nothing.
        if sysctl::read(namespace.as_deref(), &key).is_ok_and(|value| value == "0") {
            let inside = namespace.as_deref().map(|name| format!("ip netns exec {name} "));
            bail!("it is off; `{}sysctl -w {key}=1` turns it on", inside.unwrap_or_default());
        }
    }
    Ok(())
}
