//! Metrics for Prometheus and a status page by HTTP, where the configuration asks for it
//! (`http_listen`). Nothing can be steered here, whoever asks.
//!
//! ```text
//!   GET /           the status page: one document, which asks for what follows
//!   GET /metrics    everything countable (Prometheus, text format 0.0.4)
//!   GET /v1/peers   /v1/events (the last of them)   /v1/vpcs   /v1/vrrp   /v1/stats     as on the control socket
//! ```
//!
//! However many ask however often, the loop answers each of these twice a second at most. Only requests
//! to an address or to `localhost` are answered: a page of somebody else's that a browser has under a
//! name of its own gets nothing (DNS rebinding).

use super::serving::{self, Call, Limits, serve};
use crate::control::{HttpReply, Reply, Request};
use crate::crypto::digest::sha256;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, info, warn};

/// The status page.
const PAGE: &str = include_str!("web/status.html");
/// How long an answer serves others who ask the same.
const FRESH: Duration = Duration::from_millis(500);
/// Between two attempts to listen.
const RETRY: Duration = Duration::from_secs(2);
/// Events that are shown.
const EVENTS: usize = 100;
const LIMITS: Limits =
    Limits { connections: 16, silence: Duration::from_secs(5), patience: Duration::from_secs(30) };

/// What may be asked.
const VIEWS: [(&str, Request); 6] = [
    ("/metrics", Request::Metrics),
    ("/v1/peers", Request::Peers),
    ("/v1/events", Request::Events { after: 0 }),
    ("/v1/vpcs", Request::Vpcs),
    ("/v1/vrrp", Request::Vrrp),
    ("/v1/stats", Request::Stats),
];

/// The server; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Web {
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// An answer, and when it was made.
type Kept = Mutex<Option<(Instant, HttpReply)>>;

#[derive(Clone)]
struct Shared {
    calls: mpsc::Sender<Call>,
    kept: Arc<[Kept; VIEWS.len()]>,
    /// What the status page may do: run its own script and ask this server.
    policy: HeaderValue,
}

impl Web {
    /// Listens at `wanted`; requests go to the loop. While the port is taken, or the address not this
    /// host's, that is said and tried again: tunnels do not wait for it.
    pub(super) async fn open(wanted: SocketAddr, calls: mpsc::Sender<Call>) -> Web {
        let listener = TcpListener::bind(wanted).await;
        let address = listener.as_ref().ok().and_then(|one| one.local_addr().ok());
        let address = address.unwrap_or(wanted);
        let shared = Shared { calls, kept: Arc::default(), policy: policy() };
        let app = Router::new().fallback(handle).with_state(shared);
        let server = async move {
            let listener = match listener {
                Ok(listener) => listener,
                Err(error) => {
                    warn!(
                        %error,
                        "nobody can ask by HTTP at {wanted} (http_listen of [gateway]) yet; it is tried \
                         again"
                    );
                    bind_later(wanted).await
                }
            };
            if !address.ip().is_loopback() {
                warn!(
                    "whoever reaches {address} can read metrics and status, without a password and in \
                     the clear: better leave http_listen at 127.0.0.1, behind a proxy that asks for one"
                );
            }
            info!("metrics and status at http://{address}");
            serve(listener, app, LIMITS).await;
        };
        Web { address, server: tokio::spawn(server) }
    }

    /// Where it listens.
    #[cfg(test)]
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        debug!(address = %self.address, "no more HTTP");
        self.server.abort();
    }
}

async fn bind_later(address: SocketAddr) -> TcpListener {
    loop {
        tokio::time::sleep(RETRY).await;
        if let Ok(listener) = TcpListener::bind(address).await {
            return listener;
        }
    }
}

/// The content security policy of the page: its script by its hash, nothing from elsewhere.
fn policy() -> HeaderValue {
    let script = PAGE.split_once("<script>").and_then(|(_, rest)| rest.split_once("</script>"));
    let hash = STANDARD.encode(sha256(&[script.map_or("", |(script, _)| script).as_bytes()]));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{hash}'; style-src 'unsafe-inline'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

async fn handle(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(is_ours) {
        let why = "ask by an address or as localhost; a proxy says so in `Host`\n";
        return (StatusCode::MISDIRECTED_REQUEST, why).into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    let mut response = match VIEWS.iter().position(|(path, _)| *path == uri.path()) {
        Some(index) => view(&shared, index).await,
        None if uri.path() == "/" => {
            ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE).into_response()
        }
        None => (StatusCode::NOT_FOUND, "there are /, /metrics and /v1/peers\n").into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, shared.policy.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Whether a Host header names no name, or this host for itself.
fn is_ours(host: &str) -> bool {
    let is_number = host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok();
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    is_number
        || bracketed.is_some_and(|inner| inner.parse::<IpAddr>().is_ok())
        || name.eq_ignore_ascii_case("localhost")
}

/// A view, if need be a new one. Whoever asks meanwhile waits for the same.
async fn view(shared: &Shared, index: usize) -> Response {
    let (Some(kept), Some((_, request))) = (shared.kept.get(index), VIEWS.get(index)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut kept = kept.lock().await;
    if let Some((_, http)) = kept.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
        return serving::response(Some(http.clone()));
    }
    let mut reply = serving::ask(&shared.calls, request.clone()).await;
    if let Reply::Events(view) = &mut reply {
        view.events.drain(..view.events.len().saturating_sub(EVENTS));
    }
    let http = serving::written(reply).await;
    *kept = http.clone().map(|http| (Instant::now(), http));
    serving::response(http)
}

#[cfg(test)]
mod tests;
