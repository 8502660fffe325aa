//! Two VPCs with equal prefixes between the same two gateways, over one IKE SA.
//!
//! ```text
//!   left-red-host ─── left-red ══╗                    ╔══ right-red ─── right-red-host
//!   10.1.0.10, .30               left ───────── right                   10.2.0.10, .30
//!   left-blue-host ── left-blue ═╝  one IKE SA        ╚══ right-blue ── right-blue-host
//!   10.1.0.10, .20                                                      10.2.0.10, .20
//! ```

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;
use vpngw::control::{Request, SasView};
use vpngw::lab::topology::{Role, Topology, plug};
use vpngw::lab::traffic::Journey;
use vpngw::lab::{self, control, daemon, network};
use vpngw::os::file;
use vpngw::os::netlink::Netlink;
use vpngw::os::process::Process;

use crate::support::vpngwd::{PROGRAM, PSK};
use crate::support::{eventually, unique_prefix};

const SIDES: [(&str, u8); 2] = [("left", 1), ("right", 2)];
/// The VPCs, each with the last octet of an address that only its hosts have.
const VPCS: [(&str, u8); 2] = [("red", 30), ("blue", 20)];
/// The last octet of the address that the hosts of both VPCs have.
const SHARED: u8 = 10;

/// The namespaces and the two daemons. Dropping it ends and removes all.
struct Scene {
    prefix: String,
    topology: Topology,
    folder: TempDir,
    daemons: Vec<Process>,
}

impl Scene {
    fn start() -> Scene {
        let (prefix, topology) = (unique_prefix(), topology());
        network::remove(&prefix, &topology).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut scene = Scene { prefix, topology, folder, daemons: Vec::new() };
        lab::wait_for(network::build(&scene.prefix, &scene.topology)).unwrap();
        scene.write("shared.psk", PSK);
        scene.daemons = SIDES.iter().map(|side| scene.daemon(*side)).collect();
        scene
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        file::replace(&path, text.as_bytes(), 0o600).unwrap();
        path
    }

    fn namespace(&self, node: &str) -> String {
        network::namespace(&self.prefix, node)
    }

    fn socket(&self, side: &str) -> String {
        self.folder.path().join(format!("{side}.sock")).display().to_string()
    }

    fn daemon(&self, side: (&str, u8)) -> Process {
        let config = self.write(&format!("{}.toml", side.0), &self.config(side));
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(config).args(["--log", "debug"]);
        let log = self.folder.path().join(format!("{}.log", side.0));
        daemon::start_in(&mut command, &self.namespace(side.0), &log).unwrap()
    }

    fn config(&self, (name, number): (&str, u8)) -> String {
        let (peer, other) = if number == 1 { SIDES[1] } else { SIDES[0] };
        let vpcs = VPCS.map(|(vpc, _)| {
            let netns = self.namespace(&format!("{name}-{vpc}"));
            format!(
                "[[vpc]]\nname = \"{vpc}\"\nnetns = \"{netns}\"\n\
                 interface = \"lan0\"\nprefixes = [\"10.{number}.0.0/16\"]\n"
            )
        });
        format!(
            "[gateway]\nname = \"{name}\"\nlisten = [\"10.79.0.{number}\"]\n\
             control_socket = \"{}\"\n{}\
             [[peer]]\nname = \"{peer}\"\nremote_address = \"10.79.0.{other}\"\n\
             psk_file = \"shared.psk\"\nvpcs = [\"red\", \"blue\"]\n\
             static_routes = [\"10.{other}.0.0/16\"]\n",
            self.socket(name),
            vpcs.concat(),
        )
    }

    /// From a host of a VPC to what has the address with this last octet at the other side.
    fn journey(&self, (side, number): (&str, u8), vpc: &str, octet: u8) -> Journey {
        let from = format!("{side}-{vpc}-host");
        let target = format!("10.{}.0.{octet}", 3 - number);
        let namespace = self.namespace(&from);
        Journey { from, namespace, to: target.clone(), target: target.parse().unwrap() }
    }

    fn sas(&self, side: &str) -> Option<SasView> {
        control::ask(&self.socket(side), &Request::Sas).ok()
    }

