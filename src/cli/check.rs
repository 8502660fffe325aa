//! Checks configurations without starting anything: each by itself, and gateways that know each other
//! against each other.

use super::doctor::{Finding, files};
use super::exit::Ending;
use super::look::{self, Look};
use super::names;
use super::objects::{Agreement, Checked, Mistake};
use super::sheet::wrapped;
use crate::config::{Config, ConfigError, Contradiction, compare, know_each_other};
use crate::config_file::{self, LoadError};
use anyhow::Result;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `vpnctl check`: ends with 1 when one of the files is not valid, or two contradict each other.
pub(super) fn check(files: &[PathBuf], look: Look) -> Result<ExitCode> {
    let mut ending = Ending::Well;
    let mut valid: Vec<(&Path, Config)> = Vec::new();
    for file in files {
        let loaded = config_file::load(file);
        let hidden = files::hidden_from_service(file);
        let notes = loaded.as_ref().map(notes).unwrap_or_default();
        let text = match look.json {
            true => look::versioned(&as_object(file, &loaded, &hidden, notes))?,
            false => as_text(file, &loaded, (&hidden, &notes), look),
        };
        look::print(&text)?;
        if loaded.is_err() || !hidden.is_empty() {
            ending = Ending::Down;
        }
        valid.extend(loaded.ok().map(|config| (file.as_path(), config)));
    }
    let mut rest = valid.as_slice();
    while let [(file, config), others @ ..] = rest {
        for (other, theirs) in others {
            let found = compare(config, theirs);
            if !found.is_empty() {
                ending = Ending::Down;
            }
            let related = know_each_other(config, theirs) || !found.is_empty();
            if let Some(text) = related.then(|| agreement([file, other], &found, look)) {
                look::print(&text?)?;
            }
        }
        rest = others;
    }
    Ok(ending.into())
}

/// Whether two files agree, and else on what they do not.
fn agreement(files: [&Path; 2], found: &[Contradiction], look: Look) -> Result<String> {
    let files = files.map(|file| file.display().to_string());
    if look.json {
        let contradictions = found.iter().map(|one| Mistake {
            message: one.message.clone(),
            help: Some(one.help.clone()),
            ..Mistake::default()
        });
        let (agree, contradictions) = (found.is_empty(), contradictions.collect());
        return look::versioned(&Agreement { files, agree, contradictions });
    }
    let [one, other] = files;
    if found.is_empty() {
        return Ok(format!("{one} and {other}: {}", look.paint(look::GOOD, "agree")));
    }
    let mut lines =
        vec![format!("{one} and {other}: {}", look.paint(look::BAD, "contradict each other"))];
    for Contradiction { message, help } in found {
        let room = look.width.saturating_sub(4);
        for (sign, text) in [("- ", message), ("→ ", help)] {
            let mut sign = sign;
            for line in wrapped(text, room) {
                lines.push(format!("  {sign}{line}"));
                sign = "  ";
            }
        }
    }
    Ok(lines.join("\n"))
}

/// What is wrong with a file, as it says and as the user finds it that the service runs as.
fn as_text(
    file: &Path,
    loaded: &Result<Config, LoadError>,
    (hidden, notes): (&[Finding], &[String]),
    look: Look,
) -> String {
    let first = match loaded {
        Ok(config) if hidden.is_empty() => {
            format!("{}: {}", file.display(), summary(config, look))
        }
        Ok(_) => format!(
            "{}: {}, but the service cannot read what it needs",
            file.display(),
            look.paint(look::BAD, "valid")
        ),
        Err(error) => error.render(look.colours),
    };
    let more = hidden.iter().map(|finding| {
        let remedy = finding.remedy.as_deref().unwrap_or_default();
        format!("  - {}\n  → {remedy}", finding.what)
    });
    let notes = notes.iter().map(|note| format!("  - from here: {note}"));
    std::iter::once(first).chain(more).chain(notes).collect::<Vec<String>>().join("\n")
}

/// What the host names of its peers should not mean, as they are seen from here. The gateway may be
/// elsewhere and see them otherwise: the file is valid all the same.
fn notes(config: &Config) -> Vec<String> {
    let looked_up = names::look_up(config, &BTreeSet::new());
    looked_up.into_iter().flat_map(|name| name.complaints).collect()
}

fn summary(config: &Config, look: Look) -> String {
    let vpcs: Vec<&str> = config.vpcs.values().map(|vpc| vpc.name.as_str()).collect();
    let peers = config.peers.len();
    format!(
        "{}: gateway {}, VPC {}, {peers} {}",
        look.paint(look::GOOD, "valid"),
        config.gateway.name,
        vpcs.join(", "),
        if peers == 1 { "peer" } else { "peers" }
    )
}

fn as_object(
    file: &Path,
    loaded: &Result<Config, LoadError>,
    hidden: &[Finding],
    notes: Vec<String>,
) -> Checked {
    let mut errors = match loaded {
        Ok(_) => Vec::new(),
        Err(error @ (LoadError::Unreadable { .. } | LoadError::Exposed { .. })) => {
            vec![Mistake { message: error.to_string(), ..Mistake::default() }]
        }
        Err(LoadError::Invalid(errors)) => errors.errors().iter().map(Mistake::of).collect(),
    };
    errors.extend(hidden.iter().map(|finding| Mistake {
        message: finding.what.clone(),
        help: finding.remedy.clone(),
        ..Mistake::default()
    }));
    Checked { file: file.display().to_string(), valid: errors.is_empty(), errors, notes }
}

impl Mistake {
    fn of(error: &ConfigError) -> Mistake {
        Mistake {
            line: Some(error.line),
            column: Some(error.column),
            message: error.message.clone(),
            help: error.help.clone(),
        }
    }
}
