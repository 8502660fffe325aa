//! `vpnctl ca`: an authority in a folder, for gateways that know each other by certificates.
//!
//! ```text
//!   FOLDER/ca.crt               for `ca` of every gateway
//!   FOLDER/ca.key               only here
//!   FOLDER/ca.crl               for `crl` of every gateway
//!   FOLDER/issued/SERIAL.crt    every certificate that was ever issued
//!   FOLDER/current/NAME.crt     the last one for each name: what its gateway is to have
//! ```
//!
//! Everything about it stands in these files: what is revoked is what stands in `ca.crl`.

mod due;
mod folder;

use super::args::{CaCommand, KeyKind};
use super::keys;
use super::look::{self, Look};
use super::objects::{Issued, IssuedList, NewAuthority, NewCertificate, NewList};
use super::sheet::{Cell, Sheet, Tone};
use crate::config::Identity;
use crate::os::clock::Clock;
use crate::os::random::OsRandom;
use crate::pki::{Certificate, Date};
use crate::random::Random;
use crate::time::WallTime;
use anyhow::{Context, Result, bail, ensure};
use folder::{Folder, Revoked, file_of, read_certificate};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm,
};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Clocks of gateways differ: a new certificate is valid since a while.
const EARLIER: Duration = Duration::from_secs(3600);
/// id-kp-ipsecIKE (RFC 4945 §5.1.3.12).
const IPSEC_IKE: [u64; 9] = [1, 3, 6, 1, 5, 5, 7, 3, 17];

/// `vpnctl ca`.
pub(super) fn run(command: &CaCommand, look: Look) -> Result<ExitCode> {
    let now = Clock::wall();
    match command {
        CaCommand::Init { folder, name, days } => init(folder, name, *days, now, look)?,
        CaCommand::Issue { folder, name, also, days, key, output } => {
            let order = Order { name, also, days: *days, key: *key, output };
            issue(&Folder::open_to_change(folder)?, &order, now, look)?;
        }
        CaCommand::Renew { folder, file: Some(file), days, due: _ } => {
            renew(&Folder::open_to_change(folder)?, file, *days, now, look)?;
        }
        CaCommand::Renew { folder, file: None, days, due: _ } => {
            let folder = Folder::open_to_change(folder)?;
            return Ok(due::renew_due(&folder, *days, now, look)?.into());
        }
        CaCommand::Revoke { folder, which, days } => {
            revoke(&Folder::open_to_change(folder)?, which, *days, now, look)?;
        }
        CaCommand::List { folder } => list(&Folder::open(folder)?, now, look)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl KeyKind {
    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            KeyKind::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyKind::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyKind::Ed25519 => &rcgen::PKCS_ED25519,
        }
    }
}

/// A certificate that is asked for.
struct Order<'o> {
    name: &'o str,
    also: &'o [String],
    days: u16,
    key: KeyKind,
    output: &'o Path,
}

fn init(path: &Path, name: &str, days: u16, now: WallTime, look: Look) -> Result<()> {
    let params = authority(name, days, now);
    let key = KeyPair::generate().context("no key could be made")?;
    let certificate = params.self_signed(&key).context("no certificate could be made")?;
    Folder::create(path, certificate.der(), key.serialized_der())?.write_list(&[], 30, now)?;
    let file = |name: &str| path.join(name).display().to_string();
    let (authority, list) = (file("ca.crt"), file("ca.crl"));
    if look.json {
        return look::print_json(&NewAuthority { ca: authority, crl: list });
    }
    look::print(&format!(
        "{authority} is the authority: in [gateway], ca = [\"{authority}\"], crl = [\"{list}\"]\n\
         {} signs; whoever has it can be any gateway. It stays here.\n\
         Next: vpnctl ca issue {folder} NAME; then, every day: vpnctl ca renew {folder} --due",
        file("ca.key"),
        folder = path.display()
    ))
}

