//! A sparse array whose copies share what did not change.
//!
//! ```text
//!   root ──► branches of 32 ──► leaves of 16 places
//! ```

use std::sync::Arc;

/// Places in a leaf.
const LEAF: usize = 16;
/// Leaves in a branch.
const BRANCH: usize = 32;

type Leaf<T> = [Option<T>; LEAF];
type Branch<T> = [Arc<Leaf<T>>; BRANCH];

/// Values by number. A change in a copy makes one leaf and one branch anew, and a copy costs a
/// reference for each branch: a table of ten thousand is published again for the price of some
/// seventy references.
#[derive(Clone, Debug)]
pub struct Chunked<T>(Vec<Arc<Branch<T>>>);

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Chunked(Vec::new())
    }
}

impl<T> Chunked<T> {
    /// The value at `place`.
    #[inline]
    pub fn get(&self, place: usize) -> Option<&T> {
        let branch = self.0.get(place / (LEAF * BRANCH))?;
        branch[place / LEAF % BRANCH][place % LEAF].as_ref()
    }

    /// All values in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let leaves = self.0.iter().flat_map(|branch| branch.iter());
        leaves.flat_map(|leaf| leaf.iter()).flatten()
    }
}

impl<T: Clone> Chunked<T> {
    /// Puts a value at `place`, or takes away what is there.
    pub fn set(&mut self, place: usize, value: Option<T>) {
        if value.is_none() && self.get(place).is_none() {
            return;
        }
        while self.0.len() <= place / (LEAF * BRANCH) {
            let empty = Arc::new(std::array::from_fn(|_| None));
            self.0.push(Arc::new(std::array::from_fn(|_| Arc::clone(&empty))));
        }
        if let Some(branch) = self.0.get_mut(place / (LEAF * BRANCH)) {
            let leaf = &mut Arc::make_mut(branch)[place / LEAF % BRANCH];
            Arc::make_mut(leaf)[place % LEAF] = value;
        }
    }
}

impl<T: Clone> FromIterator<(usize, T)> for Chunked<T> {
    fn from_iter<I: IntoIterator<Item = (usize, T)>>(values: I) -> Self {
        let mut chunked = Chunked::default();
        values.into_iter().for_each(|(place, value)| chunked.set(place, Some(value)));
        chunked
    }
}

#[cfg(test)]
mod tests;
