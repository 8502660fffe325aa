//! One X.509 certificate (RFC 5280 §4), with what IKE asks of it read out.

use super::date::wall_time;
use crate::time::WallTime;
use crate::wire::ike::{IdType, Identity};
use pki_types::CertificateDer;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};
use x509_cert::name::Name;

/// The octets are no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no X.509 certificate: {0}")]
pub struct Malformed(String);

impl Malformed {
    pub(super) fn because(error: &dyn fmt::Display) -> Malformed {
        Malformed(error.to_string())
    }
}

/// A certificate; copies share it. Two are equal when their octets are.
#[derive(Clone)]
pub struct Certificate(Arc<Whole>);

/// The octets, and what is read out of them.
struct Whole {
    der: CertificateDer<'static>,
    facts: Facts,
}

struct Facts {
    subject: String,
    issuer: String,
    serial: String,
    names: Vec<Identity>,
    not_before: WallTime,
    not_after: WallTime,
    public_key: Vec<u8>,
    spki: Vec<u8>,
    is_authority: bool,
    signs: bool,
    purposes: Vec<String>,
}

impl Certificate {
    /// The certificate in these octets of DER.
    ///
    /// # Errors
    ///
    /// When they are none.
    pub fn from_der(der: &[u8]) -> Result<Certificate, Malformed> {
        let facts = Facts::read(der).map_err(|error| Malformed::because(&error))?;
        Ok(Certificate(Arc::new(Whole { der: CertificateDer::from(der.to_vec()), facts })))
    }

    /// Its DER.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.0.der
    }

    /// The subject as RFC 4514 writes it; empty when there is none.
    pub fn subject(&self) -> &str {
        &self.0.facts.subject
    }

    /// The issuer as RFC 4514 writes it.
    pub fn issuer(&self) -> &str {
        &self.0.facts.issuer
    }

    /// The serial number in hexadecimal.
    pub fn serial(&self) -> &str {
        &self.0.facts.serial
    }

    /// The identities that it is for: those of its subjectAltName, and its subject.
    pub fn names(&self) -> &[Identity] {
        &self.0.facts.names
    }

    /// Whether an identity is among them (RFC 4945 §3.1): a domain name, a mail address or an
    /// address in the subjectAltName, a distinguished name as the subject.
    pub fn is_for(&self, identity: &Identity) -> bool {
        self.0.facts.names.contains(identity)
    }

    /// From when on it is valid.
    pub fn not_before(&self) -> WallTime {
        self.0.facts.not_before
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> WallTime {
        self.0.facts.not_after
    }

    /// The public key, as it stands in the BIT STRING of its SubjectPublicKeyInfo.
    pub fn public_key(&self) -> &[u8] {
        &self.0.facts.public_key
    }

    /// Its SubjectPublicKeyInfo.
    pub fn spki(&self) -> &[u8] {
        &self.0.facts.spki
    }

    /// Whether it is the certificate of an authority (RFC 5280 §4.2.1.9) whose key may sign others
    /// (§4.2.1.3).
    pub fn is_authority(&self) -> bool {
        self.0.facts.is_authority
    }

    /// Whether its key may sign an AUTH payload: digitalSignature or nonRepudiation, or no
    /// restriction (RFC 4945 §5.1.3.2).
    pub fn signs(&self) -> bool {
        self.0.facts.signs
    }

    /// Its extended key usages as object identifiers; empty without restriction.
    pub fn purposes(&self) -> &[String] {
        &self.0.facts.purposes
    }
}

impl Facts {
    fn read(der: &[u8]) -> x509_cert::der::Result<Facts> {
        let certificate = x509_cert::Certificate::from_der(der)?;
        let tbs = certificate.tbs_certificate();
        let names = tbs.get_extension::<SubjectAltName>()?;
        let usage = tbs.get_extension::<KeyUsage>()?.map(|(_, usage)| usage);
        let basic = tbs.get_extension::<BasicConstraints>()?.map(|(_, basic)| basic);
        let purposes = tbs.get_extension::<ExtendedKeyUsage>()?.map(|(_, purposes)| purposes);
        let spki = tbs.subject_public_key_info();
        let validity = tbs.validity();
        let alternative = names.iter().flat_map(|(_, names)| &names.0).filter_map(identity_of);
        let names = alternative.chain(identity_of_subject(tbs.subject())?).collect();
        Ok(Facts {
            subject: tbs.subject().to_string(),
            issuer: tbs.issuer().to_string(),
            serial: tbs.serial_number().to_string(),
            names,
            not_before: wall_time(validity.not_before),
            not_after: wall_time(validity.not_after),
            public_key: spki.subject_public_key.raw_bytes().to_vec(),
            spki: spki.to_der()?,
            is_authority: basic.is_some_and(|basic| basic.ca)
                && usage.is_none_or(|usage| usage.key_cert_sign()),
            signs: usage.is_none_or(|usage| usage.digital_signature() || usage.non_repudiation()),
            purposes: purposes.iter().flat_map(|all| &all.0).map(ToString::to_string).collect(),
        })
    }
}

/// A name of the subjectAltName as an identity, if IKE has identities of its kind.
fn identity_of(name: &GeneralName) -> Option<Identity> {
    match name {
        GeneralName::DnsName(name) => Some(Identity::Fqdn(name.to_string())),
        GeneralName::Rfc822Name(mail) => Some(Identity::Rfc822(mail.to_string())),
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
                .ok()
                .map(Identity::Address)
        }
        GeneralName::OtherName(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EdiPartyName(_)
        | GeneralName::UniformResourceIdentifier(_)
        | GeneralName::RegisteredId(_) => None,
    }
}

fn identity_of_subject(subject: &Name) -> x509_cert::der::Result<Option<Identity>> {
    if subject.is_empty() {
        return Ok(None);
    }
    let data = subject.to_der()?;
    Ok(Some(Identity::Other { id_type: IdType::DER_ASN1_DN, data }))
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Certificate) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({self})")
    }
}

/// By its subject or, when it has none, by its first name; and its serial number.
impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.subject(), self.names().first()) {
            ("", Some(name)) => write!(f, "{name}")?,
            ("", None) => f.write_str("a subject without a name")?,
            (subject, _) => write!(f, "{}", subject.escape_debug())?,
        }
        write!(f, " (serial {})", self.serial())
    }
}

#[cfg(test)]
mod tests;
