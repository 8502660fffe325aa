//! Chance as a parameter: nothing here asks the operating system for randomness.
//!
//! The shell hands in the operating system's generator; simulations hand in [`Seeded`], so the
//! same seed gives the same trace.

/// A source of random bytes.
///
/// Implementations used outside tests must be cryptographically secure: nonces, SPIs, cookies'
/// secrets and private values of key exchanges come from here.
pub trait Random {
    /// Fills `bytes` with random bytes.
    fn fill(&mut self, bytes: &mut [u8]);

    /// A uniformly random 32-bit number.
    fn u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        u32::from_ne_bytes(bytes)
    }

    /// A uniformly random 64-bit number.
    fn u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_ne_bytes(bytes)
    }

    /// A random number below `bound`; zero when `bound` is zero. The bias is below 2⁻³² for
    /// bounds under 2³², which is enough for jitter and choice, not for keys.
    fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.u64() % bound }
    }
}

/// A reproducible generator (SplitMix64) for tests and simulations. Not secure.
#[derive(Clone, Debug)]
pub struct Seeded {
    state: u64,
}

impl Seeded {
    /// A generator whose whole output follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Seeded { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Random for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests;
