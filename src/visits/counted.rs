//! A map that counts the values it hands out.

use super::Visits;
use std::collections::BTreeMap;
use std::ops::RangeFrom;

/// A map with one value a tunnel; whatever walks it is seen to do so.
#[derive(Clone, Debug)]
pub struct Counted<K, V> {
    values: BTreeMap<K, V>,
    visits: Visits,
}

impl<K, V> Default for Counted<K, V> {
    fn default() -> Self {
        Counted { values: BTreeMap::new(), visits: Visits::default() }
    }
}

impl<K: Ord, V> Counted<K, V> {
    /// The value of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.visits.one();
        self.values.get(key)
    }

    /// The value of `key`, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.visits.one();
        self.values.get_mut(key)
    }

    /// Sets the value of `key` and returns the value it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.values.insert(key, value)
    }

    /// Removes `key` and returns the value it had.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.values.remove(key)
    }

    /// All keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.values.keys().inspect(|_| self.visits.one())
    }

    /// All values in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.values.values().inspect(|_| self.visits.one())
    }

    /// All values with their keys in order, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.values.iter_mut().inspect(|_| self.visits.one())
    }

    /// The values from a key on.
    pub fn range(&self, keys: RangeFrom<K>) -> impl Iterator<Item = (&K, &V)> {
        self.values.range(keys).inspect(|_| self.visits.one())
    }

    /// How many values were handed out.
    #[cfg(test)]
    pub fn visits(&self) -> &Visits {
        &self.visits
    }
}
