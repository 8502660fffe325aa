//! BGP with BIRD inside a tunnel to strongSwan: nothing of ours at the other end.
//!
//! ```text
//!   left-host ── left ══════ ESP in UDP ══════ right ── right-host
//!                vpngwd                        charon, BIRD
//!                fd77::1 ─────── BGP ───────── fd77::2
//!                AS 64513                      AS 64514
//! ```
//!
//! IPv4 routes have IPv6 next hops here (RFC 8950), since the session has IPv6 addresses only.

use nix::sys::signal::Signal;
use vpngw::control::{BfdView, Code, PathState, Request, RouteView, RoutesView};
use vpngw::lab;
use vpngw::net::Prefix;
use vpngw::os::netlink::{InterfaceAddress, Netlink};

use crate::support::bird::Bird;
use crate::support::charon::{Charon, Connection};
use crate::support::eventually;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config, write_keys};

/// BIRD announces its site, and a prefix that our configuration does not let it.
const BIRD: &str = r#"
log stderr all;
debug protocols { states, events };
router id 10.2.0.1;
protocol device { scan time 1; }
protocol static tunnel { ipv6; route fd77::1/128 via "ipsec0"; }
protocol static site4 { ipv4; route 10.2.0.0/16 blackhole; route 10.99.0.0/16 blackhole; }
protocol static site6 { ipv6; route fd00:2::/48 blackhole; }
protocol bgp vpngw {
    local fd77::2 as 64514;
    neighbor fd77::1 as 64513;
    multihop 2;
    hold time 9;
    connect delay time 1;
    error wait time 1, 4;
    ipv4 {
        import all;
        export where source = RTS_STATIC;
        extended next hop on;
        next hop self;
    };
    ipv6 {
        import all;
        export where proto = "site6";
        next hop self;
    };
}
"#;

/// BFD of one hop (RFC 5881) at the pace that is our default.
const BFD: &str = r#"
protocol bfd {
    interface "*" { interval 50 ms; multiplier 3; };
    neighbor fd77::1 dev "ipsec0" local fd77::2;
}
"#;

const INSIDE: &str = "inside_local = \"fd77::1\"\ninside_remote = \"fd77::2\"";

struct Sites {
    pair: Pair,
    ours: Gateway,
    theirs: Charon,
    bird: Bird,
}

impl Sites {
    fn new() -> Self {
        Sites::with(BIRD)
    }

    fn with(bird: &str) -> Self {
        let pair = Pair::new();
        write_keys(&pair);
        add_address(&pair, "lo", "fd77::2/128");
        let connection =
            Connection { more_selectors: [", fd77::2/128", ", fd77::1/128"], ..Default::default() };
        let theirs = Charon::start(&pair, Side::Right, &connection);
        let bird = Bird::start(&pair, Side::Right, bird);
        let text = config(&pair, Side::Left, Auth::Psk, &bgp(Side::Left), INSIDE);
        let ours = Gateway::start(&pair, Side::Left, &text);
        assert!(theirs.comes_up(), "{}\n{}", theirs.sas(), ours.log());
        Sites { pair, ours, theirs, bird }
    }

    fn routes(&self) -> RoutesView {
        self.ours.ask(&Request::Routes)
    }

    fn route(&self, prefix: &str) -> Option<RouteView> {
        let prefix: Prefix = prefix.parse().unwrap();
        let routes = self.routes().vpcs.into_iter().flat_map(|vpc| vpc.routes);
        routes.into_iter().find(|route| route.prefix == prefix)
    }

    fn bfd(&self) -> Option<BfdView> {
        self.ours.peer().summary.bfd
    }

    fn comes_to_say(&self, path: PathState) -> bool {
        eventually(|| self.bfd().is_some_and(|bfd| bfd.path == path))
    }

    fn is_routed(&self, prefix: &str) -> bool {
        self.route(prefix).is_some_and(|route| route.active.as_deref() == Some("right"))
    }

    fn why(&self) -> String {
        let bird = self.bird.ask("show protocols all vpngw");
        format!("{:#?}\n{bird}\n{}", self.routes(), self.theirs.sas())
    }
}

#[test]
fn routes_of_both_families_are_exchanged_with_bird_through_strongswan() {
    let sites = Sites::new();
    for prefix in ["10.2.0.0/16", "fd00:2::/48"] {
        assert!(eventually(|| sites.is_routed(prefix)), "{prefix}: {}", sites.why());
        assert_eq!(sites.route(prefix).unwrap().paths[0].as_path, "64514");
    }
    for prefix in ["10.1.0.0/16", "fd00:1::/48"] {
        let request = format!("show route all {prefix}");
        assert!(sites.bird.comes_to_answer(&request, "BGP.as_path: 64513"), "{}", sites.why());
        assert!(sites.bird.ask(&request).contains("BGP.next_hop: fd77::1"), "{}", sites.why());
    }
    assert!(sites.pair.comes_to_work(), "{}", sites.why());

    let rejected: Vec<String> =
        sites.routes().vpcs[0].rejected.iter().map(|route| route.prefix.to_string()).collect();
    assert_eq!(rejected, ["10.99.0.0/16"], "what BIRD may not announce is shown, not used");
}

