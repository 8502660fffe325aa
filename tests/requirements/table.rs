//! The table that people read.

use super::demands::{Demand, Rfc, Section};
use std::collections::BTreeMap;
use std::fmt::Write;

const HEAD: &str = "\
# What the RFCs demand, and what shows it

Made from the files of [`docs/requirements/`](requirements); `tests/requirements.rs` says how, and fails when a test that
is named here is gone, when a demand has neither tests nor a reason, or when this table is old. Which lines of the
code obey a section, `git grep 'RFC 7296 §2.25'` finds. Which algorithms there are, and what RFC 8221 and RFC 8247 say
of each, stands in [configs/README.md](../configs/README.md).

Every key word of RFC 2119 that demands something (MUST, SHOULD, SHALL, REQUIRED, RECOMMENDED, and their opposites) is
counted. The words are ours; what counts is the RFC. \"MUST ×2\" stands for two key words in a row that one test
shows. A **gap** is something that vpngw does not do, or that no test shows, and why. *Not ours* is what an RFC
demands of others: of remote access, transport mode, authors of other documents.

";

/// The whole document.
pub(crate) fn table(rfcs: &[Rfc], tests: &BTreeMap<String, String>) -> String {
    let mut out = HEAD.to_owned();
    out.push_str("| RFC | | key words | shown | gaps | not ours |\n|---|---|---|---|---|---|\n");
    for rfc in rfcs {
        let [shown, gaps, others] = tally(rfc);
        let (number, title, all) = (rfc.rfc, &rfc.title, shown + gaps + others);
        let link = format!("[{number}](#rfc-{number})");
        writeln!(out, "| {link} | {title} | {all} | {shown} | {gaps} | {others} |").unwrap();
    }
    for rfc in rfcs {
        write!(out, "\n## RFC {}\n\n{}\n", rfc.rfc, rfc.title).unwrap();
        for section in rfc.section.iter().filter(|section| !section.demand.is_empty()) {
            of_section(&mut out, section, tests);
        }
        let asides =
            rfc.section.iter().filter_map(|section| Some((section, section.aside.as_ref()?)));
        for (section, aside) in asides {
            let (number, count, what) = (&section.number, aside.keywords, &aside.what);
            write!(out, "\n§{number} also has {count} key words that demand nothing: {what}.\n")
                .unwrap();
        }
    }
    out
}

fn of_section(out: &mut String, section: &Section, tests: &BTreeMap<String, String>) {
    write!(out, "\n### §{}\n\n", section.number).unwrap();
    out.push_str("| level | what is demanded | shown by |\n|---|---|---|\n");
    for demand in &section.demand {
        let times = if demand.times > 1 { format!(" ×{}", demand.times) } else { String::new() };
        let (level, what, shown) = (&demand.level, &demand.what, shown(demand, tests));
        writeln!(out, "| {level}{times} | {what} | {shown} |").unwrap();
    }
}

fn shown(demand: &Demand, tests: &BTreeMap<String, String>) -> String {
    match (&demand.gap, &demand.not_ours) {
        (Some(gap), _) => format!("**gap**: {gap}"),
        (None, Some(why)) => format!("*not ours*: {why}"),
        (None, None) => {
            let link = |name: &String| {
                let short = name.rsplit("::").next().unwrap_or(name);
                let file = tests.get(name).map_or("", String::as_str);
                format!("[`{short}`](../{file})")
            };
            demand.shown_by.iter().map(link).collect::<Vec<_>>().join(", ")
        }
    }
}

/// Key words that are shown, that are gaps, and that are not ours.
fn tally(rfc: &Rfc) -> [usize; 3] {
    let mut sums = [0; 3];
    for demand in rfc.section.iter().flat_map(|section| &section.demand) {
        let place = match (&demand.gap, &demand.not_ours) {
            (Some(_), _) => 1,
            (None, Some(_)) => 2,
            (None, None) => 0,
        };
        sums[place] += demand.times;
    }
    sums
}
