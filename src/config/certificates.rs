//! Reads `certificate`, `ca` and `crl`: the papers that a gateway shows, and those that it believes.
//!
//! `[gateway]` has them for all peers that are known by a certificate. A `[[peer]]` may have its own:
//! another `ca`, more `crl`, and another `certificate` with its `private_key` for a peer that wants
//! one of an authority of its own.

use super::diagnostics::{Fault, Report};
use super::keys::{self, KeyFiles};
use super::reader::{At, Section};
use super::renewal::PaperFiles;
use super::{Credentials, Identity, limits, words};
use crate::crypto::pem;
use crate::crypto::private_key::PrivateKey;
use crate::pki::{self, Certificate, Crl, OwnCertificate, OwnFault, RsaPadding, Trust};
use std::sync::Arc;
use toml::de::DeValue;

/// The certificates of `[gateway]`.
#[derive(Debug)]
pub(super) struct Papers {
    own: Option<Arc<OwnCertificate>>,
    names_own: bool,
    trust: Option<Arc<Trust>>,
    own_files: Option<Arc<PaperFiles>>,
    trust_files: Option<Arc<PaperFiles>>,
    /// Whether `ca` is written, be it readable or not.
    pub(super) names_ca: bool,
    /// The files of `crl`, for peers with another `ca`.
    lists: Vec<At<String>>,
}

impl Papers {
    /// What `[gateway]` says.
    pub(super) fn of_gateway(
        section: &Section<'_>,
        key: Option<&PrivateKey>,
        files: &dyn KeyFiles,
        report: &mut Report,
    ) -> Papers {
        let lists = section.list("crl", words::path, report).unwrap_or_default();
        let trust = section
            .list("ca", words::path, report)
            .and_then(|authorities| trust(section, &authorities, &lists, files, report));
        if !section.has("ca") && section.has("crl") {
            let fault = Fault::new("`crl` is for what the authorities of `ca` have signed")
                .label("without `ca`")
                .help("add ca = [\"…\"]: the certificates of the authorities");
            report.add(section.span_of("crl"), fault);
        }
        Papers {
            own: own(section, key, files, report),
            names_own: section.has("certificate"),
            trust,
            own_files: own_files(section, report),
            trust_files: trust_files(section, lists.clone(), report),
            names_ca: section.has("ca"),
            lists,
        }
    }

    /// The files of what a peer's section has beside `[gateway]`: ours, and those of whom we believe.
    pub(super) fn files(&self, section: &Section<'_>, report: &mut Report) -> Vec<Arc<PaperFiles>> {
        let own = match section.has("certificate") {
            true => own_files(section, report),
            false => self.own_files.clone(),
        };
        let trust = match section.has("ca") {
            true => {
                let more = section.list("crl", words::path, report).unwrap_or_default();
                let lists = self.lists.iter().cloned().chain(more).collect();
                trust_files(section, lists, report)
            }
            false => self.trust_files.clone(),
        };
        own.into_iter().chain(trust).collect()
    }

    /// By what a peer and we prove who we are, as its section has it beside `[gateway]`.
    pub(super) fn credentials(
        &self,
        section: &Section<'_>,
        files: &dyn KeyFiles,
        local_identity: Option<&Identity>,
        report: &mut Report,
    ) -> Option<Credentials> {
        let trust = self.trust_for(section, files, report);
        let own = self.own_for(section, files, report);
        let padding = section.optional("rsa_signature", rsa_signature, report);
        let (trust, own) = (trust?, own?);
        let own = match padding {
            Some(padding) => Arc::new(own.with_padding(padding)),
            None => own,
        };
        let identity = local_identity?;
        if !own.leaf().is_for(identity) {
            report.add(section.span(), not_for(own.leaf(), identity));
        }
        Some(Credentials::Certificate { own, trust })
    }

    fn trust_for(
        &self,
        section: &Section<'_>,
        files: &dyn KeyFiles,
        report: &mut Report,
    ) -> Option<Arc<Trust>> {
        if !section.has("ca") && section.has("crl") {
            let fault = Fault::new("`crl` of a peer is for what its own `ca` has signed");
            let help = "add ca = [\"…\"], or put the list into `crl` of [gateway]";
            report.add(section.span_of("crl"), fault.label("without `ca`").help(help));
        }
        let Some(authorities) = section.list("ca", words::path, report) else {
            return self.trust.clone();
        };
        let own = section.list("crl", words::path, report).unwrap_or_default();
        let lists: Vec<At<String>> = self.lists.iter().cloned().chain(own).collect();
        trust(section, &authorities, &lists, files, report)
    }

