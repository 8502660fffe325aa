//! Every command that the documents show is carried out, block by block and in their order, as a reader
//! would: in a checkout of the sources, or at a gateway that runs. What is decided about a block stands
//! above it (`tests/documents/blocks.rs`); commands in running text are carried out, too, unless
//! [`NAMED_ONLY`] says why not.

#[path = "../tests/documents/blocks.rs"]
mod blocks;

use std::collections::BTreeSet;
use std::fs::File;
use std::process::{Child, Command, Output, Stdio};

use crate::support::charon::text as said;
use crate::support::eventually;
use crate::support::stage::{Place, Stage};
use blocks::{Block, Decision, documents, in_text, invocations};

/// A command may fail because the machine is busy and a gateway loses its peers for a moment.
const ATTEMPTS: usize = 3;

/// Words that stand for others, in their order.
const STAND_INS: [(&str, &str); 11] = [
    ("FILE FILE", "one.toml other.toml"),
    ("log FILTER", "log info"),
    ("NAME.sock", "east-a.sock"),
    ("GATEWAY KIND", "east-a lan-down"),
    ("--from ADDRESS", "--from 10.1.1.10"),
    ("--from OWN", "--from 10.1.1.10"),
    ("ADDRESS", "10.2.1.10"),
    ("PREFIX", "10.2.0.0/16"),
    ("SHELL", "bash"),
    ("PEER", "north-a"),
    ("NAME", "north-a"),
];

/// What running text only names, and why it is not carried out from there.
const NAMED_ONLY: [(&str, &str); 10] = [
    ("top", "wants a terminal and goes on until q is pressed"),
    ("capture", "goes on until it is stopped; a block has one that ends"),
    ("init", "netns-tests/packaging.rs does it"),
    ("peer", "netns-tests/packaging.rs does it"),
    ("ca", "a block does it"),
    ("lab", "blocks bring it up and break it"),
    ("keygen", "unit tests of src/cli/keys.rs write keys"),
    ("pubkey", "unit tests of src/cli/keys.rs read keys"),
    ("manual", "packaging does it, and netns-tests/packaging.rs looks"),
    ("confirm", "only right behind `vpnctl reload --confirm`, where it stands"),
];

/// Runs the commands of a block and says what went otherwise than the document has it.
fn carry_out(stage: &Stage, block: &Block, place: Place, ends: i32) -> Result<(), String> {
    if !block.is_transcript {
        let lines = block.lines.iter().filter(|line| can_be_run(line));
        let script: Vec<String> = lines.map(|line| filled(line)).collect();
        return ended(&script_of(stage, place, &script.join("\n")), ends);
    }
    let commands = block.commands();
    let mut behind: Vec<Child> = Vec::new();
    for (number, (command, shown)) in commands.iter().enumerate() {
        if let Some(command) = command.strip_suffix(" &") {
            behind.push(stage.shell(place, command).stdout(Stdio::null()).spawn().unwrap());
            continue;
        }
        let wanted = if number + 1 == commands.len() { ends } else { 0 };
        let mut last = None;
        // What was broken by the command before takes its time to be seen.
        eventually(|| {
            let output = last.insert(stage.run(place, &filled(command)));
            wanted == 0 || output.status.code() == Some(wanted)
        });
        let output = last.unwrap();
        ended(&output, wanted)?;
        shows(&said(&output), shown)?;
    }
    let all = behind.iter_mut().all(|child| child.wait().unwrap().success());
    if all { Ok(()) } else { Err("what went on behind has failed".to_owned()) }
}

/// Runs a block; one that begins a shell gets commands for it.
fn script_of(stage: &Stage, place: Place, script: &str) -> Output {
    let mut command = stage.shell(place, script);
    if script.contains("exec sh'") {
        let up_and_down = "set -e\ntarget/release/vpnctl lab up\ntarget/release/vpnctl lab down\n";
        command.stdin(File::open(stage.write("input", up_and_down)).unwrap());
    }
    command.output().unwrap()
}

fn filled(command: &str) -> String {
    STAND_INS.iter().fold(command.to_owned(), |text, (name, word)| text.replace(name, word))
}

/// A line with a program that `./test` installs and that is not here is left out, and said.
fn can_be_run(line: &str) -> bool {
    let is_there = |name: &str| Command::new(name).arg("--version").output().is_ok();
    let lacks = ["curl", "tshark"].into_iter().find(|name| line.contains(name) && !is_there(name));
    if let Some(name) = lacks {
        println!("{name} is not there: left out: {line}");
    }
    lacks.is_none()
}

