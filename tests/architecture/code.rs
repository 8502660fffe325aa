//! Just enough of Rust's grammar to read a file: comments and strings away, paths out.

/// The text with comments, strings and characters turned into blanks; lines stay where they are.
pub(crate) fn without_comments_and_strings(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut blanked = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match &bytes[at..] {
            [b'/', b'/', ..] => end_of_line(bytes, at),
            [b'/', b'*', ..] => end_of_block_comment(bytes, at),
            [b'r', b'"' | b'#', ..] if !follows_word(bytes, at) => end_of_raw_string(bytes, at),
            [b'"', ..] => end_of_quoted(bytes, at, b'"'),
            [b'\'', ..] => end_of_character(bytes, at),
            _ => at,
        };
        for octet in &mut blanked[at..end] {
            if *octet != b'\n' {
                *octet = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&blanked).into_owned()
}

fn follows_word(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).is_some_and(|before| is_word(bytes[before]))
}

pub(crate) fn is_word(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'_'
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    find(bytes, at, b"\n").unwrap_or(bytes.len())
}

fn end_of_block_comment(bytes: &[u8], at: usize) -> usize {
    find(bytes, at + 2, b"*/").map_or(bytes.len(), |end| end + 2)
}

/// `r"…"` or `r#"…"#`; `at` itself when it is a raw identifier (`r#type`).
fn end_of_raw_string(bytes: &[u8], at: usize) -> usize {
    let hashes = bytes[at + 1..].iter().take_while(|&&octet| octet == b'#').count();
    if bytes.get(at + 1 + hashes) != Some(&b'"') {
        return at;
    }
    let close = [b"\"".to_vec(), vec![b'#'; hashes]].concat();
    find(bytes, at + 2 + hashes, &close).map_or(bytes.len(), |end| end + close.len())
}

fn end_of_quoted(bytes: &[u8], at: usize, quote: u8) -> usize {
    let mut at = at + 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// `'x'` or `'\n'`; `at` itself when it is a lifetime.
fn end_of_character(bytes: &[u8], at: usize) -> usize {
    let escaped = bytes.get(at + 1) == Some(&b'\\');
    let closes_soon = (at + 2..at + 6).any(|end| bytes.get(end) == Some(&b'\''));
    let lifetime =
        bytes.get(at + 1).copied().is_some_and(is_word) && bytes.get(at + 2) != Some(&b'\'');
    if escaped || (closes_soon && !lifetime) { end_of_quoted(bytes, at, b'\'') } else { at }
}

fn find(bytes: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.windows(needle.len()).position(|window| window == needle).map(|at| from + at)
}

/// Offsets at which `name` stands as a whole word, or as it is when it starts with punctuation.
pub(crate) fn occurrences(code: &str, name: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let whole = |at: usize| {
        let end = at + name.len();
        let open = name.starts_with(|c: char| !c.is_alphanumeric()) || !follows_word(bytes, at);
        let closed = name.ends_with(|c: char| !c.is_alphanumeric())
            || !bytes.get(end).copied().is_some_and(is_word);
        open && closed
    };
    code.match_indices(name).map(|(at, _)| at).filter(|&at| whole(at)).collect()
}

/// All paths that start with `root::`, with `{…}` groups multiplied out, and where they start.
pub(crate) fn paths_below(code: &str, root: &str) -> Vec<(usize, String)> {
    let prefix = format!("{root}::");
    let mut paths = Vec::new();
    for at in occurrences(code, &prefix) {
        for path in expand(&code[at + prefix.len()..]) {
            paths.push((at, path));
        }
    }
    paths
}

/// The paths at the start of `code`: `a::b`, or each member of `{a, b::{c, d}}`.
fn expand(code: &str) -> Vec<String> {
    let code = code.trim_start();
    if let Some(group) = code.strip_prefix('{') {
        return members(group).into_iter().flat_map(expand).collect();
    }
    let name: String = code.bytes().take_while(|&b| is_word(b)).map(char::from).collect();
    match code[name.len()..].strip_prefix("::") {
        Some(rest) if rest.trim_start().starts_with(|c: char| c == '{' || c.is_alphabetic()) => {
            expand(rest).into_iter().map(|inner| format!("{name}::{inner}")).collect()
        }
        _ => vec![name],
    }
}

/// The members of a group, up to its closing brace.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut members) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                members.push(&group[start..at]);
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    members.retain(|member| !member.trim().is_empty());
    members
}

#[test]
fn comments_and_strings_are_blanked() {
    let code =
        without_comments_and_strings("a // b\n/* c */ \"d \\\" e\" r#\"f\"# 'g' '\\'' &'h i");
    assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "&'h", "i"]);
    assert_eq!(code.lines().count(), 2);
}

#[test]
fn groups_are_multiplied_out() {
    let paths = paths_below("use crate::{net, ike::{sa, child::X}};\ncrate::time::now()", "crate");
    let names: Vec<_> = paths.iter().map(|(_, path)| path.as_str()).collect();
    assert_eq!(names, ["net", "ike::sa", "ike::child::X", "time::now"]);
}

#[test]
fn names_are_whole_words() {
    assert_eq!(occurrences("fs unsafe_code unsafe", "unsafe"), [15]);
    assert_eq!(occurrences("x.unwrap() x.unwrap_or(1)", ".unwrap()"), [1]);
}
