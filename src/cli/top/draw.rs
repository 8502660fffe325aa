//! Draws the model: a table of peers, what is wrong with the chosen one, what happened last.
//!
//! ```text
//! vpnctl top  3 of 4 up                                  by name
//! PEER      STATE         SINCE    RTT  LOSS  RECEIVING  SENDING
//! north-a   up              41s  149µs    0%   24 kbit/s  …
//!
//! north-b   the path is lost …
//! ── last events ────────────────────────────────────────────────
//! 2s ago    north-b: the path is lost [path-lost]
//! q quit  ↑↓ choose …
//! ```

use super::super::sheet::{Tone, wrapped};
use super::super::show;
use super::super::units::{rate, round_trip, span};
use super::model::{KEYS, Model, Row};
use crate::control::Severity;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};

/// Space between two columns.
const GAP: usize = 2;
/// So many lines events get at least, with their heading.
const EVENTS: u16 = 4;
/// Width of the column of ages.
const AGES: usize = 9;

/// A column: its heading, whether numbers stand in it, and what it says of a peer.
type Column = (&'static str, bool, fn(&Row<'_>) -> (String, Tone));

/// All columns; those behind the third go from the end where there is no room.
const COLUMNS: [Column; 10] = [
    ("GATEWAY", false, |row| (row.gateway.to_owned(), Tone::Faint)),
    ("PEER", false, |row| (row.peer.name.clone(), Tone::Plain)),
    ("STATE", false, |row| (row.peer.verdict.to_string(), show::tone_of(row.peer.verdict))),
    ("RECEIVING", true, |row| (rate(row.peer.received.bits_per_second), Tone::Plain)),
    ("SENDING", true, |row| (rate(row.peer.sent.bits_per_second), Tone::Plain)),
    ("RTT", true, |row| (row.peer.rtt_us.map_or("-".to_owned(), round_trip), Tone::Plain)),
    ("LOSS", true, |row| match row.loss {
        None => ("-".to_owned(), Tone::Faint),
        Some(loss @ 0..=9) => {
            (format!("0.{loss}%"), if loss > 0 { Tone::Warning } else { Tone::Plain })
        }
        Some(loss) => (format!("{}%", loss / 10), Tone::Bad),
    }),
    ("SINCE", true, |row| (span(row.peer.state_for_ms), Tone::Plain)),
    ("IN USE", true, |row| (row.peer.prefixes_active.to_string(), Tone::Plain)),
    ("VPC", false, |row| (row.peer.vpc.clone(), Tone::Plain)),
];
/// Without these a row says nothing.
const NEEDED: usize = 3;

/// Draws the whole screen.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let rows = model.rows();
    let causes = causes(model, &rows, usize::from(area.width));
    let height = |lines: usize| u16::try_from(lines).unwrap_or(u16::MAX);
    let wanted = Constraint::Max(height(rows.len() + 1));
    let [title, table, cause, events, keys] = Layout::vertical([
        Constraint::Length(1),
        wanted,
        Constraint::Max(height(causes.len())),
        Constraint::Min(EVENTS),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(heading(model, usize::from(area.width)), title);
    for (line, place) in table_of(model, &rows, table).into_iter().zip(table.rows()) {
        frame.render_widget(line, place);
    }
    for (line, place) in causes.into_iter().zip(cause.rows()) {
        frame.render_widget(line, place);
    }
    for (line, place) in happened(model, events).into_iter().zip(events.rows()) {
        frame.render_widget(line, place);
    }
    let known = fitting_keys(usize::from(area.width));
    frame.render_widget(Line::from(known).style(style(Tone::Faint)), keys);
}

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Warning => Style::new().fg(Color::Yellow),
        Tone::Bad => Style::new().fg(Color::Red).bold(),
        Tone::Faint => Style::new().dim(),
    }
}

/// Who answers, how many are up, and in what order they stand.
fn heading(model: &Model, width: usize) -> Line<'static> {
    let (well, all) = model.tally();
    let who = match model.gateways().as_slice() {
        [] => "no gateway answers".to_owned(),
        [one] => (*one).to_owned(),
        several => format!("{} gateways", several.len()),
    };
    let silent: String =
        model.silent().iter().map(|(name, why)| format!(", {name}: {why}")).collect();
    let tone = if well == all && silent.is_empty() && all > 0 { Tone::Good } else { Tone::Bad };
    let (left, tally) = (format!("{who}  "), format!("{well} of {all} up{silent}"));
    let manner = model.manner();
    let fits = length(&left) + length(&tally) + GAP + length(&manner) <= width;
    let manner = if fits { manner } else { String::new() };
    let used = length(&left) + length(&tally) + length(&manner);
    let gap = " ".repeat(width.saturating_sub(used).max(GAP));
    Line::from(vec![
        Span::from(left).bold(),
        Span::styled(tally, style(tone)),
        Span::from(gap),
        Span::styled(manner, style(Tone::Faint)),
    ])
}

/// The keys that there is room for.
fn fitting_keys(room: usize) -> String {
    let mut line = String::new();
    for key in KEYS.split("  ") {
        let gap = if line.is_empty() { "" } else { "  " };
        if length(&line) + gap.len() + length(key) > room {
            break;
        }
        line.push_str(gap);
        line.push_str(key);
    }
    line
}

