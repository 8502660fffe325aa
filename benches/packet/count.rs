//! Instructions for each packet, counted by valgrind and kept by commit.
//!
//! The counts of a commit lie in `target/packet-counts/COMMIT`, and are compared with those of the
//! nearest commit before it that was counted. What is counted with changes that are in no commit
//! is compared with the last commit, and not kept.

use crate::cases::Case;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Before the name of a case, on the command line that valgrind runs.
pub(crate) const RUN: &str = "--run";
/// Rounds that are counted: what happens once weighs little in so many.
const ROUNDS: usize = 40;
/// A difference below this is not worth a word.
const WORTH_A_WORD: f64 = 0.005;

/// Instructions for a packet, by the name of the case.
type Counts = BTreeMap<String, f64>;

/// Counts the cases, prints the counts beside those before, and keeps them.
pub(crate) fn report(cases: &[Case]) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/packet-counts");
    fs::create_dir_all(&folder)?;
    let before = before(&folder)?;
    let title = before.as_ref().map_or("-", |(commit, _)| commit);
    println!("{:<34} {:>12} {:>12}", "instructions/packet", "now", title);
    let (mut counts, mut costs) = (Counts::new(), BTreeMap::new());
    for case in cases {
        let now = count(case, &folder)?;
        let then = before.as_ref().and_then(|(_, counts)| counts.get(case.name)).copied();
        let more = crate::surcharge(case.name, now, &costs);
        println!("{:<34} {now:>12.1} {}{more}", case.name, compared(now, then));
        costs.insert(case.name, now);
        counts.insert(case.name.to_owned(), now);
    }
    if is_committed()? { keep(&folder.join(head()?), counts) } else { Ok(()) }
}

fn compared(now: f64, then: Option<f64>) -> String {
    let Some(then) = then else { return format!("{:>12}", "-") };
    let change = now / then - 1.0;
    match change.abs() < WORTH_A_WORD {
        true => format!("{then:>12.1}"),
        false => format!("{then:>12.1} {:>+7.1} %", change * 100.0),
    }
}

/// What a packet of one case costs.
fn count(case: &Case, folder: &Path) -> Result<f64> {
    let profile = folder.join("callgrind.out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*packet*counted*"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(std::env::current_exe()?)
        .args([RUN, case.name, &ROUNDS.to_string()])
        .output()
        .context("no valgrind; install it with: apt-get install valgrind")?;
    if !output.status.success() {
        bail!("{}: {}", case.name, String::from_utf8_lossy(&output.stderr));
    }
    let profile = fs::read_to_string(&profile)?;
    let total = profile.lines().find_map(|line| line.strip_prefix("totals: "));
    let total: f64 = total.map_or(Ok(0.0), |total| total.trim().parse())?;
    if total == 0.0 {
        bail!(
            "{}: valgrind has not found the function that it counts; is `strip` set for benches?",
            case.name
        );
    }
    Ok(total / (ROUNDS * case.packets) as f64)
}

/// The counts of the nearest commit before this state of the tree, with its name.
fn before(folder: &Path) -> Result<Option<(String, Counts)>> {
    let own = usize::from(is_committed()?);
    let commits =
        git(&["rev-list", "--first-parent", "--abbrev-commit", "--max-count=500", "HEAD"])?;
    let mut counted = commits.lines().skip(own).map(|commit| (commit, folder.join(commit)));
    let Some((commit, file)) = counted.find(|(_, file)| file.exists()) else { return Ok(None) };
    Ok(Some((commit.to_owned(), read(&file)?)))
}

/// One case a line: the count, then the name.
fn read(file: &PathBuf) -> Result<Counts> {
    let text = fs::read_to_string(file)?;
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(count, name)| Ok((name.to_owned(), count.parse()?))).collect()
}

/// Adds to what is kept of this commit: cases may be counted one by one.
fn keep(file: &PathBuf, counts: Counts) -> Result<()> {
    let mut all = if file.exists() { read(file)? } else { Counts::new() };
    all.extend(counts);
    let lines: Vec<String> = all.iter().map(|(name, count)| format!("{count:.1} {name}")).collect();
    Ok(fs::write(file, lines.join("\n"))?)
}

fn is_committed() -> Result<bool> {
    Ok(git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty())
}

fn head() -> Result<String> {
    Ok(git(&["rev-parse", "--short", "HEAD"])?.trim().to_owned())
}

fn git(arguments: &[&str]) -> Result<String> {
    let mut git = Command::new("git");
    let output = git.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output();
    let output = output.context("no git, which tells what is counted")?;
    if !output.status.success() {
        bail!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}
