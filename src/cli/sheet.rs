//! Tables: aligned, coloured and as wide as the terminal for people; separated by tabs for programs.
//!
//! A table that is too wide loses its least important columns, then columns of several words are folded,
//! then elastic ones are shortened; no line is ever wrapped inside a word. What has no room in a row
//! stands below it.
//!
//! Separated columns that begin at tab stops stand under each other on every terminal and in every mail, and
//! `cut -f` and `awk` find them all the same: one tab is between two of them, and blanks follow it where
//! the tab alone does not reach the next column.

use super::look::Look;
use anstyle::{AnsiColor, Style};

/// What a cell's colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Warning,
    Bad,
    Faint,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Tone::Plain => Style::new(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Warning => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default().bold(),
            Tone::Faint => Style::new().dimmed(),
        }
    }
}

/// One cell.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    /// The text in several lines, where it was folded.
    folded: Vec<String>,
    tone: Tone,
    right: bool,
}

impl Cell {
    /// A number or an amount, aligned to the right.
    pub(super) fn right(text: impl Into<String>) -> Cell {
        Cell { right: true, ..Cell::from(text.into()) }
    }

    /// The cell in another tone.
    pub(super) fn tone(self, tone: Tone) -> Cell {
        Cell { tone, ..self }
    }

    /// How much room it takes.
    fn width(&self) -> usize {
        match self.folded.as_slice() {
            [] => length(&self.text),
            lines => lines.iter().map(|line| length(line)).max().unwrap_or(0),
        }
    }

    /// What stands on one of its lines.
    fn line(&self, number: usize) -> Option<String> {
        match (self.folded.as_slice(), number) {
            ([], 0) => Some(plain(&self.text)),
            (lines, _) => lines.get(number).map(|line| plain(line)),
        }
    }

    /// Text that may be missing.
    pub(super) fn optional(text: Option<impl ToString>) -> Cell {
        match text {
            Some(text) => Cell::from(text.to_string()),
            None => Cell::from("-").tone(Tone::Faint),
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, folded: Vec::new(), tone: Tone::Plain, right: false }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::from(text.to_owned())
    }
}

/// A row, and what stands below it.
#[derive(Clone, Debug)]
struct Row {
    cells: Vec<Cell>,
    notes: Vec<(String, Tone)>,
}

/// A table in the making.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    headers: Vec<&'static str>,
    spare: Vec<&'static str>,
    folding: Vec<&'static str>,
    elastic: Vec<&'static str>,
    rows: Vec<Row>,
}

/// Space between two columns.
const GAP: usize = 2;
/// No elastic column gets narrower.
const NARROWEST: usize = 8;
/// How far notes are indented.
const INDENT: usize = 2;

