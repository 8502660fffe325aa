//! `certificate`, `ca` and `crl`: what is taken, and what each mistake says.

use crate::config::*;
use crate::crypto::pem;
use crate::pki;
use crate::pki::samples::{Authority, Issued, Leaf};
use crate::time::WallTime;
use std::collections::BTreeSet;
use std::sync::Arc;

const TEXT: &str = r#"
[gateway]
name = "hq"
identity = "hq.example.com"
listen = ["192.0.2.1"]
private_key = "hq.key"
certificate = "hq.crt"
ca = ["old.crt", "new.crt"]
crl = ["ca.crl"]

[[vpc]]
name = "office"
prefixes = ["10.1.0.0/16"]

[[peer]]
name = "branch"
remote_address = "198.51.100.1"
static_routes = ["10.2.0.0/16"]
"#;

fn certificate(certificate: &pki::Certificate) -> String {
    pem::encode(certificate.der(), pki::CERTIFICATE).to_string()
}

struct Files {
    old: Authority,
    own: Issued,
    key: String,
    keys: KeysInMemory,
}

fn files() -> Files {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (own, key) = old.issue_with_key(Leaf::of(&["hq.example.com", "192.0.2.1"]));
    let list = old.revoke(&[99], WallTime::SIMULATED + pki::samples::DAY);
    let keys = KeysInMemory::new()
        .with("hq.key", &key)
        .with_mode("hq.crt", 0o644, &certificate(&own.certificate))
        .with_mode("old.crt", 0o644, &certificate(&old.certificate()))
        .with_mode("new.crt", 0o644, &certificate(&new.certificate()))
        .with_mode("ca.crl", 0o644, &pem::encode(list.der(), pki::CRL));
    Files { old, own, key, keys }
}

fn errors(text: &str, keys: &KeysInMemory) -> String {
    parse(text, "gateway.toml", keys).unwrap_err().to_string()
}

#[test]
fn a_peer_that_says_nothing_else_is_known_by_a_certificate() {
    let Files { own, keys, .. } = files();
    let config = parse(TEXT, "gateway.toml", &keys).unwrap();
    let (_, peer) = config.peers.first_key_value().unwrap();
    let Credentials::Certificate { own: shown, trust } = &peer.credentials else {
        panic!("{:?}", peer.credentials)
    };
    assert_eq!(shown.leaf(), &own.certificate);
    let names: Vec<&str> = trust.authorities().map(pki::Certificate::subject).collect();
    assert_eq!(names, ["CN=old", "CN=new"]);
    assert_eq!(trust.crls().len(), 1);
}

#[test]
fn a_peer_may_have_papers_of_its_own() {
    let Files { keys, .. } = files();
    let theirs = Authority::new("theirs");
    let (own, key) = theirs.issue_with_key(Leaf::of(&["hq.partner.example"]));
    let keys = keys
        .with("partner.key", &key)
        .with("partner.crt", &certificate(&own.certificate))
        .with("theirs.crt", &certificate(&theirs.certificate()));
    let text = format!(
        "{TEXT}local_identity = \"hq.partner.example\"\nca = [\"theirs.crt\"]\n\
         certificate = \"partner.crt\"\nprivate_key = \"partner.key\"\n"
    );
    let config = parse(&text, "gateway.toml", &keys).unwrap();
    let (_, peer) = config.peers.first_key_value().unwrap();
    let Credentials::Certificate { own: shown, trust } = &peer.credentials else {
        panic!("{:?}", peer.credentials)
    };
    assert_eq!(shown.leaf(), &own.certificate);
    assert_eq!(trust.authorities().next(), Some(&theirs.certificate()));
}

#[test]
fn another_way_of_a_peer_goes_before_the_authorities_of_the_gateway() {
    let keys = files().keys.with("branch.psk", "a secret of some length");
    let text = format!("{TEXT}psk_file = \"branch.psk\"\n");
    let config = parse(&text, "gateway.toml", &keys).unwrap();
    let (_, peer) = config.peers.first_key_value().unwrap();
    assert!(matches!(peer.credentials, Credentials::Psk(_)));
    let both = errors(&format!("{text}ca = [\"old.crt\"]\n"), &keys);
    assert!(both.contains("`psk_file` and `ca` exclude each other"), "{both}");
}

