use super::super::args::{Choice, Order};
use super::super::look::Look;
use super::super::look::tests::{PLAIN, TABLE};
use super::*;
use crate::control::{
    BfdView, CertificateView, ChildSaState, Code, FailureView, Family, GatewayView, PathState,
    PathView, PeerState, PeerView, PeersView, PlaceView, RefusalView, RejectedRouteView, RouteView,
    RoutesView, SasView, ShareView, StatsView, TroubleView, TunnelSas, VirtualRouterState,
    VirtualRouterView, VpcRoutes, VrrpView, tests::peer as a_peer,
};
use crate::net::Asn;
use std::collections::BTreeMap;
use std::num::NonZeroU64;

fn gateway() -> GatewayView {
    GatewayView {
        name: "east-a".to_owned(),
        region: "cn-east".to_owned(),
        zone: "a".to_owned(),
        version: "0.1.0".to_owned(),
        identity: "east-a".to_owned(),
        asn: Some(Asn(4_200_000_001)),
        router_id: [10, 79, 1, 10].into(),
        up_for_ms: 90_500,
        drain: None,
    }
}

/// All peers of a view.
fn peers(view: &PeersView, look: Look) -> String {
    super::peers(view, &Choice::default(), look)
}

fn peers_view() -> PeersView {
    let up = a_peer().summary;
    let mut lost = up.clone();
    lost.name = "north-b".to_owned();
    lost.state = PeerState::Unreachable;
    lost.verdict = Verdict::Unreachable;
    lost.state_for_ms = 812;
    lost.prefixes_rejected = 0;
    lost.prefixes_active = 0;
    lost.last_failure = Some(FailureView {
        code: Code::PeerSilent,
        reason: "the peer does not answer".to_owned(),
        remedy: Some("do UDP ports 500 and 4500 pass?".to_owned()),
        ago_ms: 812,
        ..FailureView::default()
    });
    lost.bfd = lost.bfd.map(|bfd| BfdView { path: PathState::Lost, ..bfd });
    let mut waiting = lost.clone();
    waiting.bfd = None;
    waiting.name = "branch".to_owned();
    waiting.state = PeerState::Connecting;
    waiting.verdict = Verdict::Connecting;
    (waiting.remote, waiting.esp_suite, waiting.rtt_us) = (None, None, None);
    (waiting.received, waiting.sent) = Default::default();
    waiting.last_failure = None;
    PeersView { gateway: gateway(), peers: vec![up, lost, waiting] }
}

#[test]
fn peers_are_a_table_on_a_terminal() {
    let expected = "\
east-a  cn-east, zone a, AS4200000001, running for 1m30s  1 of 3 up; first branch: connecting for 812ms
PEER     REMOTE           STATE        SINCE  SUITE              RTT    BFD   RECEIVING  SENDING       PREFIXES  IN USE
north-a  10.79.2.10:4500  up, rejects  1m01s  aes256gcm16-esn  1.5ms  150ms  2.5 Mbit/s  0 bit/s  2, 1 rejected       2
  some announcements are rejected: vpnctl routes says which and why
north-b  10.79.2.10:4500  unreachable  812ms  aes256gcm16-esn  1.5ms   lost  2.5 Mbit/s  0 bit/s              2       0
  the peer does not answer (812ms ago)
  → do UDP ports 500 and 4500 pass?
branch   any              connecting   812ms  -                    -      -     0 bit/s  0 bit/s              2       0";
    assert_eq!(peers(&peers_view(), TABLE), expected);
}

#[test]
fn weak_algorithms_are_warned_of_for_as_long_as_they_are_allowed() {
    let mut view = peers_view();
    let suites = || vec!["aes256-sha1-modp1024".to_owned(), "aes256-sha1".to_owned()];
    view.peers[2].weak_suites = suites();
    let shown = peers(&view, TABLE);
    let warning =
        "warning: may use weak algorithms (allow_weak): aes256-sha1-modp1024, aes256-sha1";
    assert!(shown.ends_with(&format!("\n  {warning}")), "{shown}");
    assert!(!peers(&view, PLAIN).contains("warning"), "columns for programs stay columns");
    let mut one = a_peer();
    one.summary.weak_suites = suites();
    let expected = "warning      may use weak algorithms (allow_weak): aes256-sha1-modp1024";
    assert!(peer(&one, TABLE).contains(expected), "{}", peer(&one, TABLE));
}

