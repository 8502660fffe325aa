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
    devices: Vec<String>,
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
    pub(super) fn set(&mut self, wish: &Wish, namespace: &Namespace, tun: &str) -> Result<()> {
        let Wish::Forwarding { ipv4, interface, .. } = wish else { return Ok(()) };
        let devices = [Some(tun), interface.as_deref()].into_iter().flatten();
        let devices: Vec<String> = devices.map(str::to_owned).collect();
        let side = (namespace.clone(), *ipv4);
        let outcome = require(&side, &devices);
        self.spots.insert(wish.clone(), Spot { side, devices, is_on: outcome.is_ok() });
        outcome
    }

    /// Does not watch it any more.
    pub(super) fn remove(&mut self, wish: &Wish) {
        self.spots.remove(wish);
    }

    /// Looks at what is set for whole namespaces; where it was off, at everything.
    pub(super) fn check(&mut self) -> Turns {
        let sides: BTreeSet<&Side> = self.spots.values().map(|spot| &spot.side).collect();
        let now: BTreeMap<Side, bool> =
            sides.into_iter().map(|side| (side.clone(), require(side, &[]).is_ok())).collect();
        self.turn(|spot| match spot.is_on {
            true => now.get(&spot.side).copied().unwrap_or(true),
            false => require(&spot.side, &spot.devices).is_ok(),
        })
    }

    /// Looks at a namespace with its devices.
    pub(super) fn look_at(&mut self, namespace: &Namespace) -> Vec<Answer> {
        let is_there = |spot: &Spot| spot.side.0 == *namespace;
        self.turn(|spot| match is_there(spot) {
            true => require(&spot.side, &spot.devices).is_ok(),
            false => spot.is_on,
        })
        .lost
    }

    fn turn(&mut self, is_on: impl Fn(&Spot) -> bool) -> Turns {
        let mut turns = Turns::default();
        for (wish, spot) in &mut self.spots {
            let is_on = is_on(spot);
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
fn require((namespace, ipv4): &Side, devices: &[String]) -> Result<()> {
    let (general, of_device): (&str, &[String]) = match ipv4 {
        true => ("net.ipv4.ip_forward", devices),
        false => ("net.ipv6.conf.all.forwarding", &[]),
    };
    let of_device = of_device.iter().map(|device| format!("net/ipv4/conf/{device}/forwarding"));
    for key in [general.to_owned()].into_iter().chain(of_device) {
        // A device that is not there yet forwards nothing and stops nothing.
        if sysctl::read(namespace.as_deref(), &key).is_ok_and(|value| value == "0") {
            let inside = namespace.as_deref().map(|name| format!("ip netns exec {name} "));
            bail!("it is off; `{}sysctl -w {key}=1` turns it on", inside.unwrap_or_default());
        }
    }
    Ok(())
}