    fn own_for(
        &self,
        section: &Section<'_>,
        files: &dyn KeyFiles,
        report: &mut Report,
    ) -> Option<Arc<OwnCertificate>> {
        if !section.has("certificate") && !section.has("private_key") {
            if !self.names_own {
                let fault = Fault::new("this gateway has no certificate to answer with")
                    .label("the peer has one")
                    .help("add certificate = \"…\" to [gateway], for its `private_key`");
                report.add(section.span(), fault);
            }
            return self.own.clone();
        }
        let path = section.optional("private_key", words::path, report);
        let key = path.and_then(|path| {
            let loaded = keys::private_key(files, &path);
            loaded.map_err(|fault| report.add(section.span_of("private_key"), fault)).ok()
        });
        if !section.has("certificate") {
            report.add(section.span_of("private_key"), section.missing("certificate"));
        }
        own(section, key.as_ref(), files, report)
    }
}

/// The form of RSA signatures.
fn rsa_signature(value: &DeValue<'_>) -> Result<RsaPadding, Fault> {
    match words::text(value)?.as_str() {
        "pss" => Ok(RsaPadding::Pss),
        "pkcs1" => Ok(RsaPadding::Pkcs1),
        other => Err(Fault::new(format!("{other:?} is no form of RSA signatures"))
            .label("not known")
            .help("\"pss\", or \"pkcs1\" for an old peer")),
    }
}

fn own_files(section: &Section<'_>, report: &mut Report) -> Option<Arc<PaperFiles>> {
    let certificate = section.optional("certificate", words::path, report)?;
    let private_key = section.optional("private_key", words::path, report)?;
    Some(Arc::new(PaperFiles::Own { certificate, private_key }))
}

fn trust_files(
    section: &Section<'_>,
    lists: Vec<At<String>>,
    report: &mut Report,
) -> Option<Arc<PaperFiles>> {
    let paths = |all: Vec<At<String>>| all.into_iter().map(|one| one.value).collect();
    let authorities = paths(section.list("ca", words::path, report)?);
    Some(Arc::new(PaperFiles::Trust { authorities, lists: paths(lists) }))
}

/// The certificate of a section, with its private key.
fn own(
    section: &Section<'_>,
    key: Option<&PrivateKey>,
    files: &dyn KeyFiles,
    report: &mut Report,
) -> Option<Arc<OwnCertificate>> {
    let path = section.located("certificate", words::path, report)?;
    if !section.has("private_key") {
        let fault = section.missing("private_key").help("the key that the certificate is for");
        report.add(path.span.clone(), fault);
    }
    let read = match key {
        Some(key) => own_in(files, &path.value, key).map(|own| Some(Arc::new(own))),
        None => certificates(files, &path.value, "certificate").map(|_| None),
    };
    read.map_err(|fault| report.add(path.span, fault)).ok().flatten()
}

/// The certificate in the file at `path`, which is for `key`, and those of its issuers.
pub(super) fn own_in(
    files: &dyn KeyFiles,
    path: &str,
    key: &PrivateKey,
) -> Result<OwnCertificate, Fault> {
    let mut chain = certificates(files, path, "certificate")?;
    let leaf = chain.remove(0);
    OwnCertificate::new(key.clone(), leaf, chain).map_err(|fault| unfit(&fault, &files.shown(path)))
}

fn unfit(fault: &OwnFault, path: &str) -> Fault {
    let help = match fault {
        OwnFault::OtherKey(_) => {
            "the file begins with the gateway's own certificate; those of its issuers follow"
        }
        OwnFault::Authority(_) => "authorities stand in `ca`; the gateway needs one of its own",
        OwnFault::KeyUsage(_) => "have one made for signing, such as `vpnctl ca issue` does",
    };
    Fault::new(format!("{path}: {fault}")).label("named here").help(help)
}

