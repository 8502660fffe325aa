//! How output looks: a table in colours for people, plain columns for programs, or JSON.

use super::args::ColorChoice;
use anstyle::{AnsiColor, Style};
use anyhow::{Error, Result};
use std::io::{self, ErrorKind, IsTerminal, Write};

/// How output looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// JSON, whatever the rest says.
    pub(super) json: bool,
    /// Aligned columns; else columns separated by tabs.
    pub(super) aligned: bool,
    /// Colours.
    pub(super) colours: bool,
    /// Headings over separated columns; only the first of several tables has them.
    pub(super) headings: bool,
}

impl Look {
    /// What suits standard output.
    pub(super) fn of_stdout(color: ColorChoice, json: bool) -> Look {
        let terminal = io::stdout().is_terminal();
        let colours = !json && wants_colours(color, terminal);
        Look { json, aligned: terminal, colours, headings: true }
    }

    /// Columns that people can read even where there is no terminal.
    pub(super) fn aligned(self) -> Look {
        Look { aligned: true, ..self }
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

/// Bold.
pub(super) const STRONG: Style = Style::new().bold();
/// For what is right.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// For what is wrong.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// For what matters less.
pub(super) const FAINT: Style = Style::new().dimmed();

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

/// Writes an error and its causes to standard error. A gateway's report on a configuration
/// begins with its own "error: ".
pub(super) fn complain(error: &Error, color: ColorChoice) {
    let colours = wants_colours(color, io::stderr().is_terminal());
    let look = Look { json: false, aligned: true, colours, headings: true };
    let sentence = error.chain().map(|cause| cause.to_string()).collect::<Vec<_>>().join(": ");
    let start =
        if sentence.starts_with("error: ") { String::new() } else { look.paint(BAD, "error: ") };
    // Nothing can be done when even standard error is gone.
    let _ = writeln!(io::stderr(), "{start}{sentence}");
}

/// Whether the reader of our output has gone, as in `vpnctl sas | head -1`.
pub(super) fn is_broken_pipe(error: &Error) -> bool {
    let io_error = error.downcast_ref::<io::Error>();
    io_error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
