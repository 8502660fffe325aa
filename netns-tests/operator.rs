//! What an operator does with `vpnctl` at a running pair, and how it ends.
//!
//! ```text
//!   left-host ── left ── middle ── right ── right-host
//!                 ▲ vpnctl
//! ```

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use vpngw::os::netns;

use crate::support::charon::text as said;
use crate::support::eventually;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vpnctl");

fn up() -> (Pair, [Gateway; 2]) {
    Gateway::start_both(|pair, side| config(pair, side, Auth::Psk, &bgp(side), ""))
}

/// Runs `vpnctl` beside the gateway of a side, as on a terminal.
fn vpnctl(pair: &Pair, side: Side, arguments: &str) -> Output {
    let mut command = Command::new(PROGRAM);
    command.env("VPNCTL_FORMAT", "table");
    command.arg("--socket").arg(pair.path(&format!("{}.sock", side.name())));
    command.args(arguments.split(' '));
    netns::place(&mut command, &pair.namespace(side.name())).unwrap();
    command.output().unwrap()
}

#[track_caller]
fn assert_ends(output: &Output, code: i32, words: &[&str]) {
    let text = said(output);
    println!("{text}");
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
}

#[test]
fn views_end_as_things_are_and_echoes_go_through_the_tunnel() {
    let (pair, [_left, right]) = up();
    let left = |arguments: &str| vpnctl(&pair, Side::Left, arguments);
    assert_ends(&left("peers"), 0, &["1 of 1 up"]);
    assert_ends(&left("ping right -c 2"), 0, &["2 sent, 0 lost", "round trip"]);
    assert_ends(&left("ping right -c 1 --size 1400"), 0, &["1400 bytes", "0 lost"]);
    assert_ends(&left("ping right -c 1 --to 10.2.0.10"), 0, &["0 lost"]);
    assert_ends(&left("ping right -c 1 --through 10.2.0.0/16"), 0, &["bytes to 10.2.0.", "0 lost"]);
    assert_ends(&left("ping right -c 1 --through 10.1.0.0/16"), 2, &["not through right"]);
    assert_ends(&left("ping right -c 1 --to 10.1.0.10"), 2, &["go to here and not through right"]);
    assert_ends(&left("ping nobody -c 1"), 2, &["there is no peer"]);
    let why = "why 10.2.0.10 --from 10.1.0.10";
    assert_ends(&left(why), 0, &["goes through right", "only path", "SPI", "10.79.2.10:4500"]);
    assert_ends(&left("why 10.2.0.10 --from 10.9.9.9"), 1, &["is in none of the prefixes"]);
    assert_ends(&left("why 10.1.0.10"), 0, &["stays here", "lan0"]);
    assert_ends(&left("why 192.0.2.1"), 1, &["no VPC has to do with it"]);
    right.kill();
    assert!(eventually(|| left("peers").status.code() == Some(1)));
    assert_ends(
        &left("peers"),
        1,
        &["0 of 1 up", "the path is lost", "is the gateway at 10.79.2.10 up?"],
    );
    assert_ends(&left("ping right -c 1"), 1, &["1 sent, 1 lost"]);
    assert_ends(&left(why), 1, &["goes nowhere", "right: local preference"]);
    assert_ends(&vpnctl(&pair, Side::Right, "peers"), 3, &["nobody answers"]);
    assert_ends(&vpnctl(&pair, Side::Right, "--json peers"), 3, &["\"schema\":1", "\"error\""]);
}

#[test]
fn an_echo_that_is_lost_is_told_with_its_way() {
    let (pair, [_left, _right]) = up();
    let ping = |count: u8| vpnctl(&pair, Side::Left, &format!("ping right -c {count}"));
    assert_ends(&ping(3), 0, &["3 sent, 0 lost", "there none of", "back none of"]);
    let cases =
        [("10.79.1.10", "back none of", "there "), ("10.79.2.10", "there none of", "back ")];
    for (source, whole, lossy) in cases {
        nft(&pair, "add table inet lossy");
        nft(&pair, "add chain inet lossy way { type filter hook forward priority 0; }");
        let way = format!("add rule inet lossy way ip saddr {source} udp dport 4500");
        nft(&pair, &format!("{way} numgen inc mod 4 == 0 drop"));
        let output = ping(20);
        nft(&pair, "delete table inet lossy");
        assert_ends(&output, 1, &["20 sent", whole]);
        let text = said(&output);
        let (_, rest) = text.split_once("ESP packets: ").unwrap();
        let (_, rest) = rest.split_once(lossy).unwrap();
        let mut words = rest.split(' ');
        let mut next = || words.next().unwrap();
        let (lost, _, sent): (u32, _, u32) =
            (next().parse().unwrap(), next(), next().parse().unwrap());
        assert!((sent / 6..=sent / 3).contains(&lost), "{text}");
    }
}

