//! The part of Markdown that our documents use, as a man page (man(7)).

/// A page. A table becomes a list of its first column, in which further columns that are filled stand
/// under their headings.
pub(super) fn page(name: &str, section: u8, summary: &str, markdown: &str) -> String {
    let mut page = Page::default();
    page.line(&format!(".TH {} {section} \"\" vpngw vpngw", name.to_uppercase()));
    page.line(".SH NAME");
    page.line(&format!("{name} \\- {summary}"));
    page.line(".SH DESCRIPTION");
    let mut lines = markdown.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            page.code(lines.by_ref().take_while(|line| *line != "```"));
        } else if line.starts_with('|') {
            let more = std::iter::from_fn(|| lines.next_if(|line| line.starts_with('|')));
            let rows: Vec<Vec<&str>> = std::iter::once(line).chain(more).map(cells).collect();
            page.table(&rows);
        } else if line.starts_with("# ") {
            // The page has its name.
        } else if let Some(heading) = line.strip_prefix("## ").or(line.strip_prefix("### ")) {
            page.line(&format!(".SH {}", quoted(heading)));
        } else if let Some(item) = line.strip_prefix("* ").or(line.strip_prefix("- ")) {
            page.line(".IP \\(bu 2");
            page.text(item);
        } else if line.trim().is_empty() {
            page.line(".PP");
        } else {
            page.text(line.trim());
        }
    }
    page.0
}

/// The cells of a row of a table.
fn cells(row: &str) -> Vec<&str> {
    row.trim().trim_matches('|').split('|').map(str::trim).collect()
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// A line of text, which must not begin like a request.
    fn text(&mut self, markdown: &str) {
        let text = inline(markdown);
        let guard = if text.starts_with(['.', '\'']) { "\\&" } else { "" };
        self.line(&format!("{guard}{text}"));
    }

    fn code<'l>(&mut self, lines: impl Iterator<Item = &'l str>) {
        self.line(".PP\n.in +4n\n.nf");
        for line in lines {
            let guard = if line.starts_with(['.', '\'']) { "\\&" } else { "" };
            self.line(&format!("{guard}{}", escaped(line)));
        }
        self.line(".fi\n.in");
    }

    fn table(&mut self, rows: &[Vec<&str>]) {
        let [heads, _, rows @ ..] = rows else { return };
        for row in rows {
            let [first, rest @ ..] = row.as_slice() else { continue };
            self.line(".TP");
            self.line(&format!(".B {}", quoted(&first.replace('`', ""))));
            let mut named = heads.iter().skip(1).zip(rest);
            if let Some((_, second)) = named.next() {
                self.text(second);
            }
            for (head, cell) in named.filter(|(_, cell)| !cell.is_empty()) {
                self.line(".br");
                self.text(&format!("{head}: {cell}"));
            }
        }
        self.line(".PP");
    }
}

/// The argument of a request: one, whatever it holds.
fn quoted(text: &str) -> String {
    let text = escaped(&text.replace('`', ""));
    if text.contains([' ', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// Characters that mean something to roff. A hyphen of a word of ours can be copied as it is.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

/// Text with code and strong words in bold, and links as their text.
fn inline(markdown: &str) -> String {
    let mut text = String::new();
    for (index, part) in markdown.split('`').enumerate() {
        match index % 2 {
            0 => text.push_str(&escaped(&without_links(part)).replace("**", "")),
            _ => text.push_str(&format!("\\fB{}\\fR", escaped(part))),
        }
    }
    text
}

/// `[text](target)` as `text`.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let link = after.split_once("](").and_then(|(words, tail)| {
            let (_, behind) = tail.split_once(')')?;
            (!words.contains(']')).then_some((words, behind))
        });
        plain.push_str(before);
        match link {
            Some((words, behind)) => {
                plain.push_str(words);
                rest = behind;
            }
            None => {
                plain.push('[');
                rest = after;
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests;
