use super::*;
use ratatui::Terminal;
use ratatui::style::Stylize;
use ratatui::text::Line;

fn drawn(colours: bool) -> String {
    let mut octets = Vec::new();
    let backend = Ansi::new(&mut octets, || Size::new(6, 2), colours);
    let mut terminal = Terminal::new(backend).unwrap();
    terminal
        .draw(|frame| {
            let line = Line::from(vec!["ab".into(), "cd".red().bold()]);
            frame.render_widget(line, frame.area());
        })
        .unwrap();
    drop(terminal);
    String::from_utf8(octets).unwrap()
}

#[test]
fn what_is_drawn_is_what_terminals_take() {
    let text = drawn(true);
    assert!(text.contains("\x1b[1;1H\x1b[0mab\x1b[0;1;31mcd\x1b[0m"), "{text:?}");
    let plain = drawn(false);
    assert!(plain.contains("ab\x1b[0;1mcd"), "{plain:?}");
}
