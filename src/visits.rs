//! How many of its many an input made an engine look at: in tests a count, in the product
//! nothing at all.
//!
//! Nothing may cost per event what grows with the number of tunnels. A container that holds one
//! value a tunnel counts every value that it hands out; a test gives the same input to a small
//! and to a large engine and compares the counts.

mod counted;

pub use counted::Counted;

/// Counts visits under test; has no size and does nothing otherwise.
#[derive(Clone, Debug, Default)]
pub struct Visits {
    #[cfg(test)]
    count: std::cell::Cell<u64>,
}

impl Visits {
    /// One value was looked at.
    pub fn one(&self) {
        self.many(1);
    }

    /// So many values were looked at.
    pub fn many(&self, visited: usize) {
        #[cfg(test)]
        self.count.set(self.count.get() + visited as u64);
        #[cfg(not(test))]
        let _ = visited;
    }

    /// The visits since the last call.
    #[cfg(test)]
    pub fn take(&self) -> u64 {
        self.count.take()
    }
}

#[cfg(test)]
mod tests;
