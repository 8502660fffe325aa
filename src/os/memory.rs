//! What keeps secrets from outliving their use: memory is wiped when it is given back, is never
//! swapped out, and never lands in a core file.
#![expect(unsafe_code, reason = "an allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;

use ::caps::{CapSet, Capability};
use anyhow::{Context, Result};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

/// Bytes of the stack that [`scrub_stack`] wipes: more than a handshake takes.
const SCRUBBED: usize = 64 * 1024;

/// The system's allocator, with a twist: what is freed is wiped first. So a key is gone when the
/// value that held it is gone, whoever made the value: `ring` keeps expanded keys without wiping
/// them, and so does everything that moves when it grows.
///
/// A program takes it into use with `#[global_allocator]`. The packet path allocates nothing, so
/// it pays nothing.
#[derive(Debug)]
pub struct Wiping<A = System>(A);

impl Wiping {
    /// The system's allocator, wiping.
    pub const fn new() -> Wiping {
        Wiping(System)
    }
}

impl Default for Wiping {
    fn default() -> Wiping {
        Wiping::new()
    }
}

// SAFETY: every call goes to the allocator inside with the arguments that it came with; between, only bytes of
// the block that is being freed are written. `realloc` stays the trait's own: it allocates anew,
// copies, and frees, and so wipes, the old block.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Wiping<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` is a block of `layout.size()` bytes that nobody uses any more.
        unsafe {
            libc::explicit_bzero(block.cast(), layout.size());
            self.0.dealloc(block, layout);
        }
    }
}

/// Wipes the stack below the caller: what functions that have returned left there, such as the
/// copies that moving a key makes.
#[inline(never)]
pub fn scrub_stack() {
    let mut below = [0_u8; SCRUBBED];
    black_box(&mut below);
}

/// Makes the memory of this process private: no core file, no debugger of the same user, no swap.
///
/// # Errors
///
/// When the memory cannot be locked; the rest holds then, too.
pub fn keep_private() -> Result<()> {
    prctl::set_dumpable(false).context("PR_SET_DUMPABLE")?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("RLIMIT_CORE")?;
    lock()
}

/// Locks what the process has and will have. Where a limit might stop that later nothing is locked:
/// an allocation that fails for it would end the process.
fn lock() -> Result<()> {
    let exempt = ::caps::has_cap(None, CapSet::Effective, Capability::CAP_IPC_LOCK)?;
    let unlimited = || {
        let limit = getrlimit(Resource::RLIMIT_MEMLOCK);
        limit.is_ok_and(|(soft, _)| soft == RLIM_INFINITY)
    };
    if !exempt && !unlimited() {
        setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY).context(
            "memory is not locked, so keys may be swapped out; LimitMEMLOCK=infinity in the unit \
             allows it",
        )?;
    }
    // MCL_ONFAULT: only pages in use count, not what the threads' stacks might need.
    let flags = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE;
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    mlockall(flags | on_fault).context("mlockall")
}

#[cfg(test)]
mod tests;
