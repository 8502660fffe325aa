//! BGP with routers of the VPC, BIRD and FRR: the VPC learns what is behind the tunnels, and peers learn what
//! is behind the VPC's router.
//!
//! ```text
//!   10.8.4.0/24 ── left-host ──── left ═══════ ESP ═══════ right ── right-host 10.2.0.10
//!                  BIRD or FRR    vpngwd                   vpngwd
//!                  10.1.0.10 ─BGP─ 10.1.0.1 ──── BGP ────
//! ```

use nix::sys::signal::Signal;
use std::process::Command;
use vpngw::control::{Code, EventsView, Request, RouteView, RoutesView, VpcRouterView, VpcsView};
use vpngw::lab::traffic::Journey;
use vpngw::net::Prefix;
use vpngw::os::netns;

use crate::support::bird::Bird;
use crate::support::eventually;
use crate::support::frr::Frr;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config, write_keys};

const ROUTER: &str = "left-host";

/// BIRD in the VPC, of another AS than ours.
const BIRD: &str = r#"
log stderr all;
debug protocols { states, events };
router id 10.1.0.10;
protocol device { scan time 1; }
protocol direct { ipv4; interface "eth0"; }
protocol kernel { ipv4 { export where proto = "vpngw"; }; }
protocol static behind { ipv4; route 10.8.4.0/24 blackhole; route 10.9.0.0/16 blackhole; }
protocol bgp vpngw {
    local 10.1.0.10 as 65100;
    neighbor 10.1.0.1 as 64513;
    hold time 9;
    connect delay time 1;
    error wait time 1, 4;
    SHIELD
    ipv4 { import all; export where proto = "behind"; next hop self; };
}
"#;

const FRR: &str = "
hostname tor
log stdout
router bgp 65100
 bgp router-id 10.1.0.10
 neighbor 10.1.0.1 remote-as 64513
 neighbor 10.1.0.1 password good-fences
 neighbor 10.1.0.1 ttl-security hops 1
 neighbor 10.1.0.1 timers connect 1
 neighbor 10.1.0.1 local-role provider strict-mode
 address-family ipv4 unicast
  network 10.8.4.0/24
  neighbor 10.1.0.1 route-map ANY in
  neighbor 10.1.0.1 route-map ANY out
 exit-address-family
route-map ANY permit 10
";

/// The site with its router, which is played by the host of the left side.
struct Sites {
    pair: Pair,
    gateways: [Gateway; 2],
}

impl Sites {
    /// The router's section gets `more` keys.
    fn new(remote_asn: u32, more: &str) -> Sites {
        let pair = Pair::new();
        write_keys(&pair);
        pair.write("tor.password", "good-fences\n");
        run(&pair, ROUTER, "ip", "addr add 10.8.4.1/24 dev lo");
        run(&pair, ROUTER, "ip", "route del default");
        let text = Self::text(&pair, remote_asn, more);
        let left = Gateway::start(&pair, Side::Left, &text);
        let accept = bgp(Side::Right).replace("[\"", "[\"10.8.0.0/16\", \"");
        let text = config(&pair, Side::Right, Auth::Psk, &accept, "");
        let right = Gateway::start(&pair, Side::Right, &text);
        assert!(left.comes_up(), "{}", left.log());
        Sites { pair, gateways: [left, right] }
    }

    fn text(pair: &Pair, remote_asn: u32, more: &str) -> String {
        let router = format!(
            "\n[[vpc.router]]\nname = \"tor\"\naddress = \"10.1.0.10\"\nlocal_address = \"10.1.0.1\"\n\
             remote_asn = {remote_asn}\naccept = [\"10.8.0.0/16\"]\n{more}\n\n[[peer]]"
        );
        let text = config(pair, Side::Left, Auth::Psk, &bgp(Side::Left), "");
        text.replace("\n[[peer]]", &router)
    }

    fn left(&self) -> &Gateway {
        &self.gateways[0]
    }

    fn router(&self) -> VpcRouterView {
        let view: VpcsView = self.left().ask(&Request::Vpcs);
        view.vpcs[0].routers[0].clone()
    }

