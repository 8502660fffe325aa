//! Texts: what operators write and what clients of the control socket ask.

use crate::config::{self, KeyFile, KeyFiles};
use crate::control::{Reply, Request};
use crate::crypto::secret::Secret;
use crate::crypto::sign::{SigningKey, VerifyingKey};
use crate::crypto::suite::{EspSuite, IkeSuite};

/// A configuration is refused with errors that can be shown, or read; both without files.
pub fn config_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match config::parse(&text, "fuzzed.toml", &KeysForEveryone) {
        Ok(config) => assert_eq!(config.clone().numbered_like(&config), config),
        Err(errors) => {
            assert!(!errors.errors().is_empty());
            assert!(!errors.render(false).is_empty() && !errors.render(true).is_empty());
        }
    }
}

/// Finds a fitting key at every path.
struct KeysForEveryone;

impl KeyFiles for KeysForEveryone {
    fn read(&self, path: &str) -> Result<KeyFile, String> {
        let key = SigningKey::from_seed(&[7; 32]);
        let contents = match path.rsplit('.').next() {
            Some("pub") => key.verifying_key().to_base64().into_bytes(),
            Some("psk") => b"correct horse battery staple".to_vec(),
            _ => key.to_pkcs8_pem().as_bytes().to_vec(),
        };
        Ok(KeyFile { mode: 0o600, wanted: 0o600, stranger: None, contents: Secret::from(contents) })
    }
}

/// A request, `METHOD target`, that was understood is written and understood again; one that was
/// not has a reply that says so.
pub fn control_request(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (method, target) = text.split_once(' ').unwrap_or((&text, ""));
    match Request::from_http(method, target) {
        Ok(request) => {
            let (method, target) = request.to_http();
            assert_eq!(Request::from_http(method.as_str(), &target), Ok(request));
        }
        Err(failure) => {
            let reply = Reply::Failed(failure).to_http();
            assert!((400..500).contains(&reply.status));
        }
    }
}

/// A key that was read is written and read again, from PEM, DER and base64.
pub fn key_file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let from_pem = SigningKey::from_pkcs8_pem(&text);
    for key in from_pem.into_iter().chain(SigningKey::from_pkcs8_der(bytes)) {
        assert_eq!(SigningKey::from_pkcs8_pem(&key.to_pkcs8_pem()).as_ref(), Ok(&key));
    }
    let parsed = text.parse::<VerifyingKey>();
    for key in parsed.into_iter().chain(VerifyingKey::from_spki_der(bytes)) {
        assert_eq!(key.to_base64().parse(), Ok(key));
        assert_eq!(VerifyingKey::from_spki_pem(&key.to_spki_pem()), Ok(key));
    }
}

/// A suite that was read reads back from its own name; a refusal can be said.
pub fn suite_name(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<IkeSuite>() {
        Ok(suite) => assert_eq!(suite.to_string().parse(), Ok(suite)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match text.parse::<EspSuite>() {
        Ok(suite) => assert_eq!(suite.to_string().parse(), Ok(suite)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
