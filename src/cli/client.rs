//! Asks one gateway: HTTP over its Unix socket.

use crate::control::{Failure, Request};
use anyhow::{Context, Error, Result, anyhow};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;

/// A gateway that takes longer is stuck: one with ten thousand tunnels under load takes seconds, and it
/// ends connections itself after a minute.
const PATIENCE: Duration = Duration::from_secs(20);

/// The body of the gateway's answer.
pub(super) fn ask(socket: &Path, request: &Request) -> Result<String> {
    ask_within(socket, request, PATIENCE)
}

/// The same of a gateway that answers in time.
pub(super) fn ask_within(socket: &Path, request: &Request, patience: Duration) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match tokio::time::timeout(patience, exchange(socket, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::new(Silent(format!(
                "the gateway at {} does not answer for {} s: is it stopped, or the host overloaded?",
                socket.display(),
                patience.as_secs()
            )))),
        }
    })
}

async fn exchange(socket: &Path, request: &Request) -> Result<String> {
    let stream = UnixStream::connect(socket).await.map_err(|error| unreachable(socket, error))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let (method, target) = request.to_http();
    let http = hyper::Request::builder()
        .method(method.as_str())
        .uri(target)
        .header("host", "vpngw")
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(http).await.context("the gateway hung up")?;
    let succeeded = response.status().is_success();
    let body = response.into_body().collect().await.context("the gateway hung up")?.to_bytes();
    driver.abort();
    let body = String::from_utf8(body.to_vec()).context("the gateway's answer is not text")?;
    if succeeded { Ok(body) } else { Err(refusal(&body)) }
}

fn refusal(body: &str) -> Error {
    match serde_json::from_str::<Failure>(body) {
        Ok(failure) => Error::new(failure),
        Err(_) => anyhow!("the gateway refused: {}", body.trim()),
    }
}

/// Somebody has the socket open and says nothing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Silent(String);

/// Nobody answers at the socket.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotRunning(pub(super) String);

fn unreachable(socket: &Path, error: std::io::Error) -> Error {
    let path = socket.display();
    match error.kind() {
        ErrorKind::NotFound => Error::new(NotRunning(format!(
            "there is no control socket {path}: the gateway does not run; start it with \
             `vpngwd --config FILE`"
        ))),
        ErrorKind::ConnectionRefused => Error::new(NotRunning(format!(
            "nobody answers at {path}: the gateway has ended without cleaning up; start it again \
             with `vpngwd --config FILE`"
        ))),
        ErrorKind::PermissionDenied => {
            anyhow!("this user may not use {path}; run vpnctl as root (sudo vpnctl …)")
        }
        _ => anyhow!("connecting to {path}: {error}"),
    }
}

#[cfg(test)]
mod tests;
