//! A gateway's control socket, asked without a runtime: one request, one answer.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

use crate::config::defaults;
use crate::config_file;
use crate::control::{Failure, PeerState, PeersView, Request};

/// A daemon that is silent for so long does not answer any more.
const PATIENCE: Duration = Duration::from_secs(5);

/// The path of the control socket in a configuration file, or its default there.
pub fn socket_of(config: &Path) -> Result<String> {
    let unreadable = || format!("{} cannot be read", config.display());
    let text = config_file::text(config).with_context(unreadable)?;
    let table: toml::Table = text.parse().with_context(unreadable)?;
    let gateway = table.get("gateway").with_context(unreadable)?;
    let word = |key: &str| gateway.get(key).and_then(|value| value.as_str());
    match word("control_socket") {
        Some(socket) => Ok(socket.to_owned()),
        None => Ok(defaults::control_socket(word("name").with_context(unreadable)?)),
    }
}

/// Asks the gateway behind a socket. `T` is the view that belongs to the request; an answer
/// that refuses becomes an error with the gateway's own words.
pub fn ask<T: DeserializeOwned>(socket: &str, request: &Request) -> Result<T> {
    let (method, target) = request.to_http();
    let answer = exchange(socket, method.as_str(), &target)
        .with_context(|| format!("asking {socket} for {target}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of header")?;
    let status = head.split_ascii_whitespace().nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        let refusal = serde_json::from_str::<Failure>(body).map(|failure| failure.message);
        bail!("{target}: {}", refusal.unwrap_or_else(|_| format!("status {status}")));
    }
    serde_json::from_str(body).with_context(|| format!("{target} was not answered with JSON"))
}

/// How many tunnels of a gateway are up, and how many it has.
pub fn tunnels(socket: &str) -> Result<(usize, usize)> {
    let view: PeersView = ask(socket, &Request::Peers)?;
    let up = view.peers.iter().filter(|peer| peer.state == PeerState::Up).count();
    Ok((up, view.peers.len()))
}

/// HTTP/1.0 ends an answer with the connection and never cuts it into chunks (RFC 1945 §7.2.2).
fn exchange(socket: &str, method: &str, target: &str) -> Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "{method} {target} HTTP/1.0\r\nHost: vpngw\r\nContent-Length: 0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
