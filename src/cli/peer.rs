//! `vpnctl peer`: adds peers to a configuration and takes them out of it. Everything else in the file
//! stays as it is written, comments included; what would not be valid is not written.

use super::args::{PeerArgs, PeerCommand};
use super::keys;
use super::look::{self, Look};
use super::objects::Edit;
use crate::config_file;
use crate::os::file::{self, Access};
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value, value};

/// `vpnctl peer`.
pub(super) fn run(command: &PeerCommand, look: Look) -> Result<ExitCode> {
    match command {
        PeerCommand::Add(args) => {
            let mut document = Edited::open(&args.config)?;
            let secret = args.new_psk.then(|| secret_beside(&document.path, &args.name));
            add(&mut document.document, args, secret.as_ref().map(|(name, _)| name.as_str()))?;
            if let Some((_, path)) = &secret {
                keys::make_secret(path)?;
            }
            let written = document.write();
            if let (Err(_), Some((_, path))) = (&written, &secret) {
                let _ = fs::remove_file(path);
            }
            written?;
            let more = secret.map(|(_, path)| {
                format!("\n{} is the shared secret: the peer needs the same line.", path.display())
            });
            tell(&args.config, "added", &args.name, &more.unwrap_or_default(), look)?;
        }
        PeerCommand::Remove { name, config } => {
            let mut document = Edited::open(config)?;
            let named = remove(&mut document.document, name)?;
            document.write()?;
            let more = match named.is_empty() {
                true => String::new(),
                false => format!("\nNobody may need any more: {}", named.join(", ")),
            };
            tell(config, "removed", name, &more, look)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(config: &Path, done: &str, peer: &str, more: &str, look: Look) -> Result<()> {
    if look.json {
        return look::print_json(&Edit { config: config.display().to_string(), peer, done });
    }
    look::print(&format!(
        "{done} {peer}: {} is valid. `vpnctl diff` says what that touches, `vpnctl reload` takes it over.{more}",
        config.display()
    ))
}

/// The name and the place of a new secret for a peer, beside the configuration.
fn secret_beside(config: &Path, peer: &str) -> (String, PathBuf) {
    let name = format!("{peer}.psk");
    let path = config.with_file_name(&name);
    (name, path)
}

/// A configuration as it is written, being changed.
struct Edited {
    /// Where it is, without links.
    path: PathBuf,
    before: String,
    document: DocumentMut,
}

impl Edited {
    fn open(path: &Path) -> Result<Edited> {
        let shown = path.display();
        let path = fs::canonicalize(path)
            .with_context(|| format!("there is no {shown}; `vpnctl init` makes one"))?;
        let before = crate::config_file::text(&path).with_context(|| format!("reading {shown}"))?;
        let document =
            before.parse().map_err(|error| anyhow::anyhow!("{shown} is not TOML: {error}"))?;
        Ok(Edited { path, before, document })
    }

    /// Writes it in one step, with the owner and the mode that it had, if it is valid.
    fn write(&self) -> Result<()> {
        let text = with_line_ends_of(&self.before, &self.document.to_string());
        config_file::judge(&self.path, &text).map_err(|error| {
            anyhow::anyhow!("{}\n{} stays as it was", error.render(false), self.path.display())
        })?;
        let facts = fs::metadata(&self.path)?;
        if fs::read_to_string(&self.path)? != self.before {
            bail!("{} was changed by somebody else meanwhile; try again", self.path.display());
        }
        let access = Access {
            mode: facts.mode() & 0o7777,
            owner: Some(facts.uid()),
            group: Some(facts.gid()),
        };
        file::replace(&self.path, text.as_bytes(), access)
    }
}

/// `after` with the line ends that `before` has: what was not changed keeps its own, what is new gets those
/// of the first line.
fn with_line_ends_of(before: &str, after: &str) -> String {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let equal = |(old, new): &(&&str, &&str)| bare(old) == bare(new);
    let head = old.iter().zip(&new).take_while(equal).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(equal).count();
    let end = if before.lines().next() != before.split('\n').next() { "\r\n" } else { "\n" };
    let changed = new[head..new.len() - tail].iter().map(|line| match line.ends_with('\n') {
        true => format!("{}{end}", bare(line)),
        false => (*line).to_owned(),
    });
    old[..head].concat() + &changed.collect::<String>() + &old[old.len() - tail..].concat()
}

/// A line without its end.
fn bare(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

/// The sections `[[peer]]`.
fn peers(document: &mut DocumentMut) -> Result<&mut ArrayOfTables> {
    let item = document.entry("peer").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    item.as_array_of_tables_mut()
        .context("`peer` is written in a way that is not changed by vpnctl; write it as [[peer]]")
}

fn add(document: &mut DocumentMut, args: &PeerArgs, secret: Option<&str>) -> Result<()> {
    let peers = peers(document)?;
    if peers.iter().any(|peer| is_called(peer, &args.name)) {
        bail!(
            "there is a peer {} already; `vpnctl peer remove {}` takes it out",
            args.name,
            args.name
        );
    }
    let mut table = Table::new();
    table.decor_mut().set_prefix("\n");
    let mut set = |key: &str, item: Option<Value>| {
        if let Some(item) = item {
            table.insert(key, value(item));
        }
    };
    set("name", Some(args.name.as_str().into()));
    set("vpc", args.vpc.as_deref().map(Value::from));
    set("remote_address", Some(args.address.as_str().into()));
    set("remote_identity", args.identity.as_deref().map(Value::from));
    set("preset", args.preset.as_deref().map(Value::from));
    set("public_key", args.public_key.as_deref().map(Value::from));
    set("public_key_file", args.public_key_file.as_deref().map(Value::from));
    set("psk_file", args.psk_file.as_deref().or(secret).map(Value::from));
    set("remote_asn", args.asn.map(|asn| i64::from(asn).into()));
    set("static_routes", list(&args.route));
    set("accept", list(&args.accept));
    peers.push(table);
    Ok(())
}

fn list(items: &[String]) -> Option<Value> {
    (!items.is_empty()).then(|| Array::from_iter(items.iter().map(String::as_str)).into())
}

fn is_called(peer: &Table, name: &str) -> bool {
    peer.get("name").and_then(Item::as_str) == Some(name)
}

/// Takes a peer out, with the comments right above it; says which files its section has named.
fn remove(document: &mut DocumentMut, name: &str) -> Result<Vec<String>> {
    let peers = peers(document)?;
    let Some(index) = peers.iter().position(|peer| is_called(peer, name)) else {
        let names: Vec<&str> =
            peers.iter().filter_map(|peer| peer.get("name").and_then(Item::as_str)).collect();
        bail!("there is no peer {name} in the file; the peers are: {}", names.join(", "));
    };
    let files = ["psk_file", "ppk_file", "public_key_file", "certificate", "private_key"];
    let gone = peers.get(index);
    let named = files.iter().filter_map(|key| gone?.get(key)?.as_str().map(str::to_owned));
    let named = named.collect();
    peers.remove(index);
    if peers.is_empty() {
        document.remove("peer");
    }
    Ok(named)
}

#[cfg(test)]
mod tests;
