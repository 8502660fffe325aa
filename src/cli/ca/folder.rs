//! The files of an authority.

use crate::crypto::pem;
use crate::os::file::{self, Access, Lock};
use crate::pki::{self, Certificate, Crl, Date};
use crate::time::WallTime;
use anyhow::{Context, Result, bail, ensure};
use pki_types::PrivatePkcs8KeyDer;
use rcgen::{
    CertificateParams, CertificateRevocationListParams, Issuer, KeyIdMethod, KeyPair,
    RevokedCertParams, SerialNumber,
};
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// More than any certificate or key holds, in bytes.
const FILE_MAX: u64 = 1 << 20;
const PRIVATE_KEY: &str = "PRIVATE KEY";

/// The folder of an authority.
pub(super) struct Folder {
    path: PathBuf,
    authority: Certificate,
    /// Held while something is changed: what two make of one list at the same time is half lost.
    _lock: Option<Lock>,
}

/// A certificate that is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Revoked {
    pub serial: String,
    pub at: WallTime,
}

impl Folder {
    /// Makes a folder for a new authority.
    pub(super) fn create(path: &Path, certificate: &[u8], key: &[u8]) -> Result<Folder> {
        let key_file = path.join("ca.key");
        ensure!(key_file.symlink_metadata().is_err(), "{} is an authority already", path.display());
        make(path)?;
        make(&path.join("issued"))?;
        write_key(&key_file, key, 0o600.into())?;
        let authority = Certificate::from_der(certificate)?;
        replace_certificate(&path.join("ca.crt"), &authority)?;
        Ok(Folder { path: path.to_owned(), authority, _lock: Some(lock(path)?) })
    }

    /// The folder of an authority that there is, for this process alone until it is done.
    pub(super) fn open_to_change(path: &Path) -> Result<Folder> {
        let folder = Folder::open(path)?;
        Ok(Folder { _lock: Some(lock(path)?), ..folder })
    }

    /// The folder of an authority that there is.
    pub(super) fn open(path: &Path) -> Result<Folder> {
        let authority = read_certificate(&path.join("ca.crt")).with_context(|| {
            let path = path.display();
            format!(
                "{path} is not the folder of an authority; make one with `vpnctl ca init {path}`"
            )
        })?;
        Ok(Folder { path: path.to_owned(), authority, _lock: None })
    }

    pub(super) fn authority(&self) -> &Certificate {
        &self.authority
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// What signs: the key, and what `rcgen` needs to know of the authority's certificate.
    pub(super) fn issuer(&self) -> Result<(CertificateParams, KeyPair)> {
        let path = self.path("ca.key");
        let contents = file::read(&path, FILE_MAX).with_context(|| {
            let path = path.display();
            format!("{path} cannot be read; where the timer renews, it and its folder are root's")
        })?;
        let text = Zeroizing::new(contents.bytes);
        let text = std::str::from_utf8(&text).context("ca.key is not a text file")?;
        let der = Zeroizing::new(pem::decode(text, PRIVATE_KEY).context("ca.key")?);
        let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(der.as_slice()))
            .context("ca.key holds no private key")?;
        let name = self.authority.subject().strip_prefix("CN=").filter(|name| !name.contains(','));
        let Some(name) = name else {
            bail!("{} was not made by `vpnctl ca init`", self.path("ca.crt").display());
        };
        Ok((super::authority(name, 0, WallTime::from_unix_micros(0)), key))
    }

    /// When a certificate of so many days ends.
    pub(super) fn end_of(&self, days: u16, now: WallTime) -> Result<WallTime> {
        let (until, last) = (now + u32::from(days) * DAY, self.authority.not_after());
        ensure!(
            until <= last,
            "the authority itself expires on {}, before a certificate of {days} days would",
            Date(last)
        );
        Ok(until)
    }

    /// Keeps a copy of a certificate.
    pub(super) fn keep(&self, certificate: &Certificate) -> Result<()> {
        write_certificate(&self.copy_of(certificate), certificate)
    }

    /// The file of the certificate that the gateway of a name is to have. Mail addresses may have a slash;
    /// no two names have one file.
    pub(super) fn current(&self, name: &str) -> PathBuf {
        let name = name.replace('%', "%25").replace('/', "%2F");
        file_of(&self.path("current").join(name), "crt")
    }

    /// Puts a certificate where the gateway of a name finds it.
    pub(super) fn show(&self, name: &str, certificate: &Certificate) -> Result<()> {
        let folder = self.path("current");
        make(&folder)?;
        replace_certificate(&self.current(name), certificate)
    }

    /// Puts it there again where it is not: whoever signed it may have been cut off before.
    pub(super) fn keep_shown(&self, name: &str, certificate: &Certificate) -> Result<()> {
        let shown = read_certificate(&self.current(name));
        if shown.is_ok_and(|shown| shown == *certificate) {
            Ok(())
        } else {
            self.show(name, certificate)
        }
    }

    pub(super) fn copy_of(&self, certificate: &Certificate) -> PathBuf {
        self.path("issued").join(format!("{}.crt", certificate.serial().replace(':', "")))
    }

    /// Whether a file is one of those copies, by whatever way it is named.
    pub(super) fn is_copy(&self, file: &Path) -> bool {
        let real = file.canonicalize();
        let kept = self.path("issued").canonicalize();
        real.is_ok_and(|real| kept.is_ok_and(|kept| real.parent() == Some(&kept)))
    }