fn issue(folder: &Folder, order: &Order<'_>, now: WallTime, look: Look) -> Result<()> {
    let names = std::iter::once(order.name).chain(order.also.iter().map(String::as_str));
    let names = names.map(identity).collect::<Result<Vec<_>>>()?;
    let key = KeyPair::generate_for(order.key.algorithm()).context("no key could be made")?;
    let file = order.output.join(order.name);
    let (key_file, certificate_file) = (file_of(&file, "key"), file_of(&file, "crt"));
    for path in [&key_file, &certificate_file] {
        ensure!(
            path.symlink_metadata().is_err(),
            "{} exists already; `vpnctl ca renew` makes a new certificate for the same key",
            path.display()
        );
    }
    let until = folder.end_of(order.days, now)?;
    let access = keys::access(&key_file, 0o600, 0o640);
    folder::write_key(&key_file, key.serialized_der(), access)?;
    let certified = sign(folder, &names, &key, until, now)
        .and_then(|certificate| deliver(folder, &certificate_file, certificate));
    if certified.is_err() {
        let _ = fs::remove_file(&key_file);
    }
    let certificate = certified?;
    let name = names.first().map(ToString::to_string).unwrap_or_default();
    folder.show(&name, &certificate)?;
    if look.json {
        return look::print_json(&NewCertificate {
            private_key: Some(key_file.display().to_string()),
            ..NewCertificate::in_file(&certificate_file, &certificate)
        });
    }
    let (key_file, certificate_file) = (key_file.display(), certificate_file.display());
    look::print(&format!(
        "{certificate_file} is for {} until {}; {key_file} is its private key. In [gateway] of that \
         gateway:\n  certificate = \"{certificate_file}\"\n  private_key = \"{key_file}\"",
        words(&names),
        Date(certificate.not_after())
    ))
}

/// Keeps a copy of a certificate, and writes it into a new file; without the file there is no copy.
fn deliver(folder: &Folder, file: &Path, certificate: Certificate) -> Result<Certificate> {
    folder.keep(&certificate)?;
    let written = folder::write_certificate(file, &certificate);
    if written.is_err() {
        let _ = fs::remove_file(folder.copy_of(&certificate));
    }
    written.map(|()| certificate)
}

fn renew(folder: &Folder, file: &Path, days: u16, now: WallTime, look: Look) -> Result<()> {
    let old = read_certificate(file)?;
    ensure!(folder.has_issued(&old)?, "{} was not issued by this authority", file.display());
    if folder.revoked()?.iter().any(|revoked| revoked.serial == old.serial()) {
        bail!("{} is revoked; issue a new certificate with a new key", file.display());
    }
    let certificate = renewed(folder, &old, folder.end_of(days, now)?, now)?;
    let current = first_name(&certificate).map(|name| folder.current(&name));
    let file = match current.as_deref().filter(|_| folder.is_copy(file)) {
        // What was issued stays in the record of it.
        Some(current) => current,
        None => file,
    };
    folder::replace_certificate(file, &certificate)?;
    if look.json {
        return look::print_json(&NewCertificate::in_file(file, &certificate));
    }
    look::print(&format!(
        "{} is for {} until {}, with the same key. A gateway takes it by itself when it is in its \
         `certificate`.",
        file.display(),
        words(&written_names(&certificate)),
        Date(certificate.not_after())
    ))
}

/// A new certificate for the key and the names of an old one, where its gateway finds it.
fn renewed(
    folder: &Folder,
    old: &Certificate,
    until: WallTime,
    now: WallTime,
) -> Result<Certificate> {
    let key =
        Kept::of(old).context("the key of the certificate is of a kind that is not issued")?;
    let certificate = sign(folder, &written_names(old), &key, until, now)?;
    folder.keep(&certificate)?;
    if let Some(name) = first_name(&certificate) {
        folder.show(&name, &certificate)?;
    }
    Ok(certificate)
}

