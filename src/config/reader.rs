//! Reads a TOML table key by key: remembers where each value stands, refuses keys that nobody
//! asked for, and goes on after an error so that one run shows all of them.

use super::diagnostics::{Fault, Report, meant_words};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with the place where it was written.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// What turns a TOML value into ours.
pub(super) trait Parser<T>: Fn(&DeValue<'_>) -> Result<T, Fault> {}
impl<T, F: Fn(&DeValue<'_>) -> Result<T, Fault>> Parser<T> for F {}

/// One table of the file, with the keys that may stand in it.
#[derive(Clone, Debug)]
pub(super) struct Section<'t> {
    title: String,
    table: &'t DeTable<'t>,
    span: Range<usize>,
}

impl<'t> Section<'t> {
    /// The table called `title` in messages; keys outside `known` are faults.
    pub(super) fn new(
        title: impl Into<String>,
        table: &'t DeTable<'t>,
        span: Range<usize>,
        known: &[&str],
        report: &mut Report,
    ) -> Section<'t> {
        let section = Section { title: title.into(), table, span };
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            report.add(key.span(), section.unknown_key(key.get_ref(), known));
        }
        section
    }

    fn unknown_key(&self, key: &str, known: &[&str]) -> Fault {
        let fault = Fault::new(format!("unknown key `{key}` in {}", self.title)).label("unknown");
        let meant = meant_words(key, known);
        let fault = fault.meant(self.span(), &meant);
        match meant.is_empty() {
            true => fault.help(format!("the keys of {} are: {}", self.title, known.join(", "))),
            false => fault.help(format!("did you mean `{}`?", meant.join("` or `"))),
        }
    }

    /// Where the section begins.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// How messages call the section.
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// Where the value of `key` stands; the section itself when the key is absent.
    pub(super) fn span_of(&self, key: &str) -> Range<usize> {
        self.raw(key).map_or(self.span(), Spanned::span)
    }

    /// Whether `key` is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.raw(key).is_some()
    }

    /// The value of `key` as TOML has it.
    pub(super) fn raw(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// The value of `key`; `None` when it is absent or wrong (and then reported).
    pub(super) fn optional<T>(
        &self,
        key: &str,
        parser: impl Parser<T>,
        report: &mut Report,
    ) -> Option<T> {
        self.located(key, parser, report).map(|at| at.value)
    }

    /// Like [`Section::optional`], with the place of the value.
    pub(super) fn located<T>(
        &self,
        key: &str,
        parser: impl Parser<T>,
        report: &mut Report,
    ) -> Option<At<T>> {
        let raw = self.raw(key)?;
        match parser(raw.get_ref()) {
            Ok(value) => Some(At { value, span: raw.span() }),
            Err(fault) => {
                report.add(raw.span(), fault);
                None
            }
        }
    }

    /// The value of `key`, whose absence is reported with `help`.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        help: &str,
        parser: impl Parser<T>,
        report: &mut Report,
    ) -> Option<At<T>> {
        if !self.has(key) {
            report.add(self.span(), self.missing(key).help(help));
        }
        self.located(key, parser, report)
    }

    /// The fault of a section that lacks `key`.
    pub(super) fn missing(&self, key: &'static str) -> Fault {
        Fault::new(format!("{} needs `{key}`", self.title))
            .label("not in this section")
            .lacks(&[key])
    }

    /// The items of the array at `key`, each with its place; `None` when the key is absent.
    /// Items that are wrong are reported and left out.
    pub(super) fn list<T>(
        &self,
        key: &str,
        parser: impl Parser<T>,
        report: &mut Report,
    ) -> Option<Vec<At<T>>> {
        let raw = self.raw(key)?;
        let DeValue::Array(items) = raw.get_ref() else {
            let message = format!("`{key}` must be a list, not {}", described(raw.get_ref()));
            report.add(raw.span(), Fault::new(message).label("write it in [ ]"));
            return Some(Vec::new());
        };
        let mut values = Vec::with_capacity(items.len());
        for item in items.iter() {
            match parser(item.get_ref()) {
                Ok(value) => values.push(At { value, span: item.span() }),
                Err(fault) => report.add(item.span(), fault),
            }
        }
        Some(values)
    }

    /// The table at `key`.
    pub(super) fn subsection(
        &self,
        key: &str,
        known: &[&str],
        report: &mut Report,
    ) -> Option<Section<'t>> {
        self.subsection_called(&format!("`{key}` of {}", self.title), key, known, report)
    }

    /// The table at `key`, which messages call `title`.
    pub(super) fn subsection_called(
        &self,
        title: &str,
        key: &str,
        known: &[&str],
        report: &mut Report,
    ) -> Option<Section<'t>> {
        section_of(title.to_owned(), self.raw(key)?, known, report)
    }

    /// The tables written as `[[key]]`, in the order of the file.
    pub(super) fn subsections(
        &self,
        key: &str,
        title: &str,
        known: &[&str],
        report: &mut Report,
    ) -> Vec<Section<'t>> {
        let Some(raw) = self.raw(key) else { return Vec::new() };
        let DeValue::Array(items) = raw.get_ref() else {
            let message =
                format!("`{key}` is a list of sections, not {}", described(raw.get_ref()));
            let help = format!("write each one under a line [[{title}]]");
            report.add(raw.span(), Fault::new(message).help(help));
            return Vec::new();
        };
        let title = format!("[[{title}]]");
        items.iter().filter_map(|item| section_of(title.clone(), item, known, report)).collect()
    }
}

fn section_of<'t>(
    title: String,
    raw: &'t Spanned<DeValue<'t>>,
    known: &[&str],
    report: &mut Report,
) -> Option<Section<'t>> {
    match raw.get_ref() {
        DeValue::Table(table) => Some(Section::new(title, table, raw.span(), known, report)),
        other => {
            let message = format!("{title} must be a section, not {}", described(other));
            report.add(raw.span(), Fault::new(message));
            None
        }
    }
}

/// The kind of a TOML value, with its article.
pub(super) fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}