#[test]
fn what_bird_withdraws_is_no_longer_reached_and_comes_back() {
    let sites = Sites::new();
    assert!(sites.pair.comes_to_work(), "{}", sites.why());
    sites.bird.ask("disable site4");
    assert!(eventually(|| !sites.is_routed("10.2.0.0/16")), "{}", sites.why());
    assert!(!sites.pair.journey(Side::Left, 0).succeeds(), "no route, no packet");
    assert!(sites.pair.journey(Side::Left, 1).succeeds(), "IPv6 is as before");
    sites.bird.ask("enable site4");
    assert!(sites.pair.comes_to_work(), "{}", sites.why());

    sites.bird.ask("restart vpngw");
    assert!(eventually(|| !sites.is_routed("fd00:2::/48")), "{}", sites.why());
    assert!(sites.pair.comes_to_work(), "{}", sites.why());

    sites.ours.stop();
    let gone = || !sites.bird.ask("show route").contains("10.1.0.0/16");
    assert!(eventually(gone), "{}", sites.bird.ask("show route"));
}

fn add_address(pair: &Pair, interface: &str, address: &str) {
    let namespace = pair.namespace(Side::Right.name());
    let address: InterfaceAddress = address.parse().unwrap();
    let add = async { Netlink::open(Some(&namespace))?.add_address(interface, address).await };
    lab::wait_for(add).unwrap();
}

/// A frozen BIRD is like a path that carries nothing; its IKE daemon goes on answering.
#[test]
fn bfd_with_bird_through_strongswan_notices_that_nothing_comes() {
    let sites = Sites::with(&format!("{BIRD}{BFD}"));
    // BIRD's BFD of one hop wants the peer in a network of the interface.
    add_address(&sites.pair, "ipsec0", "fd77::2/64");
    let why = || format!("{:#?}\n{}", sites.bfd(), sites.bird.ask("show bfd sessions"));
    assert!(sites.comes_to_say(PathState::Works), "{}\n{}", why(), sites.ours.log());
    assert!(sites.bird.comes_to_answer("show bfd sessions", "Up"), "{}", why());
    let agreed = || {
        let bfd = sites.bfd().map(|bfd| (bfd.interval_us, bfd.detection_time_us));
        bfd == Some((50_000, 150_000))
    };
    assert!(eventually(agreed), "{}", why());

    sites.bird.signal(Signal::SIGSTOP);
    assert!(sites.comes_to_say(PathState::Lost));
    let bfd = sites.bfd().expect("there is a session");
    assert_eq!(bfd.why.as_deref(), Some("nothing comes from the peer"));
    sites.bird.signal(Signal::SIGCONT);
    assert!(sites.comes_to_say(PathState::Works), "{}", why());
    assert!(sites.pair.comes_to_work(), "{}", sites.why());
}

/// BIRD that says it goes on forwarding while it restarts, takes long messages, and marks its routes.
fn graceful() -> String {
    BIRD.replace(
        "    hold time 9;\n",
        "    hold time 9;\n    graceful restart on;\n    enable extended messages on;\n",
    )
    .replace(
        "export where source = RTS_STATIC;",
        "export filter { bgp_community.add((64514, 20)); bgp_large_community.add((64514, 1, 2)); \
             if source = RTS_STATIC then accept; reject; };",
    )
}