#[test]
fn a_host_behind_the_peer_that_does_not_answer_is_told_with_what_to_look_at() {
    let (pair, [_left, _right]) = Gateway::start_both(|pair, side| {
        let (own, other) = (side.number(), side.other().number());
        let probe = format!(
            "probe = {{ address = \"10.{other}.0.10\", source = \"10.{own}.0.1\", \
             interval = \"100ms\", timeout = \"500ms\" }}"
        );
        config(pair, side, Auth::Psk, &format!("{}\n{probe}", bgp(side)), "")
    });
    let left = |arguments: &str| vpnctl(&pair, Side::Left, arguments);
    let answers = || said(&left("peers right")).contains("10.2.0.10 answers, round trip");
    assert!(eventually(answers), "{}", said(&left("peers right")));
    assert_ends(&left("peers"), 0, &["1 of 1 up"]);
    // The kernel's own pings from that address are answered to the kernel.
    let mut ping = Command::new("ping");
    ping.args(["-c", "5", "-i", "0.1", "-I", "10.1.0.1", "10.2.0.10"]);
    netns::place(&mut ping, &pair.namespace("left")).unwrap();
    assert_ends(&ping.output().unwrap(), 0, &[" 0% packet loss"]);

    let ignores_pings = |ignores: bool| {
        let setting = "/proc/sys/net/ipv4/icmp_echo_ignore_all";
        let value = u8::from(ignores).to_string();
        let set = || std::fs::write(setting, &value).unwrap();
        netns::within(&pair.namespace(&Side::Right.host()), set).unwrap();
    };
    ignores_pings(true);
    assert!(eventually(|| left("peers").status.code() == Some(1)));
    let told = [
        "silent beyond",
        "10.2.0.10 behind the peer has not answered for 0.5 s: others go first",
        "is 10.2.0.10 up, does it answer pings, and does its network lead back to 10.1.0.1?",
    ];
    assert!(eventually(|| told.iter().all(|words| said(&left("peers")).contains(words))));
    assert_ends(&left("events --format tsv"), 0, &["beyond-silent"]);
    ignores_pings(false);
    assert!(eventually(|| left("peers").status.code() == Some(0)));
    assert_ends(&left("events --format tsv"), 0, &["beyond-answers"]);
}

#[test]
fn a_path_that_is_poorer_than_wanted_is_told_with_what_was_measured() {
    let (pair, [_left, _right]) = Gateway::start_both(|pair, side| {
        let (own, other) = (side.number(), side.other().number());
        let probe = format!(
            "probe = {{ address = \"10.{other}.0.10\", source = \"10.{own}.0.1\", \
             interval = \"50ms\", timeout = \"500ms\", max_loss = 20 }}"
        );
        config(pair, side, Auth::Psk, &format!("{}\n{probe}", bgp(side)), "")
    });
    let left = |arguments: &str| vpnctl(&pair, Side::Left, arguments);
    let measured = || said(&left("peers right")).contains(" of 50 lost");
    assert!(eventually(measured), "{}", said(&left("peers right")));
    assert_ends(&left("peers"), 0, &["1 of 1 up"]);

    // Every second of the host's answers is lost, so that it is never silent.
    let host = Side::Right.host();
    nft_at(&pair, &host, "add table inet poor");
    nft_at(&pair, &host, "add chain inet poor out { type filter hook output priority 0; }");
    nft_at(&pair, &host, "add rule inet poor out icmp type echo-reply numgen inc mod 2 == 0 drop");
    let told = [
        "poor path",
        "of the last 50 questions without an answer to 10.2.0.10 behind the peer: others go first",
        "what is allowed stands at `probe` of the peer",
    ];
    let says_so = || told.iter().all(|words| said(&left("peers")).contains(words));
    assert!(eventually(says_so), "{}", said(&left("peers")));
    assert_ends(&left("peers"), 1, &["poor path"]);
    assert_ends(&left("events --format tsv"), 0, &["beyond-poor"]);
    nft_at(&pair, &host, "delete table inet poor");
    assert!(eventually(|| left("peers").status.code() == Some(0)));
    assert_ends(&left("events --format tsv"), 0, &["beyond-good"]);
}

