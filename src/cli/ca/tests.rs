use super::*;
use crate::cli::look::tests::PLAIN;
use crate::config::{self, KeyFile, KeyFiles};
use crate::crypto::secret::Secret;
use crate::pki::{Question, Refusal, Trust, Vouched};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;

pub(super) const QUIET: Look = Look { json: true, ..PLAIN };

/// An authority in a folder of its own.
pub(super) fn authority() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("ca");
    run(&CaCommand::Init { folder: folder.clone(), name: "test CA".to_owned(), days: 90 }, QUIET)
        .unwrap();
    (home, folder)
}

pub(super) fn issue_for(
    folder: &Path,
    name: &str,
    key: KeyKind,
    output: &Path,
) -> Result<ExitCode> {
    let also = vec!["192.0.2.7".to_owned(), "2001:db8::7".to_owned()];
    let (folder, output) = (folder.to_owned(), output.to_owned());
    let name = name.to_owned();
    run(&CaCommand::Issue { folder, name, also, days: 30, key, output }, QUIET)
}

/// Of one file, or of all that is due.
fn renewal(folder: &Path, file: Option<&Path>, days: u16) -> CaCommand {
    let (folder, due) = (folder.to_owned(), file.is_none());
    CaCommand::Renew { folder, file: file.map(Path::to_owned), days, due }
}

/// What a gateway with `ca.crt` and `ca.crl` of this folder finds out about a certificate.
pub(super) fn judged(folder: &Path, file: &Path, identity: &str) -> Result<Vouched, Refusal> {
    let list = fs::read_to_string(folder.join("ca.crl")).unwrap();
    let list = crate::crypto::pem::decode(&list, crate::pki::CRL).unwrap();
    let list = crate::pki::Crl::from_der(&list).unwrap();
    let anchor = read_certificate(&folder.join("ca.crt")).unwrap();
    let presented = [read_certificate(file).unwrap().der().to_vec()];
    Question {
        trust: Arc::new(Trust::new(vec![anchor], vec![list]).unwrap()),
        presented: Arc::from(presented),
        identity: identity.parse().unwrap(),
        at: Clock::wall(),
    }
    .answer()
}

#[test]
fn what_is_issued_is_taken_until_it_is_revoked() {
    let (home, folder) = authority();
    for (key, name) in [
        (KeyKind::P256, "a.example"),
        (KeyKind::P384, "b.example"),
        (KeyKind::Ed25519, "c.example"),
    ] {
        issue_for(&folder, name, key, home.path()).unwrap();
        let file = home.path().join(format!("{name}.crt"));
        for identity in [name, "192.0.2.7", "2001:db8::7"] {
            assert!(judged(&folder, &file, identity).is_ok(), "{identity}");
        }
    }
    let revoke = |which: &[&str]| {
        let which = which.iter().map(|word| (*word).to_owned()).collect();
        run(&CaCommand::Revoke { folder: folder.clone(), which, days: 30 }, QUIET)
    };
    let refused = |name: &str| {
        let file = home.path().join(format!("{name}.crt"));
        matches!(judged(&folder, &file, name), Err(Refusal::Revoked { .. }))
    };
    revoke(&["a.example"]).unwrap();
    assert_eq!(["a", "b", "c"].map(|one| refused(&format!("{one}.example"))), [true, false, false]);
    let file = home.path().join("b.example.crt").display().to_string();
    revoke(&[&file]).unwrap();
    let serial = read_certificate(&home.path().join("c.example.crt")).unwrap().serial().to_owned();
    revoke(&[&serial.replace(':', "").to_lowercase()]).unwrap();
    assert_eq!(["a", "b", "c"].map(|one| refused(&format!("{one}.example"))), [true; 3]);
    revoke(&[]).unwrap();
    assert!(refused("a.example"), "a list that is only signed anew revokes what it did");
    assert!(revoke(&["a.example"]).unwrap_err().to_string().contains("revoked already"));
    assert!(revoke(&["nobody.example"]).unwrap_err().to_string().contains("vpnctl ca list"));
    run(&CaCommand::List { folder }, QUIET).unwrap();
}

