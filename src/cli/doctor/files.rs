//! The configuration and the keys that it names, as the user sees them that the service runs as.

use super::Finding;
use crate::os::account::{Account, SERVICE};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Keys of the file that name other files, one or several.
const NAMING: [&str; 7] =
    ["private_key", "psk_file", "ppk_file", "public_key_file", "certificate", "ca", "crl"];

/// Whether the service can read its files.
pub(super) fn of(file: &Path) -> Vec<Finding> {
    let Some(text) = text_of(file) else { return Vec::new() };
    let Some(user) = Account::of_service() else {
        let what = format!("there is no user {SERVICE}: vpngwd runs as whoever starts it");
        return vec![Finding::good("files", what)];
    };
    let files = all_of(file, &text);
    let wrong: Vec<Finding> = files.iter().filter_map(|path| judge(path, &user)).collect();
    match wrong.is_empty() {
        true => vec![Finding::good(
            "files",
            format!("{} may read all {} of them", user.name(), files.len()),
        )],
        false => wrong,
    }
}

/// What keeps the service from a configuration in the folder that is set aside for it; elsewhere
/// somebody else runs the gateway.
pub(in crate::cli) fn hidden_from_service(file: &Path) -> Vec<Finding> {
    let Some(user) = Account::of_service() else { return Vec::new() };
    let folder = file.parent().unwrap_or(Path::new(""));
    let Some(text) = text_of(file) else { return Vec::new() };
    if !user.has(folder) {
        return Vec::new();
    }
    all_of(file, &text).iter().filter_map(|path| judge(path, &user)).collect()
}

/// The text of a regular file: a pipe can be read once only.
fn text_of(file: &Path) -> Option<String> {
    std::fs::metadata(file).ok().filter(Metadata::is_file)?;
    crate::config_file::text(file).ok()
}

/// A configuration and the files that it names.
fn all_of(file: &Path, text: &str) -> Vec<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let named = named_in(text).into_iter().map(|name| folder.join(name));
    std::iter::once(file.to_owned()).chain(named).collect()
}

/// The files that a configuration names, in any of its sections.
fn named_in(text: &str) -> Vec<String> {
    let Ok(table) = text.parse::<toml::Table>() else { return Vec::new() };
    let mut names = Vec::new();
    collect(&toml::Value::Table(table), &mut names);
    names
}

fn collect(value: &toml::Value, names: &mut Vec<String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                if NAMING.contains(&key.as_str()) {
                    let several = value.as_array().into_iter().flatten();
                    let written = several.chain([value]).filter_map(toml::Value::as_str);
                    names.extend(written.map(str::to_owned));
                } else {
                    collect(value, names);
                }
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        _ => {}
    }
}

/// What keeps a user from reading a file: the file itself, or a folder on the way.
fn judge(path: &Path, user: &Account) -> Option<Finding> {
    let shown = path.display();
    let facts = match std::fs::metadata(path) {
        Ok(facts) => facts,
        Err(error) => {
            let remedy = format!("put it there, or correct the configuration ({})", shown);
            return Some(Finding::bad("files", format!("{shown}: {error}"), remedy));
        }
    };
    let name = user.name();
    if !user.may(&facts, 0o4) {
        let what = format!("{shown} (mode {:o}) is not readable by {name}", facts.mode() & 0o777);
        let remedy = format!("chown root:{name} {shown} && chmod 640 {shown}");
        return Some(Finding::bad("files", what, remedy));
    }
    let folders = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    let closed = folders.filter_map(|folder| Some((folder, std::fs::metadata(folder).ok()?)));
    let closed =
        closed.filter(|(_, facts)| !user.may(facts, 0o1)).map(|(folder, _)| folder).last()?;
    let closed = closed.display();
    let what = format!("{name} may not pass through {closed} to {shown}");
    Some(Finding::bad("files", what, format!("chgrp {name} {closed} && chmod g+x {closed}")))
}

#[cfg(test)]
mod tests;
