//! Requests and replies as HTTP has them.
//!
//! ```text
//! GET  /v1/peers            GET  /v1/vrrp      POST /v1/reload
//! GET  /v1/peers/{name}     GET  /v1/stats     POST /v1/peers/{name}/rekey?sa=child|ike
//! GET  /v1/routes           GET  /metrics      POST /v1/peers/{name}/initiate
//! GET  /v1/sas                                 POST /v1/peers/{name}/terminate
//! ```

use super::{Failure, FailureKind, Reply, Request, SaKind, render_metrics};
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
    pub fn from_http(method: &str, target: &str) -> Result<Request, Failure> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let wanted = match segments.as_slice() {
            ["v1", "peers"] => Some((Method::Get, Request::Peers)),
            ["v1", "peers", name] => Some((Method::Get, Request::Peer(decode(name)))),
            ["v1", "routes"] => Some((Method::Get, Request::Routes)),
            ["v1", "sas"] => Some((Method::Get, Request::Sas)),
            ["v1", "vrrp"] => Some((Method::Get, Request::Vrrp)),
            ["v1", "stats"] => Some((Method::Get, Request::Stats)),
            ["metrics"] => Some((Method::Get, Request::Metrics)),
            ["v1", "reload"] => Some((Method::Post, Request::Reload)),
            ["v1", "peers", name, verb] => action(decode(name), verb, query),
            _ => None,
        };
        match wanted {
            Some((needed, request)) if needed.as_str() == method => Ok(request),
            Some((needed, _)) => Err(bad(format!("{path} is for {}", needed.as_str()))),
            None => Err(bad(format!("there is no {path}; try /v1/peers"))),
        }
    }

    /// The method and the target (path and query) that mean this request.
    pub fn to_http(&self) -> (Method, String) {
        match self {
            Request::Peers => (Method::Get, "/v1/peers".to_owned()),
            Request::Peer(name) => (Method::Get, format!("/v1/peers/{}", encode(name))),
            Request::Routes => (Method::Get, "/v1/routes".to_owned()),
            Request::Sas => (Method::Get, "/v1/sas".to_owned()),
            Request::Vrrp => (Method::Get, "/v1/vrrp".to_owned()),
            Request::Stats => (Method::Get, "/v1/stats".to_owned()),
            Request::Metrics => (Method::Get, "/metrics".to_owned()),
            Request::Reload => (Method::Post, "/v1/reload".to_owned()),
            Request::Rekey { peer, sa } => {
                let sa = match sa {
                    SaKind::Ike => "ike",
                    SaKind::Child => "child",
                };
                (Method::Post, format!("/v1/peers/{}/rekey?sa={sa}", encode(peer)))
            }
            Request::Initiate { peer } => {
                (Method::Post, format!("/v1/peers/{}/initiate", encode(peer)))
            }
            Request::Terminate { peer } => {
                (Method::Post, format!("/v1/peers/{}/terminate", encode(peer)))
            }
        }
    }
}

fn action(peer: String, verb: &str, query: &str) -> Option<(Method, Request)> {
    let request = match verb {
        "rekey" => match query {
            "" | "sa=child" => Request::Rekey { peer, sa: SaKind::Child },
            "sa=ike" => Request::Rekey { peer, sa: SaKind::Ike },
            _ => return None,
        },
        "initiate" => Request::Initiate { peer },
        "terminate" => Request::Terminate { peer },
        _ => return None,
    };
    Some((Method::Post, request))
}

fn bad(message: String) -> Failure {
    Failure { kind: FailureKind::BadRequest, message }
}

/// A name as a path segment: everything outside the unreserved characters of RFC 3986 §2.3 as
/// `%XX`.
fn encode(name: &str) -> String {
    let mut segment = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            segment.push(char::from(byte));
        } else {
            segment += &format!("%{byte:02X}");
        }
    }
    segment
}

/// A path segment as the name it stands for; a broken escape stays as it is.
fn decode(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        match escaped(rest) {
            Some((byte, after)) => {
                bytes.push(byte);
                rest = after;
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, after @ ..] = text else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    Some((byte, after))
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
        FailureKind::Internal => 500,
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
