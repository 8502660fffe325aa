//! What workers share of an SA: atomics of the machine; or, where interleavings of threads are tried
//! (`esp::tests::interleavings`), those of `loom`, which know of each.

#[cfg(all(test, feature = "interleavings"))]
pub(super) use loom::sync::atomic::AtomicU64;
#[cfg(not(all(test, feature = "interleavings")))]
pub(super) use std::sync::atomic::AtomicU64;
