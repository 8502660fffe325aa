//! A sparse array whose copies share what did not change.

use std::sync::Arc;

/// Places in a chunk.
const CHUNK: usize = 64;

/// Values by number. A copy costs a reference a chunk, and a change in it one chunk more, so a
/// table of ten thousand is published again for the price of some two hundred references.
#[derive(Clone, Debug)]
pub struct Chunked<T>(Vec<Arc<[Option<T>; CHUNK]>>);

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Chunked(Vec::new())
    }
}

impl<T> Chunked<T> {
    /// The value at `place`.
    #[inline]
    pub fn get(&self, place: usize) -> Option<&T> {
        self.0.get(place / CHUNK)?[place % CHUNK].as_ref()
    }

    /// All values in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flat_map(|chunk| chunk.iter()).flatten()
    }
}

impl<T: Clone> Chunked<T> {
    /// Puts a value at `place`, or takes away what is there.
    pub fn set(&mut self, place: usize, value: Option<T>) {
        if value.is_none() && self.get(place).is_none() {
            return;
        }
        while self.0.len() <= place / CHUNK {
            self.0.push(Arc::new(std::array::from_fn(|_| None)));
        }
        if let Some(chunk) = self.0.get_mut(place / CHUNK) {
            Arc::make_mut(chunk)[place % CHUNK] = value;
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
