//! What the RFCs demand, one file of `docs/requirements/` for each: every key word of RFC 2119 in it is
//! counted, and every demand has tests that show it, or a reason why there is none. The table that people
//! read, docs/requirements.md, is made of these files.
//!
//! After a change: `WRITE_REQUIREMENTS=1 cargo test --test requirements`. To count the key words of the
//! RFCs again, from a folder with their texts (rfc7296.txt and so on; the package doc-rfc of Debian has
//! most of them): `RFCS=FOLDER cargo test --test requirements -- --ignored`.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

#[path = "requirements/demands.rs"]
mod demands;
#[path = "requirements/sources.rs"]
mod sources;
#[path = "requirements/table.rs"]
mod table;

use demands::{KEY_WORDS, Rfc, SOURCE, count, rfcs};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn assert_none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn every_demand_is_shown_by_tests_or_has_a_reason_why_not() {
    let undecided = rfcs().iter().flat_map(Rfc::undecided).collect();
    assert_none("a demand has one of `shown_by`, `gap` and `not_ours`", undecided);
}

#[test]
fn every_key_word_of_a_section_belongs_to_a_demand() {
    let miscounted = rfcs().iter().flat_map(Rfc::miscounted).collect();
    assert_none("`keywords` of a section is the sum of its demands", miscounted);
}

#[test]
fn every_test_that_shows_a_demand_exists() {
    let tests = sources::tests();
    let mut seen = 0;
    let mut missing = Vec::new();
    for rfc in rfcs() {
        for (number, name) in rfc.named_tests() {
            seen += 1;
            if !tests.contains_key(name) {
                missing.push(format!("RFC {} §{number}: {name}", rfc.rfc));
            }
        }
        for (number, name) in rfc.tests_in_reasons() {
            let ends = |path: &&String| path.rsplit("::").next() == Some(name.as_str());
            if !tests.keys().any(|path| ends(&path)) {
                missing.push(format!("RFC {} §{number}, in a reason: {name}", rfc.rfc));
            }
        }
    }
    assert!(seen >= 300, "only {seen} were found");
    assert_none("there is no such test", missing);
}

#[test]
fn the_table_in_docs_is_what_the_files_say() {
    let path = Path::new(SOURCE).join("docs/requirements.md");
    let says = table::table(&rfcs(), &sources::tests());
    if std::env::var_os("WRITE_REQUIREMENTS").is_some() {
        std::fs::write(&path, &says).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let remedy = "WRITE_REQUIREMENTS=1 cargo test --test requirements";
    assert!(written == says, "docs/requirements.md is old: {remedy}");
}

/// The files say how often key words occur in each section; the RFCs' own texts say whether that is so.
#[test]
#[ignore = "needs the texts of the RFCs: RFCS=FOLDER"]
fn key_words_are_counted_as_the_rfcs_have_them() {
    let folder = std::env::var_os("RFCS").expect("RFCS=FOLDER with rfc7296.txt and so on");
    let mut wrong = Vec::new();
    for rfc in rfcs() {
        let path = Path::new(&folder).join(format!("rfc{}.txt", rfc.rfc));
        let Ok(text) = std::fs::read_to_string(&path) else {
            println!("{} is not there and was not looked at", path.display());
            continue;
        };
        let theirs = sections(&text);
        for section in &rfc.section {
            let Some(body) = theirs.get(&section.number) else {
                wrong.push(format!("RFC {} has no §{}", rfc.rfc, section.number));
                continue;
            };
            wrong.extend(section.miscounted_in(body).map(|why| format!("RFC {} {why}", rfc.rfc)));
        }
        let ours: BTreeSet<&str> =
            rfc.section.iter().map(|section| section.number.as_str()).collect();
        let others = theirs.iter().filter(|(number, _)| !ours.contains(number.as_str()));
        let left_out = others.filter(|(_, body)| count(body, &KEY_WORDS) > 0);
        wrong.extend(left_out.map(|(number, _)| format!("RFC {} §{number} is left out", rfc.rfc)));
    }
    assert_none("miscounted", wrong);
}

/// The text of each section of an RFC.
fn sections(text: &str) -> BTreeMap<String, String> {
    let is_furniture = |line: &str| {
        line.contains('\u{c}')
            || line.ends_with(']') && line.contains("[Page ")
            || is_running_head(line)
    };
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let mut number = "front".to_owned();
    for line in text.lines().filter(|line| !is_furniture(line)) {
        match heading(line) {
            Some(next) => number = next,
            None => {
                let body = all.entry(number.clone()).or_default();
                body.push_str(line.trim());
                body.push(' ');
            }
        }
    }
    all
}

/// `RFC 7296                        IKEv2bis                    October 2014`
fn is_running_head(line: &str) -> bool {
    let year =
        line.trim_end().rsplit(' ').next().is_some_and(|last| {
            last.len() == 4 && last.chars().all(|digit| digit.is_ascii_digit())
        });
    line.starts_with("RFC ") && year
}

/// The number of the section that begins with this line.
fn heading(line: &str) -> Option<String> {
    let line = line.strip_prefix("Appendix ").unwrap_or(line);
    let (number, title) = line.split_once(' ')?;
    let number = number.trim_end_matches('.');
    let is_number = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let is_letter = |part: &str| part.len() == 1 && part.chars().all(|c| c.is_ascii_uppercase());
    let mut parts = number.split('.');
    let first = parts.next()?;
    let is_appendix =
        is_letter(first) && (number.len() > 1 || line.starts_with(&format!("{first}. ")));
    let is_section = (is_number(first) || is_appendix) && parts.all(is_number);
    let indented = title.len() - title.trim_start().len();
    (is_section && indented <= 2 && !title.trim().is_empty() && !line.contains("...."))
        .then(|| number.to_owned())
}
