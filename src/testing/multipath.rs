//! Tunnels that share flows: whose flows notice when one is lost, drained or back, and that both ends
//! choose alike.

use super::deployment::{self, Deployment, NO_BFD, Region, Site};
use super::network::{Network, PROBE_PORT, Probe, host};
use super::orders::{ask, reload};
use super::two_gateways::assert_sound;
use crate::control::{Code, EventsView, Ports, Reply, Request, RouteView, WhyView};
use crate::net::VpcId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const THERE: Probe = Probe { vpc: VpcId(0), from: 1, to: 2, ipv4: true };
const BACK: Probe = Probe { vpc: VpcId(0), from: 2, to: 1, ipv4: true };
const PORTS: std::ops::Range<u16> = 5000..5040;
/// Between two packets of one flow.
const PAUSE: Duration = Duration::from_millis(5);

fn sharing(text: &str) -> String {
    text.replace(NO_BFD, "").replace("[[vpc]]\n", "[[vpc]]\nmultipath = true\n")
}

/// Peers that nothing but the tie-break sets apart.
fn equal(_: Site, text: String) -> String {
    sharing(&text).replace("local_preference = 199\n", "").replace("local_preference = 198\n", "")
}

/// The regions 1 and 2 with two gateways each: the nodes 0 and 1, 2 and 3. Region 1 sends by node 0.
fn four(edit: impl Fn(Site, String) -> String) -> Deployment {
    let two = |number| Region { number, gateways: 2 };
    deployment::edited(&[two(1), two(2)], 1, edit)
}

fn connected(deployment: Deployment, seed: u64) -> Network {
    let mut network = Network::start(deployment, seed);
    network.run(Duration::from_secs(6));
    network
}

/// The node by which each flow arrives.
fn arrivals(network: &mut Network) -> BTreeMap<u16, Option<usize>> {
    let sent: Vec<(u16, u64)> = PORTS.map(|port| (port, network.probe_from(THERE, port))).collect();
    network.run(Duration::from_secs(1));
    sent.into_iter().map(|(port, id)| (port, network.arrived_by(id))).collect()
}

/// How many milliseconds long packets of each flow did not arrive, over this time.
fn gaps(network: &mut Network, time: Duration) -> BTreeMap<u16, u64> {
    let mut sent = Vec::new();
    let end = network.now + time;
    while network.now < end {
        sent.extend(PORTS.map(|port| (port, network.probe_from(THERE, port))));
        network.run(PAUSE);
    }
    network.run(Duration::from_secs(1));
    let mut gaps: BTreeMap<u16, u64> = PORTS.map(|port| (port, 0)).collect();
    for (port, _) in sent.into_iter().filter(|(_, id)| !network.arrived(*id)) {
        *gaps.entry(port).or_default() += PAUSE.as_millis() as u64;
    }
    gaps
}

fn used(arrivals: &BTreeMap<u16, Option<usize>>, node: usize) -> usize {
    arrivals.values().filter(|by| **by == Some(node)).count()
}

fn route(network: &mut Network, node: usize) -> RouteView {
    let Reply::Routes(view) = ask(network, node, &Request::Routes) else { panic!("routes") };
    let routes = view.vpcs.into_iter().flat_map(|vpc| vpc.routes);
    routes.into_iter().find(|route| route.prefix.to_string() == "10.2.0.0/16").expect("the route")
}

