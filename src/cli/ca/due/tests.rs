use super::*;
use crate::cli::args::{CaCommand, KeyKind};
use crate::cli::ca::folder::read_certificate;
use crate::cli::ca::tests::{QUIET, authority, issue_for, judged};
use crate::cli::ca::{DAY, run};
use crate::os::clock::Clock;
use std::path::Path;

fn later(days: u32) -> WallTime {
    Clock::wall() + days * DAY
}

fn due(folder: &Path, now: WallTime) {
    renew_due(&Folder::open_to_change(folder).unwrap(), 30, now, QUIET).unwrap();
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
    let open = Folder::open(&folder).unwrap();
    let standing = standing(&open.issued().unwrap(), &open.revoked().unwrap());
    assert_eq!(standing.keys().collect::<Vec<_>>(), ["gone.example"]);
    let end = open.authority().not_after();
    assert_eq!(fate(&standing["gone.example"], end, later(60)), Fate::Expired);
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
    due(&folder, later(82));
    assert_eq!(current(&folder, &["a.example"]), serials);
    assert_eq!(fate(&last, open.authority().not_after(), later(82)), Fate::EndsWithAuthority);
}

#[test]
fn a_name_with_a_slash_stays_in_its_folder() {
    let (_home, folder) = authority();
    let file = Folder::open(&folder).unwrap().current("../x@example.com");
    assert_eq!(file, folder.join("current/.._x@example.com.crt"));
}