#[test]
fn bird_restarts_and_its_routes_hold_on_meanwhile() {
    let mut sites = Sites::with(&graceful());
    assert!(eventually(|| sites.is_routed("10.2.0.0/16")), "{}", sites.why());
    assert!(sites.pair.comes_to_work(), "{}", sites.why());
    let can = sites.ours.peer().bgp.map(|bgp| bgp.peer_can.join(", ")).unwrap_or_default();
    for word in ["enhanced route refresh", "extended messages", "graceful restart (120 s)"] {
        assert!(can.contains(word), "{word} is not in {can}");
    }
    let theirs = sites.bird.ask("show protocols all vpngw");
    assert!(theirs.contains("Extended message") && theirs.contains("Graceful restart"), "{theirs}");

    sites.bird.signal(Signal::SIGKILL);
    let state = || sites.ours.peer().bgp.map(|bgp| (bgp.state, bgp.prefixes_stale));
    let waits = || state().is_some_and(|(state, stale)| state != "Established" && stale == 2);
    assert!(eventually(waits), "{:?}", state());
    assert!(sites.is_routed("10.2.0.0/16"), "{}", sites.why());
    for family in [0, 1] {
        assert!(sites.pair.journey(Side::Left, family).succeeds(), "packets still pass");
    }
    let bird = Bird::start_again(&sites.pair, Side::Right, &graceful());
    sites.bird = bird;
    let fresh = || {
        let bgp = sites.ours.peer().bgp.map(|bgp| (bgp.state, bgp.prefixes_stale));
        bgp == Some(("Established".to_owned(), 0))
    };
    assert!(eventually(fresh), "{}", sites.why());
    assert!(sites.is_routed("10.2.0.0/16") && sites.is_routed("fd00:2::/48"), "{}", sites.why());
    assert!(sites.ours.log().matches("BGP session up").count() >= 2);
    assert!(!sites.ours.log().contains("route-lost"), "{}", sites.ours.log());

    // A refresh of BIRD's that leaves a route out: between its marks it is not told again.
    sites.bird.ask("reload out vpngw");
    sites.bird.ask("reload in vpngw");
    let has_ours = || sites.bird.ask("show route 10.1.0.0/16").contains("10.1.0.0/16");
    assert!(eventually(has_ours), "{}", sites.bird.ask("show route"));
    assert!(sites.is_routed("10.2.0.0/16"));
}

#[test]
fn rules_and_marks_are_understood_by_bird_and_by_us() {
    let sites = Sites::with(&graceful());
    assert!(eventually(|| sites.is_routed("10.2.0.0/16")), "{}", sites.why());
    let rules = r#"
import = [
    { prefixes = ["fd00:2::/48"], reject = true },
    { community = "64514:20", local_preference = 150 },
]
announce = [
    { prefixes = ["fd00:1::/48"], reject = true },
    { add = ["64513:7", "64513:8:9", "no-export"], med = 50, prepend = 2 },
]"#;
    let text =
        config(&sites.pair, Side::Left, Auth::Psk, &bgp(Side::Left), &format!("{INSIDE}\n{rules}"));
    sites.ours.reload(&text);
    let preferred = || {
        let route = sites.route("10.2.0.0/16");
        route.is_some_and(|route| route.paths.iter().any(|path| path.local_preference == 150))
    };
    assert!(eventually(preferred), "{}", sites.why());
    assert!(!sites.is_routed("fd00:2::/48"), "{}", sites.why());
    let request = "show route all 10.1.0.0/16";
    for words in [
        "BGP.as_path: 64513 64513 64513",
        "BGP.med: 50",
        "BGP.community: (64513,7) (65535,65281)",
        "BGP.large_community: (64513, 8, 9)",
    ] {
        assert!(sites.bird.comes_to_answer(request, words), "{words}: {}", sites.bird.ask(request));
    }
    let withdrawn = || !sites.bird.ask("show route").contains("fd00:1::/48");
    assert!(eventually(withdrawn), "{}", sites.bird.ask("show route"));

    let text = config(&sites.pair, Side::Left, Auth::Psk, &bgp(Side::Left), INSIDE);
    sites.ours.reload(&text);
    assert!(eventually(|| sites.is_routed("fd00:2::/48")), "{}", sites.why());
    assert!(sites.pair.comes_to_work(), "{}", sites.why());
    sites.bird.ask("reload in vpngw");
}

#[test]
fn roles_are_agreed_on_with_bird_and_one_that_does_not_fit_is_told() {
    let bird = BIRD.replace("    hold time 9;\n", "    hold time 9;\n    local role peer;\n");
    let sites = Sites::with(&bird);
    assert!(eventually(|| sites.is_routed("10.2.0.0/16")), "{}", sites.why());
    let text = |role: &str| {
        let more = format!("{INSIDE}\nbgp_role = \"{role}\"");
        config(&sites.pair, Side::Left, Auth::Psk, &bgp(Side::Left), &more)
    };
    sites.ours.reload(&text("customer"));
    let told = || {
        let failure = sites.ours.peer().summary.last_failure;
        failure.is_some_and(|failure| failure.code == Code::BgpRole)
    };
    assert!(eventually(told), "{:?}", sites.ours.peer().summary.last_failure);
    assert!(!sites.is_routed("10.2.0.0/16"));

    sites.ours.reload(&text("peer"));
    assert!(eventually(|| sites.is_routed("10.2.0.0/16")), "{}", sites.why());
    let request = "show route all 10.1.0.0/16";
    assert!(sites.bird.comes_to_answer(request, "BGP.otc: 64513"), "{}", sites.bird.ask(request));
    assert!(sites.bird.ask("show protocols all vpngw").contains("Role: peer"), "{}", sites.why());
    assert!(sites.pair.comes_to_work(), "{}", sites.why());
}
