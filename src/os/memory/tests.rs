//! The allocator over one that looks at what it gets back.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts blocks that come back, and those of them that still hold something.
#[derive(Default)]
struct Witness {
    freed: AtomicUsize,
    unwiped: AtomicUsize,
}

// SAFETY: every call goes to `System`; a block is read before it is freed.
unsafe impl GlobalAlloc for Witness {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block has this size and is still allocated; whoever filled it wrote all of it.
        let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
        self.freed.fetch_add(1, Ordering::Relaxed);
        let unwiped = usize::from(bytes.iter().any(|byte| *byte != 0));
        self.unwiped.fetch_add(unwiped, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 8).expect("a layout")
}

#[test]
fn a_block_is_wiped_before_it_is_given_back() {
    let heap = Wiping(Witness::default());
    for size in [1, 7, 64, 4096, 1 << 20] {
        // SAFETY: the block is written within its size and freed once, with its layout.
        unsafe {
            let block = heap.alloc(layout(size));
            block.write_bytes(0xa5, size);
            heap.dealloc(block, layout(size));
        }
    }
    assert_eq!(heap.0.freed.into_inner(), 5);
    assert_eq!(heap.0.unwiped.into_inner(), 0);
}

#[test]
fn what_grows_leaves_nothing_behind() {
    let heap = Wiping(Witness::default());
    // SAFETY: the block is used within its sizes and freed once, with its last layout.
    let kept = unsafe {
        let block = heap.alloc(layout(64));
        block.write_bytes(0x5a, 64);
        let grown = heap.realloc(block, layout(64), 4096);
        let kept = std::slice::from_raw_parts(grown, 64).to_vec();
        heap.dealloc(grown, layout(4096));
        kept
    };
    assert_eq!(kept, [0x5a; 64]);
    assert_eq!((heap.0.freed.into_inner(), heap.0.unwiped.into_inner()), (2, 0));
}
