//! The keys of a peer's SAs, for whoever reads a capture. They are told to root alone, on a request
//! of their own, and nothing else here holds a key.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::fmt::Write;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// `POST /v1/peers/{name}/keys`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeysView {
    /// Who answers.
    pub gateway: String,
    /// Whose SAs.
    pub peer: String,
    /// Those of its IKE SAs.
    pub ike: Vec<IkeKeysView>,
    /// Those of its Child SAs, one for each direction.
    pub esp: Vec<EspKeysView>,
}

/// The keys that protect the messages of an IKE SA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IkeKeysView {
    /// The initiator's SPI in hexadecimal.
    pub initiator_spi: String,
    /// The responder's SPI in hexadecimal.
    pub responder_spi: String,
    /// The suite.
    pub suite: String,
    /// SK_ei ‖ SK_ai.
    pub initiator: KeyText,
    /// SK_er ‖ SK_ar.
    pub responder: KeyText,
}

/// The keys of ESP in one direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EspKeysView {
    /// Who sends.
    pub from: IpAddr,
    /// Who receives.
    pub to: IpAddr,
    /// The SPI in hexadecimal.
    pub spi: String,
    /// The suite.
    pub suite: String,
    /// Encryption key with its salt ‖ integrity key.
    pub key: KeyText,
}

/// A key in hexadecimal: wiped when it is dropped, and never in a log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyText(Zeroizing<String>);

impl KeyText {
    /// The key itself. Never log it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&[u8]> for KeyText {
    fn from(octets: &[u8]) -> KeyText {
        let mut text = String::with_capacity(octets.len() * 2);
        for octet in octets {
            let _ = write!(text, "{octet:02x}"); // a String takes everything
        }
        KeyText(Zeroizing::new(text))
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("«redacted»")
    }
}
