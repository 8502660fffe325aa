//! The operating system's cryptographic random number generator.

use crate::random::Random;

/// The kernel's generator (`getrandom(2)`).
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    /// Fills `bytes` from the kernel. Ends the process when the kernel has no randomness to
    /// give: no key made without it would be a secret.
    fn fill(&mut self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            tracing::error!(%error, "the kernel gives no random bytes, ending");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests;
