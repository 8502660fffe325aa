//! Seeds for certificates, lists and keys.

use super::{Seed, seed};
use crate::crypto::sign::SigningKey;
use crate::fuzzing::certificates::{certificate_chain, chain, list};

pub(super) fn all() -> Vec<Seed> {
    let [root, between, leaf, deep] = chain();
    let shown = |certificates: &[&Vec<u8>]| -> Vec<u8> {
        let one = |der: &&Vec<u8>| [&(der.len() as u16).to_be_bytes()[..], der].concat();
        certificates.iter().flat_map(one).collect()
    };
    let key = SigningKey::from_seed(&[3; 32]).to_pkcs8_pem();
    vec![
        seed("certificate_chain", "leaf", shown(&[&leaf])),
        seed("certificate_chain", "chain", shown(&[&deep, &between, &root])),
        seed("certificate_chain", "authority", shown(&[&root])),
        seed("revocation_list", "one", list()),
        seed("private_key", "ed25519.pem", key.as_bytes()),
    ]
}

#[test]
fn the_seeds_are_believed() {
    let shown = |name: &str| all().into_iter().find(|(_, have, _)| have == name).unwrap().2;
    for name in ["leaf", "chain"] {
        certificate_chain(&shown(name));
    }
    assert_eq!(chain(), chain(), "the authority is always the same");
}
