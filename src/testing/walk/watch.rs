//! Sends packets between all pairs of regions, and holds what becomes of them against the model.

use super::super::network::{Network, Probe};
use super::model::Model;
use super::plan::Plan;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often packets are sent while something may be under way.
const CLOSELY: Duration = Duration::from_millis(200);
/// How often when all is over.
const SELDOM: Duration = Duration::from_secs(2);
/// How long a packet may be under way: the underlay, and a host that looks for its gateway.
const UNDER_WAY: Duration = Duration::from_millis(1200);

/// A packet that was sent.
#[derive(Debug)]
struct Sent {
    id: u64,
    probe: Probe,
    at: Timestamp,
    /// The model says that it should arrive.
    should_arrive: bool,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Packets that were sent.
    pub sent: usize,
    /// Those that should arrive.
    pub claimed: usize,
    /// The longest time for which packets of a pair that should arrive did not.
    pub longest: Duration,
}

impl Watch {
    /// Watches for a while after a step, closely at first; says what is as it must not be.
    pub(super) fn look(
        &mut self,
        network: &mut Network,
        model: &Model,
        plan: &Plan,
        time: Duration,
    ) -> Vec<String> {
        let (begin, end) = (network.now, network.now + time);
        let mut sent = Vec::new();
        while network.now < end {
            sent.extend(send(network, model, plan));
            let closely = network.now.since(begin) < plan.bound() + UNDER_WAY;
            network.run(if closely { CLOSELY } else { SELDOM });
        }
        network.run(UNDER_WAY);
        self.sent += sent.len();
        self.claimed += sent.iter().filter(|one| one.should_arrive).count();
        let mut faults = std::mem::take(&mut network.violations);
        faults.extend(loops(network));
        faults.extend(forbidden(network, plan, &sent));
        faults.extend(self.gaps(network, plan, &sent));
        faults
    }

    /// The pairs that were without a path for too long.
    fn gaps(&mut self, network: &Network, plan: &Plan, sent: &[Sent]) -> Vec<String> {
        let mut pairs: BTreeMap<String, Vec<&Sent>> = BTreeMap::new();
        for one in sent {
            pairs.entry(format!("{:?}", one.probe)).or_default().push(one);
        }
        let mut faults = Vec::new();
        for (pair, sent) in pairs {
            let mut since = None;
            for one in sent {
                if network.arrived(one.id) || !one.should_arrive {
                    since = None;
                    continue;
                }
                let first = *since.get_or_insert(one.at);
                let gap = one.at.since(first);
                self.longest = self.longest.max(gap);
                if gap > plan.bound() {
                    faults
                        .push(format!("{pair}: nothing arrives since {first:?}, at {:?}", one.at));
                    break;
                }
            }
        }
        faults
    }
}

/// Sends a packet between all pairs.
fn send(network: &mut Network, model: &Model, plan: &Plan) -> Vec<Sent> {
    let at = network.now;
    let one = |probe: Probe, network: &mut Network| {
        let permitted = plan.permits(probe.from, probe.to, probe.ipv4);
        let should_arrive = permitted && model.should_reach(probe.from, probe.to, at);
        Sent { id: network.probe(probe.clone()), probe, at, should_arrive }
    };
    network.all_pairs().into_iter().map(|probe| one(probe, network)).collect()
}

/// Packets that the policy does not let pass, and that have.
fn forbidden(network: &Network, plan: &Plan, sent: &[Sent]) -> Vec<String> {
    let passed = |one: &&Sent| {
        !plan.permits(one.probe.from, one.probe.to, one.probe.ipv4) && network.arrived(one.id)
    };
    sent.iter().filter(passed).map(|one| format!("against the policy: {one:?}")).collect()
}

/// Packets that went into more than one tunnel.
fn loops(network: &mut Network) -> Vec<String> {
    let sealed = network.take_sealed().into_iter().filter(|(_, times)| *times > 1);
    sealed.map(|(id, times)| format!("packet {id} went into tunnels {times} times")).collect()
}
