//! Requests and replies as HTTP has them: one command, one row.
//!
//! The commands of `vpnctl` are called as the last word of their path is (`cli::args`).

use super::{Failure, FailureKind, Reply, Request, SaKind, render_metrics};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;

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
    /// Path and query; `{peer}` stands for the name of a peer.
    target: &'static str,
    /// Makes the request about a peer, whose name the others ignore.
    request: fn(String) -> Request,
}

const fn row(method: Method, target: &'static str, request: fn(String) -> Request) -> Row {
    Row { method, target, request }
}

use Method::{Get, Post};

/// Every command. Of two rows for one request the first is how it is written.
#[rustfmt::skip]
const ROWS: [Row; 13] = [
    row(Get,  "/v1/peers",        |_| Request::Peers),
    row(Get,  "/v1/peers/{peer}", Request::Peer),
    row(Get,  "/v1/routes",       |_| Request::Routes),
    row(Get,  "/v1/sas",          |_| Request::Sas),
    row(Get,  "/v1/vrrp",         |_| Request::Vrrp),
    row(Get,  "/v1/stats",        |_| Request::Stats),
    row(Get,  "/metrics",         |_| Request::Metrics),
    row(Post, "/v1/reload",       |_| Request::Reload),
    row(Post, "/v1/peers/{peer}/rekey?sa=child", |peer| Request::Rekey { peer, sa: SaKind::Child }),
    row(Post, "/v1/peers/{peer}/rekey?sa=ike",   |peer| Request::Rekey { peer, sa: SaKind::Ike }),
    row(Post, "/v1/peers/{peer}/rekey",          |peer| Request::Rekey { peer, sa: SaKind::Child }),
    row(Post, "/v1/peers/{peer}/initiate",       |peer| Request::Initiate { peer }),
    row(Post, "/v1/peers/{peer}/terminate",      |peer| Request::Terminate { peer }),
];

const PEER: &str = "{peer}";
/// Everything outside the unreserved characters of RFC 3986 §2.3.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Row {
    /// The peer's name (empty where none is asked for) when this row has such a target.
    fn matches(&self, path: &str, query: &str) -> Option<String> {
        let (own_path, own_query) = split(self.target);
        let (segments, own) = (segments(path), segments(own_path));
        if own_query != query || own.len() != segments.len() {
            return None;
        }
        let mut peer = String::new();
        for (own, segment) in own.into_iter().zip(segments) {
            match own {
                PEER => peer = percent_decode_str(segment).decode_utf8_lossy().into_owned(),
                word if word == segment => {}
                _ => return None,
            }
        }
        Some(peer)
    }
}

fn split(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

fn segments(path: &str) -> Vec<&str> {
    path.trim_matches('/').split('/').collect()
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
            Some((row, peer)) if row.method.as_str() == method => Ok((row.request)(peer)),
            Some((row, _)) => Err(bad(format!("{path} is for {}", row.method.as_str()))),
            None => Err(bad(format!("there is no {path}; try /v1/peers"))),
        }
    }

    /// The method and the target (path and query) that mean this request.
    pub fn to_http(&self) -> (Method, String) {
        let peer = self.peer();
        let row = ROWS.iter().find(|row| (row.request)(peer.to_owned()) == *self);
        let row = row.expect("ROWS has every request: a test goes through them");
        let name = utf8_percent_encode(peer, &RESERVED).to_string();
        (row.method, row.target.replace(PEER, &name))
    }

    /// The peer that this is about; empty when it is about none.
    fn peer(&self) -> &str {
        match self {
            Request::Peer(peer)
            | Request::Rekey { peer, .. }
            | Request::Initiate { peer }
            | Request::Terminate { peer } => peer,
            Request::Peers
            | Request::Routes
            | Request::Sas
            | Request::Vrrp
            | Request::Stats
            | Request::Metrics
            | Request::Reload => "",
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
            Reply::Stats(view) => json(200, view),
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
