//! How output looks: a table for people, as wide as their terminal; columns separated by tabs for
//! programs, which stand under each other where nobody has asked for tabs alone; or JSON.

use super::args::{ColorChoice, Common, Format};
use super::objects::{Failed, Message};
use anstyle::{AnsiColor, Style};
use anyhow::{Error, Result};
use clap::ValueEnum;
use serde::Serialize;
use std::io::{self, ErrorKind, IsTerminal, Write};

/// The version of what `--json` prints. Fields may be added; none changes its meaning or goes
/// without another number here.
pub(super) const SCHEMA: u32 = 1;

/// How output looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// JSON, whatever the rest says.
    pub(super) json: bool,
    /// Aligned columns; else columns separated by tabs.
    pub(super) aligned: bool,
    /// Separated columns begin at tab stops, so that they stand under each other.
    pub(super) stops: bool,
    /// Colours.
    pub(super) colours: bool,
    /// Headings over separated columns; only the first of several tables has them.
    pub(super) headings: bool,
    /// How wide a line may be.
    pub(super) width: usize,
    /// How many lines the screen has.
    pub(super) height: usize,
}

impl Look {
    /// What suits standard output.
    pub(super) fn of_stdout(common: &Common) -> Look {
        let said = std::env::var("VPNCTL_FORMAT").ok();
        let said = said.and_then(|word| Format::from_str(&word, true).ok());
        let for_people = io::stdout().is_terminal() || common.color == ColorChoice::Always;
        let unasked = if for_people { Format::Table } else { Format::Plain };
        let format = common.format.or(said).unwrap_or(unasked);
        let json = common.json || format == Format::Json;
        let colours = !json && wants_colours(common.color, io::stdout().is_terminal());
        let (width, height) = screen();
        let (aligned, stops) = match format {
            Format::Table | Format::Json => (true, false),
            Format::Plain => (false, true),
            Format::Tsv => (false, false),
        };
        Look { json, aligned, stops, colours, headings: true, width, height }
    }

    /// Columns that people can read even where there is no terminal.
    pub(super) fn aligned(self) -> Look {
        Look { aligned: true, stops: false, ..self }
    }

    /// Whether sentences are wanted where there are no columns.
    pub(super) fn for_people(self) -> bool {
        self.aligned || self.stops
    }

    /// The same without headings over separated columns.
    pub(super) fn without_headings(self) -> Look {
        Look { headings: false, ..self }
    }

    /// `text` in `style`, when there are colours.
    pub(super) fn paint(self, style: Style, text: &str) -> String {
        if self.colours { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// What is begun again and again fits a screen: the rest of it is counted.
pub(super) fn on_screen(text: &str, height: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    match lines.get(..height.saturating_sub(2)) {
        Some(shown) if lines.len() >= height => {
            let left_out = lines.len() - shown.len();
            format!("{}\n… {left_out} more lines", shown.join("\n"))
        }
        Some(_) | None => text.to_owned(),
    }
}

/// Bold.
pub(super) const STRONG: Style = Style::new().bold();
/// For what is right.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// For what is wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// For what matters less.
pub(super) const FAINT: Style = Style::new().dimmed();

/// Columns and lines of the terminal; without one there is room for everything.
fn screen() -> (usize, usize) {
    match terminal_size::terminal_size_of(io::stdout()) {
        Some((width, height)) if width.0 > 0 && height.0 > 0 => {
            (usize::from(width.0), usize::from(height.0))
        }
        Some(_) | None => (usize::MAX, usize::MAX),
    }
}

fn wants_colours(color: ColorChoice, terminal: bool) -> bool {
    match color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            terminal && !unwanted && !dumb
        }
    }
}

/// Writes `text` to standard output, with a line end unless it has one.
pub(super) fn print(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        stdout.write_all(b"\n")?;
    }
    Ok(stdout.flush()?)
}

/// Writes an object, with the version of what it means.
pub(super) fn print_json(object: &impl Serialize) -> Result<()> {
    print(&versioned(object)?)
}

/// An object as `--json` prints it.
pub(super) fn versioned(object: &impl Serialize) -> Result<String> {
    let mut object = serde_json::to_value(object)?;
    if let Some(fields) = object.as_object_mut() {
        fields.insert("schema".to_owned(), SCHEMA.into());
    }
    Ok(object.to_string())
}

/// Writes an error and its causes to standard error. A gateway's report on a configuration
/// begins with its own "error: ".
pub(super) fn complain(error: &Error, color: ColorChoice, json: bool) {
    let colours = wants_colours(color, io::stderr().is_terminal());
    let (width, height) = (usize::MAX, usize::MAX);
    let look =
        Look { json: false, aligned: true, stops: false, colours, headings: true, width, height };
    let sentence = sentence(error);
    if json {
        // Whoever reads JSON finds why there is nothing else where the rest would stand.
        let _ = print_json(&Failed { gateway: None, error: Message { message: sentence } });
        return;
    }
    let start =
        if sentence.starts_with("error: ") { String::new() } else { look.paint(BAD, "error: ") };
    // Nothing can be done when even standard error is gone.
    let _ = writeln!(io::stderr(), "{start}{sentence}");
}

/// An error and its causes in one sentence.
pub(super) fn sentence(error: &Error) -> String {
    error.chain().map(|cause| cause.to_string()).collect::<Vec<_>>().join(": ")
}

/// Whether the reader of our output has gone, as in `vpnctl sas | head -1`.
pub(super) fn is_broken_pipe(error: &Error) -> bool {
    let io_error = error.downcast_ref::<io::Error>();
    io_error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

#[cfg(test)]
pub(super) mod tests;