fn revoke(folder: &Folder, which: &[String], days: u16, now: WallTime, look: Look) -> Result<()> {
    let issued = folder.issued()?;
    let mut revoked = folder.revoked()?;
    let mut added = Vec::new();
    for word in which {
        let meant = meant_by(word, &issued, now)?;
        let before = added.len();
        for certificate in meant {
            if !revoked.iter().any(|one| one.serial == certificate.serial()) {
                revoked.push(Revoked { serial: certificate.serial().to_owned(), at: now });
                added.push(certificate.to_string());
            }
        }
        ensure!(added.len() > before, "all certificates of {word} are revoked already");
    }
    folder.write_list(&revoked, days, now)?;
    let list = folder.path("ca.crl");
    if look.json {
        return look::print_json(&NewList { crl: list.display().to_string(), revoked: added });
    }
    let what = match added.is_empty() {
        true => "no more than before".to_owned(),
        false => added.join(", "),
    };
    look::print(&format!(
        "{} revokes {what}. A gateway takes it by itself when it is in its `crl`; a newer one must follow \
         by {}.",
        list.display(),
        Date(now + u32::from(days) * DAY)
    ))
}

/// The certificates that a word means: a file, a serial number, or those of a name that are valid.
fn meant_by<'i>(
    word: &str,
    issued: &'i [Certificate],
    now: WallTime,
) -> Result<Vec<&'i Certificate>> {
    if Path::new(word).is_file() {
        let shown = read_certificate(Path::new(word))?;
        let meant = issued.iter().find(|certificate| **certificate == shown);
        return Ok(vec![meant.with_context(|| format!("{word} was not issued here"))?]);
    }
    let serial = word.replace(':', "").to_ascii_uppercase();
    if let Some(meant) = issued.iter().find(|one| one.serial().replace(':', "") == serial) {
        return Ok(vec![meant]);
    }
    let name = identity(word)?;
    let valid = |one: &&Certificate| one.is_for(&name) && one.not_after() >= now;
    let meant: Vec<&Certificate> = issued.iter().filter(valid).collect();
    ensure!(
        !meant.is_empty(),
        "{word} is no file, no serial number, and no name with a valid certificate; see \
         `vpnctl ca list`"
    );
    Ok(meant)
}

fn list(folder: &Folder, now: WallTime, look: Look) -> Result<()> {
    let revoked = folder.revoked()?;
    let mut issued = folder.issued()?;
    issued.sort_by_key(|certificate| std::cmp::Reverse(certificate.not_after()));
    let state = |certificate: &Certificate| {
        let is_revoked = revoked.iter().any(|one| one.serial == certificate.serial());
        match (is_revoked, certificate.not_after() < now) {
            (true, _) => "revoked",
            (false, true) => "expired",
            (false, false) => "valid",
        }
    };
    if look.json {
        let view = |certificate: &Certificate| Issued {
            serial: certificate.serial().to_owned(),
            names: certificate.names().iter().map(ToString::to_string).collect(),
            expires: Date(certificate.not_after()).to_string(),
            state: state(certificate),
        };
        return look::print_json(&IssuedList { issued: issued.iter().map(view).collect() });
    }
    let mut sheet = Sheet::new(&["SERIAL", "STATE", "UNTIL", "NAMES"]);
    for certificate in &issued {
        let state = state(certificate);
        let tone = if state == "valid" { Tone::Good } else { Tone::Faint };
        sheet.row([
            Cell::from(certificate.serial().replace(':', "")),
            Cell::from(state).tone(tone),
            Cell::from(Date(certificate.not_after()).to_string()),
            Cell::from(words(&written_names(certificate))),
        ]);
    }
    look::print(&sheet.render(look))
}

