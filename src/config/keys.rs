//! Keys and shared secrets. They stand in files of their own, never in the configuration, so
//! that a configuration can be shown, mailed and committed.
//!
//! Nothing here opens a file: whoever parses a configuration hands in a [`KeyFiles`].

use super::diagnostics::Fault;
use super::limits;
use crate::crypto::private_key::PrivateKey;
use crate::crypto::secret::Secret;
use crate::crypto::sign::{KeyFormatError, VerifyingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

/// Where the contents of key files come from.
pub trait KeyFiles {
    /// The file at `path`, which is as the configuration has it: a relative path begins at the
    /// folder of the configuration.
    ///
    /// # Errors
    ///
    /// Why there is none that may be used: a sentence without the path.
    fn read(&self, path: &str) -> Result<KeyFile, String>;

    /// How messages call the file at `path`, so that it can be pasted into a shell.
    fn shown(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// A key file as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyFile {
    /// Its permission bits.
    pub mode: u32,
    /// The permission bits that a secret there may have: `0o600`, or `0o640` where root has given it
    /// to the group of the service alone.
    pub wanted: u32,
    /// The user id of its owner when that is a stranger: neither root, nor whoever runs us, nor
    /// the owner of the configuration.
    pub stranger: Option<u32>,
    /// What it holds.
    pub contents: Secret,
}

/// Key files held in memory.
#[derive(Clone, Debug, Default)]
pub struct KeysInMemory(BTreeMap<String, KeyFile>);

impl KeysInMemory {
    /// No files.
    pub fn new() -> KeysInMemory {
        KeysInMemory::default()
    }

    /// Adds a file that only its owner may read.
    pub fn with(self, path: &str, contents: &str) -> KeysInMemory {
        self.with_mode(path, 0o600, contents)
    }

    /// Adds a file with these permission bits.
    pub fn with_mode(mut self, path: &str, mode: u32, contents: &str) -> KeysInMemory {
        let contents = Secret::copy_of(contents.as_bytes());
        self.0.insert(path.to_owned(), KeyFile { mode, wanted: 0o600, stranger: None, contents });
        self
    }
}

impl KeyFiles for KeysInMemory {
    fn read(&self, path: &str) -> Result<KeyFile, String> {
        self.0.get(path).cloned().ok_or_else(|| "no such file".to_owned())
    }
}

/// Permission bits by which others than the owner get at a file.
const OTHERS: u32 = 0o077;
/// Those by which they change it.
const OTHERS_WRITE: u32 = 0o022;

/// The private key in the file at `path`: PKCS#8 PEM. A line of base64 will not do: a public key
/// could be taken for a private one.
pub(super) fn private_key(files: &dyn KeyFiles, path: &str) -> Result<PrivateKey, Fault> {
    let shown = files.shown(path);
    let make = format!("make one with `vpnctl keygen -o {shown}`");
    let file = read(files, path, "private key", &make)?;
    let path = shown.as_str();
    private(&file, path)?;
    PrivateKey::from_pem(text_of(&file, path)?)
        .map_err(|error| not_a_key(path, "a private key", error).help(make))
}

/// The public key in the file at `path`: one line of base64, or PEM.
pub(super) fn public_key_file(files: &dyn KeyFiles, path: &str) -> Result<VerifyingKey, Fault> {
    let make = "the peer shows its public key with `vpnctl pubkey FILE`; put that line in the file";
    let file = read(files, path, "public key", make)?;
    let path = &files.shown(path);
    let text = text_of(&file, path)?;
    public_key_text(text).map_err(|error| not_a_key(path, "a public Ed25519 key", error).help(make))
}

/// A public key as written in the configuration itself.
pub(super) fn public_key(text: &str) -> Result<VerifyingKey, Fault> {
    public_key_text(text).map_err(|error| {
        Fault::new(format!("this is not a public Ed25519 key: {error}"))
            .label("not a public key")
            .help("write the one line that `vpnctl pubkey FILE` prints at the peer")
    })
}

fn public_key_text(text: &str) -> Result<VerifyingKey, KeyFormatError> {
    match text.contains("-----BEGIN") {
        true => VerifyingKey::from_spki_pem(text),
        false => VerifyingKey::from_base64(text),
    }
}

/// The shared secret in the file at `path`: its text, less the line end. Other octets than text
/// has are written `0x…` in hexadecimal or `0s…` in base64, as strongSwan and libreswan do.
pub(super) fn psk(files: &dyn KeyFiles, path: &str) -> Result<Secret, Fault> {
    secret(files, path, limits::PSK_MIN_BYTES)
}

/// The post-quantum pre-shared key in the file at `path`, written as a shared secret is. It must not
/// be guessed by whoever breaks everything else, so it is longer (RFC 8784 §6).
pub(super) fn ppk(files: &dyn KeyFiles, path: &str) -> Result<Secret, Fault> {
    secret(files, path, limits::PPK_MIN_BYTES)
}

fn secret(files: &dyn KeyFiles, path: &str, least: usize) -> Result<Secret, Fault> {
    let shown = files.shown(path);
    let make = format!("make one with `vpnctl keygen --psk -o {shown}` and give it to the peer");
    let file = read(files, path, "shared secret", &make)?;
    let path = shown.as_str();
    private(&file, path)?;
    let secret = octets(file.contents.as_bytes().trim_ascii_end()).map_err(|form| {
        let message = format!("the shared secret in {path} begins like {form} and is none");
        Fault::new(message).label("named here").help(make.clone())
    })?;
    match secret.len() {
        length if length < least => Err(Fault::new(format!(
            "the shared secret in {path} has only {length} characters; whoever records one \
             handshake can guess it offline"
        ))
        .label(format!("at least {least} are needed"))
        .help(make)),
        length if length > limits::PSK_MAX_BYTES => {
            let message = format!("{path} holds {length} bytes, which is no shared secret");
            Err(Fault::new(message).label(format!("at most {}", limits::PSK_MAX_BYTES)).help(make))
        }
        _ => Ok(secret),
    }
}

/// The password of a BGP session in the file at `path` (RFC 2385): its text, less the line end.
pub(super) fn password(files: &dyn KeyFiles, path: &str) -> Result<Secret, Fault> {
    let shown = files.shown(path);
    let make = format!("write the router's password into {shown}, in one line");
    let file = read(files, path, "password", &make)?;
    let path = shown.as_str();
    private(&file, path)?;
    let password = Secret::copy_of(file.contents.as_bytes().trim_ascii_end());
    match password.len() {
        1..=limits::PASSWORD_MAX_BYTES => Ok(password),
        length => {
            let fault = Fault::new(format!("the password in {path} has {length} bytes"));
            let most = limits::PASSWORD_MAX_BYTES;
            Err(fault.label(format!("TCP takes one of 1 to {most} (RFC 2385)")).help(make))
        }
    }
}

/// The octets that a secret's text stands for, or what it would have to be.
fn octets(text: &[u8]) -> Result<Secret, &'static str> {
    if let Some(digits) = text.strip_prefix(b"0x") {
        return hexadecimal(digits).map(Secret::from).ok_or("hexadecimal (0x…)");
    }
    if let Some(base64) = text.strip_prefix(b"0s") {
        return STANDARD.decode(base64).map(Secret::from).map_err(|_| "base64 (0s…)");
    }
    Ok(Secret::copy_of(text))
}

fn hexadecimal(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
}

pub(super) fn read(
    files: &dyn KeyFiles,
    path: &str,
    what: &str,
    make: &str,
) -> Result<KeyFile, Fault> {
    files.read(path).map_err(|why| {
        Fault::new(format!("the {what} {} cannot be read: {why}", files.shown(path)))
            .label("named here")
            .help(make.to_owned())
    })
}

/// Refuses a file that others than its owner may read or write, or that a stranger owns.
fn private(file: &KeyFile, path: &str) -> Result<(), Fault> {
    if let Some(owner) = file.stranger {
        let message =
            format!("{path} belongs to the user with id {owner}, who can read and change it");
        return Err(Fault::new(message).label("named here").help(format!("chown root {path}")));
    }
    if file.mode & OTHERS & !file.wanted == 0 {
        return Ok(());
    }
    let mode = file.mode & 0o7777;
    let message = format!("others may read or write {path}: its permissions are {mode:04o}");
    Err(Fault::new(message).label("named here").help(format!("chmod {:o} {path}", file.wanted)))
}

fn text_of<'f>(file: &'f KeyFile, path: &str) -> Result<&'f str, Fault> {
    let not_text = |_| Fault::new(format!("{path} is not a text file")).label("named here");
    std::str::from_utf8(file.contents.as_bytes()).map_err(not_text)
}

/// Refuses a file that others than its owner may change.
pub(super) fn steady(file: &KeyFile, path: &str) -> Result<(), Fault> {
    match file.mode & OTHERS_WRITE {
        0 => Ok(()),
        _ => Err(Fault::new(format!("others may change {path}, and with it whom we believe"))
            .label("named here")
            .help(format!("chmod go-w {path}"))),
    }
}

fn not_a_key(path: &str, what: &str, error: KeyFormatError) -> Fault {
    Fault::new(format!("{path} does not hold {what}: {error}")).label("named here")
}

#[cfg(test)]
mod tests;
