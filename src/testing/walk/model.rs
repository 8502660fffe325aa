//! The reference model: what works of a deployment since when, and what follows from that for hosts. It
//! knows no protocol. Where it depends on chance who carries the packets, it says nothing.

use super::super::deployment::Site;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Whatever has worked for so long is surely in use again: an IKE SA that was given up is attempted again
/// after half a minute at most, and a path that was lost often is held back for a while.
const SETTLED: Duration = Duration::from_secs(100);

/// A gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gateway {
    /// Where it stands.
    pub site: Site,
    /// Whether it runs.
    pub runs: bool,
    /// Whether it is connected to its hosts.
    pub has_lan: bool,
    /// Whether its operator wants others to be used.
    pub is_drained: bool,
    /// When any of it has changed.
    changed: Option<Timestamp>,
}

/// What works of a deployment.
#[derive(Debug)]
pub(super) struct Model {
    /// The gateways, as they are numbered in the network.
    pub gateways: Vec<Gateway>,
    /// What carries nothing, from the first to the second.
    pub cuts: BTreeSet<(usize, usize)>,
    /// Tunnels that the operator of the first has closed, to the second.
    pub closed: BTreeSet<(usize, usize)>,
    /// When a path was cut or mended, or a tunnel closed or opened, the lower end first.
    changed: BTreeMap<(usize, usize), Timestamp>,
}

impl Model {
    /// Everything works, and has for long.
    pub(super) fn new(sites: &[Site]) -> Model {
        let gateway = |site: &Site| Gateway {
            site: *site,
            runs: true,
            has_lan: true,
            is_drained: false,
            changed: None,
        };
        Model {
            gateways: sites.iter().map(gateway).collect(),
            cuts: BTreeSet::new(),
            closed: BTreeSet::new(),
            changed: BTreeMap::new(),
        }
    }

    /// Changes a gateway.
    pub(super) fn change(&mut self, node: usize, now: Timestamp, how: impl FnOnce(&mut Gateway)) {
        let gateway = &mut self.gateways[node];
        how(gateway);
        gateway.changed = Some(now);
    }

    /// Cuts a path in one direction.
    pub(super) fn cut(&mut self, from: usize, to: usize, now: Timestamp) {
        self.cuts.insert((from, to));
        self.touch(from, to, now);
    }

    /// Mends a path in both directions.
    pub(super) fn mend(&mut self, a: usize, b: usize, now: Timestamp) {
        self.cuts.remove(&(a, b));
        self.cuts.remove(&(b, a));
        self.touch(a, b, now);
    }

    /// Closes the tunnels of a gateway to another.
    pub(super) fn close(&mut self, node: usize, other: usize, now: Timestamp) {
        self.closed.insert((node, other));
        self.touch(node, other, now);
    }

    /// Lets them be opened again.
    pub(super) fn open(&mut self, node: usize, other: usize, now: Timestamp) {
        self.closed.remove(&(node, other));
        self.touch(node, other, now);
    }

    /// Nobody has said of a gateway that a tunnel of it is to be closed.
    pub(super) fn open_all_of(&mut self, node: usize, now: Timestamp) {
        for (_, other) in self.closed.clone().into_iter().filter(|(from, _)| *from == node) {
            self.open(node, other, now);
        }
    }

    fn touch(&mut self, a: usize, b: usize, now: Timestamp) {
        self.changed.insert((a.min(b), a.max(b)), now);
    }

    /// The gateways of a region.
    pub(super) fn of_region(&self, region: u8) -> impl Iterator<Item = usize> {
        let here = move |(_, gateway): &(usize, &Gateway)| gateway.site.region == region;
        self.gateways.iter().enumerate().filter(here).map(|(node, _)| node)
    }

    /// Whether packets from the hosts of a region to those of another should arrive: whoever may answer
    /// for the hosts surely has a path.
    pub(super) fn should_reach(&self, from: u8, to: u8, now: Timestamp) -> bool {
        let answering = self.answering(from, now);
        let reaches = |near: &usize| self.of_region(to).any(|far| self.surely(*near, far, now));
        !answering.is_empty() && answering.iter().all(reaches)
    }

    /// The gateways that may answer for the hosts of a region: the first that surely does, or all that
    /// might.
    fn answering(&self, region: u8, now: Timestamp) -> Vec<usize> {
        let serving = |node: &usize| self.serves(*node);
        let mut candidates: Vec<usize> = self.of_region(region).filter(serving).collect();
        candidates.sort_by_key(|node| (self.gateways[*node].is_drained, *node));
        let others = |node: usize| {
            (0..self.gateways.len()).filter(move |other| self.are_peers(node, *other))
        };
        candidates.retain(|node| others(*node).any(|other| self.works(*node, other)));
        let is_sure = |node: usize| {
            self.is_settled(node, now) && others(node).all(|o| self.stands(node, o, now))
        };
        match candidates.first() {
            Some(first) if is_sure(*first) => vec![*first],
            Some(_) | None => candidates,
        }
    }

    /// Whether a path works and has for long, or its far end has been dead or cut off for long.
    fn stands(&self, near: usize, far: usize, now: Timestamp) -> bool {
        let settled = self.is_settled(far, now) && self.path_is_settled(near, far, now);
        settled || !self.works(near, far)
    }

    /// Whether a tunnel between two gateways surely carries packets.
    fn surely(&self, near: usize, far: usize, now: Timestamp) -> bool {
        let ends = self.is_settled(near, now) && self.is_settled(far, now);
        self.works(near, far) && self.serves(far) && ends && self.path_is_settled(near, far, now)
    }

    /// Whether packets pass between two gateways, both ways.
    fn works(&self, a: usize, b: usize) -> bool {
        let run = self.gateways[a].runs && self.gateways[b].runs;
        let is_barred = |way| self.cuts.contains(&way) || self.closed.contains(&way);
        run && !is_barred((a, b)) && !is_barred((b, a))
    }

    fn serves(&self, node: usize) -> bool {
        self.gateways[node].runs && self.gateways[node].has_lan
    }

    /// Whether two gateways are of different regions: those of one do not know each other.
    pub(super) fn are_peers(&self, a: usize, b: usize) -> bool {
        self.gateways[a].site.region != self.gateways[b].site.region
    }

    fn is_settled(&self, node: usize, now: Timestamp) -> bool {
        self.gateways[node].changed.is_none_or(|changed| now.since(changed) >= SETTLED)
    }

    fn path_is_settled(&self, a: usize, b: usize, now: Timestamp) -> bool {
        let changed = self.changed.get(&(a.min(b), a.max(b)));
        changed.is_none_or(|changed| now.since(*changed) >= SETTLED)
    }
}

#[cfg(test)]
mod tests;