/// Has the authority sign a certificate, which is in no file yet.
fn sign(
    folder: &Folder,
    names: &[Identity],
    key: &impl PublicKeyData,
    until: WallTime,
    now: WallTime,
) -> Result<Certificate> {
    let name = names.first().map(ToString::to_string).unwrap_or_default();
    let mut params = params(&name, until, now);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::Other(IPSEC_IKE.to_vec()),
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    params.subject_alt_names = names.iter().map(alternative).collect::<Result<_>>()?;
    params.use_authority_key_identifier_extension = true;
    let (issuing, signer) = folder.issuer()?;
    let made = params
        .signed_by(key, &Issuer::from_params(&issuing, &signer))
        .context("no certificate could be made")?;
    Ok(Certificate::from_der(made.der())?)
}

/// What the certificate of an authority has.
fn authority(name: &str, days: u16, now: WallTime) -> CertificateParams {
    let mut params = params(name, now + u32::from(days) * DAY, now);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// What every certificate has.
fn params(name: &str, until: WallTime, now: WallTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let day_zero = rcgen::date_time_ymd(1970, 1, 1);
    let since = Duration::from_micros(now.as_unix_micros());
    params.not_before = day_zero + since.saturating_sub(EARLIER);
    params.not_after = day_zero + Duration::from_micros(until.as_unix_micros());
    params.serial_number = Some(serial());
    params
}

/// A serial number that nobody can foresee, positive (RFC 5280 §4.1.2.2).
fn serial() -> SerialNumber {
    let mut octets = [0; 16];
    OsRandom.fill(&mut octets);
    octets[0] = octets[0] & 0x3f | 0x40;
    SerialNumber::from_slice(&octets)
}

fn identity(text: &str) -> Result<Identity> {
    let identity: Identity = text.parse().with_context(|| format!("{text:?} is no name"))?;
    match identity {
        Identity::Fqdn(_) | Identity::Rfc822(_) | Identity::Address(_) => Ok(identity),
        Identity::KeyId(_) | Identity::Other { .. } => {
            bail!("{text} cannot stand in a certificate: a name, a mail address or an address can")
        }
    }
}

/// The identities in the subjectAltName.
fn written_names(certificate: &Certificate) -> Vec<Identity> {
    let is_written =
        |name: &&Identity| !matches!(name, Identity::KeyId(_) | Identity::Other { .. });
    certificate.names().iter().filter(is_written).cloned().collect()
}

/// What its file is called after.
fn first_name(certificate: &Certificate) -> Option<String> {
    written_names(certificate).first().map(ToString::to_string)
}

fn alternative(identity: &Identity) -> Result<SanType> {
    Ok(match identity {
        Identity::Fqdn(name) => SanType::DnsName(name.as_str().try_into()?),
        Identity::Rfc822(mail) => SanType::Rfc822Name(mail.as_str().try_into()?),
        Identity::Address(address) => SanType::IpAddress(*address),
        Identity::KeyId(_) | Identity::Other { .. } => bail!("{identity} is no name"),
    })
}

fn words(names: &[Identity]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl NewCertificate {
    fn in_file(file: &Path, certificate: &Certificate) -> NewCertificate {
        NewCertificate {
            certificate: file.display().to_string(),
            private_key: None,
            serial: certificate.serial().to_owned(),
            expires: Date(certificate.not_after()).to_string(),
        }
    }
}

/// The public key of a certificate that is renewed.
struct Kept {
    public_key: Vec<u8>,
    algorithm: &'static SignatureAlgorithm,
}

impl Kept {
    /// Keys of different kinds have different lengths; `None` for one that we do not make.
    fn of(certificate: &Certificate) -> Option<Kept> {
        let algorithm = match certificate.public_key().len() {
            32 => &rcgen::PKCS_ED25519,
            65 => &rcgen::PKCS_ECDSA_P256_SHA256,
            97 => &rcgen::PKCS_ECDSA_P384_SHA384,
            _ => return None,
        };
        Some(Kept { public_key: certificate.public_key().to_vec(), algorithm })
    }
}

impl PublicKeyData for Kept {
    fn der_bytes(&self) -> &[u8] {
        &self.public_key
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

#[cfg(test)]
pub(super) mod tests;
