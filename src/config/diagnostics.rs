//! What is wrong with a configuration, where, and what to write instead; drawn the way `rustc`
//! draws its errors.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;

/// So many errors are drawn: whoever has more has made the same mistake again and again.
const SHOWN: usize = 20;

/// Everything that is wrong with one file; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    file: String,
    text: String,
    errors: Vec<ConfigError>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// What is wrong, in one sentence.
    pub message: String,
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in that line in characters, from 1.
    pub column: usize,
    /// What to write instead.
    pub help: Option<String>,
    place: Place,
    related: Vec<Place>,
}

/// A stretch of the file, with what to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    span: Range<usize>,
    label: String,
}

/// A fault in one value, before anybody knows where in the file the value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    message: String,
    label: String,
    help: Option<String>,
    related: Vec<Place>,
    keys: Option<Box<Keys>>,
}

/// What a fault says about the keys of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Keys {
    /// One of these is missing.
    Lacks(Vec<&'static str>),
    /// One that is unknown was meant to be one of these, of the section that stands here.
    Meant(Range<usize>, Vec<String>),
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Fault {
        let (label, help, related) = (String::new(), None, Vec::new());
        Fault { message: message.into(), label, help, related, keys: None }
    }

    /// What stands beside the marked text.
    pub(super) fn label(mut self, label: impl Into<String>) -> Fault {
        self.label = label.into();
        self
    }

    /// What to write instead.
    pub(super) fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }

    /// One of these keys is missing. When one that is unknown was meant to be it, that is enough said.
    pub(super) fn lacks(mut self, keys: &[&'static str]) -> Fault {
        self.keys = Some(Box::new(Keys::Lacks(keys.to_vec())));
        self
    }

    /// The unknown key was meant to be one of these of a section.
    pub(super) fn meant(mut self, section: Range<usize>, keys: &[&str]) -> Fault {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        self.keys = Some(Box::new(Keys::Meant(section, keys)));
        self
    }

    /// Whether an unknown key in the section at `span` was meant to be the missing one.
    fn follows_from(&self, span: &Range<usize>, unknown: &Keys) -> bool {
        match (self.keys.as_deref(), unknown) {
            (Some(Keys::Lacks(lacking)), Keys::Meant(section, meant)) => {
                section == span && lacking.iter().any(|key| meant.iter().any(|one| one == key))
            }
            (Some(Keys::Lacks(_) | Keys::Meant(..)) | None, _) => false,
        }
    }

    /// Another place in the file that matters.
    pub(super) fn beside(mut self, span: Range<usize>, label: impl Into<String>) -> Fault {
        self.related.push(Place { span, label: label.into() });
        self
    }
}

/// As a sentence, for whoever has no text to mark it in.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

/// Collects the faults of one file.
#[derive(Debug, Default)]
pub(super) struct Report {
    faults: Vec<(Range<usize>, Fault)>,
}

impl Report {
    /// Notes a fault of the text at `span`, once, however many sections it concerns.
    pub(super) fn add(&mut self, span: Range<usize>, fault: Fault) {
        let fault = (span, fault);
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// How much is wrong so far.
    pub(super) fn len(&self) -> usize {
        self.faults.len()
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// All faults in the order of the file, with their places.
    pub(super) fn into_errors(mut self, file: &str, text: &str) -> ConfigErrors {
        let unknown: Vec<Keys> =
            self.faults.iter().filter_map(|(_, fault)| fault.keys.as_deref().cloned()).collect();
        self.faults
            .retain(|(span, fault)| !unknown.iter().any(|one| fault.follows_from(span, one)));
        self.faults.sort_by_key(|(span, _)| span.start);
        let errors = self.faults.into_iter().map(|(span, fault)| locate(text, span, fault));
        ConfigErrors { file: file.to_owned(), text: text.to_owned(), errors: errors.collect() }
    }
}

fn locate(text: &str, span: Range<usize>, fault: Fault) -> ConfigError {
    let span = within(text, span);
    let before = text.get(..span.start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    let related = fault.related.into_iter();
    ConfigError {
        message: fault.message,
        line: before.matches('\n').count() + 1,
        column,
        help: fault.help,
        place: Place { span, label: fault.label },
        related: related
            .map(|place| Place { span: within(text, place.span), label: place.label })
            .collect(),
    }
}

/// `span` moved to character boundaries inside `text`, so that it can always be drawn.
fn within(text: &str, span: Range<usize>) -> Range<usize> {
    let boundary = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    let start = boundary(span.start).unwrap_or(0);
    let end = boundary(span.end).unwrap_or(0).max(start);
    start..end
}

impl ConfigErrors {
    /// The single errors, in the order of the file.
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }

    /// The errors as text for people, in colours or plain.
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let shown = self.errors.iter().take(SHOWN);
        let reports = shown.map(|error| renderer.render(&self.report(error)));
        let mut text = reports.collect::<Vec<_>>().join("\n\n");
        if let [_, _, ..] = self.errors.as_slice() {
            text += &format!("\n\n{}: {} errors", self.file, self.errors.len());
        }
        if self.errors.len() > SHOWN {
            text += &format!(", of which {SHOWN} are shown: mend these first");
        }
        text
    }

    fn report<'a>(&'a self, error: &'a ConfigError) -> Vec<Group<'a>> {
        let place = |kind: AnnotationKind, place: &'a Place| {
            kind.span(place.span.clone()).label(place.label.as_str())
        };
        let related = error.related.iter().map(|other| place(AnnotationKind::Context, other));
        let snippet = Snippet::source(self.text.as_str())
            .path(self.file.as_str())
            .annotation(place(AnnotationKind::Primary, &error.place))
            .annotations(related);
        let group = Level::ERROR.primary_title(error.message.as_str()).element(snippet);
        vec![match &error.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }]
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

/// The words that may have been meant by `written`: the most similar one when it is similar
/// enough, else all that begin or end with it.
pub(super) fn meant_words<'w>(written: &str, words: &[&'w str]) -> Vec<&'w str> {
    let tolerated = (written.chars().count() / 3).max(1);
    let distance = |word: &&str| strsim::damerau_levenshtein(written, word);
    let similar = words.iter().copied().min_by_key(distance);
    match similar.filter(|word| distance(word) <= tolerated) {
        Some(word) => vec![word],
        None => words.iter().copied().filter(|word| begins_or_ends_with(word, written)).collect(),
    }
}

/// Whether one of two words of at least three letters begins or ends with the other
/// (`address` is meant as `remote_address`).
fn begins_or_ends_with(word: &str, written: &str) -> bool {
    let (short, long) = if word.len() < written.len() { (word, written) } else { (written, word) };
    short.len() >= 3 && (long.starts_with(short) || long.ends_with(short))
}