#[test]
fn every_mistake_says_what_to_do() {
    let Files { old, own, key, keys } = files();
    let leaf = certificate(&own.certificate);
    let root = certificate(&old.certificate());
    let (_, other_key) = old.issue_with_key(Leaf::of(&["hq.example.com"]));
    let encipher = Leaf {
        usages: vec![rcgen::KeyUsagePurpose::KeyEncipherment],
        ..Leaf::of(&["hq.example.com"])
    };
    let (no_signer, no_signer_key) = old.issue_with_key(encipher);
    let cut = leaf.replacen("MII", "AII", 1);
    for (file, contents, said) in [
        ("hq.key", other_key.as_str(), "does not belong to the private key"),
        ("hq.crt", "", "hq.crt has no \"-----BEGIN CERTIFICATE-----\" block"),
        ("hq.crt", &cut, "hq.crt does not hold a certificate: it is no X.509 certificate"),
        ("hq.crt", &key, "hq.crt has no \"-----BEGIN CERTIFICATE-----\" block"),
        ("old.crt", &leaf, "in old.crt is not the certificate of an authority"),
        ("ca.crl", &root, "ca.crl has no \"-----BEGIN X509 CRL-----\" block"),
    ] {
        let said_now = errors(TEXT, &keys.clone().with(file, contents));
        assert!(said_now.contains(said), "{file}: {said_now}");
        assert!(said_now.contains("gateway.toml:"), "the line is named: {said_now}");
    }
    let signer = keys.clone().with("hq.key", &no_signer_key);
    let signer = signer.with("hq.crt", &certificate(&no_signer.certificate));
    let said = errors(TEXT, &signer);
    assert!(said.contains("has no digitalSignature"), "{said}");

    for (from, to, said) in [
        ("identity = \"hq.example.com\"\n", "", "not for hq, the identity of this gateway"),
        ("certificate = \"hq.crt\"\n", "", "this gateway has no certificate to answer with"),
        ("private_key = \"hq.key\"\n", "", "[gateway] needs `private_key`"),
        ("[\"old.crt\", \"new.crt\"]", "[]", "with no authority no certificate can be believed"),
        ("ca = [\"old.crt\", \"new.crt\"]\n", "", "`crl` is for what the authorities of `ca`"),
        ("\"new.crt\"", "\"gone.crt\"", "the authority gone.crt cannot be read"),
        ("static_routes", "rsa_signature = \"oaep\"\nstatic_routes", "no form of RSA signatures"),
    ] {
        let said_now = errors(&TEXT.replacen(from, to, 1), &keys);
        assert!(said_now.contains(said), "{said_now}");
    }
    let exposed = keys.clone().with_mode("old.crt", 0o666, &root);
    let said = errors(TEXT, &exposed);
    assert!(said.contains("others may change old.crt") && said.contains("chmod go-w"), "{said}");
    let exposed = keys.with_mode("hq.key", 0o644, &key);
    let said = errors(TEXT, &exposed);
    assert!(said.contains("others may read or write hq.key"), "{said}");
}

#[test]
fn raw_keys_are_ed25519_keys() {
    let Files { keys, .. } = files();
    let raw = crate::crypto::sign::SigningKey::from_seed(&[7; 32]).verifying_key().to_base64();
    let said = errors(&format!("{TEXT}public_key = \"{raw}\"\n"), &keys);
    assert!(said.contains("raw public keys are Ed25519 keys"), "{said}");
}

/// The files with a certificate, a key and a list that were not there before.
fn with_new_papers(keys: KeysInMemory, old: &Authority) -> KeysInMemory {
    let (own, key) = old.issue_with_key(Leaf::of(&["hq.example.com"]));
    let list = old.revoke(&[99, 100], WallTime::SIMULATED + pki::samples::DAY);
    keys.with("hq.key", &key)
        .with("hq.crt", &certificate(&own.certificate))
        .with("ca.crl", &pem::encode(list.der(), pki::CRL))
}

/// What the files hold now, taken over into a configuration that runs.
fn renewed(
    config: &Config,
    files: &PaperFiles,
    keys: &KeysInMemory,
) -> Result<Option<Config>, String> {
    config.renewed(files, &files.read(keys)?, WallTime::SIMULATED)
}

#[test]
fn new_papers_take_the_place_of_old_ones_and_nothing_else_changes() {
    let Files { old, keys, .. } = files();
    let text = format!("{TEXT}rsa_signature = \"pkcs1\"\n");
    let config = parse(&text, "gateway.toml", &keys).unwrap();
    let files = config.paper_files();
    let paths: Vec<_> = files.iter().map(|files| files.paths()).collect();
    assert_eq!(paths, [vec!["hq.crt", "hq.key"], vec!["old.crt", "new.crt", "ca.crl"]]);
    for files in &files {
        assert_eq!(renewed(&config, files, &keys), Ok(None), "they hold what runs");
    }
    let keys = with_new_papers(keys, &old);
    let expected = parse(&text, "gateway.toml", &keys).unwrap();
    let all = files.iter().fold(config.clone(), |config, files| {
        assert_ne!(config, expected);
        renewed(&config, files, &keys).unwrap().expect("they are new")
    });
    assert_eq!(all, expected);
}

