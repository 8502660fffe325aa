//! The keys of a peer's SAs as Wireshark takes them: the tables `esp_sa` and `ikev2_decryption_table`, in a
//! folder that serves as its configuration.
//!
//! ```text
//! esp_sa                   "IPv4","FROM","TO","SPI","encryption","key with its salt","integrity","key"
//! ikev2_decryption_table   SPIi,SPIr,SK_ei,SK_er,"encryption",SK_ai,SK_ar,"integrity"
//! ```
//!
//! Wireshark (4.0) has no name for ChaCha20-Poly1305, and a table with a name that it does not know is refused as
//! a whole: of such SAs a remark stands there, and no key.

use super::super::client;
use super::super::gateways::Target;
use crate::control::{EspKeysView, IkeKeysView, KeysView, PeerView, Request};
use crate::crypto::aead::AeadAlgorithm;
use crate::crypto::cbc::CbcAlgorithm;
use crate::crypto::cipher::Cipher;
use crate::crypto::integrity::Integrity;
use crate::crypto::suite::{EspSuite, IkeSuite};
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// What has Wireshark use the tables: decrypting ESP is off until somebody wants it.
const PREFERENCES: &str = "esp.enable_encryption_decode: TRUE\n";

/// A folder with the keys of the SAs of one peer; it grows while a capture runs, as SAs come.
#[derive(Debug)]
pub(super) struct Keys {
    esp: File,
    ike: File,
    /// The SPIs whose keys are told.
    known: BTreeSet<String>,
}

impl Keys {
    /// Makes the folder, which must be new and is for its owner only.
    pub(super) fn begin(folder: &Path) -> Result<Keys> {
        let shown = folder.display();
        DirBuilder::new()
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("the folder {shown} for the keys cannot be created"))?;
        create(folder, "preferences")?.write_all(PREFERENCES.as_bytes())?;
        let (esp, ike) = (create(folder, "esp_sa")?, create(folder, "ikev2_decryption_table")?);
        Ok(Keys { esp, ike, known: BTreeSet::new() })
    }

    /// Asks for the keys of SAs that are new, if there are any.
    pub(super) fn follow(&mut self, target: &Target, peer: &str) -> Result<()> {
        let view: PeerView = super::ask(target, &Request::Peer(peer.to_owned()))?;
        if spis(&view).all(|spi| self.known.contains(spi)) {
            return Ok(());
        }
        // Not by `ask`: what it reads is not wiped.
        let request = Request::Keys { peer: peer.to_owned() };
        let body = Zeroizing::new(client::ask(&target.socket, &request)?);
        let keys: KeysView = serde_json::from_str(&body)
            .context("the gateway runs another version of vpngw than this vpnctl")?;
        self.known.extend(spis(&view).cloned());
        self.add(&keys)
    }

    fn add(&mut self, keys: &KeysView) -> Result<()> {
        for sa in &keys.esp {
            if self.known.insert(format!("{}>{}", sa.from, sa.spi)) {
                self.esp.write_all(esp_line(sa)?.as_bytes())?;
            }
        }
        for sa in &keys.ike {
            if self.known.insert(format!("ike {}", sa.initiator_spi)) {
                self.ike.write_all(ike_line(sa)?.as_bytes())?;
            }
        }
        Ok(())
    }
}

fn create(folder: &Path, name: &str) -> Result<File> {
    let path = folder.join(name);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    file.with_context(|| format!("{} cannot be created", path.display()))
}

/// The SPIs of a peer's SAs.
fn spis(view: &PeerView) -> impl Iterator<Item = &String> {
    let ike = view.ike_sa.iter().map(|sa| &sa.initiator_spi);
    ike.chain(view.child_sas.iter().map(|sa| &sa.inbound_spi))
}

/// A line of `esp_sa`.
fn esp_line(sa: &EspKeysView) -> Result<Zeroizing<String>> {
    let suite: EspSuite = sa.suite.parse()?;
    let EspKeysView { from, to, spi, .. } = sa;
    let Some((encryption, integrity)) = esp_words(suite.cipher) else {
        return Ok(Zeroizing::new(format!("# {spi}: Wireshark does not know {}\n", suite.cipher)));
    };
    let (key, mac) = parts(suite.cipher, sa.key.as_str())?;
    let family = if sa.from.is_ipv4() { "IPv4" } else { "IPv6" };
    let mac = if mac.is_empty() { String::new() } else { format!("0x{mac}") };
    Ok(Zeroizing::new(format!(
        "\"{family}\",\"{from}\",\"{to}\",\"0x{spi}\",\"{encryption}\",\"0x{key}\",\"{integrity}\",\"{mac}\"\n"
    )))
}

