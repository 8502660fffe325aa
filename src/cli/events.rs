//! What happened at the gateways, once or as it happens.

use super::args::Common;
use super::client;
use super::gateways::{self, Target};
use super::look::{self, FAINT, Look, STRONG};
use super::objects::Happened;
use super::sheet::{Tone, wrapped};
use crate::control::{EventView, EventsView, Request, Severity};
use anyhow::{Context, Result};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// How often gateways are asked for what is new.
const PAUSE: Duration = Duration::from_millis(500);
/// How far what follows the first line of an event is indented.
const INDENT: usize = 10;

/// Which events are shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Only of this peer.
    pub(super) peer: Option<&'a str>,
    /// Only what somebody should look at.
    pub(super) warnings: bool,
}

impl Wanted<'_> {
    fn wants(&self, event: &EventView) -> bool {
        let of_peer = self.peer.is_none_or(|peer| event.peer == peer);
        of_peer && (!self.warnings || event.severity == Severity::Warning)
    }
}

/// `vpnctl events`.
pub(super) fn show(
    common: &Common,
    wanted: Wanted<'_>,
    follow: bool,
    look: Look,
) -> Result<ExitCode> {
    let targets = gateways::all(common)?;
    let several = targets.len() > 1;
    let mut known = vec![0; targets.len()];
    loop {
        let mut lines = Vec::new();
        for (target, known) in targets.iter().zip(&mut known) {
            match ask(target, *known) {
                Ok(view) => {
                    // A daemon that began anew counts from the beginning.
                    *known = if view.last < *known { 0 } else { view.last };
                    lines.extend(lines_of(&view, wanted, several, look));
                }
                Err(error) if !follow && targets.len() == 1 => return Err(error),
                Err(error) if !follow => look::complain(&error, common.color, look.json),
                Err(_) => {}
            }
        }
        lines.sort_by_key(|(ago, _)| std::cmp::Reverse(*ago));
        if !lines.is_empty() {
            let text: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
            look::print(&text.join("\n"))?;
        }
        if !follow {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(PAUSE);
    }
}

fn ask(target: &Target, after: u64) -> Result<EventsView> {
    let body = client::ask(&target.socket, &Request::Events { after })?;
    let view = serde_json::from_str(&body);
    view.context("the gateway runs another version of vpngw than this vpnctl")
}

/// A text for each event, with its age.
fn lines_of(
    view: &EventsView,
    wanted: Wanted<'_>,
    several: bool,
    look: Look,
) -> Vec<(u64, String)> {
    let events = view.events.iter().filter(|event| wanted.wants(event));
    let text = |event: &EventView| match (look.json, look.for_people()) {
        (true, _) => as_json(&view.gateway, event),
        (false, true) => as_text(several.then_some(view.gateway.as_str()), event, look),
        (false, false) => as_columns(&view.gateway, event),
    };
    events.map(|event| (event.ago_ms, text(event))).collect()
}

fn as_json(gateway: &str, event: &EventView) -> String {
    look::versioned(&Happened { gateway, event }).unwrap_or_default()
}

fn as_columns(gateway: &str, event: &EventView) -> String {
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let severity = if event.severity == Severity::Warning { "warning" } else { "info" };
    let columns = [
        time_of(event),
        gateway.to_owned(),
        severity.to_owned(),
        event.code.to_string(),
        event.peer.clone(),
        event.what.clone(),
        optional(&event.ours),
        optional(&event.theirs),
        optional(&event.remedy),
    ];
    columns.map(|column| column.replace(['\t', '\n'], " ")).join("\t")
}

/// The event, and below it what the sides have and what to do.
fn as_text(gateway: Option<&str>, event: &EventView, look: Look) -> String {
    let time = time_of(event)
        .split_once('T')
        .map_or_else(String::new, |(_, time)| time.trim_end_matches('Z').to_owned());
    let place = gateway.map_or_else(String::new, |gateway| format!("{gateway}  "));
    let peer = if event.peer.is_empty() { String::new() } else { format!("{}: ", event.peer) };
    let tone = match event.severity {
        Severity::Info => Tone::Plain,
        Severity::Warning => Tone::Bad,
    };
    let room = look.width.saturating_sub(INDENT);
    let mut sentences = wrapped(&format!("{place}{peer}{} [{}]", event.what, event.code), room);
    if let Some(first) = sentences.first_mut().filter(|_| tone == Tone::Bad) {
        *first = look.paint(look::BAD, first);
    }
    let sides = [("ours", &event.ours), ("theirs", &event.theirs), ("do", &event.remedy)];
    let mut lines = sentences;
    for (name, text) in sides {
        let Some(text) = text else { continue };
        let wrapped = wrapped(&format!("{name}: {text}"), room);
        lines.extend(wrapped.into_iter().map(|line| look.paint(FAINT, &line)));
    }
    let first = format!("{}  ", look.paint(STRONG, &time));
    first + &lines.join(&format!("\n{:INDENT$}", ""))
}

/// When it was, in UTC.
fn time_of(event: &EventView) -> String {
    let ago = Duration::from_millis(event.ago_ms);
    let at = SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH);
    humantime::format_rfc3339_seconds(at).to_string()
}

#[cfg(test)]
mod tests;
