use super::*;
use crate::cli::args::{CaCommand, KeyKind};
use crate::cli::ca::folder::read_certificate;
use crate::cli::ca::tests::{QUIET, authority, issue_for, judged};
use crate::cli::ca::{DAY, run};
use crate::os::clock::Clock;
use std::path::{Path, PathBuf};

fn later(days: u32) -> WallTime {
    Clock::wall() + days * DAY
}

fn due(folder: &Path, now: WallTime) -> Ending {
    renew_due(&Folder::open_to_change(folder).unwrap(), 30, now, QUIET).unwrap()
}

/// Whose certificates there are, and what becomes of them.
fn fates(folder: &Path, now: WallTime) -> Vec<(String, Fate)> {
    let open = Folder::open(folder).unwrap();
    let (issued, revoked) = (open.issued().unwrap(), open.revoked().unwrap());
    let standing = standing(&issued, &revoked, open.authority().not_after(), now);
    standing.into_iter().map(|(name, _, fate)| (name, fate)).collect()
}

/// Serial numbers of what the gateways of these names are to have.
fn current(folder: &Path, names: &[&str]) -> Vec<String> {
    let file = |name: &&str| folder.join("current").join(format!("{name}.crt"));
    names.iter().map(|name| read_certificate(&file(name)).unwrap().serial().to_owned()).collect()
}

#[test]
fn a_fleet_is_renewed_when_a_third_of_a_life_is_left_and_not_before() {
    let (home, folder) = authority();
    let names = ["a.example", "b.example"];
    for (name, key) in names.iter().zip([KeyKind::P256, KeyKind::Ed25519]) {
        issue_for(&folder, name, key, home.path()).unwrap();
    }
    let first = current(&folder, &names);
    due(&folder, later(19));
    assert_eq!(current(&folder, &names), first, "eleven days are left");
    due(&folder, later(21));
    let second = current(&folder, &names);
    assert!(first.iter().zip(&second).all(|(old, new)| old != new), "{first:?} {second:?}");
    for name in names {
        let new = read_certificate(&folder.join("current").join(format!("{name}.crt"))).unwrap();
        let old = read_certificate(&home.path().join(format!("{name}.crt"))).unwrap();
        assert_eq!((new.public_key(), new.names()), (old.public_key(), old.names()));
        assert_eq!(new.not_after().since(old.not_after()) / 3600, 21 * 24 * Duration::from_secs(1));
    }
    due(&folder, later(21));
    assert_eq!(current(&folder, &names), second, "once is enough");
}

#[test]
fn the_list_is_signed_anew_before_it_is_late_and_revokes_what_it_did() {
    let (home, folder) = authority();
    issue_for(&folder, "a.example", KeyKind::P256, home.path()).unwrap();
    let which = vec!["a.example".to_owned()];
    run(&CaCommand::Revoke { folder: folder.clone(), which, days: 30 }, QUIET).unwrap();
    let life = || Folder::open(&folder).unwrap().list_life().unwrap().unwrap();
    let first = life();
    due(&folder, later(19));
    assert_eq!(life(), first);
    due(&folder, later(21));
    assert_eq!(life().1.since(first.1).as_secs().div_ceil(3600), 21 * 24);
    let file = home.path().join("a.example.crt");
    assert!(judged(&folder, &file, "a.example").is_err(), "it stays revoked");
}

/// Who signed it was cut off before it was there, or the authority is older than the folder.
#[test]
fn what_its_gateway_is_to_have_is_put_there_again() {
    let (home, folder) = authority();
    issue_for(&folder, "a.example", KeyKind::P256, home.path()).unwrap();
    let before = current(&folder, &["a.example"]);
    std::fs::remove_dir_all(folder.join("current")).unwrap();
    due(&folder, later(1));
    assert_eq!(current(&folder, &["a.example"]), before);
}

/// Whoever has taken a gateway's key away must not get certificates for it for ever.
#[test]
fn what_is_revoked_replaced_or_expired_is_not_renewed() {
    let (home, folder) = authority();
    let names = ["revoked.example", "gone.example"];
    for name in names {
        issue_for(&folder, name, KeyKind::P256, home.path()).unwrap();
    }
    // A newer certificate for the same key, and the old one is revoked.
    due(&folder, later(21));
    let file = home.path().join("revoked.example.crt").display().to_string();
    let revoke = CaCommand::Revoke { folder: folder.clone(), which: vec![file], days: 90 };
    run(&revoke, QUIET).unwrap();
    let before = current(&folder, &names);
    due(&folder, later(60));
    assert_eq!(current(&folder, &names), before, "one is revoked, the other has expired");
    let expired = Fate::Left(Unrenewed::Expired);
    assert_eq!(fates(&folder, later(55)), [("gone.example".to_owned(), expired)]);
    assert_eq!(fates(&folder, later(60)), [("gone.example".to_owned(), Fate::Over)]);
}

