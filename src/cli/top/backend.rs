//! Draws by the control sequences that every terminal of today has (ECMA-48: CUP, ED, SGR).

use ratatui::backend::{Backend, ClearType, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use std::io::{self, Write};

/// A terminal behind `out`.
#[derive(Debug)]
pub(super) struct Ansi<W: Write> {
    out: W,
    size: fn() -> Size,
    colours: bool,
}

impl<W: Write> Ansi<W> {
    /// A terminal, and how its size is found; without colours only bold and faint text is told apart.
    pub(super) fn new(out: W, size: fn() -> Size, colours: bool) -> Ansi<W> {
        Ansi { out, size, colours }
    }

    fn paint(&mut self, cell: &Cell) -> io::Result<()> {
        write!(self.out, "\x1b[0")?;
        let signs = [(Modifier::BOLD, 1), (Modifier::DIM, 2), (Modifier::REVERSED, 7)];
        for (_, sign) in signs.iter().filter(|(modifier, _)| cell.modifier.contains(*modifier)) {
            write!(self.out, ";{sign}")?;
        }
        if let Some(colour) = number(cell.fg).filter(|_| self.colours) {
            write!(self.out, ";{colour}")?;
        }
        write!(self.out, "m")
    }
}

/// The SGR parameter of the colours that are used here.
fn number(colour: Color) -> Option<u8> {
    match colour {
        Color::Red => Some(31),
        Color::Green => Some(32),
        Color::Yellow => Some(33),
        Color::Cyan => Some(36),
        _ => None,
    }
}

impl<W: Write> Backend for Ansi<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut next = None;
        let mut painted: Option<&Cell> = None;
        for (x, y, cell) in content {
            if next != Some((x, y)) {
                write!(self.out, "\x1b[{};{}H", y + 1, x + 1)?;
            }
            if painted.is_none_or(|last| (last.fg, last.modifier) != (cell.fg, cell.modifier)) {
                self.paint(cell)?;
                painted = Some(cell);
            }
            self.out.write_all(cell.symbol().as_bytes())?;
            next = Some((x + 1, y));
        }
        write!(self.out, "\x1b[0m")
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.out.write_all(b"\x1b[?25l")
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.out.write_all(b"\x1b[?25h")
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        write!(self.out, "\x1b[{};{}H", y + 1, x + 1)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.out.write_all(b"\x1b[0m\x1b[2J")
    }

    fn clear_region(&mut self, what: ClearType) -> io::Result<()> {
        self.out.write_all(match what {
            ClearType::All => b"\x1b[2J",
            ClearType::AfterCursor => b"\x1b[0J",
            ClearType::BeforeCursor => b"\x1b[1J",
            ClearType::CurrentLine => b"\x1b[2K",
            ClearType::UntilNewLine => b"\x1b[0K",
        })
    }

    fn size(&self) -> io::Result<Size> {
        Ok((self.size)())
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: (self.size)(), pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
