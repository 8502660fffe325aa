//! Makes keys and shared secrets.

use super::look::{self, Look};
use super::objects::{NewKeyPair, NewSecret, NewSecretFile, PublicKey};
use crate::crypto::secret::Secret;
use crate::crypto::sign::SigningKey;
use crate::os::account::Account;
use crate::os::file::{self, Access};
use crate::os::random::OsRandom;
use crate::random::Random;
use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::unistd::geteuid;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use zeroize::Zeroizing;

/// 256 bits: more than any suite's strength.
const PSK_BYTES: usize = 32;
/// More than any key file holds, in bytes.
const KEY_MAX: u64 = 64 << 10;

/// `vpnctl keygen`.
pub(super) fn generate(psk: bool, output: Option<&Path>, look: Look) -> Result<ExitCode> {
    let mut random = OsRandom;
    match (psk, output) {
        (true, Some(path)) => new_secret(path, look)?,
        (true, None) if look.json => look::print_json(&NewSecret { psk: secret(&mut random) })?,
        (true, None) => look::print(&secret(&mut random))?,
        (false, Some(path)) => new_key_pair(path, &mut random, look)?,
        (false, None) => bail!("say where the private key goes: vpnctl keygen -o NAME.key"),
    }
    Ok(ExitCode::SUCCESS)
}

fn secret(random: &mut dyn Random) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; PSK_BYTES]);
    random.fill(&mut *bytes);
    Zeroizing::new(STANDARD.encode(*bytes))
}

/// Writes a new shared secret.
pub(super) fn make_secret(path: &Path) -> Result<()> {
    let line = Zeroizing::new(format!("{}\n", *secret(&mut OsRandom)));
    write_private(path, line.as_bytes())
}

fn new_secret(path: &Path, look: Look) -> Result<()> {
    make_secret(path)?;
    if look.json {
        return look::print_json(&NewSecretFile { psk_file: path.display().to_string() });
    }
    look::print(&format!(
        "{} holds a new shared secret. Give the same line to the peer, over a safe channel.",
        path.display()
    ))
}

/// Writes a new private key, and beside it the public key, which it returns.
pub(super) fn make_pair(path: &Path, random: &mut dyn Random) -> Result<String> {
    let beside = path.with_extension("pub");
    if beside == path {
        bail!("{} would be overwritten by the public key; call it .key", path.display());
    }
    let key = SigningKey::generate(random);
    let public = key.verifying_key().to_base64();
    write_private(path, key.to_pkcs8_pem().as_bytes())?;
    file::replace(&beside, format!("{public}\n").as_bytes(), 0o644)?;
    Ok(public)
}

fn new_key_pair(path: &Path, random: &mut dyn Random, look: Look) -> Result<()> {
    let public = make_pair(path, random)?;
    let beside = path.with_extension("pub");
    if look.json {
        return look::print_json(&NewKeyPair {
            private_key: path.display().to_string(),
            public_key_file: beside.display().to_string(),
            public_key: public,
        });
    }
    look::print(&format!(
        "{} is the private key; it stays here.\n{} is the public key, for the peers:\n{public}",
        path.display(),
        beside.display()
    ))
}

fn write_private(path: &Path, contents: &[u8]) -> Result<()> {
    if path.symlink_metadata().is_ok() {
        bail!("{} exists already; remove it first if it is of no use", path.display());
    }
    file::write_new(path, contents, access(path, 0o600, 0o640))
}

/// The mode of a new file: in a folder that root has set aside for the service, the service reads
/// it by its group, and nobody else does.
pub(super) fn access(path: &Path, alone: u32, for_service: u32) -> Access {
    let service = Account::of_service().filter(|_| geteuid().is_root());
    let service = service.filter(|service| service.has(path.parent().unwrap_or(Path::new(""))));
    match service {
        Some(service) => Access { mode: for_service, owner: None, group: Some(service.gid()) },
        None => alone.into(),
    }
}

/// `vpnctl pubkey`.
pub(super) fn show_public(path: &Path, look: Look) -> Result<ExitCode> {
    let contents = if path == Path::new("-") { standard_input()? } else { contents(path)? };
    let text = std::str::from_utf8(contents.as_bytes()).context("this is not a text file")?;
    let key = SigningKey::from_pkcs8_pem(text)
        .with_context(|| format!("{} is no private key", path.display()))?;
    let public = key.verifying_key().to_base64();
    if look.json {
        look::print_json(&PublicKey { public_key: public })?;
    } else {
        look::print(&public)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn contents(path: &Path) -> Result<Secret> {
    let read = file::read(path, KEY_MAX);
    let contents = read.with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(Secret::from(contents.bytes))
}

fn standard_input() -> Result<Secret> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(KEY_MAX).read_to_end(&mut bytes)?;
    Ok(Secret::from(bytes))
}

#[cfg(test)]
mod tests;
