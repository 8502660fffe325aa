//! Accidents, orders and repairs, one at a time.

use super::super::network::Network;
use super::super::orders::{ask, reload};
use super::model::Model;
use super::plan::Plan;
use crate::control::{Request, SaKind};
use crate::random::{Random, Seeded};

/// What happens to a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A gateway loses its power.
    Kill(usize),
    /// It starts again.
    Start(usize),
    /// It ends in order, and starts at once.
    Restart(usize),
    /// Nothing passes between two gateways.
    Cut(usize, usize),
    /// Nothing passes from one gateway to another.
    CutOneWay(usize, usize),
    /// A gateway's link to the underlay is down: nothing passes between it and any other.
    CutOff(usize),
    /// The path between two gateways works again.
    Mend(usize, usize),
    /// Nothing passes between two regions.
    Partition(u8, u8),
    /// Everything passes again.
    MendAll,
    /// A gateway's interface towards its hosts goes down.
    LanDown(usize),
    /// It is up again.
    LanUp(usize),
    /// Others are to be used instead of a gateway.
    Drain(usize),
    /// It is to be used again.
    Undrain(usize),
    /// A gateway reads its file again, with something changed that costs no session.
    Reload(usize),
    /// The operator of a gateway has the keys of its tunnels to another replaced.
    Rekey(usize, usize, SaKind),
    /// The operator of a gateway closes its tunnels to another and lets nobody open them.
    Disable(usize, usize),
    /// They may be opened again.
    Enable(usize, usize),
    /// Nothing.
    Rest,
}

/// What a step is made of: a kind, and two gateways, by any numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    /// One of [`Step::KINDS`].
    pub what: u8,
    /// A gateway.
    pub one: usize,
    /// Another, or the same.
    pub other: usize,
}

impl Step {
    /// How many kinds there are, some of them several times: repairs are as likely as accidents.
    pub(super) const KINDS: u8 = 25;

    /// A step that is possible now.
    pub(super) fn any(model: &Model, random: &mut Seeded) -> Step {
        loop {
            let what = random.below(u64::from(Step::KINDS)) as u8;
            let [one, other] = [(); 2].map(|()| random.below(model.gateways.len() as u64) as usize);
            let step = Step::of(Draw { what, one, other }, model);
            if step.is_possible(model) {
                return step;
            }
        }
    }

    /// The step of a draw, possible or not.
    pub(super) fn of(draw: Draw, model: &Model) -> Step {
        let [a, b] = [draw.one, draw.other].map(|number| number % model.gateways.len());
        let [one, other] = [a, b].map(|node| model.gateways[node].site.region);
        match draw.what {
            0 => Step::Kill(a),
            1 | 2 => Step::Start(a),
            3 => Step::Restart(a),
            4 => Step::Cut(a, b),
            5 => Step::CutOneWay(a, b),
            6 | 7 => Step::Mend(a, b),
            8 => Step::Partition(one, other),
            9 | 10 => Step::MendAll,
            11 => Step::LanDown(a),
            12 | 13 => Step::LanUp(a),
            14 => Step::Drain(a),
            15 => Step::Undrain(a),
            16 => Step::Reload(a),
            17 | 18 => Step::CutOff(a),
            19 => Step::Rekey(a, b, SaKind::Ike),
            20 => Step::Rekey(a, b, SaKind::Child),
            21 => Step::Disable(a, b),
            22 | 23 => Step::Enable(a, b),
            _ => Step::Rest,
        }
    }