fn why(network: &mut Network, node: usize, (there, port): (&Probe, u16)) -> WhyView {
    let ports = match there.from {
        1 => Ports { protocol: 17, source: port, destination: PROBE_PORT },
        _ => Ports { protocol: 17, source: PROBE_PORT, destination: port },
    };
    let (to, from) = (host(there.to, there.ipv4), Some(host(there.from, there.ipv4)));
    match ask(network, node, &Request::Why { to, from, ports: Some(ports) }) {
        Reply::Why(view) => view,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_the_flows_of_a_gateway_that_dies_notice_and_they_alone_come_back_to_it() {
    for seed in 0..2 {
        let mut network = connected(four(equal), seed);
        assert_sound(&mut network, seed);
        let before = arrivals(&mut network);
        let (left, right) = (used(&before, 2), used(&before, 3));
        assert_eq!(left + right, PORTS.len(), "every flow arrives: {before:?}");
        assert!(left > 9 && right > 9, "{left} and {right} of the flows");

        network.crash(3);
        let gaps = gaps(&mut network, Duration::from_millis(400));
        for (port, gap) in &gaps {
            match before[port] {
                Some(3) => assert!((90..=200).contains(gap), "seed {seed}, {port}: {gap} ms"),
                _ => assert_eq!(*gap, 0, "seed {seed}, {port}: a flow of the other gateway"),
            }
        }
        assert!(arrivals(&mut network).values().all(|by| *by == Some(2)));

        network.boot(3);
        let gaps = self::gaps(&mut network, Duration::from_secs(5));
        assert!(gaps.values().all(|gap| *gap == 0), "the way back loses nothing: {gaps:?}");
        assert_eq!(arrivals(&mut network), before, "seed {seed}");
        assert_sound(&mut network, seed);
    }
}

#[test]
fn a_gateway_that_is_drained_leaves_the_group_and_nothing_is_lost() {
    let mut network = connected(four(equal), 4);
    let before = arrivals(&mut network);
    assert!(used(&before, 3) > 0);
    ask(&mut network, 3, &Request::Drain);
    let gaps = gaps(&mut network, Duration::from_millis(600));
    assert!(gaps.values().all(|gap| *gap == 0), "{gaps:?}");
    assert_eq!(used(&arrivals(&mut network), 3), 0);
    assert_eq!(route(&mut network, 0).shared, []);
    ask(&mut network, 3, &Request::Undrain);
    let gaps = self::gaps(&mut network, Duration::from_secs(3));
    assert!(gaps.values().all(|gap| *gap == 0), "{gaps:?}");
    assert_eq!(arrivals(&mut network), before);
}

#[test]
fn what_operators_see_is_what_packets_do() {
    let mut network = connected(four(equal), 5);
    let shares = route(&mut network, 0).shared;
    let names: Vec<&str> = shares.iter().map(|share| share.peer.as_str()).collect();
    assert_eq!(names, ["r2z1", "r2z2"]);
    assert!((99.0..=101.0).contains(&shares.iter().map(|share| share.percent).sum()), "{shares:?}");
    for (port, by) in arrivals(&mut network) {
        let view = why(&mut network, 0, (&THERE, port));
        let way = &view.ways[0];
        let expected = if by == Some(2) { "r2z1" } else { "r2z2" };
        assert_eq!((way.through.as_str(), way.arrives), (expected, true), "{way:?}");
        let says = way.steps.iter().find(|step| step.step == "flow").expect("the step");
        assert!(says.says.starts_with(&format!("this one takes {expected}")), "{says:?}");
    }
    let Reply::Peer(view) = ask(&mut network, 0, &Request::Peer("r2z1".to_owned())) else {
        panic!("the peer")
    };
    assert_eq!((view.weight, view.shares_with), (Some(1), vec!["r2z2".to_owned()]));
    assert_eq!(view.summary.prefixes_active, 2);
    network.crash(3);
    network.run(Duration::from_secs(1));
    let Reply::Events(EventsView { events, .. }) =
        ask(&mut network, 0, &Request::Events { after: 0 })
    else {
        panic!("events")
    };
    let moved = events.iter().filter(|event| event.code == Code::RouteMoved);
    let texts: Vec<&str> = moved.map(|event| event.what.as_str()).collect();
    assert!(
        texts.iter().any(|text| text.ends_with("moved from r2z1 and r2z2 to r2z1")),
        "{texts:?}"
    );
}

#[test]
fn weights_and_sharing_itself_change_with_a_reload_that_loses_nothing() {
    let heavy = |site: Site, text: String| {
        equal(site, text).replace("name = \"r2z1\"\nvpc", "name = \"r2z1\"\nweight = 4\nvpc")
    };
    let sites = [(1, 1), (1, 2), (2, 1), (2, 2)].map(|(region, zone)| Site { region, zone });
    let text = |edit: &dyn Fn(Site, String) -> String| {
        edit(sites[0], deployment::text(sites[0], &sites, &deployment::VPCS[..1]))
    };
    let mut network = connected(four(equal), 6);
    let even = arrivals(&mut network);
    let mut after = |edit: &dyn Fn(Site, String) -> String| {
        reload(&mut network, 0, &text(edit));
        let gaps = gaps(&mut network, Duration::from_millis(100));
        assert!(gaps.values().all(|gap| *gap == 0), "{gaps:?}");
        arrivals(&mut network)
    };
    let weighed = after(&heavy);
    assert!(used(&weighed, 2) > used(&even, 2) + 3, "{} of {}", used(&weighed, 2), PORTS.len());
    assert!(PORTS.filter(|port| even[port] == Some(2)).all(|port| weighed[&port] == Some(2)));
    let alone = after(&|site, text| equal(site, text).replace("multipath = true\n", ""));
    assert_eq!(used(&alone, 2), PORTS.len());
    assert_eq!(after(&equal), even);
}

/// Two gateways with two tunnels between them, told apart by their identities, and listed in another order
/// at each end.
fn parallel() -> Deployment {
    deployment::edited_pair(|site, text| {
        let text = equal(site, text);
        let at = text.find("[[peer]]").expect("the peer");
        let (head, peer) = text.split_at(at);
        let other = if site.region == 1 { "r2z1" } else { "r1z1" };
        let own = if site.region == 1 { "r1z1" } else { "r2z1" };
        let second = peer.replace(
            &format!("name = \"{other}\"\n"),
            &format!("name = \"{other}-b\"\nlocal_identity = \"{own}-b\"\n"),
        );
        match site.region {
            1 => format!("{head}{peer}{second}"),
            _ => format!("{head}{second}{peer}"),
        }
    })
}

#[test]
fn both_directions_of_a_flow_take_the_same_of_parallel_tunnels() {
    let mut network = connected(parallel(), 7);
    let mut tunnels = BTreeSet::new();
    for port in PORTS {
        let there = why(&mut network, 0, (&THERE, port)).ways[0].clone();
        let back = why(&mut network, 1, (&BACK, port)).ways[0].clone();
        assert_eq!((there.shared.len(), back.shared.len()), (2, 2), "{there:?} {back:?}");
        let second = |through: &str| through.ends_with("-b");
        assert_eq!(second(&there.through), second(&back.through), "{port}");
        tunnels.insert(there.through);
    }
    assert_eq!(tunnels.len(), 2);
    assert!(arrivals(&mut network).values().all(|by| *by == Some(1)));
    assert_eq!(network.unreachable(), []);
}