/// Runs `nft` where the underlay meets.
fn nft(pair: &Pair, arguments: &str) {
    nft_at(pair, "middle", arguments);
}

/// Runs `nft` at a node.
fn nft_at(pair: &Pair, node: &str, arguments: &str) {
    let mut command = Command::new("nft");
    command.args(arguments.split(' '));
    netns::place(&mut command, &pair.namespace(node)).unwrap();
    let output = command.output().unwrap();
    assert!(output.status.success(), "nft {arguments}: {}", said(&output));
}

#[test]
fn a_change_can_be_looked_at_tried_and_taken_back() {
    let (pair, [_left, _right]) = up();
    let left = |arguments: &str| vpnctl(&pair, Side::Left, arguments);
    assert_ends(&left("diff"), 0, &["the file says what is running"]);
    let before = std::fs::read_to_string(pair.path("left.toml")).unwrap();
    let narrow = before.replace("accept = [\"10.2.0.0/16\"", "accept = [\"10.2.0.0/17\"");
    std::fs::write(pair.path("left.toml"), &narrow).unwrap();
    let planned = ["routes of tunnels changed: right", "right: accept [10.2.0.0/16"];
    assert_ends(&left("diff"), 0, &planned);
    assert_ends(&left("reload --dry-run"), 0, &planned);
    assert_ends(&left("reload --confirm 2s"), 0, &["taken back in 2 s"]);
    assert!(!pair.journey(Side::Left, 0).succeeds(), "it is carried out");
    assert!(eventually(|| pair.journey(Side::Left, 0).succeeds()), "and taken back");
    assert_ends(&left("events --format tsv"), 0, &["rolled-back", "route-up"]);
    assert_ends(&left("confirm"), 2, &["nothing to confirm"]);
    assert_ends(&left("reload --confirm 2s"), 0, &[]);
    assert_ends(&left("confirm"), 0, &["stays"]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(!pair.journey(Side::Left, 0).succeeds(), "it stays");
    std::fs::write(pair.path("left.toml"), narrow.replace("remote_asn", "remote_as")).unwrap();
    assert_ends(&left("diff"), 2, &["remote_as"]);
    assert_ends(&left("reload"), 2, &["remote_as", "the running configuration stays"]);
    let files = [pair.path("left.toml"), pair.path("right.toml")];
    std::fs::write(&files[0], &narrow).unwrap();
    let [left_file, right_file] = files.map(|file| file.display().to_string());
    let check = format!("check {left_file} {right_file}");
    assert_ends(&left(&check), 1, &["left does not accept 10.2.0.0/16 of right"]);
    std::fs::write(pair.path("left.toml"), &before).unwrap();
    assert_ends(&left(&check), 0, &["agree"]);
}

#[test]
fn the_log_is_changed_while_the_daemon_runs() {
    let (pair, [left, _right]) = up();
    let ask = |arguments: &str| vpnctl(&pair, Side::Left, arguments);
    assert_ends(&ask("log"), 0, &["debug"]);
    assert_ends(&ask("log info"), 0, &["what is logged: info"]);
    assert_ends(&ask("log loud"), 2, &["\"loud\" is no level"]);
    assert!(left.log().contains("right: connected with"), "the peer stands in the text");
}

#[test]
fn the_doctor_names_what_is_wrong_with_this_host() {
    let (pair, [_left, _right]) = up();
    let file = pair.path("left.toml").display().to_string();
    let doctor = format!("doctor --config {file}");
    let left = |arguments: &str| vpnctl(&pair, Side::Left, arguments);
    assert_ends(
        &left(&doctor),
        0,
        &["is valid", "10.79.1.10 is on wan0", "all is well with 1 peer"],
    );
    let elsewhere = Command::new(PROGRAM).args(doctor.split(' ')).output().unwrap();
    assert_ends(&elsewhere, 1, &["runs in another network namespace", "nsenter -t"]);
    let sh = |line: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        netns::place(&mut command, &pair.namespace("left")).unwrap();
        assert!(command.status().unwrap().success(), "{line}");
    };
    for (breaking, mending, words) in [
        (
            "ip link set lan0 down",
            "ip link set lan0 up",
            ["lan0 of VPC office is down", "ip link set lan0 up"],
        ),
        (
            "sysctl -qw net.ipv4.ip_forward=0",
            "sysctl -qw net.ipv4.ip_forward=1",
            ["does not forward", "net.ipv4.ip_forward=1"],
        ),
        (
            "sysctl -qw net.ipv4.conf.lan0.rp_filter=1",
            "sysctl -qw net.ipv4.conf.lan0.rp_filter=0",
            ["rp_filter", "rp_filter=2"],
        ),
        (
            "ip link set wan0 mtu 1400",
            "ip link set wan0 mtu 1500",
            ["wan0 takes 1400 bytes", "underlay_mtu = 1400"],
        ),
        (
            "ip route add 10.2.7.0/24 dev lan0",
            "ip route del 10.2.7.0/24 dev lan0",
            ["main table has a route to 10.2.7.0/24", "ip route del"],
        ),
        (
            "ip address del 10.79.1.10/24 dev wan0",
            "true",
            ["no device has 10.79.1.10", "ip address add"],
        ),
    ] {
        sh(breaking);
        assert_ends(&left(&doctor), 1, &words);
        sh(mending);
    }
}

