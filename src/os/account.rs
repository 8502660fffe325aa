//! The user that the packaged service runs as, and what of the host's files it may read.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Group, User};

/// The user and the group that the packages make.
pub const SERVICE: &str = "vpngw";

/// A user of this host.
#[derive(Clone, Debug, PartialEq)]
pub struct Account(User);

impl Account {
    /// The user of the service; `None` on a host without the package.
    pub fn of_service() -> Option<Account> {
        Account::named(SERVICE)
    }

    /// The user of this name.
    pub fn named(name: &str) -> Option<Account> {
        User::from_name(name).ok().flatten().map(Account)
    }

    /// The user's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The user id.
    pub fn uid(&self) -> u32 {
        self.0.uid.as_raw()
    }

    /// The id of the user's own group.
    pub fn gid(&self) -> u32 {
        self.0.gid.as_raw()
    }

    /// Whether the mode gives the user this right (in the bits of others).
    pub fn may(&self, facts: &Metadata, right: u32) -> bool {
        let mode = facts.mode();
        if self.0.uid.is_root() {
            true
        } else if facts.uid() == self.uid() {
            mode & (right << 6) != 0
        } else if self.is_member(facts.gid()) {
            mode & (right << 3) != 0
        } else {
            mode & right != 0
        }
    }

    fn is_member(&self, gid: u32) -> bool {
        let group = Group::from_gid(gid.into()).ok().flatten();
        self.gid() == gid || group.is_some_and(|group| group.mem.contains(&self.0.name))
    }

    /// Whether a folder is set aside for this user to read: it belongs to the user's own group.
    pub fn has(&self, folder: &Path) -> bool {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        std::fs::metadata(here).is_ok_and(|facts| facts.gid() == self.gid())
    }
}