/// What the authorities in these files have signed, and have not revoked in those.
fn trust(
    section: &Section<'_>,
    paths: &[At<String>],
    lists: &[At<String>],
    files: &dyn KeyFiles,
    report: &mut Report,
) -> Option<Arc<Trust>> {
    if paths.is_empty() {
        let fault = Fault::new("with no authority no certificate can be believed");
        report.add(section.span_of("ca"), fault.label("empty"));
        return None;
    }
    let mut anchors = Vec::new();
    for At { value: path, span } in paths {
        match authorities(files, path) {
            Ok(all) => anchors.extend(all),
            Err(fault) => report.add(span.clone(), fault),
        }
    }
    let mut crls = Vec::new();
    for At { value: path, span } in lists {
        match revoked(files, path) {
            Ok(all) => crls.extend(all),
            Err(fault) => report.add(span.clone(), fault),
        }
    }
    trust_in(anchors, crls).map_err(|fault| report.add(section.span_of("ca"), fault)).ok()
}

/// What these authorities have signed, and have not revoked in these lists.
pub(super) fn trust_in(
    authorities: Vec<Certificate>,
    lists: Vec<Crl>,
) -> Result<Arc<Trust>, Fault> {
    if authorities.len() > limits::AUTHORITIES {
        let message = format!("at most {} authorities can be named to a peer", limits::AUTHORITIES);
        return Err(Fault::new(message).label(format!("{}", authorities.len())));
    }
    Trust::new(authorities, lists).map(Arc::new).map_err(|error| Fault::new(error.to_string()))
}

/// The authorities in the file at `path`.
pub(super) fn authorities(files: &dyn KeyFiles, path: &str) -> Result<Vec<Certificate>, Fault> {
    let all = certificates(files, path, "authority")?;
    match all.iter().find(|certificate| !certificate.is_authority()) {
        None => Ok(all),
        Some(leaf) => {
            let message = format!("{leaf} in {path} is not the certificate of an authority");
            let help = "`ca` has the certificates that sign those of the peers";
            Err(Fault::new(message).label("named here").help(help))
        }
    }
}

/// The certificates in the file at `path`, PEM or DER; at least one.
fn certificates(files: &dyn KeyFiles, path: &str, what: &str) -> Result<Vec<Certificate>, Fault> {
    let make = "`vpnctl ca` makes an authority and certificates";
    let blocks = blocks(files, path, what, pki::CERTIFICATE, make)?;
    let shown = files.shown(path);
    let read = |der: &Vec<u8>| {
        Certificate::from_der(der).map_err(|error| {
            Fault::new(format!("{shown} does not hold a certificate: {error}")).label("named here")
        })
    };
    blocks.iter().map(read).collect()
}

/// The revocation lists in the file at `path`, PEM or DER; at least one.
pub(super) fn revoked(files: &dyn KeyFiles, path: &str) -> Result<Vec<Crl>, Fault> {
    let make = "`vpnctl ca revoke` writes one";
    let blocks = blocks(files, path, "revocation list", pki::CRL, make)?;
    let shown = files.shown(path);
    let read = |der: &Vec<u8>| {
        Crl::from_der(der).map_err(|error| {
            Fault::new(format!("{shown} does not hold a revocation list: {error}"))
                .label("named here")
        })
    };
    blocks.iter().map(read).collect()
}

/// The blocks of a PEM file, or the one of a DER file.
fn blocks(
    files: &dyn KeyFiles,
    path: &str,
    what: &str,
    label: &'static str,
    make: &str,
) -> Result<Vec<Vec<u8>>, Fault> {
    let file = keys::read(files, path, what, make)?;
    let shown = files.shown(path);
    keys::steady(&file, &shown)?;
    let bytes = file.contents.as_bytes();
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(vec![bytes.to_vec()]) };
    let blocks = pem::decode_all(text, label).map_err(|error| {
        Fault::new(format!("{shown} does not hold a {what}: {error}")).label("named here")
    })?;
    if blocks.is_empty() {
        let message = format!("{shown} has no \"-----BEGIN {label}-----\" block");
        return Err(Fault::new(message).label("named here").help(make.to_owned()));
    }
    Ok(blocks)
}

fn not_for(certificate: &Certificate, identity: &Identity) -> Fault {
    let names: Vec<String> = certificate.names().iter().map(ToString::to_string).collect();
    let message = format!(
        "the certificate {certificate} is not for {identity}, the identity of this gateway, and no \
         peer would accept it"
    );
    let help = format!("set `identity` to a name that it has: {}", names.join(", "));
    Fault::new(message).label("for this peer").help(help)
}
