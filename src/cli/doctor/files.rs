//! The configuration and the keys that it names, as the user sees them that the service runs as.

use super::Finding;
use nix::unistd::{Group, User};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The user that the packaged unit runs as.
const SERVICE_USER: &str = "vpngw";
/// Keys of the file that name other files.
const NAMING: [&str; 3] = ["private_key", "psk_file", "public_key_file"];

/// Whether the service can read its files.
pub(super) fn of(file: &Path) -> Vec<Finding> {
    let Ok(text) = std::fs::read_to_string(file) else { return Vec::new() };
    let Ok(Some(user)) = User::from_name(SERVICE_USER) else {
        let what = format!("there is no user {SERVICE_USER}: vpngwd runs as whoever starts it");
        return vec![Finding::good("files", what)];
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    let named = named_in(&text).into_iter().map(|name| folder.join(name));
    let files: Vec<PathBuf> = std::iter::once(file.to_owned()).chain(named).collect();
    let wrong: Vec<Finding> = files.iter().filter_map(|path| judge(path, &user)).collect();
    match wrong.is_empty() {
        true => vec![Finding::good(
            "files",
            format!("{SERVICE_USER} may read all {} of them", files.len()),
        )],
        false => wrong,
    }
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
                match value.as_str() {
                    Some(name) if NAMING.contains(&key.as_str()) => names.push(name.to_owned()),
                    _ => collect(value, names),
                }
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        _ => {}
    }
}

/// What keeps a user from reading a file: the file itself, or a folder on the way.
fn judge(path: &Path, user: &User) -> Option<Finding> {
    let shown = path.display();
    let facts = match std::fs::metadata(path) {
        Ok(facts) => facts,
        Err(error) => {
            let remedy = format!("put it there, or correct the configuration ({})", shown);
            return Some(Finding::bad("files", format!("{shown}: {error}"), remedy));
        }
    };
    let name = &user.name;
    if !may(user, &facts, 0o4) {
        let what = format!("{shown} (mode {:o}) is not readable by {name}", facts.mode() & 0o777);
        return Some(Finding::bad(
            "files",
            what,
            format!("chown {name} {shown} && chmod 600 {shown}"),
        ));
    }
    let folders = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    let closed = folders.filter_map(|folder| Some((folder, std::fs::metadata(folder).ok()?)));
    let closed =
        closed.filter(|(_, facts)| !may(user, facts, 0o1)).map(|(folder, _)| folder).last()?;
    let closed = closed.display();
    let what = format!("{name} may not pass through {closed} to {shown}");
    Some(Finding::bad("files", what, format!("chgrp {name} {closed} && chmod g+x {closed}")))
}

/// Whether the mode gives a user this right (in the bits of others).
fn may(user: &User, facts: &Metadata, right: u32) -> bool {
    let mode = facts.mode();
    let is_member = |gid: u32| {
        let group = Group::from_gid(gid.into()).ok().flatten();
        user.gid.as_raw() == gid || group.is_some_and(|group| group.mem.contains(&user.name))
    };
    if user.uid.is_root() {
        true
    } else if facts.uid() == user.uid.as_raw() {
        mode & (right << 6) != 0
    } else if is_member(facts.gid()) {
        mode & (right << 3) != 0
    } else {
        mode & right != 0
    }
}

#[cfg(test)]
mod tests;
