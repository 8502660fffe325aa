//! The objects that `--json` prints beside the views of gateways: of commands that ask none, or do
//! something. docs/schema.json describes all of them, made from these types.

use crate::control::{EventView, Verdict};
use crate::lab::{Fault, FaultKind};
use serde::Serialize;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// Why there is nothing else.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Failed {
    /// The gateway that it is about, where others have answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gateway: Option<String>,
    /// What went wrong.
    pub(super) error: Message,
}

/// A sentence.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Message {
    /// The sentence.
    pub(super) message: String,
}

/// An event, with the gateway at which it happened: `vpnctl events`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Happened<'a> {
    /// The gateway.
    pub(super) gateway: &'a str,
    /// The event.
    #[serde(flatten)]
    pub(super) event: &'a EventView,
}

/// What became of echoes: `vpnctl ping`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Echoes {
    /// Who has the tunnel.
    pub(super) gateway: String,
    /// To whom.
    pub(super) peer: String,
    /// The address that they went to.
    pub(super) to: IpAddr,
    /// Length of the IP packets inside the tunnel, in bytes.
    pub(super) size: u16,
    /// How many went out.
    pub(super) sent: usize,
    /// How many did not come back.
    pub(super) lost: usize,
    /// How long those took that came back, the shortest first.
    pub(super) rtt_us: Vec<u64>,
    /// What became of the ESP packets meanwhile, of echoes and of everything else.
    pub(super) esp: Passage,
    /// Packets up to this length go whole, in bytes.
    pub(super) mtu: Option<u16>,
    /// Whether all is well with the peer.
    pub(super) verdict: Verdict,
}

/// What became of ESP packets each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Passage {
    /// Of those to the peer, if it has told: other gateways than vpngw do not.
    pub(super) there: Option<Lost>,
    /// Of those from the peer, if some came.
    pub(super) back: Option<Lost>,
}

/// What became of the packets of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Lost {
    /// How many were sent.
    pub(super) sent: u64,
    /// How many of them did not arrive.
    pub(super) lost: u64,
}

/// One thing that was looked at: `vpnctl doctor`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Found<'a> {
    /// The kind of thing, in a word.
    pub(super) about: &'a str,
    /// Whether it is as it should be.
    pub(super) ok: bool,
    /// What is so.
    pub(super) what: &'a str,
    /// What to do, when something is wrong.
    pub(super) remedy: Option<&'a str>,
}

/// A configuration: `vpnctl check`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Checked {
    /// The file.
    pub(super) file: String,
    /// Whether a gateway can run by it.
    pub(super) valid: bool,
    /// What is wrong.
    pub(super) errors: Vec<Mistake>,
    /// What the host names of its peers should not mean, as they are seen from where it was checked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
}

/// Something that is wrong in a configuration.
#[derive(Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Mistake {
    /// The line, where it is one; the first is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<usize>,
    /// The column in it; the first is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) column: Option<usize>,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) help: Option<String>,
}

/// Two configurations of gateways that know each other: `vpnctl check`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Agreement {
    /// The files.
    pub(super) files: [String; 2],
    /// Whether they agree.
    pub(super) agree: bool,
    /// On what they do not.
    pub(super) contradictions: Vec<Mistake>,
}

/// A new configuration: `vpnctl init`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Begun<'a> {
    /// The file.
    pub(super) config: String,
    /// The file with its private key.
    pub(super) private_key: String,
    /// Its public key.
    pub(super) public_key: &'a str,
    /// The gateway's name.
    pub(super) name: &'a str,
    /// Its autonomous system.
    pub(super) asn: u32,
    /// The command that makes it known to another gateway.
    pub(super) invitation: String,
}

/// A configuration that was edited: `vpnctl peer`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Edit<'a> {
    /// The file.
    pub(super) config: String,
    /// The peer.
    pub(super) peer: &'a str,
    /// What was done with it: `added` or `removed`.
    pub(super) done: &'a str,
}

/// A new shared secret: `vpnctl keygen --psk`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct NewSecret {
    /// The secret.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(super) psk: Zeroizing<String>,
}

/// A new shared secret in a file: `vpnctl keygen --psk -o FILE`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct NewSecretFile {
    /// The file.
    pub(super) psk_file: String,
}

/// A new key pair: `vpnctl keygen -o FILE`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct NewKeyPair {
    /// The file with the private key.
    pub(super) private_key: String,
    /// The file with the public key.
    pub(super) public_key_file: String,
    /// The public key.
    pub(super) public_key: String,
}

/// A public key: `vpnctl pubkey`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct PublicKey {
    /// The key.
    pub(super) public_key: String,
}

/// A new authority: `vpnctl ca init`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct NewAuthority {
    /// The file with its certificate.
    pub(super) ca: String,
    /// The file with its revocation list.
    pub(super) crl: String,
}

/// A new certificate: `vpnctl ca issue`, `vpnctl ca renew`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct NewCertificate {
    /// The file with it.
    pub(super) certificate: String,
    /// The file with its private key, where that is new, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) private_key: Option<String>,
    /// Its serial number.
    pub(super) serial: String,
    /// When it expires, in the words of RFC 3339.
    pub(super) expires: String,
}

/// What was due: `vpnctl ca renew --due`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Renewals {
    /// New certificates.
    pub(super) renewed: Vec<NewCertificate>,
    /// The file with the revocation list, where it was signed anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) crl: Option<String>,
    /// What is not renewed any more.
    pub(super) left: Vec<Left>,
    /// What could not be done: sentences.
    pub(super) failed: Vec<String>,
}

/// Why a certificate is not renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(super) enum Unrenewed {
    /// It has expired, less than a week ago.
    Expired,
    /// A new one would end with its authority, as this one does.
    EndsWithAuthority,
    /// Its name has a certificate for a newer key.
    Superseded,
    /// Another certificate for its key is revoked.
    KeyRevoked,
}

/// A certificate that is not renewed any more.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Left {
    /// For whom it is.
    pub(super) name: String,
    /// When it expires, in the words of RFC 3339.
    pub(super) expires: String,
    /// Why.
    pub(super) why: Unrenewed,
}

/// A new revocation list: `vpnctl ca revoke`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct NewList {
    /// The file.
    pub(super) crl: String,
    /// Subjects and serial numbers of those that were not revoked before.
    pub(super) revoked: Vec<String>,
}

/// What an authority has issued: `vpnctl ca list`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct IssuedList {
    /// The certificates, the last to expire first.
    pub(super) issued: Vec<Issued>,
}

/// A certificate of an authority.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Issued {
    /// Its serial number.
    pub(super) serial: String,
    /// For whom it is.
    pub(super) names: Vec<String>,
    /// When it expires, in the words of RFC 3339.
    pub(super) expires: String,
    /// `valid`, `expired` or `revoked`.
    pub(super) state: &'static str,
}

/// What is not broken any more: `vpnctl lab heal`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Healed {
    /// What it was.
    pub(super) healed: Vec<Fault>,
}

/// The lab: `vpnctl lab status`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct LabStatus {
    /// Its gateways.
    pub(super) gateways: Vec<LabGateway>,
}

/// A gateway of the lab.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct LabGateway {
    /// Its name.
    pub(super) name: String,
    /// Its process, while it runs.
    pub(super) pid: Option<i32>,
    /// What is broken there.
    pub(super) faults: Vec<FaultKind>,
}

#[cfg(test)]
mod tests;