    /// Whether it changes anything now.
    pub(super) fn is_possible(self, model: &Model) -> bool {
        let gateway = |node: usize| model.gateways[node];
        let is_cut = |a, b| model.cuts.contains(&(a, b)) || model.cuts.contains(&(b, a));
        match self {
            Step::Kill(node) | Step::Restart(node) | Step::Reload(node) | Step::CutOff(node) => {
                gateway(node).runs
            }
            Step::Start(node) => !gateway(node).runs,
            Step::Cut(a, b) | Step::CutOneWay(a, b) => model.are_peers(a, b) && !is_cut(a, b),
            Step::Mend(a, b) => is_cut(a, b),
            Step::Partition(one, other) => one != other,
            Step::MendAll => !model.cuts.is_empty(),
            Step::LanDown(node) => gateway(node).runs && gateway(node).has_lan,
            Step::LanUp(node) => gateway(node).runs && !gateway(node).has_lan,
            Step::Drain(node) => gateway(node).runs && !gateway(node).is_drained,
            Step::Undrain(node) => gateway(node).runs && gateway(node).is_drained,
            Step::Rekey(a, b, _) => model.are_peers(a, b) && gateway(a).runs,
            Step::Disable(a, b) => {
                model.are_peers(a, b) && gateway(a).runs && !model.closed.contains(&(a, b))
            }
            Step::Enable(a, b) => gateway(a).runs && model.closed.contains(&(a, b)),
            Step::Rest => true,
        }
    }

    /// Has it happen, in the network and in the model.
    pub(super) fn take(self, network: &mut Network, model: &mut Model, plan: &Plan) {
        let now = network.now;
        match self {
            Step::Kill(node) => {
                network.crash(node);
                model.change(node, now, |gateway| gateway.runs = false);
            }
            // It starts with its LAN, and nobody has said that it is drained or a peer disabled.
            Step::Start(node) => {
                network.boot(node);
                model.open_all_of(node, now);
                model.change(node, now, |gateway| {
                    (gateway.runs, gateway.has_lan, gateway.is_drained) = (true, true, false);
                });
            }
            Step::Restart(node) => {
                network.with_node(node, |node, now| {
                    node.operate(now, |gateway, at| {
                        gateway.withdraw(now);
                        gateway.shutdown(at);
                    });
                });
                network.crash(node);
                Step::Start(node).take(network, model, plan);
            }
            Step::Cut(a, b) => {
                network.cut(a, b);
                [(a, b), (b, a)].into_iter().for_each(|(from, to)| model.cut(from, to, now));
            }
            Step::CutOneWay(from, to) => {
                network.cut_one_way(from, to);
                model.cut(from, to, now);
            }
            Step::CutOff(node) => {
                let far = (0..model.gateways.len()).filter(|other| model.are_peers(node, *other));
                for other in far.collect::<Vec<_>>() {
                    Step::Cut(node, other).take(network, model, plan);
                }
            }
            Step::Mend(a, b) => {
                network.mend_between(a, b);
                model.mend(a, b, now);
            }
            Step::Partition(one, other) => {
                let far: Vec<usize> = model.of_region(other).collect();
                for a in model.of_region(one).collect::<Vec<_>>() {
                    far.iter().for_each(|b| Step::Cut(a, *b).take(network, model, plan));
                }
            }
            Step::MendAll => {
                for (a, b) in model.cuts.clone() {
                    Step::Mend(a, b).take(network, model, plan);
                }
            }
            Step::LanDown(node) | Step::LanUp(node) => {
                let up = matches!(self, Step::LanUp(_));
                network.with_node(node, |node, now| node.set_lan(up, now));
                model.change(node, now, |gateway| gateway.has_lan = up);
            }
            Step::Drain(node) | Step::Undrain(node) => {
                let drains = matches!(self, Step::Drain(_));
                let request = if drains { Request::Drain } else { Request::Undrain };
                ask(network, node, &request);
                model.change(node, now, |gateway| gateway.is_drained = drains);
            }
            Step::Reload(node) => {
                let sites: Vec<_> = model.gateways.iter().map(|gateway| gateway.site).collect();
                let reloads = network.random().below(3) as u32;
                reload(network, node, &plan.text(sites[node], &sites, reloads));
            }
            Step::Rekey(a, b, sa) => {
                for peer in network.names_of(a, b) {
                    ask(network, a, &Request::Rekey { peer, sa });
                }
            }
            Step::Disable(a, b) => {
                for peer in network.names_of(a, b) {
                    ask(network, a, &Request::Disable { peer });
                }
                model.close(a, b, now);
            }
            Step::Enable(a, b) => {
                for peer in network.names_of(a, b) {
                    ask(network, a, &Request::Enable { peer });
                }
                model.open(a, b, now);
            }
            Step::Rest => {}
        }
    }
}
