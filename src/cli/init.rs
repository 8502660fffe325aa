//! `vpnctl init`: writes a configuration with comments and a key pair for this host, asking for what
//! cannot be seen, and says what the other gateway needs.

mod surroundings;

use super::args::InitArgs;
use super::keys;
use super::look::{self, Look};
use super::objects::Begun;
use crate::config::Config;
use crate::config_file;
use crate::crypto::sign::SigningKey;
use crate::os::file;
use crate::os::random::OsRandom;
use crate::random::Random;
use anyhow::{Context, Result, bail};
use std::io::{self, IsTerminal, Write};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use surroundings::Surroundings;
use toml_edit::Value;

/// The private numbers of four octets (RFC 6996 §5).
const PRIVATE_ASNS: std::ops::RangeInclusive<u32> = 4_200_000_000..=4_294_967_294;
/// What the key pair is called, beside the configuration.
const KEY: &str = "gateway.key";

/// What the file will say.
#[derive(Clone, Debug, PartialEq)]
struct Answers {
    name: String,
    asn: u32,
    listen: Vec<IpAddr>,
    vpc: String,
    interface: Option<String>,
    prefixes: Vec<String>,
}

/// Writes the files.
pub(super) fn init(args: &InitArgs, look: Look) -> Result<ExitCode> {
    let path = args.config.as_path();
    if path.symlink_metadata().is_ok() {
        bail!(
            "{} exists already: `vpnctl peer add` adds a peer to it, `vpnctl check` checks it",
            path.display()
        );
    }
    let mut random = OsRandom;
    let answers = answers(args, &Surroundings::look(), &mut random)?;
    // Before there is a key: what the file says must be right by itself.
    valid(path, &text(&answers, false))?;
    let key_file = path.with_file_name(KEY);
    let is_new = key_file.symlink_metadata().is_err();
    let public =
        if is_new { keys::make_pair(&key_file, &mut random)? } else { public_key_of(&key_file)? };
    let text = text(&answers, true);
    valid(path, &text)?;
    file::write_new(path, text.as_bytes(), keys::access(path, 0o644, 0o640))?;
    look::print(&if look.json {
        look::versioned(&Begun {
            config: path.display().to_string(),
            private_key: key_file.display().to_string(),
            public_key: &public,
            name: &answers.name,
            asn: answers.asn,
            invitation: invitation(&answers, &public),
        })?
    } else {
        report(path, &key_file, is_new, &answers, &public)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The configuration that a text is at this place.
fn valid(path: &Path, text: &str) -> Result<Config> {
    config_file::judge(path, text).map_err(|error| anyhow::anyhow!("{}", error.render(false)))
}

fn public_key_of(path: &Path) -> Result<String> {
    let pem = std::fs::read_to_string(path);
    let pem = zeroize::Zeroizing::new(pem.with_context(|| format!("reading {}", path.display()))?);
    let key = SigningKey::from_pkcs8_pem(&pem)
        .with_context(|| format!("{} is there and is no private key", path.display()))?;
    Ok(key.verifying_key().to_base64())
}

/// What the arguments say, else what the operator answers, else what the host suggests.
fn answers(args: &InitArgs, host: &Surroundings, random: &mut dyn Random) -> Result<Answers> {
    let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
    let ask = |question: &str, suggested: &str| match asks {
        true => asked(question, suggested),
        false => Ok(suggested.to_owned()),
    };
    let name = match &args.name {
        Some(name) => name.clone(),
        None => ask("name of this gateway", &host.name)?,
    };
    let networks: Vec<String> =
        host.networks.iter().map(|(prefix, _)| prefix.to_string()).collect();
    let prefixes = match args.prefix.as_slice() {
        [] => words(&ask("prefixes behind it", &networks.join(" "))?),
        given => given.to_vec(),
    };
    if prefixes.is_empty() {
        bail!("say what is behind this gateway: --prefix 192.168.10.0/24");
    }
    let of_networks =
        host.networks.iter().find(|(prefix, _)| prefixes.contains(&prefix.to_string()));
    let interface = args.interface.clone().or_else(|| of_networks.map(|(_, name)| name.clone()));
    let spread = u64::from(PRIVATE_ASNS.end() - PRIVATE_ASNS.start());
    let drawn = u32::try_from(random.below(spread)).unwrap_or_default();
    Ok(Answers {
        name,
        asn: args.asn.unwrap_or(PRIVATE_ASNS.start() + drawn),
        listen: if args.listen.is_empty() {
            host.source.into_iter().collect()
        } else {
            args.listen.clone()
        },
        vpc: args.vpc.clone(),
        interface,
        prefixes,
    })
}

fn asked(question: &str, suggested: &str) -> Result<String> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{question} [{suggested}]: ")?;
    stderr.flush()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let line = line.trim();
    Ok(if line.is_empty() { suggested.to_owned() } else { line.to_owned() })
}

fn words(line: &str) -> Vec<String> {
    let words = line.split([' ', ',', '\t']).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// A string as TOML writes it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().trim().to_owned()
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.map(|item| quoted(&item)).collect::<Vec<String>>().join(", ")
}

/// The configuration, with or without its private key.
fn text(answers: &Answers, with_key: bool) -> String {
    let Answers { name, asn, listen, vpc, interface, prefixes } = answers;
    let mut lines = vec![
        "# A gateway of vpngw. vpngw.toml(5) describes every key, `vpnctl check` says what is wrong,".to_owned(),
        "# `vpnctl diff` what a reload would touch. Peers come by `vpnctl peer add` or by hand.".to_owned(),
        String::new(),
        "[gateway]".to_owned(),
        format!("name = {}", quoted(name)),
        "# Of this gateway alone: a private number, drawn by lot.".to_owned(),
        format!("asn = {asn}"),
    ];
    if listen.is_empty() {
        lines.push(
            "# Addresses at which peers find it; without `listen` all that the host has."
                .to_owned(),
        );
    } else {
        lines.push("# The addresses at which peers find it.".to_owned());
        lines.push(format!("listen = [{}]", list(listen.iter().map(IpAddr::to_string))));
    }
    if with_key {
        lines.push("# Stays here. The public key is beside it.".to_owned());
        lines.push(format!("private_key = {}", quoted(KEY)));
    }
    lines.push(String::new());
    lines.push("[[vpc]]".to_owned());
    lines.push("# All gateways that connect a VPC call it the same.".to_owned());
    lines.push(format!("name = {}", quoted(vpc)));
    if let Some(interface) = interface {
        lines.push("# Where its hosts are.".to_owned());
        lines.push(format!("interface = {}", quoted(interface)));
    }
    lines.push("# What this side announces, and all that peers may send to.".to_owned());
    lines.push(format!("prefixes = [{}]", list(prefixes.iter().cloned())));
    lines.join("\n") + "\n"
}

/// What has this gateway known at another one.
fn invitation(answers: &Answers, public: &str) -> String {
    let Answers { name, asn, listen, prefixes, .. } = answers;
    let address = listen.first().map_or_else(|| "ADDRESS".to_owned(), IpAddr::to_string);
    let accept = prefixes.iter().map(|prefix| format!(" --accept {prefix}")).collect::<String>();
    format!("vpnctl peer add {name} --address {address} --asn {asn} --public-key {public}{accept}")
}

fn report(path: &Path, key: &Path, is_new: bool, answers: &Answers, public: &str) -> String {
    let (shown, key) = (path.display(), key.display());
    let kept =
        if is_new { "is the new private key; it stays here" } else { "was there, and is used" };
    format!(
        "{shown} is the configuration of gateway {}.\n{key} {kept}.\n\n\
         At the other gateway, once it has run `vpnctl init`, too:\n\n    {}\n\n\
         Here the command that it shows. Then, at both:\n\n    \
         vpnctl check {shown}\n    systemctl enable --now vpngwd\n    vpnctl peers",
        answers.name,
        invitation(answers, public)
    )
}

#[cfg(test)]
mod tests;
