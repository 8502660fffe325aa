//! Reads the rules about routes of a peer: `[[peer.import]]` and `[[peer.announce]]`, or the same as
//! `import = [{ … }]`.
//!
//! ```toml
//! import = [
//!     { prefixes = ["10.2.0.0/16"], lengths = "25-32", reject = true },
//!     { community = "65002:100", local_preference = 200 },
//! ]
//! announce = [{ prefixes = ["10.1.9.0/24"], add = ["no-export"], med = 50, prepend = 2 }]
//! ```

use super::diagnostics::{Fault, Report};
use super::reader::{Section, described};
use super::words;
use crate::net::{Community, Prefix};
use crate::routing::policy::{Change, Fits, Rule, Then};
use std::ops::RangeInclusive;
use toml::de::DeValue;

/// The rules of one direction that a peer may have.
const MOST: usize = 256;
/// What a rule may name of routes.
const FITS: [&str; 6] = ["prefixes", "lengths", "community", "through", "origin", "longer_than"];
/// What it may do in both directions.
const CHANGES: [&str; 4] = ["reject", "med", "add", "remove"];
/// All that a rule may say.
#[cfg(test)]
pub(super) fn keys() -> Vec<&'static str> {
    let of = |direction: Direction| direction.change();
    let both = [of(Direction::Import), of(Direction::Announce)];
    FITS.into_iter().chain(CHANGES).chain(both).collect()
}

/// The most that an AS path is made longer.
const MOST_PREPENDED: u8 = 16;

/// In which direction routes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From the peer.
    Import,
    /// To the peer.
    Announce,
}

impl Direction {
    /// The key of its rules.
    pub(super) fn key(self) -> &'static str {
        match self {
            Direction::Import => "import",
            Direction::Announce => "announce",
        }
    }

    /// What rules may do in this direction alone.
    fn change(self) -> &'static str {
        match self {
            Direction::Import => "local_preference",
            Direction::Announce => "prepend",
        }
    }
}

/// The rules that a peer's section has for a direction.
pub(super) fn read(peer: &Section<'_>, direction: Direction, report: &mut Report) -> Vec<Rule> {
    let key = direction.key();
    let known: Vec<&str> = FITS.into_iter().chain(CHANGES).chain([direction.change()]).collect();
    let of = if peer.title() == "[[vpc.router]]" { "vpc.router" } else { "peer" };
    let sections = peer.subsections(key, &format!("{of}.{key}"), &known, report);
    if sections.len() > MOST {
        let fault = Fault::new(format!("{} rules are too many", sections.len()));
        let help =
            format!("a peer has {MOST} of one direction at most: name several prefixes in one");
        report.add(peer.span_of(key), fault.label("here").help(help));
        return Vec::new();
    }
    sections.iter().filter_map(|section| rule(section, direction, report)).collect()
}

fn rule(section: &Section<'_>, direction: Direction, report: &mut Report) -> Option<Rule> {
    let fits = fits(section, report);
    let rejects = section.optional("reject", words::boolean, report) == Some(true);
    let change = change(section, direction, report);
    let changes = CHANGES[1..].iter().copied().chain([direction.change()]);
    let changed = changes.clone().find(|key| section.has(key));
    match (rejects, changed) {
        (true, Some(key)) => {
            let fault =
                Fault::new(format!("a rule that rejects changes nothing: `{key}` has no place"))
                    .label("nobody sees it")
                    .beside(section.span_of("reject"), "rejected here");
            report.add(section.span_of(key), fault.help("leave one of the two out"));
            None
        }
        (true, None) => Some(Rule { fits, then: Then::Reject }),
        (false, _) => Some(Rule { fits, then: Then::Take(change) }),
    }
}

fn fits(section: &Section<'_>, report: &mut Report) -> Fits {
    let prefixes = section.list("prefixes", words::prefix, report);
    if prefixes.as_ref().is_some_and(Vec::is_empty) && report.is_empty() {
        let fault = Fault::new("`prefixes` is empty: the rule fits no route").label("none here");
        let help = "name one prefix at least, or leave `prefixes` out for all routes";
        report.add(section.span_of("prefixes"), fault.help(help));
    }
    let values = |list: Vec<super::reader::At<Prefix>>| list.iter().map(|at| at.value).collect();
    Fits {
        prefixes: prefixes.map(values),
        lengths: section.optional("lengths", lengths, report),
        community: section.optional("community", community, report),
        through: section.optional("through", words::asn, report),
        origin: section.optional("origin", words::asn, report),
        longer_than: section
            .optional("longer_than", words::integer("a length of AS paths", 0..=u16::MAX), report)
            .map(usize::from),
    }
}

fn change(section: &Section<'_>, direction: Direction, report: &mut Report) -> Change {
    let mut communities = |key| {
        let list = section.list(key, community, report).unwrap_or_default();
        list.into_iter().map(|at| at.value).collect::<Vec<Community>>()
    };
    let (add, remove) = (communities("add"), communities("remove"));
    let number = |what| words::integer(what, 0..=u32::MAX);
    let med = section.optional("med", number("the MED"), report);
    let (local_preference, prepend) = match direction {
        Direction::Import => {
            let preference = number("the local preference");
            (section.optional("local_preference", preference, report), None)
        }
        Direction::Announce => {
            let times = words::integer("how often our AS is put in front", 0..=MOST_PREPENDED);
            (None, section.optional("prepend", times, report))
        }
    };
    Change { local_preference, med, add, remove, prepend: prepend.unwrap_or(0) }
}

/// `"16-24"`, `"24"` or `24`: lengths of prefixes.
fn lengths(value: &DeValue<'_>) -> Result<RangeInclusive<u8>, Fault> {
    let wrong = || {
        Fault::new(format!("lengths of prefixes are expected here, not {}", described(value)))
            .label("not lengths")
            .help("write lengths = \"16-24\", or lengths = 24 for one")
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u8>().ok()).flatten().filter(|length| *length <= 128)
    };
    let text = match value {
        DeValue::Integer(integer) => integer.as_str(),
        DeValue::String(text) => text.as_ref(),
        _ => return Err(wrong()),
    };
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (number(from.trim()).ok_or_else(wrong)?, number(to.trim()).ok_or_else(wrong)?);
    if from > to {
        return Err(wrong());
    }
    Ok(from..=to)
}

fn community(value: &DeValue<'_>) -> Result<Community, Fault> {
    let wrong = || {
        Fault::new("a community is expected here").label("not a community").help(
            "write \"65001:100\", a large one \"4200000001:1:2\", or a name such as \
                 \"no-export\" or \"graceful-shutdown\"",
        )
    };
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests;
