//! What monitors read: a real Prometheus scrapes a gateway, the alert rules and every query of the
//! dashboard are asked of it, and the status page is looked at in a browser.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use vpngw::os::netns;

use crate::support::eventually;
use crate::support::pair::{Pair, Side};
use crate::support::vpngwd::{Auth, Gateway, bgp, config};

const PACKAGING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging");
const GATEWAY: u16 = 9679;
const PROMETHEUS: u16 = 9090;

/// A pair whose left gateway is looked at by HTTP.
fn up() -> (Pair, [Gateway; 2]) {
    Gateway::start_both(|pair, side| {
        let text = config(pair, side, Auth::Psk, &bgp(side), "");
        match side {
            Side::Left => text
                .replace("[gateway]", &format!("[gateway]\nhttp_listen = \"127.0.0.1:{GATEWAY}\"")),
            Side::Right => text,
        }
    })
}

/// What `GET target` gives inside the namespace of left.
fn get(pair: &Pair, port: u16, target: &str) -> Option<String> {
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {target} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.split_once(' ')?.1.starts_with("200").then(|| body.to_owned())
    };
    netns::within(&pair.namespace("left"), ask).unwrap()
}

/// A Prometheus in the namespace of left; it ends when this is dropped.
struct Prometheus<'p> {
    pair: &'p Pair,
    process: Child,
}

impl Prometheus<'_> {
    fn start(pair: &Pair) -> Prometheus<'_> {
        let text = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             rule_files: [\"{PACKAGING}/prometheus/vpngw.rules.yml\"]\n\
             scrape_configs:\n  - job_name: vpngw\n    static_configs: [{{ targets: [\"127.0.0.1:{GATEWAY}\"] }}]\n"
        );
        let file = pair.write("prometheus.yml", &text);
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", pair.path("tsdb").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{PROMETHEUS}"));
        let log = std::fs::File::create(pair.path("prometheus.log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        netns::place(&mut command, &pair.namespace("left")).unwrap();
        Prometheus { pair, process: command.spawn().unwrap() }
    }

    /// How many series a query gives; an error when it is none.
    fn query(&self, expression: &str) -> Result<usize, String> {
        let encoded = utf8_percent_encode(expression, NON_ALPHANUMERIC);
        let target = format!("/api/v1/query?query={encoded}");
        let body = get(self.pair, PROMETHEUS, &target).ok_or("no answer, or not 200")?;
        let answer: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        let result = answer["data"]["result"].as_array().ok_or(body)?;
        Ok(result.len())
    }

    fn alert(&self, name: &str) -> bool {
        self.query(&format!("ALERTS{{alertname=\"{name}\"}}")).is_ok_and(|count| count > 0)
    }
}

impl Drop for Prometheus<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The queries of the dashboard, with its variables filled in.
fn dashboard() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(PACKAGING).join("grafana/vpngw.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let filled = |target: &Value| {
        let expression = target["expr"].as_str().unwrap();
        expression
            .replace("$__rate_interval", "10s")
            .replace("$gateway", ".*")
            .replace("$peer", ".*")
    };
    targets.map(filled).collect()
}

/// The metrics that an expression names.
fn named(expression: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expression.split(|c: char| !is_part(c));
    words.filter(|word| word.starts_with("vpngw_")).collect()
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[test]
fn prometheus_takes_every_metric_rule_and_query() {
    if !is_there("prometheus") {
        return println!("prometheus is not there: ./test installs it");
    }
    let (pair, [left, right]) = up();
    let metrics = get(&pair, GATEWAY, "/metrics").unwrap();
    promtool(&["check", "metrics"], &metrics);
    promtool(&["test", "rules", &format!("{PACKAGING}/prometheus/vpngw.rules.test.yml")], "");
    let prometheus = Prometheus::start(&pair);
    assert!(eventually(|| prometheus.query("vpngw_peer_up == 1") == Ok(1)), "it scrapes");
    assert!(eventually(|| prometheus.query("rate(vpngw_peer_sent_bytes_total[10s])") == Ok(1)));
    let empty: Vec<String> = dashboard()
        .into_iter()
        .filter(|expression| {
            for name in named(expression) {
                assert!(metrics.contains(&format!("# TYPE {name} ")), "there is no {name}");
            }
            prometheus.query(expression).unwrap_or_else(|why| panic!("{expression}: {why}")) == 0
        })
        .collect();
    // What does not occur between these two has no series.
    let absent = ["discards_total", "certificate_expires", "vrrp_active", "vpngw_events_total"];
    for expression in &empty {
        assert!(absent.iter().any(|name| expression.contains(name)), "{expression} shows nothing");
    }
    for rule in ["VpngwPeerDown", "VpngwReloadFailed", "VpngwGatewayDown"] {
        assert!(!prometheus.alert(rule), "{rule}");
    }
    right.kill();
    assert!(eventually(|| prometheus.alert("VpngwPeerDown")));
    left.reload("nonsense");
    assert!(eventually(|| prometheus.alert("VpngwReloadFailed")));
    left.kill();
    assert!(eventually(|| prometheus.alert("VpngwGatewayDown")));
}

fn promtool(arguments: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    assert!(!said.contains("should"), "{said}");
}

#[test]
fn the_status_page_shows_what_is_so() {
    let (pair, [_left, right]) = up();
    let page = get(&pair, GATEWAY, "/").unwrap();
    assert!(page.starts_with("<!doctype html>"));
    if !is_there("chromium") {
        return println!("chromium is not there: the page is not run");
    }
    assert!(eventually(|| shown(&pair).contains("1 of 1 tunnel up")), "{}", shown(&pair));
    right.kill();
    let all = ["0 of 1 tunnel up", "is the gateway at 10.79.2.10 up?", "path-lost"];
    assert!(eventually(|| {
        let shown = shown(&pair);
        all.iter().all(|words| shown.contains(words))
    }));
}

/// The document as a browser has it after a while.
fn shown(pair: &Pair) -> String {
    let mut command = Command::new("chromium");
    command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000"]);
    command.arg(format!("--user-data-dir={}", pair.path("chromium").display()));
    if let Some(file) = std::env::var_os("STATUS_PAGE_PICTURE") {
        let mut picture = std::ffi::OsString::from("--screenshot=");
        picture.push(file);
        command.args(["--window-size=1280,900"]).arg(picture);
    }
    command.args(["--dump-dom", &format!("http://127.0.0.1:{GATEWAY}/")]);
    netns::place(&mut command, &pair.namespace("left")).unwrap();
    String::from_utf8_lossy(&command.stderr(Stdio::null()).output().unwrap().stdout).into_owned()
}
