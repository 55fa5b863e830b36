//! An allocator that counts allocations, the bytes requested and the bytes freed while it is watched.

#![expect(
    unsafe_code,
    reason = "a global allocator is an unsafe trait; it passes everything on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// The system allocator, which counts while it is watched. While unwatched it costs one relaxed load, so that a
/// row that allocates is not charged for the counting.
pub(crate) struct Watched;

/// The allocations of a watched run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) allocations: u64,
    /// Bytes allocated and not freed, as requested by the program, without the allocator's rounding.
    pub(crate) live: i64,
    /// The sizes of the first allocations.
    pub(crate) sizes: Vec<usize>,
}

static WATCHING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);
static SIZES: [AtomicUsize; 32] = [const { AtomicUsize::new(0) }; 32];

/// Runs a closure and returns its allocations, on any thread. Must not be nested.
pub(crate) fn watch<T>(work: impl FnOnce() -> T) -> (T, Seen) {
    ALLOCATIONS.store(0, Ordering::SeqCst);
    LIVE.store(0, Ordering::SeqCst);
    WATCHING.store(true, Ordering::SeqCst);
    let made = work();
    WATCHING.store(false, Ordering::SeqCst);
    let allocations = ALLOCATIONS.load(Ordering::SeqCst);
    let known = SIZES.len().min(allocations as usize);
    let sizes = SIZES[..known].iter().map(|size| size.load(Ordering::SeqCst)).collect();
    (made, Seen { allocations, live: LIVE.load(Ordering::SeqCst), sizes })
}

fn note(size: usize) {
    let place = ALLOCATIONS.fetch_add(1, Ordering::Relaxed) as usize;
    LIVE.fetch_add(size as i64, Ordering::Relaxed);
    if let Some(slot) = SIZES.get(place) {
        slot.store(size, Ordering::Relaxed);
    }
}

// SAFETY: every call is forwarded to `System` with the same arguments; counting touches atomics only.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if WATCHING.load(Ordering::Relaxed) {
            note(layout.size());
        }
        // SAFETY: the caller upholds the contract for `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if WATCHING.load(Ordering::Relaxed) {
            note(layout.size());
        }
        // SAFETY: the caller upholds the contract for `layout`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if WATCHING.load(Ordering::Relaxed) {
            LIVE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
            note(size);
        }
        // SAFETY: the caller upholds the contract.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if WATCHING.load(Ordering::Relaxed) {
            LIVE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        }
        // SAFETY: the caller upholds the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}
