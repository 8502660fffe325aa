//! Tables: aligned and coloured for people, separated by tabs for programs.

use super::look::Look;
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell as TableCell, CellAlignment, Color, ContentArrangement, Table};

/// What a cell's colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Warning,
    Bad,
    Faint,
}

/// One cell.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
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
        Cell { text, tone: Tone::Plain, right: false }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::from(text.to_owned())
    }
}

/// A table in the making.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    headers: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// An empty table with these columns.
    pub(super) fn new(headers: &[&'static str]) -> Sheet {
        Sheet { headers: headers.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Removes a column that says nothing.
    pub(super) fn without(mut self, header: &str) -> Sheet {
        if let Some(index) = self.headers.iter().position(|name| *name == header) {
            self.headers.remove(index);
            for row in self.rows.iter_mut().filter(|row| index < row.len()) {
                row.remove(index);
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
        if look.aligned { self.aligned(look.colours) } else { self.separated(look.headings) }
    }

    fn separated(&self, headings: bool) -> String {
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        if headings {
            lines.push(self.headers.join("\t"));
        }
        let cells = |row: &Vec<Cell>| row.iter().map(|cell| plain(&cell.text)).collect::<Vec<_>>();
        lines.extend(self.rows.iter().map(|row| cells(row).join("\t")));
        lines.join("\n")
    }

    fn aligned(&self, colours: bool) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if colours {
            table.enforce_styling();
        } else {
            table.force_no_tty();
        }
        let header = |name: &&str| TableCell::new(name).add_attribute(Attribute::Bold);
        table.set_header(self.headers.iter().map(header));
        for row in &self.rows {
            table.add_row(row.iter().map(|cell| styled(cell, colours)));
        }
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            let cells = self.rows.first().and_then(|row| row.get(index));
            if cells.is_some_and(|cell| cell.right) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let lines = table.lines().map(|line| line.trim_end().to_owned());
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn styled(cell: &Cell, colours: bool) -> TableCell {
    let plain = TableCell::new(&cell.text);
    if !colours {
        return plain;
    }
    match cell.tone {
        Tone::Plain => plain,
        Tone::Good => plain.fg(Color::Green),
        Tone::Warning => plain.fg(Color::Yellow),
        Tone::Bad => plain.fg(Color::Red).add_attribute(Attribute::Bold),
        Tone::Faint => plain.add_attribute(Attribute::Dim),
    }
}

/// A cell's text without what separates columns and rows.
fn plain(text: &str) -> String {
    text.replace(['\t', '\n'], " ")
}

#[cfg(test)]
mod tests;
