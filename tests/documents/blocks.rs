//! What documents have people type: blocks of commands with what is decided about each, and commands
//! in running text.
//!
//! ````text
//! <!-- commands: lab -->                the decision, in the line above the block
//! ```sh
//! vpnctl lab up
//! ```
//! ````
//!
//! `netns-tests/documents.rs` carries them out; here they are only found.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) const SOURCE: &str = env!("CARGO_MANIFEST_DIR");
const MARK: &str = "<!-- commands: ";
/// What a fence may say that it holds.
const KINDS: [&str; 4] = ["sh", "text", "toml", "yaml"];

/// Where the commands of a block are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A checkout of the sources, as root.
    Lab,
    /// A gateway that runs.
    Gateway,
    /// A gateway whose daemon is stopped.
    StoppedGateway,
    /// Any folder.
    Folder,
}

/// What is done with a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is carried out, and its last command ends so.
    Run { place: Place, ends: i32 },
    /// It is not, for this reason.
    NotRun(String),
}

/// A block in which commands stand.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// `README.md:36`.
    pub at: String,
    /// Whether it shows what the commands print, too; they stand behind `$ ` then.
    pub is_transcript: bool,
    pub decision: Result<Decision, String>,
    pub lines: Vec<String>,
}

impl Block {
    /// The commands, each with what is shown of its output.
    pub(crate) fn commands(&self) -> Vec<(String, Vec<String>)> {
        if !self.is_transcript {
            return self.lines.iter().map(|line| (line.clone(), Vec::new())).collect();
        }
        let mut commands: Vec<(String, Vec<String>)> = Vec::new();
        for line in &self.lines {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_owned(), Vec::new())),
                (None, Some((_, shown))) => shown.push(line.clone()),
                (None, None) => {}
            }
        }
        commands
    }
}

/// The documents for people.
pub(crate) fn documents() -> Vec<PathBuf> {
    let source = Path::new(SOURCE);
    let of_docs = fs::read_dir(source.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let of_docs = of_docs.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let others = ["README.md", "configs/README.md"].map(|name| source.join(name));
    let mut all: Vec<PathBuf> = others.into_iter().chain(of_docs).collect();
    all[1..].sort();
    all
}

/// The blocks with commands of a document, in their order.
pub(crate) fn blocks(path: &Path) -> Vec<Block> {
    let text = fs::read_to_string(path).unwrap();
    let name = path.strip_prefix(SOURCE).unwrap().display();
    let mut found = Vec::new();
    let mut before = "";
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(kind) = line.trim_start().strip_prefix("```") else {
            before = line;
            continue;
        };
        let at = format!("{name}:{}", number + 1);
        assert!(KINDS.contains(&kind), "{at}: a block of {kind:?} is none of {KINDS:?}");
        let inside = lines.by_ref().map(|(_, line)| line.trim_end().to_owned());
        let lines: Vec<String> = inside.take_while(|line| !line.starts_with("```")).collect();
        let is_transcript = lines.iter().any(|line| line.starts_with("$ "));
        if kind == "sh" || is_transcript {
            found.push(Block { at, is_transcript, decision: decision(before), lines });
        }
    }
    found
}

fn decision(line: &str) -> Result<Decision, String> {
    let said = line.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(" -->"));
    let said = said.ok_or_else(|| {
        format!(
            "no `{MARK}… -->` in the line above: lab, gateway, stopped gateway or folder (with \
             `, ends with 1` where it does), or `not run, WHY`"
        )
    })?;
    let (first, rest) = said.split_once(", ").unwrap_or((said, ""));
    let place = match (first, rest) {
        ("not run", "") => return Err("`not run` wants a reason behind a comma".to_owned()),
        ("not run", why) => return Ok(Decision::NotRun(why.to_owned())),
        ("lab", _) => Place::Lab,
        ("gateway", _) => Place::Gateway,
        ("stopped gateway", _) => Place::StoppedGateway,
        ("folder", _) => Place::Folder,
        (other, _) => return Err(format!("{other:?} is no place for commands")),
    };
    let ends = match rest {
        "" => 0,
        rest => {
            let number = rest.strip_prefix("ends with ").and_then(|number| number.parse().ok());
            number.ok_or_else(|| format!("{rest:?} is no way to end"))?
        }
    };
    Ok(Decision::Run { place, ends })
}

/// The commands of ours in running text: what begins with one of our programs, between backticks.
pub(crate) fn in_text(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let mut fenced = false;
    let outside = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        fenced ^= is_fence;
        !fenced && !is_fence
    });
    quoted(&outside.collect::<Vec<_>>().join(" "), '`')
}

/// What stands between two marks and begins with one of our programs.
pub(crate) fn quoted(text: &str, mark: char) -> Vec<String> {
    let pieces = text.split(mark).skip(1).step_by(2);
    let ours = pieces.filter(|piece| piece.starts_with("vpnctl ") || piece.starts_with("vpngwd "));
    ours.map(str::to_owned).collect()
}

/// The invocations of our programs in a line of shell, word by word.
pub(crate) fn invocations(line: &str) -> Vec<Vec<String>> {
    let mut found = vec![Vec::new()];
    for word in words(line) {
        match word.as_str() {
            "|" | "||" | "&&" | ";" | "&" => found.push(Vec::new()),
            word if word.starts_with('#') => break,
            _ => found.last_mut().unwrap().push(word),
        }
    }
    let is_ours = |words: &Vec<String>| {
        let program = words.first().and_then(|word| word.rsplit('/').next());
        program.is_some_and(|name| ["vpnctl", "vpngwd"].contains(&name))
    };
    found.into_iter().filter(is_ours).collect()
}

/// Splits a line as a shell does, quotes taken off.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(mark), letter) if letter == mark => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, ' ') if word.is_empty() => {}
            (None, ' ') => words.push(std::mem::take(&mut word)),
            (_, letter) => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}
