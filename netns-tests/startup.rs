//! A daemon that cannot start says why in one sentence, and leaves nothing behind.
//!
//! ```text
//!   left-host ── left ── middle ── right ── right-host        only left is started
//! ```

use std::net::UdpSocket;
use std::process::{Command, Output};

use vpngw::lab;
use vpngw::lab::traffic::Journey;
use vpngw::os::capture::Capture;
use vpngw::os::netlink::{Netlink, Route, Rule, Via};
use vpngw::os::netns;

use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{self, Auth, Gateway, bgp, config, write_keys};
use crate::support::{charon, wire};

fn prepared() -> (Pair, String) {
    let pair = Pair::new();
    write_keys(&pair);
    let text = config(&pair, Side::Left, Auth::Psk, &bgp(Side::Left), "");
    (pair, text)
}

/// Devices, and how many addresses and routes of ours there are in the namespace of left.
/// Routes to nowhere and policy rules do not count: a stopped gateway goes on guarding the
/// prefixes that it would have carried.
fn traces(pair: &Pair) -> (Vec<String>, usize) {
    let namespace = pair.namespace("left");
    lab::wait_for(async {
        let netlink = Netlink::open(Some(&namespace))?;
        let links: Vec<String> = netlink.links().await?.into_iter().map(|l| l.name).collect();
        let routes = netlink.our_routes().await?;
        let leads_nowhere = |via: &Via| matches!(via, Via::Unreachable | Via::Blackhole);
        let mut ours = routes.iter().filter(|route| !leads_nowhere(&route.via)).count();
        for link in &links {
            ours += netlink.our_addresses(link).await?.len();
        }
        Ok((links, ours))
    })
    .unwrap()
}

fn assert_no_traces(pair: &Pair) {
    let (links, ours) = traces(pair);
    assert_eq!(links, ["lo", "wan0", "lan0"]);
    assert_eq!(ours, 0, "addresses or routes of ours");
    assert!(!pair.path("left.sock").exists(), "the control socket stays behind");
}

/// One sentence on standard error, and an exit code of its own.
fn assert_refused(output: &Output, code: i32, words: &[&str]) {
    let said = charon::text(output);
    println!("    exit code {:?}: {}", output.status.code(), said.trim());
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "'{word}' is missing in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_bad_configuration_is_shown_with_its_line() {
    let (pair, text) = prepared();
    let bad = text.replace("remote_asn", "remote_as");
    let output = vpngwd::run_to_end(&pair, Side::Left, &bad, &[]);
    assert_refused(&output, 2, &["left.toml", "remote_as", "remote_asn"]);
    let output = vpngwd::run_to_end(&pair, Side::Left, &bad, &["--check"]);
    assert_refused(&output, 2, &["left.toml", "remote_as", "remote_asn"]);
    assert_no_traces(&pair);
}

#[test]
fn a_good_configuration_passes_the_check_and_changes_nothing() {
    let (pair, text) = prepared();
    let output = vpngwd::run_to_end(&pair, Side::Left, &text, &["--check"]);
    assert!(output.status.success(), "{}", charon::text(&output));
    assert_no_traces(&pair);
}

#[test]
fn an_exposed_secret_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (pair, text) = prepared();
    let everyone = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(pair.path("shared.psk"), everyone).unwrap();
    let output = vpngwd::run_to_end(&pair, Side::Left, &text, &[]);
    assert_refused(&output, 2, &["shared.psk", "chmod"]);
    assert_no_traces(&pair);
}

#[test]
fn a_busy_port_is_named() {
    let (pair, text) = prepared();
    for port in [500, 4500] {
        let hold = || UdpSocket::bind(("10.79.1.10", port));
        let _held = netns::within(&pair.namespace("left"), hold).unwrap().unwrap();
        let output = vpngwd::run_to_end(&pair, Side::Left, &text, &[]);
        assert_refused(&output, 4, &[&port.to_string()]);
        assert_no_traces(&pair);
    }
}

#[test]
fn a_missing_capability_is_named() {
    let (pair, text) = prepared();
    let config = pair.write("left.toml", &text);
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-net_admin,-net_raw", "--inh-caps=-net_admin,-net_raw"]);
    command.arg(vpngwd::PROGRAM).arg("--config").arg(config);
    netns::place(&mut command, &pair.namespace("left")).unwrap();
    assert_refused(&command.output().unwrap(), 3, &["CAP_NET_ADMIN"]);
    assert_no_traces(&pair);
}