#[test]
fn papers_that_are_of_no_use_are_not_taken() {
    let Files { old, own, keys, .. } = files();
    let config = parse(TEXT, "gateway.toml", &keys).unwrap();
    let (renewal, key) = old.issue_with_key(Leaf::of(&["hq.example.com"]));
    let renewal = certificate(&renewal.certificate);
    let (stranger, stranger_key) = old.issue_with_key(Leaf::of(&["branch.example.com"]));
    let half = &renewal[..renewal.len() / 2];
    let lists =
        pem::encode(old.revoke(&[1], WallTime::SIMULATED + pki::samples::DAY).der(), pki::CRL)
            .to_string();
    for (changes, said) in [
        (&[("hq.crt", renewal.as_str())][..], "hq.crt: the certificate CN=hq.example.com"),
        (&[("hq.key", &key)], "does not belong to the private key"),
        (&[("hq.crt", half), ("hq.key", &key)], "hq.crt does not hold a certificate"),
        (&[("hq.key", "")], "hq.key does not hold a private key"),
        (
            &[("hq.crt", &certificate(&stranger.certificate)), ("hq.key", &stranger_key)],
            "is not for hq.example.com, which this gateway is to branch",
        ),
        (&[("old.crt", &certificate(&own.certificate))], "is not the certificate of an authority"),
        (&[("ca.crl", &lists[..lists.len() / 2])], "ca.crl does not hold a revocation list"),
    ] {
        let put = |keys: KeysInMemory, (file, text): &(&str, &str)| keys.with(file, text);
        let keys = changes.iter().fold(keys.clone(), put);
        let changed = changes.iter().map(|(file, _)| *file).next().unwrap();
        let files = config.paper_files();
        let files = files.iter().find(|files| files.paths().contains(&changed)).unwrap();
        let why = renewed(&config, files, &keys).unwrap_err();
        assert!(why.contains(said), "{why}");
    }
}

/// A restore, or a copy from somewhere else, is no word of an operator.
#[test]
fn what_is_worse_than_what_runs_is_not_taken_by_itself() {
    let Files { old, keys, .. } = files();
    let config = parse(TEXT, "gateway.toml", &keys).unwrap();
    let at = |days: u32| WallTime::SIMULATED + days * pki::samples::DAY;
    let refused = |config: &Config, name: &str, keys: &KeysInMemory, wall: WallTime| {
        let files = config.paper_files();
        let files = files.iter().find(|files| files.paths().contains(&name)).unwrap();
        config.renewed(files, &files.read(keys).unwrap(), wall)
    };
    let leaf = |from, until| Leaf { from, until, ..Leaf::of(&["hq.example.com"]) };
    for (now, from, until) in [(20, 0, 10), (1, 2, 30)] {
        let (other, key) = old.issue_with_key(leaf(at(from), at(until)));
        let keys = keys.clone().with("hq.key", &key).with_mode(
            "hq.crt",
            0o644,
            &certificate(&other.certificate),
        );
        let why = refused(&config, "hq.crt", &keys, at(now)).unwrap_err();
        assert!(why.contains("which is not now"), "{why}");
        // Nor is what runs: then it is no worse.
        assert!(refused(&config, "hq.crt", &keys, at(31)).unwrap().is_some());
    }
    let list = |serial, day| {
        let list = old.revoke_at(&[serial], at(day), at(30));
        keys.clone().with_mode("ca.crl", 0o644, &pem::encode(list.der(), pki::CRL))
    };
    let newer = refused(&config, "ca.crl", &list(100, 1), at(2)).unwrap().expect("it is newer");
    let why = refused(&newer, "ca.crl", &keys, at(2)).unwrap_err();
    assert!(why.contains("revocation list of CN=old is of 2025-01-01"), "{why}");
    assert!(
        refused(&newer, "ca.crl", &list(101, 1), at(2)).unwrap().is_some(),
        "as old is no older"
    );
}

/// Nor is a private key in memory as often as there are peers.
#[test]
fn what_peers_share_they_share_after_a_renewal() {
    let Files { old, keys, .. } = files();
    let more = |at: u8| {
        format!(
            "[[peer]]\nname = \"p{at}\"\nremote_address = \"198.51.100.{at}\"\n\
             static_routes = [\"10.{at}.0.0/16\"]\n"
        )
    };
    let text = format!("{TEXT}{}", (10..60).map(more).collect::<String>());
    let config = parse(&text, "gateway.toml", &keys).unwrap();
    let keys = with_new_papers(keys, &old);
    let all = config.paper_files().iter().fold(config, |config, files| {
        renewed(&config, files, &keys).unwrap().expect("they are new")
    });
    let papers: BTreeSet<_> = all
        .peers
        .values()
        .map(|peer| match &peer.credentials {
            Credentials::Certificate { own, trust } => (Arc::as_ptr(own), Arc::as_ptr(trust)),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!((all.peers.len(), papers.len()), (51, 1));
}
