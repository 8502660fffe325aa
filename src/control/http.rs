//! Requests and replies as HTTP has them: one command, one row.
//!
//! The commands of `vpnctl` are called as the last word of their path is (`cli::args`).

use super::{Failure, FailureKind, Ports, Reply, Request, SaKind, render_metrics};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use std::net::IpAddr;

/// The HTTP methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Looks.
    Get,
    /// Acts.
    Post,
}

impl Method {
    /// The method as HTTP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }
}

/// A command: how HTTP has it, and the request that it is.
struct Row {
    method: Method,
    /// Path and query; a word in braces stands for an argument.
    target: &'static str,
    /// Makes the request from the arguments in their order; `None` when one is not what it must be.
    request: fn(&[String]) -> Option<Request>,
}

const fn row(
    method: Method,
    target: &'static str,
    request: fn(&[String]) -> Option<Request>,
) -> Row {
    Row { method, target, request }
}

use Method::{Get, Post};

/// Every command. Of two rows for one request the first is how it is written.
#[rustfmt::skip]
const ROWS: [Row; 32] = [
    row(Get,  "/v1/peers",        |_| Some(Request::Peers)),
    row(Get,  "/v1/peers/{peer}", |given| Some(Request::Peer(text(given, 0)?))),
    row(Get,  "/v1/routes",       |_| Some(Request::Routes)),
    row(Get,  "/v1/sas",          |_| Some(Request::Sas)),
    row(Get,  "/v1/vrrp",         |_| Some(Request::Vrrp)),
    row(Get,  "/v1/vpcs",         |_| Some(Request::Vpcs)),
    row(Get,  "/v1/nat",          |_| Some(Request::Nat)),
    row(Get,  "/v1/stats",        |_| Some(Request::Stats)),
    row(Get,  "/metrics",         |_| Some(Request::Metrics)),
    row(Get,  "/v1/events?after={number}", |given| Some(Request::Events { after: number(given, 0)? })),
    row(Get,  "/v1/events",       |_| Some(Request::Events { after: 0 })),
    row(Get,  "/v1/why/{to}?from={from}&protocol={number}&source_port={port}&destination_port={port}",
        |given| why(given, Some(address(given, 1)?), Some(ports(given)?))),
    row(Get,  "/v1/why/{to}?from={from}", |given| why(given, Some(address(given, 1)?), None)),
    row(Get,  "/v1/why/{to}",    |given| why(given, None, None)),
    row(Get,  "/v1/plan",         |_| Some(Request::Plan)),
    row(Post, "/v1/reload",       |_| Some(Request::Reload { confirm: None })),
    row(Post, "/v1/reload?confirm={seconds}", |given| Some(Request::Reload { confirm: Some(number(given, 0)?) })),
    row(Post, "/v1/confirm",      |_| Some(Request::Confirm)),
    row(Get,  "/v1/log",          |_| Some(Request::Log { filter: None })),
    row(Post, "/v1/log/{filter}", |given| Some(Request::Log { filter: Some(text(given, 0)?) })),
    row(Post, "/v1/peers/{peer}/rekey?sa=child", |given| rekey(given, SaKind::Child)),
    row(Post, "/v1/peers/{peer}/rekey?sa=ike",   |given| rekey(given, SaKind::Ike)),
    row(Post, "/v1/peers/{peer}/rekey",          |given| rekey(given, SaKind::Child)),
    row(Get,  "/v1/drained",      |_| Some(Request::DrainState)),
    row(Post, "/v1/drain",        |_| Some(Request::Drain)),
    row(Post, "/v1/undrain",      |_| Some(Request::Undrain)),
    row(Post, "/v1/peers/{peer}/disable",        |given| Some(Request::Disable { peer: text(given, 0)? })),
    row(Post, "/v1/peers/{peer}/enable",         |given| Some(Request::Enable { peer: text(given, 0)? })),
    row(Post, "/v1/peers/{peer}/keys",           |given| Some(Request::Keys { peer: text(given, 0)? })),
    row(Post, "/v1/peers/{peer}/arrivals",       |given| Some(Request::Arrivals { peer: text(given, 0)? })),
    row(Post, "/v1/peers/{peer}/initiate",       |given| Some(Request::Initiate { peer: text(given, 0)? })),
    row(Post, "/v1/peers/{peer}/terminate",      |given| Some(Request::Terminate { peer: text(given, 0)? })),
];

fn text(given: &[String], index: usize) -> Option<String> {
    given.get(index).cloned()
}

fn number(given: &[String], index: usize) -> Option<u64> {
    given.get(index)?.parse().ok()
}

fn address(given: &[String], index: usize) -> Option<IpAddr> {
    given.get(index)?.parse().ok()
}

fn why(given: &[String], from: Option<IpAddr>, ports: Option<Ports>) -> Option<Request> {
    Some(Request::Why { to: address(given, 0)?, from, ports })
}

fn ports(given: &[String]) -> Option<Ports> {
    let port = |index: usize| given.get(index)?.parse().ok();
    Some(Ports { protocol: given.get(2)?.parse().ok()?, source: port(3)?, destination: port(4)? })
}

fn rekey(given: &[String], sa: SaKind) -> Option<Request> {
    Some(Request::Rekey { peer: text(given, 0)?, sa })
}