/// Two gateways with one name, or one that has a new key and uses the old one, are told of.
#[test]
fn of_several_keys_the_last_is_renewed_and_the_others_are_not_in_silence() {
    let (home, folder) = authority();
    let (first, second) = (home.path().join("1"), home.path().join("2"));
    for output in [&first, &second] {
        std::fs::create_dir(output).unwrap();
        issue_for(&folder, "a.example", KeyKind::P256, output).unwrap();
        // The dates of certificates are in seconds.
        due(&folder, later(21));
    }
    let revoke = |file: &Path| {
        let which = vec![file.display().to_string()];
        run(&CaCommand::Revoke { folder: folder.clone(), which, days: 30 }, QUIET).unwrap();
    };
    let named = |fates: &[Fate]| -> Vec<(String, Fate)> {
        fates.iter().map(|fate| ("a.example".to_owned(), *fate)).collect()
    };
    let superseded = Fate::Left(Unrenewed::Superseded);
    assert_eq!(fates(&folder, later(22)), named(&[Fate::Fresh, superseded]));
    let key = |file: PathBuf| read_certificate(&file).unwrap().public_key().to_vec();
    let shown = key(folder.join("current/a.example.crt"));
    assert_eq!(shown, key(first.join("a.example.crt")), "it was renewed last");
    revoke(&first.join("a.example.crt"));
    let gone = Fate::Left(Unrenewed::KeyRevoked);
    assert_eq!(fates(&folder, later(22)), named(&[gone, Fate::Renewed]));
}

#[test]
fn what_was_issued_for_long_is_renewed_for_as_long() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("ca");
    let name = "test CA".to_owned();
    run(&CaCommand::Init { folder: folder.clone(), name, days: 3650 }, QUIET).unwrap();
    let order = CaCommand::Issue {
        folder: folder.clone(),
        name: "a.example".to_owned(),
        also: Vec::new(),
        days: 365,
        key: KeyKind::P256,
        output: home.path().to_owned(),
    };
    run(&order, QUIET).unwrap();
    assert_eq!(due(&folder, later(244)), Ending::Well, "its authority is there for years");
    let new = read_certificate(&folder.join("current/a.example.crt")).unwrap();
    assert_eq!(days_of(&new), 365);
    assert!(new.not_after() > later(600));
}

/// A week after the end of the list every gateway refuses every certificate.
#[test]
fn one_file_that_is_broken_holds_up_neither_the_list_nor_other_names() {
    let (home, folder) = authority();
    issue_for(&folder, "a.example", KeyKind::P256, home.path()).unwrap();
    issue_for(&folder, "b.example", KeyKind::P256, home.path()).unwrap();
    let broken = folder.join("issued/1.crt");
    std::fs::write(&broken, "nothing").unwrap();
    // Nothing can be put there for one of the two.
    std::fs::remove_file(folder.join("current/a.example.crt")).unwrap();
    std::fs::create_dir(folder.join("current/a.example.crt")).unwrap();
    let before = (current(&folder, &["b.example"]), list_end(&folder));
    assert_eq!(due(&folder, later(21)), Ending::Refused);
    let after = (current(&folder, &["b.example"]), list_end(&folder));
    assert!(after.0 != before.0 && after.1 > before.1, "{before:?} {after:?}");
    std::fs::remove_file(&broken).unwrap();
    std::fs::remove_dir(folder.join("current/a.example.crt")).unwrap();
    assert_eq!(due(&folder, later(21)), Ending::Well);
    assert!(folder.join("current/a.example.crt").is_file());
}

fn list_end(folder: &Path) -> WallTime {
    Folder::open(folder).unwrap().list_life().unwrap().unwrap().1
}

#[test]
fn what_an_authority_signs_ends_with_it_and_it_signs_no_second_one_that_does() {
    let (home, folder) = authority();
    issue_for(&folder, "a.example", KeyKind::P256, home.path()).unwrap();
    for day in [21, 42] {
        due(&folder, later(day));
    }
    due(&folder, later(63));
    let open = Folder::open(&folder).unwrap();
    let last = read_certificate(&open.current("a.example")).unwrap();
    assert_eq!(last.not_after(), open.authority().not_after());
    let serials = current(&folder, &["a.example"]);
    assert_eq!(due(&folder, later(82)), Ending::Down, "somebody has to do something");
    assert_eq!(current(&folder, &["a.example"]), serials);
    let left = Fate::Left(Unrenewed::EndsWithAuthority);
    assert_eq!(fate(&last, open.authority().not_after(), later(82)), left);
}

#[test]
fn a_name_with_a_slash_stays_in_its_folder() {
    let (_home, folder) = authority();
    let file = Folder::open(&folder).unwrap().current("../x@example.com");
    assert_eq!(file, folder.join("current/..%2Fx@example.com.crt"));
    let open = Folder::open(&folder).unwrap();
    assert_ne!(open.current("a/b@x"), open.current("a%2Fb@x"), "and keeps to its own");
}