    /// Whether a certificate was issued here.
    pub(super) fn has_issued(&self, certificate: &Certificate) -> Result<bool> {
        let copy = self.copy_of(certificate);
        Ok(copy.is_file() && read_certificate(&copy)? == *certificate)
    }

    /// All certificates that were ever issued.
    pub(super) fn issued(&self) -> Result<Vec<Certificate>> {
        self.copies()?.into_iter().collect()
    }

    /// The same, with what is wrong with each that cannot be read.
    pub(super) fn copies(&self) -> Result<Vec<Result<Certificate>>> {
        let folder = self.path("issued");
        let context = || format!("{} cannot be read", folder.display());
        let mut copies = Vec::new();
        for entry in std::fs::read_dir(&folder).with_context(context)? {
            let path = entry.with_context(context)?.path();
            if path.extension().is_some_and(|extension| extension == "crt") {
                copies.push(read_certificate(&path));
            }
        }
        Ok(copies)
    }

    fn list(&self) -> Result<Crl> {
        let path = self.path("ca.crl");
        Crl::from_der(&read_block(&path, pki::CRL)?)
            .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
    }

    /// Since when the revocation list stands, and by when a newer one must.
    pub(super) fn list_life(&self) -> Result<Option<(WallTime, WallTime)>> {
        let list = self.list()?;
        Ok(list.next_update().map(|until| (list.this_update(), until)))
    }

    /// All certificates that are revoked.
    pub(super) fn revoked(&self) -> Result<Vec<Revoked>> {
        let revoked = self.list()?.revoked().map_err(|error| anyhow::anyhow!(error))?;
        Ok(revoked.into_iter().map(|(serial, at)| Revoked { serial, at }).collect())
    }

    /// Writes the revocation list anew; the next one must follow after so many days.
    pub(super) fn write_list(&self, revoked: &[Revoked], days: u16, now: WallTime) -> Result<()> {
        let date = |at: WallTime| {
            rcgen::date_time_ymd(1970, 1, 1) + Duration::from_micros(at.as_unix_micros())
        };
        let entry = |one: &Revoked| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&octets(&one.serial)),
            revocation_time: date(one.at),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date(now),
            next_update: date(now + u32::from(days) * DAY),
            // Numbers must grow (RFC 5280 §5.2.3), as time does.
            crl_number: SerialNumber::from(now.as_unix_micros()),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let (params, key) = self.issuer()?;
        let signed = list
            .signed_by(&Issuer::from_params(&params, &key))
            .context("the revocation list could not be signed")?;
        file::replace(
            &self.path("ca.crl"),
            pem::encode(signed.der(), pki::CRL).as_bytes(),
            readable(),
        )
    }
}

fn lock(path: &Path) -> Result<Lock> {
    file::lock(path, || eprintln!("another vpnctl changes {}: waiting for it", path.display()))
}

/// Makes a folder that all may read, whatever the umask; one that is there stays as it is.
fn make(folder: &Path) -> Result<()> {
    let context = || format!("{} cannot be made", folder.display());
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(folder).with_context(context)?;
    std::fs::set_permissions(folder, Permissions::from_mode(0o755)).with_context(context)
}

/// For all to read, whatever the umask: it is given to us, who have it already.
fn readable() -> Access {
    Access { mode: 0o644, owner: Some(nix::unistd::geteuid().as_raw()), group: None }
}

/// The octets of a serial number in hexadecimal, with colons or without.
fn octets(serial: &str) -> Vec<u8> {
    let digits: Vec<u8> = serial
        .chars()
        .filter_map(|c| c.to_digit(16))
        .filter_map(|d| u8::try_from(d).ok())
        .collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)).collect()
}

/// `name` with an extension added, whatever dots it has.
pub(super) fn file_of(name: &Path, extension: &str) -> PathBuf {
    let mut file = OsString::from(name);
    file.push(".");
    file.push(extension);
    PathBuf::from(file)
}

/// The first certificate in a file.
pub(super) fn read_certificate(path: &Path) -> Result<Certificate> {
    let der = read_block(path, pki::CERTIFICATE)?;
    Certificate::from_der(&der).with_context(|| path.display().to_string())
}

fn read_block(path: &Path, label: &'static str) -> Result<Vec<u8>> {
    let contents =
        file::read(path, FILE_MAX).with_context(|| format!("{} cannot be read", path.display()))?;
    let text = String::from_utf8(contents.bytes)
        .with_context(|| format!("{} is not a text file", path.display()))?;
    pem::decode(&text, label).with_context(|| path.display().to_string())
}

/// Writes a private key into a new file.
pub(super) fn write_key(path: &Path, der: &[u8], access: Access) -> Result<()> {
    file::write_new(path, pem::encode(der, PRIVATE_KEY).as_bytes(), access)
}

/// Writes a certificate into a new file.
pub(super) fn write_certificate(path: &Path, certificate: &Certificate) -> Result<()> {
    file::write_new(path, pem::encode(certificate.der(), pki::CERTIFICATE).as_bytes(), readable())
}

/// Writes a certificate over the one that there is, if there is one.
pub(super) fn replace_certificate(path: &Path, certificate: &Certificate) -> Result<()> {
    file::replace(path, pem::encode(certificate.der(), pki::CERTIFICATE).as_bytes(), readable())
}
