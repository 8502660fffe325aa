//! When files that belong together are read: once after each change, and not while they change. Who
//! renews a certificate with a new key writes two files, and nobody else can know when both are there.

use crate::os::file::Stamp;

/// What each of the files shows, in their order; `None` is a file that is missing.
type Stamps = Vec<Option<Stamp>>;

/// What was seen of files so far. At first nothing was: they are read when they stand still.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// At the last look.
    seen: Option<Stamps>,
    /// When they were read last.
    read: Option<Stamps>,
}

impl Look {
    /// Whether files that show this now are to be read: they are not as they were read, and have not
    /// changed since the last look.
    pub(super) fn is_to_be_read(&mut self, now: Stamps) -> bool {
        let stands_still = self.seen.as_ref() == Some(&now);
        let is_known = self.read.as_ref() == Some(&now);
        self.seen = Some(now);
        stands_still && !is_known
    }

    /// Whether what was read counts, when the files show this afterwards: they have not changed
    /// meanwhile, so that it was not a part of one state and a part of another.
    pub(super) fn counts_after(&mut self, now: Stamps) -> bool {
        let counts = self.seen.as_ref() == Some(&now);
        if counts {
            self.read = Some(now);
        }
        counts
    }
}

#[cfg(test)]
mod tests;
