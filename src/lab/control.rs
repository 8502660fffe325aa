//! A gateway's control socket, asked without a runtime: one request, one answer in JSON.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A daemon that is silent for so long does not answer any more.
const PATIENCE: Duration = Duration::from_secs(5);

/// The path of the control socket in a configuration file, or its default there.
pub fn socket_of(config: &Path) -> Result<String> {
    let unreadable = || format!("{} cannot be read", config.display());
    let text = std::fs::read_to_string(config).with_context(unreadable)?;
    let table: toml::Table = text.parse().with_context(unreadable)?;
    let gateway = table.get("gateway").with_context(unreadable)?;
    let word = |key: &str| gateway.get(key).and_then(|value| value.as_str());
    if let Some(socket) = word("control_socket") {
        return Ok(socket.to_owned());
    }
    let name = word("name").with_context(unreadable)?;
    Ok(crate::config::defaults::control_socket(name))
}

/// Asks for a view, such as `/v1/peers`.
pub fn get(socket: &str, path: &str) -> Result<Value> {
    request(socket, "GET", path)
}

/// Asks for something to be done.
pub fn post(socket: &str, path: &str) -> Result<Value> {
    request(socket, "POST", path)
}

fn request(socket: &str, method: &str, path: &str) -> Result<Value> {
    let answer =
        exchange(socket, method, path).with_context(|| format!("asking {socket} for {path}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of header")?;
    let status = head.split_ascii_whitespace().nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        bail!("{method} {path} was refused with status {status}: {}", body.trim());
    }
    serde_json::from_str(body).with_context(|| format!("{path} was not answered with JSON"))
}

/// HTTP/1.0 ends an answer with the connection and never cuts it into chunks (RFC 1945 §7.2.2).
fn exchange(socket: &str, method: &str, path: &str) -> Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: vpngw\r\nContent-Length: 0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