/// A line of `ikev2_decryption_table`.
fn ike_line(sa: &IkeKeysView) -> Result<Zeroizing<String>> {
    let suite: IkeSuite = sa.suite.parse()?;
    let IkeKeysView { initiator_spi, responder_spi, .. } = sa;
    let Some((encryption, integrity)) = ike_words(suite.cipher) else {
        let cipher = suite.cipher;
        return Ok(Zeroizing::new(format!(
            "# {initiator_spi}: Wireshark does not know {cipher}\n"
        )));
    };
    let (sk_ei, sk_ai) = parts(suite.cipher, sa.initiator.as_str())?;
    let (sk_er, sk_ar) = parts(suite.cipher, sa.responder.as_str())?;
    Ok(Zeroizing::new(format!(
        "{initiator_spi},{responder_spi},{sk_ei},{sk_er},\"{encryption}\",{sk_ai},{sk_ar},\"{integrity}\"\n"
    )))
}

/// The encryption key with its salt, and the integrity key.
fn parts(cipher: Cipher, key: &str) -> Result<(&str, &str)> {
    match key.split_at_checked(2 * cipher.encryption_key_len()) {
        Some(parts) => Ok(parts),
        None => bail!("the key is too short for {cipher}"),
    }
}

/// How Wireshark calls the algorithms of ESP, if it knows them.
fn esp_words(cipher: Cipher) -> Option<(&'static str, &'static str)> {
    match cipher {
        Cipher::Aead(AeadAlgorithm::ChaCha20Poly1305) => None,
        Cipher::Aead(AeadAlgorithm::Aes128Gcm16 | AeadAlgorithm::Aes256Gcm16) => {
            Some(("AES-GCM with 16 octet ICV [RFC4106]", "NULL"))
        }
        Cipher::CbcHmac(_, integrity) => {
            let integrity = match integrity {
                Integrity::HmacSha1_96 => "HMAC-SHA-1-96 [RFC2404]",
                Integrity::HmacSha256_128 => "HMAC-SHA-256-128 [RFC4868]",
                Integrity::HmacSha384_192 => "HMAC-SHA-384-192 [RFC4868]",
                Integrity::HmacSha512_256 => "HMAC-SHA-512-256 [RFC4868]",
            };
            Some(("AES-CBC [RFC3602]", integrity))
        }
    }
}

/// How Wireshark calls the algorithms of IKE, if it knows them.
fn ike_words(cipher: Cipher) -> Option<(&'static str, &'static str)> {
    let (cbc, integrity) = match cipher {
        Cipher::Aead(AeadAlgorithm::ChaCha20Poly1305) => return None,
        Cipher::Aead(AeadAlgorithm::Aes128Gcm16) => {
            return Some(("AES-GCM-128 with 16 octet ICV [RFC5282]", "NONE [RFC4306]"));
        }
        Cipher::Aead(AeadAlgorithm::Aes256Gcm16) => {
            return Some(("AES-GCM-256 with 16 octet ICV [RFC5282]", "NONE [RFC4306]"));
        }
        Cipher::CbcHmac(cbc, integrity) => (cbc, integrity),
    };
    let encryption = match cbc {
        CbcAlgorithm::Aes128Cbc => "AES-CBC-128 [RFC3602]",
        CbcAlgorithm::Aes256Cbc => "AES-CBC-256 [RFC3602]",
    };
    let integrity = match integrity {
        Integrity::HmacSha1_96 => "HMAC_SHA1_96 [RFC2404]",
        Integrity::HmacSha256_128 => "HMAC_SHA2_256_128 [RFC4868]",
        Integrity::HmacSha384_192 => "HMAC_SHA2_384_192 [RFC4868]",
        Integrity::HmacSha512_256 => "HMAC_SHA2_512_256 [RFC4868]",
    };
    Some((encryption, integrity))
}

#[cfg(test)]
mod tests;
