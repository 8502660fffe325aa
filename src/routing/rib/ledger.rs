//! What the announcements of one neighbour take of memory: each set of attributes is kept once,
//! however many prefixes share it, and its octets are counted.

use super::Attributes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a path takes beside its attributes: its places in the tables, roughly.
const PATH_OCTETS: usize = 256;

/// The sets of attributes that a neighbour's paths have, and how many paths share each.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    sharers: BTreeMap<Arc<Attributes>, usize>,
    octets: usize,
}

impl Ledger {
    /// Notes a path with these attributes; comes back with the one copy that is kept of them.
    pub(super) fn enter(&mut self, attributes: Arc<Attributes>) -> Arc<Attributes> {
        self.octets += PATH_OCTETS;
        let kept = match self.sharers.get_key_value(&attributes) {
            Some((kept, _)) => Arc::clone(kept),
            None => {
                self.octets += attributes.octets();
                attributes
            }
        };
        *self.sharers.entry(Arc::clone(&kept)).or_default() += 1;
        kept
    }

    /// Notes that a path with these attributes is gone.
    pub(super) fn leave(&mut self, attributes: &Arc<Attributes>) {
        let Some(sharers) = self.sharers.get_mut(attributes) else { return };
        self.octets -= PATH_OCTETS;
        *sharers -= 1;
        if *sharers == 0 {
            self.sharers.remove(attributes);
            self.octets -= attributes.octets();
        }
    }

    /// What all paths take, in octets.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }
}
