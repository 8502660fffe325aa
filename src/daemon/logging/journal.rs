//! Writes to systemd's journal by its own protocol (systemd's "Native Journal Protocol"): each line is
//! a datagram of fields. The text says what the fields say, too, since most people read only that.
//!
//! ```text
//!   MESSAGE=stands at last: wish=route to 10.2.0.0/16     PRIORITY=6     F_WISH=route to 10.2.0.0/16
//! ```

use std::fmt::{Debug, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";
/// More of a value is not written: a datagram has to fit the socket's buffer.
const MOST: usize = 16 << 10;
/// What fields of ours begin with, so that none is taken for one of systemd's.
const PREFIX: &str = "F_";
/// Fields that a text about a peer says in words of its own.
const SAID: [&str; 2] = ["peer", "code"];

/// Lines go to the journal.
#[derive(Debug)]
pub(super) struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    /// Connects to the journal of this host.
    pub(super) fn open() -> std::io::Result<Journal> {
        Journal::at(Path::new(SOCKET))
    }

    fn at(path: &Path) -> std::io::Result<Journal> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        socket.set_nonblocking(true)?;
        Ok(Journal { socket })
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let metadata = event.metadata();
        let mut datagram = Vec::new();
        put(&mut datagram, "MESSAGE", &line.text());
        put(&mut datagram, "PRIORITY", priority(*metadata.level()));
        put(&mut datagram, "SYSLOG_IDENTIFIER", "vpngwd");
        put(&mut datagram, "TARGET", metadata.target());
        for (name, value) in &line.fields {
            put(&mut datagram, &format!("{PREFIX}{}", name.to_ascii_uppercase()), value);
        }
        // A journal that is gone, or behind, is no reason to stop or to wait.
        let _ = self.socket.send(&datagram);
    }
}

/// As syslog numbers them (RFC 5424 §6.2.1).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

/// A field with its length before it, so that it may hold anything.
fn put(datagram: &mut Vec<u8>, name: &str, value: &str) {
    let value = value.as_bytes();
    let value = value.get(..MOST).unwrap_or(value);
    datagram.extend(name.bytes().map(|octet| if octet == b'.' { b'_' } else { octet }));
    datagram.push(b'\n');
    datagram.extend((value.len() as u64).to_le_bytes());
    datagram.extend(value);
    datagram.push(b'\n');
}

/// What is written: the message, and its fields as texts.
#[derive(Debug, Default)]
struct Line {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Line {
    /// The message, and behind it those fields that it does not say.
    fn text(&self) -> String {
        let mut text = self.message.clone();
        let says = |name: &str, value: &str| SAID.contains(&name) || self.message.contains(value);
        let more = self.fields.iter().filter(|(name, value)| !says(name, value));
        for (number, (name, value)) in more.enumerate() {
            let gap = if number == 0 { ": " } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(text, "{gap}{name}={value}");
        }
        text
    }

    fn take(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name => self.fields.push((name, value)),
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned());
    }
}

#[cfg(test)]
mod tests;