    fn route(&self, side: Side, prefix: &str) -> Option<RouteView> {
        let gateway = &self.gateways[usize::from(side == Side::Right)];
        let prefix: Prefix = prefix.parse().unwrap();
        let routes: RoutesView = gateway.ask(&Request::Routes);
        let mut routes = routes.vpcs.into_iter().flat_map(|vpc| vpc.routes);
        routes.find(|route| route.prefix == prefix)
    }

    /// Where a side sends what is for a prefix.
    fn through(&self, side: Side, prefix: &str) -> Option<String> {
        self.route(side, prefix)?.active
    }

    fn goes_by_router(&self) -> bool {
        eventually(|| self.through(Side::Left, "10.8.4.0/24").as_deref() == Some("tor"))
    }

    /// From the far host to the address behind the router.
    fn crosses(&self) -> bool {
        let journey = Journey { target: [10, 8, 4, 1].into(), ..self.pair.journey(Side::Right, 0) };
        eventually(|| journey.succeeds())
    }

    fn kernel(&self, node: &str, request: &str) -> String {
        run(&self.pair, node, "ip", request)
    }

    fn why(&self) -> String {
        let routes: RoutesView = self.left().ask(&Request::Routes);
        format!("{:#?}\n{routes:#?}\n{}", self.router(), self.left().log())
    }

    fn told(&self, code: Code) -> bool {
        let events: EventsView = self.left().ask(&Request::Events { after: 0 });
        events.events.iter().any(|event| event.code == code && event.what.contains("office/tor"))
    }
}

/// What a program says at a node.
fn run(pair: &Pair, node: &str, program: &str, arguments: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments.split(' '));
    netns::place(&mut command, &pair.namespace(node)).unwrap();
    let output = command.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn bird(sites: &Sites, shield: &str) -> Bird {
    Bird::start_at(&sites.pair, ROUTER, &BIRD.replace("SHIELD", shield))
}

#[test]
fn bird_in_the_vpc_learns_what_peers_have_and_peers_what_it_has() {
    let sites = Sites::new(65_100, "ttl_security = true\npassword_file = \"tor.password\"");
    let bird = bird(&sites, "password \"good-fences\"; ttl security on;");
    assert!(sites.goes_by_router(), "{}", sites.why());
    let there = "10.2.0.0/16 via 10.1.0.1";
    assert!(eventually(|| sites.kernel(ROUTER, "route").contains(there)), "{}", sites.why());
    assert!(sites.kernel("left", "route show table 79001").contains("10.8.4.0/24 via 10.1.0.10"));
    assert!(sites.crosses(), "{}", sites.why());
    assert!(sites.told(Code::BgpUp), "the session is an event");

    let rejected: RoutesView = sites.left().ask(&Request::Routes);
    let rejected = &rejected.vpcs[0].rejected;
    assert_eq!((rejected.len(), rejected[0].peer.as_str()), (1, "tor"), "{rejected:?}");
    assert!(sites.told(Code::PrefixRejected));

    bird.ask("disable behind");
    assert!(eventually(|| sites.through(Side::Right, "10.8.4.0/24").is_none()), "{}", sites.why());
    let gone = || !sites.kernel("left", "route show table 79001").contains("10.8.4.0/24");
    assert!(eventually(gone), "the kernel forgets it, too");
    bird.ask("enable behind");
    assert!(sites.crosses(), "{}", sites.why());

    bird.signal(Signal::SIGKILL);
    assert!(eventually(|| sites.through(Side::Right, "10.8.4.0/24").is_none()), "{}", sites.why());
    assert!(!sites.router().up && sites.told(Code::BgpUnreachable), "{}", sites.why());
}

#[test]
fn an_internal_session_with_bird_as_route_reflector_works_both_ways() {
    let sites = Sites::new(64_513, "");
    let internal = BIRD.replace("as 65100", "as 64513");
    let bird = Bird::start_at(&sites.pair, ROUTER, &internal.replace("SHIELD", "rr client;"));
    assert!(sites.goes_by_router(), "{}", sites.why());
    assert!(bird.comes_to_answer("show route all 10.2.0.0/16", "BGP.local_pref: 100"));
    assert!(sites.crosses(), "{}", sites.why());
    assert_eq!(sites.route(Side::Left, "10.8.4.0/24").unwrap().paths[0].as_path, "");
}