impl Sheet {
    /// An empty table with these columns.
    pub(super) fn new(headers: &[&'static str]) -> Sheet {
        let headers = headers.to_vec();
        let (spare, folding, elastic) = (Vec::new(), Vec::new(), Vec::new());
        Sheet { headers, spare, folding, elastic, rows: Vec::new() }
    }

    /// Columns that go when there is no room, the first one first.
    pub(super) fn spare(mut self, headers: &[&'static str]) -> Sheet {
        self.spare.extend(headers);
        self
    }

    /// Columns that are folded between words when there is no room.
    pub(super) fn folding(mut self, headers: &[&'static str]) -> Sheet {
        self.folding.extend(headers);
        self
    }

    /// Columns that are shortened when there is no room.
    pub(super) fn elastic(mut self, headers: &[&'static str]) -> Sheet {
        self.elastic.extend(headers);
        self
    }

    /// Adds a row with a cell for each column.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(Row { cells: cells.into_iter().collect(), notes: Vec::new() });
    }

    /// Adds a line below the last row, for people.
    pub(super) fn note(&mut self, text: impl Into<String>, tone: Tone) {
        if let Some(row) = self.rows.last_mut() {
            row.notes.push((text.into(), tone));
        }
    }

    /// Removes a column that says nothing.
    pub(super) fn without(mut self, header: &str) -> Sheet {
        if let Some(index) = self.headers.iter().position(|name| *name == header) {
            self.headers.remove(index);
            for row in self.rows.iter_mut().filter(|row| index < row.cells.len()) {
                row.cells.remove(index);
            }
        }
        self
    }

    /// Whether there is no row.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text.
    pub(super) fn render(&self, look: Look) -> String {
        match look.aligned {
            true => self.clone().fitted(look.width).aligned(look),
            false => self.separated(look.headings),
        }
    }

    fn separated(&self, headings: bool) -> String {
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        if headings {
            lines.push(self.headers.join("\t"));
        }
        let cells = |row: &Row| row.cells.iter().map(|cell| plain(&cell.text)).collect::<Vec<_>>();
        lines.extend(self.rows.iter().map(|row| cells(row).join("\t")));
        lines.join("\n")
    }

    /// The table with as many columns, as wide as there is room for.
    fn fitted(mut self, room: usize) -> Sheet {
        for header in self.spare.clone() {
            if self.width() <= room {
                return self;
            }
            self = self.without(header);
        }
        for header in self.folding.clone() {
            let excess = self.width().saturating_sub(room);
            self.fold(header, excess);
        }
        while self.width() > room && self.shorten(self.width() - room) {}
        // Of what is left the first column says what a row is about.
        while self.width() > room && self.headers.len() > 2 {
            let last = self.headers.last().copied().unwrap_or_default();
            self = self.without(last);
        }
        self
    }

    /// Makes a column narrower, by so much at most, but no word shorter.
    fn fold(&mut self, header: &str, excess: usize) {
        let Some(index) = self.headers.iter().position(|name| *name == header) else { return };
        let width = self.widths()[index];
        let words = |row: &Row| {
            let words = row.cells.get(index).map(|cell| cell.text.split_whitespace());
            words.and_then(|words| words.map(length).max()).unwrap_or(0)
        };
        let longest = self.rows.iter().map(words).max().unwrap_or(0);
        let target = width.saturating_sub(excess).max(longest).max(length(header)).max(NARROWEST);
        if target < width {
            for cell in self.rows.iter_mut().filter_map(|row| row.cells.get_mut(index)) {
                cell.folded = wrapped(&cell.text, target);
            }
        }
    }

    /// Makes the widest elastic column narrower, by so much at most; whether there was one.
    fn shorten(&mut self, excess: usize) -> bool {
        let widths = self.widths();
        let columns = self.headers.iter().zip(&widths).enumerate();
        let elastic = columns.filter(|(_, (header, _))| self.elastic.contains(header));
        let widest = elastic.max_by_key(|(_, (_, width))| **width).map(|(index, _)| index);
        let Some(index) = widest else { return false };
        let (header, width) = (length(self.headers[index]), widths[index]);
        let target = width.saturating_sub(excess).max(NARROWEST).max(header);
        for cell in self.rows.iter_mut().filter_map(|row| row.cells.get_mut(index)) {
            cell.text = shortened(&cell.text, target);
        }
        target < width
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |(index, header): (usize, &&str)| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(index));
            cells.map(Cell::width).fold(length(header), usize::max)
        };
        self.headers.iter().enumerate().map(widest).collect()
    }

    fn width(&self) -> usize {
        let widths = self.widths();
        widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
    }

    fn aligned(&self, look: Look) -> String {
        let widths = self.widths();
        let is_right = |index| {
            let cells = self.rows.first().and_then(|row| row.cells.get(index));
            cells.is_some_and(|cell: &Cell| cell.right)
        };
        let header =
            |(index, name): (usize, &&str)| Cell { right: is_right(index), ..Cell::from(*name) };
        let headers: Vec<Cell> = self.headers.iter().enumerate().map(header).collect();
        let bold = |_: &Cell, text: &str| look.paint(Style::new().bold(), text);
        let mut lines = vec![line(&headers, 0, &widths, bold)];
        for row in &self.rows {
            let height = row.cells.iter().map(|cell| cell.folded.len()).max().unwrap_or(0).max(1);
            let toned = |cell: &Cell, text: &str| look.paint(cell.tone.style(), text);
            lines.extend((0..height).map(|number| line(&row.cells, number, &widths, toned)));
            for (text, tone) in &row.notes {
                let wrapped = wrapped(text, look.width.saturating_sub(INDENT));
                let indented =
                    |line: String| format!("{:INDENT$}{}", "", look.paint(tone.style(), &line));
                lines.extend(wrapped.into_iter().map(indented));
            }
        }
        lines.join("\n")
    }
}

/// One of the lines of a row.
fn line(
    cells: &[Cell],
    number: usize,
    widths: &[usize],
    paint: impl Fn(&Cell, &str) -> String,
) -> String {
    let mut line = String::new();
    let mut pending = 0;
    for (cell, &width) in cells.iter().zip(widths) {
        let Some(text) = cell.line(number) else {
            pending += width + GAP;
            continue;
        };
        let space = width.saturating_sub(length(&text));
        let (before, after) = if cell.right { (space, 0) } else { (0, space) };
        // Space is written only before text, so that no line ends with it.
        line.extend(std::iter::repeat_n(' ', pending + before));
        line += &paint(cell, &text);
        pending = after + GAP;
    }
    line
}

/// `text` in lines of at most `room` characters, broken between words.
pub(super) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if length(line) + 1 + length(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// How far tab stops are apart, wherever text is shown.
const STOP: usize = 8;

/// Text as it is printed: separated columns stand under each other where they shall.
pub(super) fn finished(text: String, look: Look) -> String {
    if look.json || !look.stops {
        return text;
    }
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    let tables = rows.chunk_by(|one, next| one.len() == next.len());
    tables.flat_map(on_stops).collect::<Vec<String>>().join("\n")
}

/// The rows of a table with their columns at tab stops.
fn on_stops(rows: &[Vec<&str>]) -> Vec<String> {
    let stops = |cell: &&str| length(cell) / STOP;
    let columns = rows.first().map_or(0, Vec::len);
    let widest = |column| rows.iter().filter_map(|row| row.get(column)).map(stops).max();
    let widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
    let line = |row: &Vec<&str>| {
        let mut line = String::new();
        let mut missing = 0;
        for (cell, width) in row.iter().zip(&widths) {
            line.extend(std::iter::repeat_n(' ', missing * STOP));
            line += cell;
            line.push('\t');
            missing = width - stops(cell);
        }
        line.pop();
        line
    };
    rows.iter().map(line).collect()
}

/// The beginning of `text`, with a sign that there was more.
fn shortened(text: &str, room: usize) -> String {
    if length(text) <= room {
        return text.to_owned();
    }
    let kept: String = text.chars().take(room.saturating_sub(1)).collect();
    kept.trim_end().to_owned() + "…"
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// A cell's text without what separates columns and rows.
fn plain(text: &str) -> String {
    text.replace(['\t', '\n'], " ")
}

#[cfg(test)]
mod tests;