/// A peer one of whose prefixes the host refuses to route.
fn refused_peer() -> PeerView {
    let mut view = a_peer();
    let refusal = RefusalView {
        what: "route to 10.2.0.0/16".to_owned(),
        reason: "Cannot allocate memory (os error 12)".to_owned(),
        times: 3,
    };
    (view.summary.prefixes_active, view.summary.prefixes_refused) = (1, 1);
    view.summary.refusal = Some(refusal.clone());
    view.refusals = vec![refusal];
    view
}

#[test]
fn what_the_host_refuses_stands_beside_what_is_in_use() {
    let view = refused_peer();
    let page = peer(&view, TABLE);
    for line in [
        "  prefixes     2 accepted, 1 rejected, 1 in use, 1 refused by the host; local preference 200, weight 2; shared with north-b",
        "  refused      by the host, 3 times: route to 10.2.0.0/16: Cannot allocate memory (os error 12)",
    ] {
        assert!(page.lines().any(|have| have == line), "{page}");
    }
    let table = peers(&PeersView { gateway: gateway(), peers: vec![view.summary] }, TABLE);
    let why = "1, 1 refused\n  the host refuses the route to 10.2.0.0/16: Cannot allocate memory (os error 12)\n";
    assert!(table.contains(why), "{table}");
}

#[test]
fn certificates_say_whose_they_are_and_how_long() {
    let certificate = |name: &str, expires_in_s| CertificateView {
        certificate: format!("CN={name} (serial 4B:02)"),
        authority: "CN=shop CA".to_owned(),
        expires: "2027-01-01T00:00:00Z".to_owned(),
        expires_unix_s: 1_798_761_600,
        expires_in_s,
        stale_crl: (expires_in_s < 0).then(|| "CN=shop CA".to_owned()),
    };
    let mut view = a_peer();
    view.certificates.own = Some(certificate("east-a", 2 * 24 * 3600));
    view.certificates.peer = Some(certificate("north-a", -3600));
    let page = peer(&view, TABLE);
    for line in [
        "  certificate  our own: CN=east-a (serial 4B:02), by CN=shop CA, until 2027-01-01T00:00:00Z, for 2d00h",
        "  certificate  peer's: CN=north-a (serial 4B:02), by CN=shop CA, EXPIRED 1h00m ago, on \
         2027-01-01T00:00:00Z; the revocation list of CN=shop CA is old: put a newer one into `crl`",
    ] {
        assert!(page.lines().any(|have| have == line), "{page}");
    }
}

#[test]
fn stats_count_what_the_host_does() {
    let view = StatsView {
        gateway: "east-a".to_owned(),
        host: BTreeMap::from([("put_back".to_owned(), 1), ("refused".to_owned(), 4)]),
        host_refuses: 2,
        ..StatsView::default()
    };
    let expected = "\
east-a
COUNTER  WHAT         COUNT
host     put_back         1
host     refused          4
host     refused_now      2";
    assert_eq!(stats(&view, TABLE), expected);
    let quiet = StatsView { host_refuses: 0, ..view };
    assert!(!stats(&quiet, TABLE).contains("refused_now"));
}

#[test]
fn peers_are_separated_by_tabs_in_a_pipe() {
    let text = peers(&peers_view(), PLAIN);
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{text}");
    assert_eq!(rows[0][..4], ["GATEWAY", "PEER", "VPC", "REMOTE"]);
    assert_eq!(rows[1][..5], ["east-a", "north-a", "shop", "10.79.2.10:4500", "up, rejects"]);
    assert_eq!(peers(&peers_view(), PLAIN.without_headings()).lines().count(), 3);
}