#[test]
fn packets_of_a_peer_are_captured_before_and_behind_the_encryption() {
    let (pair, [_left, _right]) = up();
    let file = pair.path("capture.pcapng");
    let keys = pair.path("keys");
    let arguments =
        format!("capture right --for 3s -o {} --keys {}", file.display(), keys.display());
    std::thread::scope(|scope| {
        let capture = scope.spawn(|| vpnctl(&pair, Side::Left, &arguments));
        while !capture.is_finished() {
            pair.journey(Side::Left, 0).succeeds();
        }
        assert_ends(&capture.join().unwrap(), 0, &["wan0 (underlay) and vpn0 (inside)", "packets"]);
    });
    let bytes = std::fs::read(&file).unwrap();
    let has = |octets: &[u8]| bytes.windows(octets.len()).any(|window| window == octets);
    assert!(has(&[10, 79, 1, 10, 10, 79, 2, 10]), "datagrams of the gateways");
    assert!(has(&[10, 1, 0, 10, 10, 2, 0, 10]), "packets of the hosts");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_wireshark_reads(&file, &keys);
    assert_ends(&vpnctl(&pair, Side::Left, "events --peer right"), 0, &["keys-told"]);
    let again = format!("capture right --packets 1 -o {}", file.display());
    assert_ends(&vpnctl(&pair, Side::Left, &again), 2, &["cannot be created"]);
    assert_ends(&vpnctl(&pair, Side::Left, "capture nobody --packets 1"), 2, &["there is no peer"]);
}

/// With the keys Wireshark, where it is there, finds the hosts' packets in ESP, and what is in IKE's
/// messages.
fn assert_wireshark_reads(file: &Path, keys: &Path) {
    for (name, words) in [("esp_sa", "10.79.1.10"), ("ikev2_decryption_table", "RFC5282")] {
        let text = std::fs::read_to_string(keys.join(name)).unwrap();
        assert!(text.contains(words), "{name}: no line");
        let mode = std::fs::metadata(keys.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let read = |filter: &str| {
        let mut command = Command::new("tshark");
        command.env("WIRESHARK_CONFIG_DIR", keys).arg("-r").arg(file).args(["-Y", filter]);
        command.output().ok().map(|output| String::from_utf8_lossy(&output.stdout).lines().count())
    };
    let Some(inside) = read("esp && ip.addr == 10.1.0.10 && ip.addr == 10.2.0.10") else {
        return println!("tshark is not there: only the form of the keys was looked at");
    };
    assert!(inside > 0, "packets of the hosts inside ESP");
    assert!(read("isakmp.exchangetype == 37 && isakmp.enc.decrypted").unwrap() > 0, "inside IKE");
}

#[test]
fn the_group_may_steer_and_is_told_no_keys() {
    let (pair, [_left, _right]) = up();
    let socket = pair.path("left.sock");
    let ask = |user: &str, arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args([user, "--regid=0", "--clear-groups", "curl", "-sS", "--unix-socket"]);
        command.arg(&socket).args(arguments);
        said(&command.output().unwrap())
    };
    let keys = ["-X", "POST", "http://vpngw/v1/peers/right/keys"];
    let folder = socket.parent().unwrap();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(ask("--reuid=65534", &["http://vpngw/v1/peers"]).contains("\"right\""));
    let refused = ask("--reuid=65534", &keys);
    assert!(refused.contains("not_allowed") && !refused.contains("\"esp\""), "{refused}");
    assert!(ask("--reuid=0", &keys).contains("\"esp\":[{"));
}