fn ended(output: &Output, wanted: i32) -> Result<(), String> {
    match output.status.code() {
        Some(code) if code == wanted => Ok(()),
        code => Err(format!("ends with {code:?} and not {wanted}: {}", said(output))),
    }
}

/// Headings that a document shows are those that are printed.
fn shows(printed: &str, shown: &[String]) -> Result<(), String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_heading = |line: &&String| {
        line.split_whitespace().count() > 2 && !line.contains(|letter: char| letter.is_lowercase())
    };
    let missing = shown.iter().filter(is_heading).find(|heading| {
        let heading = words(heading);
        !printed.lines().any(|line| words(line) == heading)
    });
    match missing {
        Some(heading) => Err(format!("no heading {heading:?} in: {printed}")),
        None => Ok(()),
    }
}

#[test]
fn every_block_of_commands_in_the_documents_works() {
    let stage = Stage::set();
    let mut wrong = Vec::new();
    let mut stands = false;
    // One document: DOCUMENT=docs/scripts.md cargo test --test netns documents -- --nocapture
    let wanted = std::env::var("DOCUMENT").unwrap_or_default();
    let all = documents();
    let all = all.iter().filter(|path| path.ends_with(&wanted) || wanted.is_empty());
    for block in all.flat_map(|path| blocks::blocks(path)) {
        let (place, ends) = match block.decision.as_ref().unwrap() {
            Decision::Run { place, ends } => (*place, *ends),
            Decision::NotRun(why) => {
                println!("{}: not run: {why}", block.at);
                continue;
            }
        };
        let at = match place {
            blocks::Place::Lab => {
                stands = false;
                Place::Checkout
            }
            blocks::Place::Folder => Place::Folder,
            blocks::Place::Gateway | blocks::Place::StoppedGateway => {
                if stands {
                    stage.heal()
                } else {
                    stage.fresh_gateway()
                }
                stands = true;
                Place::Gateway
            }
        };
        if place == blocks::Place::StoppedGateway {
            stage.must(Place::Checkout, "vpnctl lab fail east-a stop");
        }
        let mut outcome = carry_out(&stage, &block, at, ends);
        for _ in 1..ATTEMPTS {
            match (&outcome, at) {
                (Ok(()), _) | (_, Place::Folder) => break,
                (Err(_), Place::Checkout) => stage.fresh_gateway(),
                (Err(_), Place::Gateway) => stage.heal(),
            }
            println!("{}: again, for {outcome:?}", block.at);
            outcome = carry_out(&stage, &block, at, ends);
        }
        println!("{}: {}", block.at, if outcome.is_ok() { "works" } else { "FAILS" });
        wrong.extend(outcome.err().map(|why| format!("{}: {why}", block.at)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_in_the_running_text_of_the_documents_works() {
    let stage = Stage::set();
    stage.fresh_gateway();
    let all: BTreeSet<String> = documents().iter().flat_map(|path| in_text(path)).collect();
    let mut wrong = Vec::new();
    let mut carried_out = 0;
    for text in &all {
        let named = invocations(text).iter().all(|words| {
            let name = words.get(1).map_or("", String::as_str);
            words[0] == "vpngwd" || NAMED_ONLY.iter().any(|(only, _)| *only == name)
        });
        if named || text.contains('…') {
            continue;
        }
        let Some(script) = whole(text) else { continue };
        carried_out += 1;
        let endless = text.contains("--follow") || text.contains("--watch");
        let script = if endless { format!("timeout 2 {script}") } else { script };
        let attempt = || {
            let outcome = ended(&stage.run(Place::Gateway, &script), if endless { 124 } else { 0 });
            stage.heal();
            outcome
        };
        let outcome = (1..ATTEMPTS).fold(attempt(), |before, _| before.or_else(|_| attempt()));
        println!("{text}: {}", if outcome.is_ok() { "works" } else { "FAILS" });
        wrong.extend(outcome.err().map(|why| format!("{text}: {why}")));
    }
    assert!(carried_out >= 25, "only {carried_out} were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The command with all that it needs; `None` where a command is only named, and not used.
fn whole(text: &str) -> Option<String> {
    let filled = filled(text);
    let words = invocations(&filled).swap_remove(0);
    let takes = vpngw::cli::command().try_get_matches_from(words).is_ok();
    let is_placeless = ["vpnctl disable", "vpnctl enable", "vpnctl rekey"].contains(&text);
    (takes && !is_placeless).then_some(filled)
}