#[test]
fn colours_change_no_letter() {
    let coloured = peers(&peers_view(), Look { colours: true, ..TABLE });
    assert_ne!(coloured, peers(&peers_view(), TABLE));
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let stripped = anstream::adapter::strip_str(&coloured).to_string();
    assert_eq!(words(&stripped), words(&peers(&peers_view(), TABLE)));
}

#[test]
fn peers_can_be_chosen_and_sorted() {
    let names = |choice: Choice| {
        let text = super::peers(&peers_view(), &choice, PLAIN.without_headings());
        let names = text.lines().map(|line| line.split('\t').nth(1).unwrap_or_default().to_owned());
        names.collect::<Vec<_>>()
    };
    let sorted = |sort| names(Choice { sort, ..Choice::default() });
    assert_eq!(sorted(Order::Name), ["north-a", "north-b", "branch"]);
    assert_eq!(sorted(Order::State), ["branch", "north-b", "north-a"]);
    assert_eq!(sorted(Order::Traffic), ["north-a", "north-b", "branch"]);
    assert_eq!(names(Choice { down: true, ..Choice::default() }), ["north-b", "branch"]);
    let vpc = Some("other".to_owned());
    assert_eq!(names(Choice { vpc, ..Choice::default() }), Vec::<String>::new());
    assert!(!are_well(&peers_view()));
}

