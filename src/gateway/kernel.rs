//! What the gateway wants from the kernel of its host, kept as a set, and told as differences.
//!
//! Addresses and routes of a VPC live on its TUN device. Every prefix that a peer may announce
//! also has a guard: an `unreachable` route of the worst metric. While a peer's own route is in
//! place it wins; when the route is gone the guard catches the packet, so that nothing meant for
//! a tunnel leaves in the clear by the host's default route. No netlink lives here.

use crate::net::{Prefix, VpcId};
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::net::IpAddr;

/// One thing that the gateway keeps in the kernel of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KernelItem {
    /// A guard against plaintext: an `unreachable` route of the worst metric.
    Guard {
        /// The VPC in whose network namespace the route lives.
        vpc: VpcId,
        /// The prefix that must never leave but through a tunnel.
        prefix: Prefix,
    },
    /// An inside address on the VPC's TUN device, as a host address.
    Address {
        /// The VPC whose device gets the address.
        vpc: VpcId,
        /// The inside address.
        address: IpAddr,
    },
    /// A route into the VPC's TUN device.
    Route {
        /// The VPC whose device the route leads to.
        vpc: VpcId,
        /// The destination.
        prefix: Prefix,
    },
}

impl KernelItem {
    /// The VPC that the item belongs to.
    pub fn vpc(&self) -> VpcId {
        match self {
            KernelItem::Guard { vpc, .. }
            | KernelItem::Address { vpc, .. }
            | KernelItem::Route { vpc, .. } => *vpc,
        }
    }
}

impl fmt::Display for KernelItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KernelItem::Guard { prefix, .. } => write!(f, "guard route {prefix}"),
            KernelItem::Address { address, .. } => write!(f, "address {address}"),
            KernelItem::Route { prefix, .. } => write!(f, "route {prefix}"),
        }
    }
}

/// A change to make in the kernel. Effects are applied in the order they come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelEffect {
    /// Make sure that the item is there.
    Add(KernelItem),
    /// Make sure that the item is gone.
    Remove(KernelItem),
}

/// The wanted items, and the effects that were not handed out yet.
#[derive(Debug, Default)]
pub struct KernelTable {
    wanted: BTreeSet<KernelItem>,
    effects: VecDeque<KernelEffect>,
}

impl KernelTable {
    /// Wants `item` from now on.
    pub fn add(&mut self, item: KernelItem) {
        if self.wanted.insert(item) {
            self.effects.push_back(KernelEffect::Add(item));
        }
    }

    /// Does not want `item` any more.
    pub fn remove(&mut self, item: KernelItem) {
        if self.wanted.remove(&item) {
            self.effects.push_back(KernelEffect::Remove(item));
        }
    }

    /// Makes the items of the configuration (those that `is_configured` names) exactly
    /// `configured`: what is missing is added before what is superfluous is removed.
    pub fn reconcile(
        &mut self,
        configured: &BTreeSet<KernelItem>,
        is_configured: impl Fn(&KernelItem) -> bool,
    ) {
        let superfluous: Vec<KernelItem> =
            self.wanted.difference(configured).copied().filter(is_configured).collect();
        configured.iter().for_each(|&item| self.add(item));
        superfluous.into_iter().for_each(|item| self.remove(item));
    }

    /// Takes everything back except the guards: while the daemon is stopped, for an upgrade for
    /// example, packets meant for a tunnel must not leave in the clear.
    pub fn clear_all_but_guards(&mut self) {
        let gone: Vec<KernelItem> = self.wanted.iter().rev().copied().collect();
        for item in gone {
            match item {
                KernelItem::Guard { .. } => {}
                KernelItem::Address { .. } | KernelItem::Route { .. } => self.remove(item),
            }
        }
    }

    /// The next change to make.
    pub fn poll_effect(&mut self) -> Option<KernelEffect> {
        self.effects.pop_front()
    }

    /// Whether `item` is wanted now.
    #[cfg(test)]
    pub fn wants(&self, item: &KernelItem) -> bool {
        self.wanted.contains(item)
    }
}

#[cfg(test)]
mod tests;
