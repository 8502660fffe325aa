//! What the documents, the man page and the programs themselves have people type is taken by the real
//! command lines; and of every block of commands it is decided whether a test carries it out.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

#[path = "documents/blocks.rs"]
mod blocks;

use blocks::{Block, SOURCE, blocks, documents, in_text, invocations, quoted};
use clap::error::ErrorKind;
use std::fs;
use std::path::{Path, PathBuf};

/// Words that stand for others, where not every word will do.
const STAND_INS: [(&str, &str); 6] = [
    ("ADDRESS", "10.2.1.10"),
    ("OWN", "10.1.1.10"),
    ("PREFIX", "10.2.0.0/16"),
    ("KIND", "kill"),
    ("SHELL", "bash"),
    ("TIME", "30s"),
];

fn all_blocks() -> Vec<Block> {
    documents().iter().flat_map(|path| blocks(path)).collect()
}

/// Why a command line is refused; one that is only named may leave out what it needs.
fn refusal(words: &[String], is_whole: bool) -> Option<String> {
    let is_whole = is_whole && !words.iter().any(|word| word == "…");
    let words = words.iter().filter(|word| *word != "…").map(|word| {
        let stand_in = STAND_INS.iter().find(|(name, _)| name == word);
        stand_in.map_or(word.as_str(), |(_, word)| word)
    });
    let words: Vec<&str> = words.collect();
    let command = match words[0].ends_with("vpnctl") {
        true => vpngw::cli::command(),
        false => vpngw::daemon::command(),
    };
    let error = command.try_get_matches_from(&words).err()?;
    let only_named = matches!(
        error.kind(),
        ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
        _ if only_named && !is_whole => None,
        _ => Some(format!("{}: {error}", words.join(" "))),
    }
}

fn assert_none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn every_block_of_commands_says_where_it_is_run_or_why_not() {
    let undecided = |block: Block| {
        let why = block.decision.as_ref().err()?;
        Some(format!("{}: {why}", block.at))
    };
    assert_none("undecided", all_blocks().into_iter().filter_map(undecided).collect());
}

#[test]
fn every_command_of_a_block_is_taken_by_its_program() {
    let all = all_blocks();
    let mut seen = 0;
    let mut refused = Vec::new();
    for block in &all {
        for (line, _) in block.commands() {
            for words in invocations(&line) {
                seen += 1;
                refused.extend(refusal(&words, true).map(|why| format!("{}: {why}", block.at)));
            }
        }
    }
    assert!(seen >= 30, "only {seen} were found");
    assert_none("refused", refused);
}

#[test]
fn every_command_that_is_named_in_running_text_is_taken_by_its_program() {
    let of_documents = documents().into_iter().flat_map(|path| {
        let at = path.display().to_string();
        in_text(&path).into_iter().map(move |text| (at.clone(), text))
    });
    let of_sources = sources(&Path::new(SOURCE).join("src")).into_iter().flat_map(|path| {
        let text = fs::read_to_string(&path).unwrap().replace("\\\n", "");
        let of_line = |line: &str| quoted(line, '`');
        let all: Vec<String> = text.lines().flat_map(of_line).collect();
        all.into_iter().map(move |text| (path.display().to_string(), text))
    });
    let page = "packaging/vpngwd.8";
    let page_text = fs::read_to_string(Path::new(SOURCE).join(page)).unwrap();
    let of_page = page_text.lines().flat_map(|line| quoted(line, '"'));
    let of_page = of_page.map(|text| (page.to_owned(), text));
    let mut seen = 0;
    let mut refused = Vec::new();
    for (at, text) in of_documents.chain(of_sources).chain(of_page) {
        for words in invocations(&text) {
            seen += 1;
            refused.extend(refusal(&words, false).map(|why| format!("{at}: {why}")));
        }
    }
    assert!(seen >= 100, "only {seen} were found");
    assert_none("refused", refused);
}

#[test]
fn every_command_is_named_in_a_document() {
    let named: Vec<String> = documents()
        .iter()
        .flat_map(|path| {
            let of_blocks = blocks(path).into_iter().flat_map(|block| block.lines);
            of_blocks.chain(in_text(path)).collect::<Vec<_>>()
        })
        .collect();
    let command = vpngw::cli::command();
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    let names = shown.map(|command| format!("vpnctl {}", command.get_name()));
    let missing = names.filter(|name| !named.iter().any(|text| text.contains(name.as_str())));
    assert_none("named nowhere", missing.collect());
}

/// The files of the product; tests may name commands that are wrong.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_test =
        |path: &PathBuf| path.file_name().is_some_and(|name| name == "tests" || name == "tests.rs");
    entries
        .filter(|path| !is_test(path))
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .collect()
}