#[test]
fn peers_fit_any_terminal() {
    for width in [60, 80, 120] {
        let text = peers(&peers_view(), Look { width, ..TABLE });
        for line in text.lines().skip(1) {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
        for word in ["north-a", "unreachable", "STATE", "the peer does not answer"] {
            assert!(text.contains(word), "{width}: {text}");
        }
    }
}

#[test]
fn no_peers_is_a_sentence() {
    let view = PeersView { gateway: gateway(), peers: vec![] };
    assert!(peers(&view, TABLE).ends_with("\nno peers are configured"));
}

#[test]
fn a_peer_in_depth_is_a_page() {
    let expected = "\
east-a → north-a is up, rejects for 1m01s, VPC shop
  remote       10.79.2.10:4500 as north-a, by public key
  local        10.79.1.10:4500 as east-a
  carried      in TCP: UDP has not been answered for 1m30s
  liveness     round trip 1.5ms; heard 120ms ago; probed every 1s, unreachable after 1.5s, given up after 30s
  BFD          the path works; Up for 1m01s; the peer's is Up; a packet every 50.0ms, lost after 150ms; round trip 1.4ms
  ESP          passes both ways
  received     1.0 kB in 10 packets, now 2.5 Mbit/s
  sent         2.0 MB in 20 packets, now 0 bit/s
  MTU          1438 bytes inside the tunnel; the path carries 1500, as probed
  IKE SA       0102030405060708_i 1112131415161718_r, aes256gcm16-prfsha384-curve25519, we are initiator, no NAT, age 1m01s, rekeyed in 3h20m
  Child SA     c0000001_in c0000002_out, aes256gcm16-esn, active, age 1m01s, rekeyed in 50m00s
  carries      0 bit/s in, 0 bit/s out; 1.0 kB in, 2.0 kB out so far
  selectors    0.0.0.0/0 ::/0 ↔ 0.0.0.0/0
  replay       window of 8192 packets: 3 lost, 2 late, 1 replayed
  key exchange curve25519+mlkem768, post-quantum, with a pre-shared key in use (ppk_file), too; all of IKE_SA_INIT authenticated
  BGP          Established for 1m00s with AS4200000002, fd76:706e:6777::1 → fd76:706e:6777::2, hold time 9s, 2 prefixes announced
  prefixes     2 accepted, 1 rejected, 2 in use; local preference 200, weight 2; shared with north-b
  discarded    4 × not authentic
  last failure 1h01m ago: no answer [no-answer]
  next         in 300ms: liveness probe
  event        1m00s ago: BGP session up";
    assert_eq!(peer(&a_peer(), TABLE), expected);
    let plain = peer(&a_peer(), PLAIN);
    assert!(
        plain.starts_with(
            "gateway\teast-a\npeer\tnorth-a\nVPC\tshop\nstate\tup, rejects for 1m01s\n"
        )
    );
    assert!(plain.lines().all(|line| line.matches('\t').count() == 1), "{plain}");
}

#[test]
fn a_peer_says_what_came_of_the_wish_that_packets_share_datagrams() {
    let mut view = a_peer();
    assert!(!peer(&view, TABLE).contains("AGGFRAG"));
    view.aggfrag = true;
    assert!(peer(&view, TABLE).contains("AGGFRAG      the peer has not agreed"), "{view:?}");
    view.child_sas[0].aggfrag = true;
    assert!(peer(&view, TABLE).contains("AGGFRAG      small packets share datagrams"), "{view:?}");
    view.constant_rate = NonZeroU64::new(20_000_000);
    assert!(peer(&view, TABLE).contains("AGGFRAG      datagrams leave at 20 Mbit/s"), "{view:?}");
}

#[test]
fn a_peer_says_what_it_is_sent_at_most_and_what_that_has_cost() {
    let mut view = crate::control::tests::peer();
    assert!(!peer(&view, TABLE).contains("rate limit"));
    view.rate_limit = NonZeroU64::new(200_000_000);
    let said = |view: &PeerView| {
        peer(view, TABLE).lines().find(|l| l.contains("rate limit")).map(str::to_owned)
    };
    assert!(
        said(&view)
            .unwrap()
            .ends_with("200 Mbit/s to the peer, 0 packets dropped so that flows slow down")
    );
    view.discards.insert("rate_limit".to_owned(), 1);
    assert!(said(&view).unwrap().contains("1 packet dropped"));
}

#[test]
fn a_peer_without_any_sa_is_a_page_too() {
    let mut view = a_peer();
    view.summary.state = PeerState::Down;
    (view.ike_sa, view.bgp, view.local, view.summary.remote) = (None, None, None, None);
    view.liveness.heard_ago_ms = None;
    view.child_sas.clear();
    let page = peer(&view, TABLE);
    assert!(page.contains("IKE SA       none"), "{page}");
    assert!(page.contains("never heard"), "{page}");
}

fn routes_view() -> RoutesView {
    let path = |peer: &str, usable, local_preference| PathView {
        peer: peer.to_owned(),
        usable,
        local_preference,
        as_path: "4200000002".to_owned(),
    };
    let route = |prefix: &str, local, active: Option<&str>, reason: &str, paths| RouteView {
        next_hop: None,
        prefix: prefix.parse().unwrap(),
        local,
        active: active.map(str::to_owned),
        shared: vec![],
        reason: reason.to_owned(),
        paths,
    };
    let both = vec![path("north-a", true, 200), path("north-b", true, 100)];
    let neither = vec![path("south-a", false, 200)];
    RoutesView {
        gateway: "east-a".to_owned(),
        vpcs: vec![VpcRoutes {
            vpc: "shop".to_owned(),
            routes: vec![
                route("10.1.0.0/16", true, None, "our own", vec![]),
                route("10.2.0.0/16", false, Some("north-a"), "higher local preference", both),
                route("10.3.0.0/16", false, None, "no tunnel is up", neither),
            ],
            rejected: vec![RejectedRouteView {
                prefix: "10.1.7.0/24".parse().unwrap(),
                peer: "north-b".to_owned(),
                reason: "not in its accept list".to_owned(),
            }],
        }],
    }
}

#[test]
fn routes_say_why() {
    let expected = "\
east-a
PREFIX       THROUGH   ALTERNATIVES  AS PATH     REASON
10.1.0.0/16  here      -             -           our own
10.2.0.0/16  north-a   north-b       4200000002  higher local preference
10.3.0.0/16  nobody    (south-a)     -           no tunnel is up
10.1.7.0/24  rejected  (north-b)     -           not in its accept list";
    assert_eq!(routes(&routes_view(), TABLE), expected);
    assert_eq!(routes(&routes_view(), PLAIN).lines().count(), 5);
}

#[test]
fn routes_that_several_share_name_all_of_them() {
    let mut view = routes_view();
    let share = |peer: &str, percent| ShareView { peer: peer.to_owned(), percent };
    view.vpcs[0].routes[1].shared = vec![share("north-a", 66.5), share("north-b", 33.5)];
    let lines = routes(&view, PLAIN);
    let line = lines.lines().find(|line| line.contains("10.2.0.0/16")).unwrap();
    assert!(line.contains("\tnorth-a 66 %, north-b 34 %\t-\t"), "{line}");
}

#[test]
fn sas_have_a_line_each() {
    let view = a_peer();
    let mut older = view.child_sas[0].clone();
    older.state = ChildSaState::Receiving;
    let tunnel = TunnelSas {
        peer: "north-a".to_owned(),
        vpc: "shop".to_owned(),
        ike_sa: view.ike_sa,
        child_sas: vec![view.child_sas[0].clone(), older],
    };
    let view = SasView { gateway: "east-a".to_owned(), tunnels: vec![tunnel] };
    let expected = "\
east-a
PEER     SA     SPI                                    SUITE                             STATE        AGE  REKEYED IN  RECEIVED    SENT  RECEIVING  SENDING
north-a  IKE    0102030405060708_i 1112131415161718_r  aes256gcm16-prfsha384-curve25519  initiator  1m01s       3h20m         -       -          -        -
north-a  Child  c0000001_in c0000002_out               aes256gcm16-esn                   active     1m01s      50m00s    1.0 kB  2.0 kB    0 bit/s  0 bit/s
north-a  Child  c0000001_in c0000002_out               aes256gcm16-esn                   receiving  1m01s      50m00s    1.0 kB  2.0 kB    0 bit/s  0 bit/s";
    assert_eq!(sas(&view, TABLE), expected);
}

#[test]
fn virtual_routers_stand_in_order() {
    let router = |family, state, active_router: Option<&str>| VirtualRouterView {
        vpc: "shop".to_owned(),
        interface: "vpc0".to_owned(),
        vrid: 1,
        family,
        state,
        state_for_ms: 4200,
        priority: 100,
        addresses: vec!["10.1.1.1".parse().unwrap()],
        active_router: active_router.map(|address| address.parse().unwrap()),
        discards: BTreeMap::new(),
        last_trouble: None,
    };
    let view = VrrpView {
        gateway: "east-b".to_owned(),
        routers: vec![
            router(Family::Ipv6, VirtualRouterState::Active, None),
            router(Family::Ipv4, VirtualRouterState::Backup, Some("10.1.1.2")),
        ],
    };
    let expected = "\
east-b
VPC   INTERFACE  VRID  FAMILY  STATE   SINCE  PRIORITY  ADDRESSES  ACTIVE ROUTER
shop  vpc0          1  IPv4    backup     4s       100  10.1.1.1   10.1.1.2
shop  vpc0          1  IPv6    active     4s       100  10.1.1.1   this gateway";
    assert_eq!(vrrp(&view, TABLE), expected);
    let mut troubled = view;
    troubled.routers[1].discards = BTreeMap::from([("version".to_owned(), 7)]);
    troubled.routers[1].last_trouble =
        Some(TroubleView { what: "10.1.1.9 speaks VRRP version 2".to_owned(), ago_ms: 3100 });
    let sentence = "VRID 1 IPv4 on vpc0: 10.1.1.9 speaks VRRP version 2 (7 times, last 3s ago)";
    assert_eq!(vrrp(&troubled, TABLE), format!("{expected}\n{sentence}"));
    assert!(!vrrp(&troubled, PLAIN).contains("speaks"), "one line a router for scripts");
}

#[test]
fn mappings_are_shown_with_what_was_dropped() {
    let view = crate::control::tests::nat();
    let text = nat(&view, PLAIN);
    for expected in ["203.0.113.18", "tcp/80", "10.1.1.10:8080", "1024-32767", "in, out"] {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
    let mut waiting = view.clone();
    waiting.vpcs[0].serving = false;
    let aligned = nat(&waiting, TABLE);
    assert!(aligned.contains("red: another gateway translates; this one waits"), "{aligned}");
    assert!(aligned.contains("red: 10 packets from the underlay had a source"), "{aligned}");
    assert!(is_translated(&view));
}

#[test]
fn vpcs_show_their_segments_and_who_was_not_heard() {
    let mut view = crate::control::tests::vpcs();
    assert!(!are_served(&view), "a router is away");
    view.vpcs[1].routers.clear();
    assert!(are_served(&view));
    let plain = vpcs(&view, PLAIN);
    let lines: Vec<&str> = plain.lines().collect();
    assert_eq!(
        lines[0],
        "GATEWAY\tVPC\tNETNS\tDEVICE\tMTU\tPREFIXES\tINTERFACE\tROUTERS\tVNI\tLOCAL\tVTEPS\tHEARD\tMACS\tREFUSED\tKNOWN AS"
    );
    assert_eq!(
        lines[1],
        "east-a\tred\tred\tvpn-red\t1438\t10.1.0.0/16\tvx-red\t-\t100\t10.9.1.2\t2\t1\t1\t4\t\
         100.64.0.0/16 (north-a north-b)"
    );
    assert!(lines[2].starts_with("east-a\tshop\t-\tvpn-shop\t1438"), "{plain}");
    let table = vpcs(&view, TABLE);
    assert!(table.contains("red: nothing came from 10.9.1.3 yet"), "{table}");
    assert!(table.contains("9 packets with no VNI of ours were dropped"), "{table}");
    let mut refused = view.clone();
    refused.vpcs[0].refusals.push(RefusalView {
        what: "VXLAN vx-red with VNI 100".to_owned(),
        reason: "nft is not installed".to_owned(),
        times: 3,
    });
    assert!(!are_served(&refused));
    let table = vpcs(&refused, TABLE);
    let said = "red: the host refuses the VXLAN vx-red with VNI 100: nft is not installed";
    assert!(table.contains(said), "{table}");
}

#[test]
fn routers_of_vpcs_show_their_sessions_and_what_is_wrong() {
    let view = crate::control::tests::vpcs();
    let plain = vpcs(&view, PLAIN);
    assert!(plain.lines().any(|line| line.contains("\tvpc0\t0 of 1 up\t")), "{plain}");
    let table = vpcs(&view, TABLE);
    let said = "shop: router tor-1 at 10.1.0.1, AS65010: Connect for 1m01s, 0 prefixes in use, 0 told, \
                2 rejected: vpnctl routes\n  BGP session down: TCP connection closed\n  → does tor-1 speak \
                BGP at 10.1.0.1?";
    assert!(table.contains(said), "{table}");
}

#[test]
fn why_no_address_of_a_peer_is_measured_is_said() {
    let address = |last: u8| PlaceView {
        address: [192, 0, 2, last].into(),
        local: Some([192, 0, 2, 1].into()),
        in_use: last == 11,
        mean_rtt_us: None,
        jitter_us: None,
        asked: 0,
        lost: 0,
    };
    let mut view = a_peer();
    (view.summary.state_for_ms, view.summary.in_tcp) = (60_000, false);
    let says = |view: &PeerView, what: &str| peer(view, PLAIN).contains(what);
    let begun = "the peer has begun the IKE SA";
    assert!(!says(&view, begun), "it has one address");
    view.places = [11, 12].map(address).into();
    assert!(says(&view, begun));
    view.summary.in_tcp = true;
    assert!(says(&view, "nothing, in TCP"));
    view.places[1].asked = 1;
    assert!(!says(&view, "nothing, in TCP"));
}
