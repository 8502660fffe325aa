//! How both sides prove who they are: what the initiators have in memory, and the files of the
//! responders.

use crate::rig::{BEHIND_RESPONDER, RESPONDER, address_of, behind, identity_of};
use anyhow::{Context, Result, bail, ensure};
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use vpngw::config_file;
use vpngw::crypto::secret::Secret;
use vpngw::crypto::sign::{SigningKey, VerifyingKey};
use vpngw::crypto::suite::{EspSuite, IkeSuite};
use vpngw::pki::Credentials;

pub(crate) const PSK: &str = "one secret for all of the bench";
/// As strongSwan and vpngw write them both.
pub(crate) const IKE: &str = "aes256gcm16-prfsha384-curve25519";
pub(crate) const ESP: &str = "aes256gcm16";

/// By what identities are proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A secret of both.
    Psk,
    /// Ed25519 keys that both sides know.
    Ed25519,
    /// X.509 certificates of one authority, ECDSA with P-256.
    Certificate,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Proof::Psk => "psk",
            Proof::Ed25519 => "ed25519",
            Proof::Certificate => "certificate",
        })
    }
}

impl FromStr for Proof {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Proof> {
        let all = [Proof::Psk, Proof::Ed25519, Proof::Certificate];
        let found = all.into_iter().find(|proof| proof.to_string() == text);
        found.with_context(|| format!("{text:?} is none of psk, ed25519, certificate"))
    }
}

/// The papers of one responder and of some initiators.
pub(crate) struct Papers {
    proof: Proof,
    peers: u32,
    folder: PathBuf,
}

impl Papers {
    /// Makes them in a folder of their own.
    pub(crate) fn make(folder: &Path, proof: Proof, peers: u32) -> Result<Papers> {
        let folder = folder.join(format!("{proof}-{peers}"));
        fs::create_dir_all(&folder)?;
        let papers = Papers { proof, peers, folder };
        papers.write("psk", PSK)?;
        match proof {
            Proof::Psk => {}
            Proof::Ed25519 => drop(papers.write("gw.test.key", &own_key().to_pkcs8_pem())?),
            Proof::Certificate => papers.issue()?,
        }
        Ok(papers)
    }

    pub(crate) fn proof(&self) -> Proof {
        self.proof
    }

    /// How many initiators there are.
    pub(crate) fn peers(&self) -> u32 {
        self.peers
    }

    /// Where the files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn ike_suite(&self) -> IkeSuite {
        IKE.parse().expect("a suite of this package")
    }

    pub(crate) fn esp_suite(&self) -> EspSuite {
        ESP.parse().expect("a suite of this package")
    }

    /// What an initiator proves its identity by.
    pub(crate) fn credentials(&self, number: u32) -> Result<Credentials> {
        match self.proof {
            Proof::Psk => Ok(Credentials::Psk(Secret::copy_of(PSK.as_bytes()))),
            Proof::Ed25519 => Ok(Credentials::PublicKey {
                own: peer_key(number),
                peer: own_key().verifying_key(),
            }),
            Proof::Certificate => self.certified(number),
        }
    }

    /// The key by which the responder knows an initiator.
    pub(crate) fn public_key(&self, number: u32) -> VerifyingKey {
        peer_key(number).verifying_key()
    }

    /// The same of the responder.
    pub(crate) fn own_public_key(&self) -> VerifyingKey {
        own_key().verifying_key()
    }

    /// A file for this user alone, as secrets have to be.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(path)
    }

    fn issue(&self) -> Result<()> {
        let authority = self.folder.join("authority");
        if authority.exists() {
            return Ok(());
        }
        let vpnctl = |words: &[&str]| -> Result<()> {
            let mut command = Command::new(env!("CARGO_BIN_EXE_vpnctl"));
            let output = command.arg("ca").args(words).current_dir(&self.folder).output()?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Ok(())
        };
        vpnctl(&["init", "authority"])?;
        vpnctl(&["issue", "authority", "gw.test"])?;
        (0..self.peers).try_for_each(|number| vpnctl(&["issue", "authority", &identity_of(number)]))
    }

    /// As a gateway would read them that connects to the responder.
    fn certified(&self, number: u32) -> Result<Credentials> {
        let (identity, address, network) =
            (identity_of(number), address_of(number), behind(number));
        let path = self.write(
            &format!("{identity}.toml"),
            &format!(
                "[gateway]\nname = \"p{number}\"\nidentity = \"{identity}\"\nlisten = [\"{address}\"]\n\
                 private_key = \"{identity}.key\"\ncertificate = \"{identity}.crt\"\nca = [\"authority/ca.crt\"]\n\
                 [[vpc]]\nname = \"v\"\nprefixes = [\"{network}\"]\n[[peer]]\nname = \"gw\"\n\
                 remote_address = \"{RESPONDER}\"\nremote_identity = \"gw.test\"\n\
                 static_routes = [\"{BEHIND_RESPONDER}\"]\n"
            ),
        )?;
        let config = match config_file::load(&path) {
            Ok(config) => config,
            Err(error) => bail!("{}", error.render(false)),
        };
        let peer = config.peers.into_values().next().context("a peer")?;
        Ok(peer.credentials)
    }
}

fn own_key() -> SigningKey {
    SigningKey::from_seed(&[0xa5; 32])
}

fn peer_key(number: u32) -> SigningKey {
    let mut seed = [0x5a; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    SigningKey::from_seed(&seed)
}