#[test]
fn neither_a_clean_end_nor_a_crash_lets_plain_packets_out() {
    let (pair, text) = prepared();
    for end in [Gateway::stop, Gateway::kill] {
        let left = Gateway::start(&pair, Side::Left, &text);
        end(&left);
        let capture = pair.watch_underlay();
        assert!(!pair.journey(Side::Left, 0).succeeds());
        assert!(!pair.journey(Side::Left, 1).succeeds());
        let findings = wire::judge(&capture.finish().unwrap());
        assert_eq!(findings.leaks, 0, "{findings:?}");
    }
    let left = Gateway::start(&pair, Side::Left, &text);
    left.stop();
    assert_no_traces(&pair);
}

/// Routes packets for left's VPC to left, unprotected.
fn route_plainly(pair: &Pair) {
    let middle = pair.namespace("middle");
    lab::wait_for(async {
        let netlink = Netlink::open(Some(&middle))?.as_administrator();
        for (prefix, via) in Side::Left.prefixes().iter().zip(["10.79.1.10", "fd79:1::10"]) {
            let route = Route::new(prefix.parse()?, Via::Gateway(via.parse()?));
            netlink.set_route(&route).await?;
        }
        Ok(())
    })
    .unwrap();
}

/// How many packets that the router sends unprotected reach left's host.
fn entered(pair: &Pair, ending: &str) -> usize {
    let capture = Capture::start(&pair.namespace("left-host"), "eth0").unwrap();
    for target in Side::Left.host_addresses() {
        let (from, to) = ("middle".to_owned(), "left-host".to_owned());
        let journey = Journey { from, namespace: pair.namespace("middle"), to, target };
        assert!(!journey.succeeds(), "{journey} {ending}");
    }
    wire::judge(&capture.finish().unwrap()).leaks
}

#[test]
fn plain_packets_from_the_underlay_do_not_enter() {
    let (pair, text) = prepared();
    let left = Gateway::start(&pair, Side::Left, &text);
    route_plainly(&pair);
    assert_eq!(entered(&pair, "while it runs"), 0);
    left.kill();
    assert_eq!(entered(&pair, "after a crash"), 0);
}

/// The addresses of left on the underlay, which are there or not.
fn underlay_is(pair: &Pair, up: bool) {
    let namespace = pair.namespace("left");
    lab::wait_for(async {
        let netlink = Netlink::open(Some(&namespace))?.as_administrator();
        for address in ["10.79.1.10/24", "fd79:1::10/64"] {
            match up {
                true => netlink.add_address("wan0", address.parse()?).await?,
                false => netlink.remove_address("wan0", address.parse()?).await?,
            }
        }
        Ok(())
    })
    .unwrap();
}

/// As at boot: the guards first, then the network, and the daemon not yet.
#[test]
fn plain_packets_do_not_enter_before_the_daemon_has_started() {
    let (pair, text) = prepared();
    underlay_is(&pair, false);
    let output = vpngwd::run_to_end(&pair, Side::Left, &text, &["--guard"]);
    assert!(output.status.success(), "{}", charon::text(&output));
    underlay_is(&pair, true);
    route_plainly(&pair);
    assert_eq!(entered(&pair, "before the daemon has started"), 0);
    // The gateway's own packets are not held back, nor those between its hosts and itself.
    let home = Journey {
        from: "left".to_owned(),
        namespace: pair.namespace("left"),
        to: "left-host".to_owned(),
        target: Side::Left.host_addresses()[0],
    };
    assert!(home.succeeds(), "{home}");
}

/// All of ours in the namespace of left.
fn ours(pair: &Pair) -> (Vec<Route>, Vec<Rule>) {
    let namespace = pair.namespace("left");
    lab::wait_for(async {
        let netlink = Netlink::open(Some(&namespace))?;
        Ok((netlink.our_routes().await?, netlink.our_rules().await?))
    })
    .unwrap()
}

#[test]
fn a_second_gateway_in_the_namespace_is_refused_and_takes_nothing_away() {
    let (pair, text) = prepared();
    let left = Gateway::start(&pair, Side::Left, &text);
    let before = ours(&pair);
    assert!(!before.0.is_empty() && !before.1.is_empty());
    let other = text
        .replace("left.sock", "other.sock")
        .replace("vpn0", "vpn1")
        .replace("10.2.0.0/16", "10.77.0.0/16")
        .replace("[gateway]\n", "[gateway]\nike_port = 1500\nnatt_port = 14500\n");
    let output = vpngwd::run_to_end(&pair, Side::Left, &other, &[]);
    let process = format!("process {}", left.process.pid());
    assert_refused(&output, 4, &[&process, "another vpngwd", "network namespace"]);
    assert_eq!(ours(&pair), before);
    left.kill();
    // What keeps a namespace goes with its process.
    let _again = Gateway::start(&pair, Side::Left, &text);
}
