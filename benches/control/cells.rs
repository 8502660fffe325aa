//! The cells of one column: a number of tunnels, and everything that is measured with it.

use crate::hub::{Fired, Hub};
use crate::stopwatch::{Cell, Deadline, cpu_time, repeat};
use crate::texts::{self, Remote};
use anyhow::Result;
use std::time::Duration;
use vpngw::control::Request;

/// Handshakes, rekeyings and failovers that one cell measures.
const CONVERSATIONS: u32 = 20;
/// Probes and inspections that one cell measures.
const TIMERS: usize = 100;

/// What was measured with one number of tunnels.
pub(crate) struct Column {
    /// How many.
    pub size: u32,
    /// How the hub knows its peers.
    pub remote: Remote,
    /// Label and figure, in the order of the table.
    pub rows: Vec<(&'static str, Cell)>,
}

impl Column {
    fn put(&mut self, label: &'static str, cell: Cell) {
        self.rows.push((label, cell));
    }
}

/// Measures one column: first with tunnels that are only configured, then with all of them up.
pub(crate) fn measure(size: u32, remote: Remote, limit: Duration) -> Result<Column> {
    let mut column = Column { size, remote, rows: Vec::new() };
    let (mut hub, took) = Hub::start(size, remote)?;
    column.put("Gateway::new", Cell::of(vec![took]));
    configured(&mut column, &mut hub);
    let all_up = establish(&mut column, &mut hub, limit)?;
    if all_up {
        established(&mut column, &mut hub, limit)?;
    }
    Ok(column)
}

fn configured(column: &mut Column, hub: &mut Hub) {
    column.put("configured: junk datagram", repeat(|| hub.receive_junk()));
    column.put("configured: poll_timeout", repeat(|| hub.poll_timeout()));
    column.put("configured: handle_timeout, nothing due", repeat(|| hub.wake()));
    column.put("configured: Request::Peer", view(hub, &about(0)));
    column.put("configured: Request::Peers", view(hub, &Request::Peers));
    column.put("configured: Request::Metrics", view(hub, &Request::Metrics));
}

/// Brings all tunnels up, one after the other; false when that takes too long.
fn establish(column: &mut Column, hub: &mut Hub, limit: Duration) -> Result<bool> {
    let samples = some_handshakes(hub, CONVERSATIONS.min(column.size / 2))?;
    column.put("configured: handshake at the hub", Cell::of(samples));
    let deadline = Deadline::after(limit);
    let last = CONVERSATIONS.min(column.size / 2);
    let before_last = (column.size - last) as usize;
    let begin = cpu_time();
    while hub.established() < before_last {
        if deadline.is_over() {
            eprintln!("{} of {} tunnels up at the limit", hub.established(), column.size);
            column.put("established: handshake at the hub", Cell::OverLimit);
            return Ok(false);
        }
        hub.establish_next()?;
    }
    eprintln!(
        "{} tunnels up after {:.1} s of CPU",
        before_last,
        (cpu_time() - begin).as_secs_f64()
    );
    let samples = some_handshakes(hub, last)?;
    column.put("established: handshake at the hub", Cell::of(samples));
    Ok(true)
}

fn some_handshakes(hub: &mut Hub, count: u32) -> Result<Vec<Duration>> {
    (0..count).map(|_| hub.establish_next()).collect()
}

fn established(column: &mut Column, hub: &mut Hub, limit: Duration) -> Result<()> {
    column.put("established: junk datagram", repeat(|| hub.receive_junk()));
    column.put("established: poll_timeout", repeat(|| hub.poll_timeout()));
    column.put("established: handle_timeout, nothing due", repeat(|| hub.wake()));
    column.put("established: Request::Peer", view(hub, &about(column.size / 2)));
    peers(column, hub);
    column.put("established: Request::Metrics", view(hub, &Request::Metrics));
    let count = CONVERSATIONS.min(column.size);
    let rekeyings = (0..count).map(|number| hub.rekey(number)).collect();
    column.put("established: Child SA rekeyed", Cell::of(rekeyings));
    timers(column, hub, limit)?;
    // Of every pair one closes, so the other takes over.
    let count = CONVERSATIONS.min(column.size / 2);
    let failovers: Result<Vec<_>> = (0..count).map(|pair| hub.fail_over(pair * 2)).collect();
    column.put("established: failover, tunnel down to snapshot", Cell::of(failovers?));
    Ok(())
}

/// The view of all peers as a whole, and the longest that it stopped the loop.
fn peers(column: &mut Column, hub: &mut Hub) {
    column.put("established: Request::Peers, whole", view(hub, &Request::Peers));
    let stretches = hub.answer(&Request::Peers);
    let longest = stretches.into_iter().max();
    column.put(
        "established: Request::Peers, longest stretch",
        Cell::of(longest.into_iter().collect()),
    );
}

/// Probes that come due one after the other, and the inspections between them.
fn timers(column: &mut Column, hub: &mut Hub, limit: Duration) -> Result<()> {
    let deadline = Deadline::after(limit);
    let (mut probes, mut inspections) = (Vec::new(), Vec::new());
    while probes.len() < TIMERS && !deadline.is_over() {
        match hub.wait()? {
            Fired::Probe(took) => probes.push(took),
            Fired::Inspection(took) => inspections.push(took),
            Fired::Other => {}
        }
    }
    let or_limit = |samples: Vec<Duration>| match samples.as_slice() {
        [] => Cell::OverLimit,
        [..] => Cell::of(samples),
    };
    column.put("established: a probe, answered", or_limit(probes));
    column.put("established: look at the counters", or_limit(inspections));
    Ok(())
}

fn about(number: u32) -> Request {
    Request::Peer(texts::spoke_name(number))
}

fn view(hub: &mut Hub, request: &Request) -> Cell {
    let mut samples = Vec::new();
    let deadline = Deadline::after(Duration::from_millis(300));
    while samples.is_empty() || (samples.len() < 100 && !deadline.is_over()) {
        samples.push(hub.answer(request).into_iter().sum());
    }
    Cell::of(samples)
}
