//! Seeded faults between two gateways: one look at one end names the cause and what to do.
//!
//! ```text
//!   left-host ── left ── middle ── right ── right-host        one thing is wrong
//! ```

use std::process::Command;
use std::sync::Mutex;

use vpngw::control::{Code, EventsView, FailureView, Request, Verdict};
use vpngw::crypto::sign::SigningKey;
use vpngw::os::netns;
use vpngw::os::random::OsRandom;

use crate::support::eventually;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config, write_keys};

/// Changes the configuration of one side.
type Edit = fn(&Pair, Side, String) -> String;
/// Breaks something while both gateways run.
type Break = fn(&Pair, &[Gateway; 2]);

/// One thing that is wrong, and how each end that can know it names it: a code, and a word of the
/// cause or of the remedy.
struct Fault {
    name: &'static str,
    auth: Auth,
    routing: fn(Side) -> String,
    edit: Edit,
    /// What breaks once the tunnel is up; without it the tunnel is broken from the start.
    then: Option<Break>,
    told: &'static [(Side, Code, &'static str)],
    /// The state that `vpnctl peers` shows at a side, where that says more than the code.
    state: Option<(Side, Verdict)>,
    /// What `vpnctl doctor` says at a side.
    doctor: &'static [(Side, &'static str)],
}

use Side::Right;

const NONE: Fault = Fault {
    name: "",
    auth: Auth::Psk,
    routing: bgp,
    edit: |_, _, text| text,
    then: None,
    told: &[],
    state: None,
    doctor: &[],
};

/// Replaces words of one side; what is replaced must be there.
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in {text}");
    text.replace(from, to)
}

/// Replaces `from` by `to` at one side.
macro_rules! at {
    ($side:ident, $from:expr, $to:expr) => {
        |_, side, text| if side == $side { replaced(&text, $from, $to) } else { text }
    };
}

// They use the macro.
mod between;
mod host;

/// Runs a command in a node's namespace.
fn sh(pair: &Pair, node: &str, line: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    netns::place(&mut command, &pair.namespace(node)).unwrap();
    let output = command.output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs `ip` in a node's namespace.
fn ip(pair: &Pair, node: &str, arguments: &str) {
    sh(pair, node, &format!("ip {arguments}"));
}

/// From now on a node drops what a rule of nftables names, at a hook.
fn drop_at(pair: &Pair, node: &str, hook: &str, rule: &str) {
    let chain = format!("{{ type filter hook {hook} priority 0; }}");
    sh(
        pair,
        node,
        &format!(
            "nft add table inet fault && nft add chain inet fault {hook} '{chain}' && nft add rule inet fault {hook} {rule} drop"
        ),
    );
}

/// What `vpnctl doctor` says at a side.
fn doctor(pair: &Pair, side: Side) -> String {
    let file = |end: &str| pair.path(&format!("{}.{end}", side.name()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_vpnctl"));
    command.arg("--socket").arg(file("sock")).arg("doctor").arg("--config").arg(file("toml"));
    netns::place(&mut command, &pair.namespace(side.name())).unwrap();
    String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned()
}

/// From now on the router drops what comes in on an interface for a port.
fn block(pair: &Pair, from: &str, port: &str) {
    let rule = format!("rule add pref 10 iif {from} ipproto udp dport {port} type blackhole");
    ip(pair, "middle", &rule);
}

fn stranger(pair: &Pair, file: &str) {
    let other = SigningKey::generate(&mut OsRandom);
    pair.write(file, &other.to_pkcs8_pem());
    pair.write(&file.replace(".key", ".pub"), &other.verifying_key().to_base64());
}

/// What one look at a gateway shows of its peer: its events with their remedies, and its failures.
fn looks(gateway: &Gateway) -> Vec<(Code, String)> {
    let peer = gateway.peer();
    let failures = peer.summary.last_failure.into_iter().chain(peer.suspicion);
    let failure = |failure: FailureView| {
        (failure.code, format!("{} → {}", failure.reason, failure.remedy.unwrap_or_default()))
    };
    let mut seen: Vec<_> = failures.map(failure).collect();
    let events: EventsView = gateway.ask(&Request::Events { after: 0 });
    seen.extend(events.events.into_iter().map(|event| {
        let values = [event.ours, event.theirs, event.remedy].map(Option::unwrap_or_default);
        (event.code, format!("{} → {}", event.what, values.join(" / ")))
    }));
    seen
}

/// What is missing, if something is.
fn run(fault: &Fault) -> Result<(), String> {
    let pair = Pair::new();
    write_keys(&pair);
    let start = |side: Side| {
        let text = config(&pair, side, fault.auth, &(fault.routing)(side), "");
        Gateway::start(&pair, side, &(fault.edit)(&pair, side, text))
    };
    let gateways = Side::BOTH.map(start);
    if let Some(act) = fault.then {
        let up = || gateways.iter().all(|gateway| gateway.peer().summary.verdict == Verdict::Up);
        if !eventually(up) {
            return Err("the tunnel does not come up first".to_owned());
        }
        act(&pair, &gateways);
    }
    for (side, code, word) in fault.told {
        let gateway = &gateways[usize::from(*side == Right)];
        let is_told = |(seen, text): &(Code, String)| seen == code && text.contains(word);
        if !eventually(|| looks(gateway).iter().any(is_told)) {
            let seen = looks(gateway);
            return Err(format!("{} does not say {code} with {word:?}: {seen:#?}", side.name()));
        }
    }
    for (side, words) in fault.doctor {
        if !eventually(|| doctor(&pair, *side).contains(words)) {
            let said = doctor(&pair, *side);
            return Err(format!("the doctor at {} does not say {words:?}: {said}", side.name()));
        }
    }
    if let Some((side, state)) = fault.state {
        let gateway = &gateways[usize::from(side == Right)];
        let shown = || gateway.peer().summary.verdict;
        if !eventually(|| shown() == state) {
            return Err(format!("{} shows {:?}", side.name(), shown()));
        }
    }
    Ok(())
}

#[test]
fn every_seeded_fault_is_named_with_its_cause_and_its_remedy() {
    // One of them: FAULT="own cable" cargo test --test netns faults -- --nocapture
    let wanted = std::env::var("FAULT").unwrap_or_default();
    let all = || {
        let all = between::FAULTS.iter().chain(host::FAULTS);
        all.filter(|fault| fault.name.contains(&wanted))
    };
    let queue = Mutex::new(all());
    let missed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let Some(fault) = queue.lock().unwrap().next() else { return };
                    let outcome = run(fault);
                    println!(
                        "{:48} {}",
                        fault.name,
                        if outcome.is_ok() { "named" } else { "MISSED" }
                    );
                    if let Err(why) = outcome {
                        missed.lock().unwrap().push(format!("{}: {why}", fault.name));
                    }
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    println!("{} of {} faults are named", all().count() - missed.len(), all().count());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