/// The peers, scrolled so far that the chosen one is among them.
fn table_of(model: &Model, rows: &[Row<'_>], area: Rect) -> Vec<Line<'static>> {
    let room = usize::from(area.height.saturating_sub(1));
    let chosen = model.index();
    let first = chosen.map_or(0, |chosen| (chosen + 1).saturating_sub(room));
    let columns = fitting(model, rows, usize::from(area.width));
    let head = columns.iter().map(|((name, right, _), width)| cell(name, *width, *right));
    let mut lines = vec![Line::from(head.collect::<String>().trim_end().to_owned()).bold()];
    for (index, row) in rows.iter().enumerate().skip(first).take(room) {
        let cells = columns.iter().map(|((_, right, says), width)| {
            let (text, tone) = says(row);
            Span::styled(cell(&text, *width, *right), style(tone))
        });
        let line = Line::from(cells.collect::<Vec<_>>());
        lines.push(if chosen == Some(index) { line.reversed() } else { line });
    }
    lines
}

/// The columns that there is room for, with their widths.
fn fitting(model: &Model, rows: &[Row<'_>], room: usize) -> Vec<(Column, usize)> {
    let several = model.gateways().len() > 1;
    let vpcs = rows.windows(2).any(|pair| matches!(pair, [a, b] if a.peer.vpc != b.peer.vpc));
    let is_wanted =
        |(name, ..): &Column| (several || *name != "GATEWAY") && (vpcs || *name != "VPC");
    let width = |(name, _, says): &Column| {
        rows.iter().map(|row| length(&says(row).0)).fold(length(name), usize::max) + GAP
    };
    let wanted = COLUMNS.into_iter().filter(is_wanted);
    let mut columns: Vec<(Column, usize)> = wanted.map(|column| (column, width(&column))).collect();
    let needed = if several { NEEDED } else { NEEDED - 1 };
    let whole = |columns: &[(Column, usize)]| columns.iter().map(|(_, width)| width).sum::<usize>();
    while columns.len() > needed && whole(&columns) > room + GAP {
        columns.pop();
    }
    columns
}

/// A cell with the space behind it.
fn cell(text: &str, width: usize, right: bool) -> String {
    let wide = width - GAP;
    match right {
        true => format!("{text:>wide$}{:GAP$}", ""),
        false => format!("{text:<width$}"),
    }
}

/// What is wrong with the chosen peer, or with the first one with which something is.
fn causes(model: &Model, rows: &[Row<'_>], width: usize) -> Vec<Line<'static>> {
    let chosen = model.index().and_then(|index| rows.get(index));
    let is_ill = |row: &&Row<'_>| !row.peer.verdict.is_well();
    let Some(row) = chosen.filter(is_ill).or_else(|| rows.iter().find(is_ill)) else {
        return Vec::new();
    };
    let name = match model.gateways().len() {
        0 | 1 => row.peer.name.clone(),
        _ => format!("{} → {}", row.gateway, row.peer.name),
    };
    let mut lines = vec![Line::default()];
    let mut first = format!("{name}: ");
    for (text, tone) in show::notes(row.peer) {
        let whole = wrapped(&format!("{first}{text}"), width);
        lines.extend(whole.into_iter().map(|line| Line::styled(line, style(tone))));
        first = String::new();
    }
    if lines.len() == 1 {
        let state = format!("{first}{}", row.peer.verdict);
        lines.push(Line::styled(state, style(show::tone_of(row.peer.verdict))));
    }
    lines
}

/// What happened last, one line an event.
fn happened(model: &Model, area: Rect) -> Vec<Line<'static>> {
    let width = usize::from(area.width);
    let of = model.events_of().map_or(String::new(), |peer| format!(" of {peer}"));
    let title = format!("── last events{of} ");
    let rule = "─".repeat(width.saturating_sub(length(&title)));
    let mut lines = vec![Line::default(), Line::styled(title + &rule, style(Tone::Faint))];
    let several = model.gateways().len() > 1;
    for (gateway, event) in model.events() {
        let place = if several { format!("{gateway}  ") } else { String::new() };
        let peer = if event.peer.is_empty() { String::new() } else { format!("{}: ", event.peer) };
        let age = format!("{:AGES$}", format!("{} ago", span(event.ago_ms)));
        let text = format!("{peer}{} [{}]", event.what, event.code);
        let tone = match event.severity {
            Severity::Info => Tone::Plain,
            Severity::Warning => Tone::Bad,
        };
        let room = width.saturating_sub(AGES + GAP + length(&place));
        lines.push(Line::from(vec![
            Span::styled(format!("{age}{:GAP$}{place}", ""), style(Tone::Faint)),
            Span::styled(ending(&text, room), style(tone)),
        ]));
    }
    lines
}

/// As much of a sentence as there is room for, whole words of it.
fn ending(text: &str, room: usize) -> String {
    let mut lines = wrapped(text, room.saturating_sub(2));
    let first = if lines.is_empty() { String::new() } else { lines.remove(0) };
    if lines.is_empty() { first } else { first + " …" }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests;