    fn logs(&self) -> String {
        let log = |(side, _)| self.folder.path().join(format!("{side}.log"));
        SIDES.map(|side| std::fs::read_to_string(log(side)).unwrap_or_default()).join("\n")
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.logs());
        }
        self.daemons.clear();
        if let Err(error) = network::remove(&self.prefix, &self.topology) {
            eprintln!("the namespaces of {} stay behind: {error:#}", self.prefix);
        }
    }
}

fn topology() -> Topology {
    let mut topology = Topology::default();
    for (side, number) in SIDES {
        topology.node(side, Role::Gateway).address("wan0", &format!("10.79.0.{number}/24"));
        for (vpc, own) in VPCS {
            add_vpc(&mut topology, &format!("{side}-{vpc}"), number, own);
        }
    }
    topology.cable(plug("left", "wan0"), plug("right", "wan0"));
    topology
}

/// A VPC at one side: the namespace of its devices, and a host.
fn add_vpc(topology: &mut Topology, name: &str, number: u8, own: u8) {
    let host = format!("{name}-host");
    topology.node(name, Role::Gateway).address("lan0", &format!("10.{number}.0.1/24"));
    topology
        .node(&host, Role::Host)
        .address("eth0", &format!("10.{number}.0.{SHARED}/24"))
        .address("eth0", &format!("10.{number}.0.{own}/24"))
        .route("0.0.0.0/0", &format!("10.{number}.0.1"));
    topology.cable(plug(name, "lan0"), plug(&host, "eth0"));
}

#[test]
fn vpcs_with_equal_prefixes_share_an_ike_sa_and_never_mix() {
    let scene = Scene::start();
    for side in SIDES {
        for (vpc, own) in VPCS {
            for octet in [SHARED, own] {
                let journey = scene.journey(side, vpc, octet);
                assert!(eventually(|| journey.succeeds()), "{vpc} to {}", journey.to);
            }
        }
    }
    for side in SIDES {
        for ((vpc, _), (_, others)) in VPCS.iter().zip(VPCS.iter().rev()) {
            let journey = scene.journey(side, vpc, *others);
            assert!(!journey.succeeds(), "{vpc} reaches {} of the other VPC", journey.to);
        }
    }
    let of_one_ike_sa = SIDES.map(|(side, _)| {
        let view = scene.sas(side).unwrap();
        assert_eq!(view.tunnels.len(), 2, "{view:?}");
        assert!(view.tunnels.iter().all(|tunnel| tunnel.child_sas.len() == 1), "{view:?}");
        let mut spis: Vec<String> = view
            .tunnels
            .iter()
            .filter_map(|tunnel| tunnel.ike_sa.as_ref())
            .map(|ike| format!("{} {}", ike.initiator_spi, ike.responder_spi))
            .collect();
        assert_eq!(spis.len(), 2, "{view:?}");
        spis.dedup();
        spis
    });
    assert_eq!(of_one_ike_sa[0].len(), 1, "{of_one_ike_sa:?}");
    assert_eq!(of_one_ike_sa[0], of_one_ike_sa[1]);
}

/// As an orchestrator does that restarts a VPC's part of the host.
#[test]
fn a_namespace_that_is_made_anew_is_served_and_guarded_again() {
    let scene = Scene::start();
    let [red, blue] = ["red", "blue"].map(|vpc| scene.journey(SIDES[1], vpc, SHARED));
    assert!(eventually(|| red.succeeds() && blue.succeeds()), "no tunnel");
    let mut anew = Topology::default();
    add_vpc(&mut anew, "left-red", SIDES[0].1, VPCS[0].1);
    network::remove(&scene.prefix, &anew).unwrap();
    let refused = || scene.logs().contains("the network namespace") && !red.succeeds();
    assert!(eventually(refused), "the dead VPC answers");
    assert!(blue.succeeds(), "the other VPC has nothing to do with it");
    lab::wait_for(network::build(&scene.prefix, &anew)).unwrap();
    assert!(eventually(|| red.succeeds()), "the VPC does not come back");
    let rules = lab::wait_for(async {
        Netlink::open(Some(&scene.namespace("left-red")))?.our_rules().await
    });
    assert!(!rules.unwrap().is_empty(), "nothing guards the new namespace");
    assert!(blue.succeeds());
}