#[test]
fn private_keys_are_for_their_owner_only_and_never_overwritten() {
    let (home, folder) = authority();
    issue_for(&folder, "a.example", KeyKind::P256, home.path()).unwrap();
    for file in [folder.join("ca.key"), home.path().join("a.example.key")] {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let again = issue_for(&folder, "a.example", KeyKind::P256, home.path()).unwrap_err();
    assert!(again.to_string().contains("exists already; `vpnctl ca renew`"), "{again}");
    let init = CaCommand::Init { folder: folder.clone(), name: "x".to_owned(), days: 1 };
    assert!(run(&init, QUIET).unwrap_err().to_string().contains("is an authority already"));
}

#[test]
fn a_renewed_certificate_is_for_the_same_key_and_names() {
    let (home, folder) = authority();
    issue_for(&folder, "a.example", KeyKind::P256, home.path()).unwrap();
    let file = home.path().join("a.example.crt");
    let old = read_certificate(&file).unwrap();
    let renew = |days| run(&renewal(&folder, Some(&file), days), QUIET);
    renew(60).unwrap();
    let new = read_certificate(&file).unwrap();
    assert_eq!((new.public_key(), new.names()), (old.public_key(), old.names()));
    assert!(new.not_after() > old.not_after() && new.serial() != old.serial());
    let long = renew(91).unwrap_err();
    assert!(long.to_string().contains("the authority itself expires"), "{long}");
    let which = vec![file.display().to_string()];
    run(&CaCommand::Revoke { folder: folder.clone(), which, days: 30 }, QUIET).unwrap();
    assert!(renew(60).unwrap_err().to_string().contains("is revoked"));
    let (_other_home, other) = authority();
    let foreign = renewal(&other, Some(&file), 30);
    let said = run(&foreign, QUIET).unwrap_err().to_string();
    assert!(said.contains("was not issued by this authority"), "{said}");
}

/// A key that nobody has is not what a gateway is to have, and nothing is renewed for it.
#[test]
fn what_cannot_be_written_was_never_issued() {
    let (home, folder) = authority();
    issue_for(&folder, "a.example", KeyKind::P256, home.path()).unwrap();
    let open = Folder::open(&folder).unwrap();
    let before = (open.issued().unwrap(), read_certificate(&open.current("a.example")).unwrap());
    let nowhere = home.path().join("nowhere");
    issue_for(&folder, "a.example", KeyKind::P256, &nowhere).unwrap_err();
    fs::rename(folder.join("ca.key"), folder.join("away")).unwrap();
    let output = home.path().join("output");
    fs::create_dir(&output).unwrap();
    issue_for(&folder, "a.example", KeyKind::P256, &output).unwrap_err();
    assert_eq!(fs::read_dir(&output).unwrap().count(), 0, "no key that is of no use");
    let after = (open.issued().unwrap(), read_certificate(&open.current("a.example")).unwrap());
    assert_eq!(after, before);
}

#[test]
fn the_record_of_what_was_issued_stays_when_one_of_it_is_renewed() {
    let (home, folder) = authority();
    issue_for(&folder, "a.example", KeyKind::P256, home.path()).unwrap();
    let open = Folder::open(&folder).unwrap();
    let old = read_certificate(&home.path().join("a.example.crt")).unwrap();
    run(&renewal(&folder, Some(&open.copy_of(&old)), 60), QUIET).unwrap();
    assert!(open.has_issued(&old).unwrap(), "it can still be revoked");
    let new = read_certificate(&open.current("a.example")).unwrap();
    assert!(open.has_issued(&new).unwrap() && new.not_after() > old.not_after());
    // Whoever had the record broken by another hand revokes each serial number once.
    fs::copy(open.copy_of(&new), folder.join("issued/again.crt")).unwrap();
    let which = vec!["a.example".to_owned()];
    run(&CaCommand::Revoke { folder: folder.clone(), which, days: 30 }, QUIET).unwrap();
    assert_eq!(open.revoked().unwrap().len(), 2);
}

#[test]
fn what_is_no_name_is_not_issued() {
    let (home, folder) = authority();
    for name in ["keyid:7", "two words"] {
        assert!(issue_for(&folder, name, KeyKind::P256, home.path()).is_err(), "{name}");
    }
    let nowhere = issue_for(home.path(), "a.example", KeyKind::P256, home.path()).unwrap_err();
    assert!(nowhere.to_string().contains("vpnctl ca init"), "{nowhere}");
}

/// Finds files of a folder.
struct OnDisk<'d>(&'d Path);

impl KeyFiles for OnDisk<'_> {
    fn read(&self, path: &str) -> Result<KeyFile, String> {
        let contents = fs::read(self.0.join(path)).map_err(|error| error.to_string())?;
        Ok(KeyFile { mode: 0o600, wanted: 0o600, stranger: None, contents: Secret::from(contents) })
    }
}

/// What it writes is what a configuration takes.
#[test]
fn a_gateway_takes_what_is_written() {
    let (home, folder) = authority();
    issue_for(&folder, "hq.example", KeyKind::P256, home.path()).unwrap();
    let text = "[gateway]\nname = \"hq\"\nidentity = \"hq.example\"\nlisten = [\"192.0.2.1\"]\n\
                private_key = \"hq.example.key\"\ncertificate = \"hq.example.crt\"\n\
                ca = [\"ca/ca.crt\"]\ncrl = [\"ca/ca.crl\"]\n\
                [[vpc]]\nname = \"v\"\nprefixes = [\"10.1.0.0/16\"]\n\
                [[peer]]\nname = \"b\"\nremote_address = \"192.0.2.2\"\n\
                static_routes = [\"10.2.0.0/16\"]\n";
    let config = config::parse(text, "hq.toml", &OnDisk(home.path()));
    assert_eq!(config.unwrap_or_else(|errors| panic!("{errors}")).peers.len(), 1);
}
