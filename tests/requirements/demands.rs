//! The files of `docs/requirements/`: what one RFC demands, section by section.

use serde::Deserialize;
use std::fs;
use std::path::Path;

pub(crate) const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

/// The key words of RFC 2119 that demand something, longer ones first.
pub(crate) const KEY_WORDS: [&str; 9] = [
    "NOT RECOMMENDED",
    "MUST NOT",
    "SHOULD NOT",
    "SHALL NOT",
    "RECOMMENDED",
    "REQUIRED",
    "MUST",
    "SHOULD",
    "SHALL",
];

/// What one RFC demands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rfc {
    pub rfc: u16,
    pub title: String,
    /// The sections in which key words occur, in their order.
    pub section: Vec<Section>,
}

/// One section, without those below it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Section {
    pub number: String,
    /// How often key words occur in its text.
    pub keywords: usize,
    /// Of these, how many demand nothing, and what they do instead.
    #[serde(default)]
    pub aside: Option<Aside>,
    #[serde(default)]
    pub demand: Vec<Demand>,
}

/// Key words that demand nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aside {
    pub keywords: usize,
    pub what: String,
}

/// What is demanded, in our own words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Demand {
    pub level: String,
    /// For how many key words in a row it stands.
    #[serde(default = "once")]
    pub times: usize,
    pub what: String,
    /// The tests that show it, as `cargo test` names them; those of `netns-tests/` begin with `netns::`.
    #[serde(default)]
    pub shown_by: Vec<String>,
    /// Why it is not done, or not shown.
    #[serde(default)]
    pub gap: Option<String>,
    /// Why it is for others than a gateway like this one.
    #[serde(default)]
    pub not_ours: Option<String>,
}

fn once() -> usize {
    1
}

impl Demand {
    /// The reason why no test shows it.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.gap.as_deref().or(self.not_ours.as_deref())
    }

    fn is_decided(&self) -> bool {
        let answers = [!self.shown_by.is_empty(), self.gap.is_some(), self.not_ours.is_some()];
        let is_said = |text: Option<&str>| text.is_none_or(|text| !text.trim().is_empty());
        answers.iter().filter(|given| **given).count() == 1
            && is_said(self.reason())
            && is_said(Some(&self.what))
            && self.times > 0
            && KEY_WORDS.contains(&self.level.as_str())
    }
}

impl Section {
    /// What is wrong with its numbers, by the section's own text: key words in all, and of each kind
    /// where none is an aside.
    pub(crate) fn miscounted_in(&self, body: &str) -> impl Iterator<Item = String> {
        let number = &self.number;
        let differs = |kind: &str, found: usize, said: usize| {
            (found != said).then(|| format!("§{number}: {found} {kind}, the file says {said}"))
        };
        let mut wrong: Vec<String> =
            differs("key words", count(body, &KEY_WORDS), self.keywords).into_iter().collect();
        for word in KEY_WORDS.iter().filter(|_| self.aside.is_none()) {
            let of_level = self.demand.iter().filter(|demand| demand.level == *word);
            let said = of_level.map(|demand| demand.times).sum();
            wrong.extend(differs(word, count_one(body, word), said));
        }
        wrong.into_iter()
    }
}

impl Rfc {
    pub(crate) fn undecided(&self) -> Vec<String> {
        let undecided = |section: &Section| {
            let name = |demand: &&Demand| {
                format!("RFC {} §{}: {} {}", self.rfc, section.number, demand.level, demand.what)
            };
            let found = section.demand.iter().filter(|demand| !demand.is_decided());
            found.map(|demand| name(&demand)).collect::<Vec<_>>()
        };
        self.section.iter().flat_map(undecided).collect()
    }

    pub(crate) fn miscounted(&self) -> Vec<String> {
        let sum = |section: &Section| {
            let aside = section.aside.as_ref().map_or(0, |aside| aside.keywords);
            aside + section.demand.iter().map(|demand| demand.times).sum::<usize>()
        };
        let wrong = self.section.iter().filter(|section| sum(section) != section.keywords);
        let name = |section: &Section| {
            let (said, sum) = (section.keywords, sum(section));
            format!("RFC {} §{}: {said}, and its demands are {sum}", self.rfc, section.number)
        };
        wrong.map(name).collect()
    }

    /// The tests that show something, by section.
    pub(crate) fn named_tests(&self) -> impl Iterator<Item = (&str, &String)> {
        self.section.iter().flat_map(|section| {
            let tests = section.demand.iter().flat_map(|demand| &demand.shown_by);
            tests.map(|name| (section.number.as_str(), name))
        })
    }

    /// The tests that reasons name between backticks, without their module: words with an underscore, of
    /// small letters.
    pub(crate) fn tests_in_reasons(&self) -> Vec<(&str, String)> {
        let is_test = |word: &&str| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            word.contains('_') && word.chars().all(plain)
        };
        let mut found = Vec::new();
        for section in &self.section {
            for reason in section.demand.iter().filter_map(Demand::reason) {
                let quoted = reason.split('`').skip(1).step_by(2);
                let names = quoted.filter(is_test).map(str::to_owned);
                found.extend(names.map(|name| (section.number.as_str(), name)));
            }
        }
        found
    }
}

/// All files, by the number of the RFC.
pub(crate) fn rfcs() -> Vec<Rfc> {
    let folder = Path::new(SOURCE).join("docs/requirements");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let rfc: Rfc =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(path.file_stem().unwrap().to_str(), Some(format!("rfc{}", rfc.rfc).as_str()));
        rfc
    };
    let mut all: Vec<Rfc> = paths.map(read).collect();
    all.sort_by_key(|rfc| rfc.rfc);
    all
}

/// How often any of the words stands in the text as a word of its own; `MUST NOT` is one.
pub(crate) fn count(text: &str, words: &[&str]) -> usize {
    found(text, words).len()
}

/// How often one of the key words stands there, and not as part of a longer one.
fn count_one(text: &str, word: &str) -> usize {
    found(text, &KEY_WORDS).into_iter().filter(|found| *found == word).count()
}

fn found<'w>(text: &str, words: &[&'w str]) -> Vec<&'w str> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let (mut rest, mut before, mut found) = (text.as_str(), ' ', Vec::new());
    while let Some(first) = rest.chars().next() {
        let ends = |word: &&'w str| !rest[word.len()..].starts_with(is_letter);
        let word = words.iter().copied().filter(|word| rest.starts_with(word)).find(ends);
        let step = match word.filter(|_| !is_letter(before)) {
            Some(word) => {
                found.push(word);
                word.len()
            }
            None => first.len_utf8(),
        };
        before = rest[..step].chars().next_back().unwrap_or(' ');
        rest = &rest[step..];
    }
    found
}