#[test]
fn frr_in_the_vpc_with_password_ttl_security_and_strict_roles() {
    let terms = "ttl_security = true\npassword_file = \"tor.password\"\nbgp_role = \"customer\"\n\
                 strict_role = true";
    let sites = Sites::new(65_100, terms);
    let frr = Frr::start(&sites.pair, ROUTER, FRR);
    let why = || format!("{}\n{}", frr.ask("show bgp neighbors"), sites.why());
    assert!(sites.goes_by_router(), "{}", why());
    assert!(frr.comes_to_answer("show bgp ipv4 unicast", "10.2.0.0/16"), "{}", why());
    let there = "10.2.0.0/16";
    assert!(eventually(|| sites.kernel(ROUTER, "route").contains(there)), "{}", why());
    assert!(sites.crosses(), "{}", why());
    assert!(frr.ask("show bgp neighbors").contains("Local Role: provider"), "{}", why());

    frr.configure(&["router bgp 65100", "neighbor 10.1.0.1 shutdown"]);
    assert!(eventually(|| sites.through(Side::Right, "10.8.4.0/24").is_none()), "{}", why());
    frr.configure(&["router bgp 65100", "no neighbor 10.1.0.1 shutdown"]);
    assert!(sites.crosses(), "{}", why());
}

#[test]
fn a_wrong_as_is_told_with_both_numbers() {
    let sites = Sites::new(65_101, "");
    let _bird = bird(&sites, "");
    assert!(eventually(|| sites.told(Code::BgpAsn)), "{}", sites.why());
    let trouble = sites.router().trouble.expect("a cause");
    let sides = (trouble.ours.as_deref(), trouble.theirs.as_deref());
    assert_eq!(sides, (Some("AS65101"), Some("AS65100")), "both numbers are told");
}

#[test]
fn a_wrong_password_lets_nobody_in_and_a_reload_brings_the_right_one() {
    let password = "password_file = \"tor.password\"";
    let sites = Sites::new(65_100, password);
    let _bird = bird(&sites, "password \"bad-fences\";");
    assert!(!eventually_soon(|| sites.router().up), "{}", sites.why());
    sites.pair.write("tor.password", "bad-fences\n");
    sites.left().reload(&Sites::text(&sites.pair, 65_100, password));
    assert!(sites.goes_by_router(), "the right password lets it in: {}", sites.why());
}

#[test]
fn nobody_else_reaches_the_port_of_bgp() {
    let sites = Sites::new(65_100, "");
    let _bird = bird(&sites, "");
    assert!(sites.goes_by_router(), "{}", sites.why());
    for (node, from, to) in [
        ("right-host", "10.2.0.10", "10.1.0.1"),
        ("middle", "10.79.1.1", "10.79.1.10"),
        ("middle", "10.79.1.1", "10.1.0.1"),
    ] {
        assert!(!connects(&sites.pair, node, from, to), "{node} connects to {to}");
    }
    assert!(!talks(&sites.pair, ROUTER, "10.8.4.1", "10.1.0.1"), "not a router's address");
    assert!(talks(&sites.pair, ROUTER, "10.1.0.10", "10.1.0.1"), "the router may");
}

const PROBE: &str = "import socket,sys
s=socket.socket(); s.settimeout(2); s.bind((sys.argv[1],0))
try:
    s.connect((sys.argv[2],179)); print('connected')
    print('talks' if s.recv(1) else 'closed')
except OSError as e: print(e)";

/// What becomes of a connection to port 179.
fn attempt(pair: &Pair, node: &str, from: &str, to: &str) -> String {
    let mut command = Command::new("python3");
    command.args(["-c", PROBE, from, to]);
    netns::place(&mut command, &pair.namespace(node)).unwrap();
    String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
}

fn connects(pair: &Pair, node: &str, from: &str, to: &str) -> bool {
    attempt(pair, node, from, to).contains("connected")
}

fn talks(pair: &Pair, node: &str, from: &str, to: &str) -> bool {
    attempt(pair, node, from, to).contains("talks")
}

/// Whether something happens within a few seconds.
fn eventually_soon(holds: impl Fn() -> bool) -> bool {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(4);
    while std::time::Instant::now() < end {
        if holds() {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    false
}
