use super::*;
use crate::os::file;
use std::fs;
use std::path::{Path, PathBuf};

/// A certificate and its key on disk, and what is known of them.
struct Rig {
    folder: tempfile::TempDir,
    look: Look,
}

impl Rig {
    fn new() -> Rig {
        let rig = Rig { folder: tempfile::tempdir().unwrap(), look: Look::default() };
        rig.write("crt", "one");
        rig.write("key", "one");
        rig
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        file::replace(&self.path(name), text.as_bytes(), 0o600).unwrap();
    }

    fn stamps(&self) -> Stamps {
        ["crt", "key"].map(|name| file::stamp(&self.path(name))).to_vec()
    }

    /// Whether they are read at the next look; nothing changes while they are.
    fn reads(&mut self) -> bool {
        let stamps = self.stamps();
        let reads = self.look.is_to_be_read(stamps.clone());
        if reads {
            assert!(self.look.counts_after(stamps), "nothing has changed");
        }
        reads
    }

    /// All is read that was to be.
    fn settles(&mut self) {
        (0..3).for_each(|_| {
            self.reads();
        });
    }
}

/// They may have changed between the start of the gateway and the first look.
#[test]
fn files_are_read_once_when_nothing_is_known_of_them() {
    let mut rig = Rig::new();
    assert_eq!([0; 4].map(|_| rig.reads()), [false, true, false, false]);
}

#[test]
fn a_change_is_read_once_when_the_files_stand_still() {
    let mut rig = Rig::new();
    rig.settles();
    rig.write("crt", "two");
    assert!(!rig.reads(), "the key may follow");
    rig.write("key", "two");
    assert!(!rig.reads(), "it has just come");
    assert_eq!([0; 3].map(|_| rig.reads()), [true, false, false]);
}

#[test]
fn what_changes_while_it_is_read_is_read_again() {
    let mut rig = Rig::new();
    assert!(!rig.reads());
    let before = rig.stamps();
    assert!(rig.look.is_to_be_read(before));
    rig.write("key", "two");
    assert!(!rig.look.counts_after(rig.stamps()));
    assert_eq!([0; 3].map(|_| rig.reads()), [false, true, false]);
}

#[test]
fn a_file_that_goes_and_comes_is_a_change_each_time() {
    let mut rig = Rig::new();
    rig.settles();
    fs::remove_file(rig.path("key")).unwrap();
    assert_eq!([0; 3].map(|_| rig.reads()), [false, true, false]);
    rig.write("key", "one");
    assert_eq!([0; 3].map(|_| rig.reads()), [false, true, false]);
}

/// Kubernetes has a link to a folder, and swaps that one link; others swap a link to the file.
#[test]
fn a_link_that_leads_elsewhere_is_a_change() {
    let mut rig = Rig::new();
    for version in ["1", "2"] {
        fs::create_dir(rig.path(version)).unwrap();
        fs::write(rig.path(version).join("crt"), "same length").unwrap();
    }
    let link = |to: &str, at: &Path| {
        let beside = at.with_extension("new");
        std::os::unix::fs::symlink(to, &beside).unwrap();
        fs::rename(beside, at).unwrap();
    };
    link("1", &rig.path("data"));
    link("data/crt", &rig.path("crt"));
    rig.settles();
    link("2", &rig.path("data"));
    assert_eq!([0; 3].map(|_| rig.reads()), [false, true, false]);
}