/// Everything outside the unreserved characters of RFC 3986 §2.3.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Row {
    /// The arguments when this row has such a target.
    fn matches(&self, path: &str, query: &str) -> Option<Vec<String>> {
        let (own_path, own_query) = split(self.target);
        let (own, given) = ([segments(own_path), items(own_query)], [segments(path), items(query)]);
        if own.each_ref().map(Vec::len) != given.each_ref().map(Vec::len) {
            return None;
        }
        let mut arguments = Vec::new();
        for (own, given) in own.iter().flatten().zip(given.iter().flatten()) {
            match own.split_once('{') {
                Some((before, _)) => {
                    let argument = percent_decode_str(given.strip_prefix(before)?);
                    arguments.push(argument.decode_utf8_lossy().into_owned());
                }
                None if own == given => {}
                None => return None,
            }
        }
        Some(arguments)
    }

    /// The target with these arguments in their places.
    fn filled(&self, arguments: &[String]) -> String {
        let mut rest = self.target;
        let mut target = String::new();
        for argument in arguments {
            let Some((before, after)) = rest.split_once('{') else { break };
            let encoded = utf8_percent_encode(argument, &RESERVED);
            target += &format!("{before}{encoded}");
            rest = after.split_once('}').map_or("", |(_, rest)| rest);
        }
        target + rest
    }
}
fn split(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

fn segments(path: &str) -> Vec<&str> {
    path.trim_matches('/').split('/').collect()
}

fn items(query: &str) -> Vec<&str> {
    query.split('&').collect()
}

/// A reply as HTTP has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReply {
    /// The status code.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Request {
    /// The request that `method` on `target` (path and query) means.
    ///
    /// # Errors
    ///
    /// [`FailureKind::BadRequest`] when there is no such path, or not with this method.
    pub fn from_http(method: &str, target: &str) -> Result<Request, Failure> {
        let (path, query) = split(target);
        let found = ROWS.iter().find_map(|row| Some((row, row.matches(path, query)?)));
        match found {
            Some((row, given)) if row.method.as_str() == method => {
                (row.request)(&given).ok_or_else(|| bad(format!("{target} is not understood")))
            }
            Some((row, _)) => Err(bad(format!("{path} is for {}", row.method.as_str()))),
            None => Err(bad(format!("there is no {path}; try /v1/peers"))),
        }
    }

    /// The method and the target (path and query) that mean this request.
    pub fn to_http(&self) -> (Method, String) {
        let arguments = self.arguments();
        let row = ROWS.iter().find(|row| (row.request)(&arguments).as_ref() == Some(self));
        let row = row.expect("ROWS has every request: a test goes through them");
        (row.method, row.filled(&arguments))
    }

    /// What stands in the places of its row.
    fn arguments(&self) -> Vec<String> {
        match self {
            Request::Peer(peer)
            | Request::Rekey { peer, .. }
            | Request::Disable { peer }
            | Request::Enable { peer }
            | Request::Keys { peer }
            | Request::Arrivals { peer }
            | Request::Initiate { peer }
            | Request::Terminate { peer } => vec![peer.clone()],
            Request::Events { after } => vec![after.to_string()],
            Request::Why { to, from, ports } => {
                let addresses = [Some(to), from.as_ref()].into_iter().flatten();
                let numbers = ports.iter().flat_map(|Ports { protocol, source, destination }| {
                    [u16::from(*protocol), *source, *destination]
                });
                let addresses = addresses.map(ToString::to_string);
                addresses.chain(numbers.map(|number| number.to_string())).collect()
            }
            Request::Peers
            | Request::Routes
            | Request::Sas
            | Request::Vrrp
            | Request::Vpcs
            | Request::Nat
            | Request::Stats
            | Request::Metrics
            | Request::Reload { confirm: None }
            | Request::Confirm
            | Request::Drain
            | Request::Undrain
            | Request::DrainState
            | Request::Plan
            | Request::Log { filter: None } => Vec::new(),
            Request::Reload { confirm: Some(seconds) } => vec![seconds.to_string()],
            Request::Log { filter: Some(filter) } => vec![filter.clone()],
        }
    }
}

fn bad(message: String) -> Failure {
    Failure { kind: FailureKind::BadRequest, message }
}

impl Reply {
    /// The reply as HTTP has it.
    pub fn to_http(&self) -> HttpReply {
        match self {
            Reply::Peers(view) => json(200, view),
            Reply::Peer(view) => json(200, view),
            Reply::Routes(view) => json(200, view),
            Reply::Sas(view) => json(200, view),
            Reply::Vrrp(view) => json(200, view),
            Reply::Vpcs(view) => json(200, view),
            Reply::Nat(view) => json(200, view),
            Reply::Stats(view) => json(200, view),
            Reply::Events(view) => json(200, view),
            Reply::Why(view) => json(200, view),
            Reply::Plan(view) => json(200, view),
            Reply::Keys(view) => json(200, view),
            Reply::Arrivals(view) => json(200, view),
            Reply::Drain(view) => json(200, view),
            Reply::Metrics(view) => HttpReply {
                status: 200,
                content_type: "text/plain; version=0.0.4; charset=utf-8",
                body: render_metrics(view),
            },
            Reply::Done(done) => json(202, done),
            Reply::Failed(failure) => json(status(failure.kind), failure),
        }
    }
}

fn status(kind: FailureKind) -> u16 {
    match kind {
        FailureKind::BadRequest => 400,
        FailureKind::NotAllowed => 403,
        FailureKind::NoSuchPeer => 404,
        FailureKind::NotNow => 409,
        FailureKind::InvalidConfig => 422,
    }
}

fn json(status: u16, view: &impl Serialize) -> HttpReply {
    let body = serde_json::to_string(view);
    let content_type = "application/json";
    match body {
        Ok(body) => HttpReply { status, content_type, body: body + "\n" },
        Err(error) => {
            HttpReply { status: 500, content_type: "text/plain", body: error.to_string() }
        }
    }
}
