//! Plain successes: counted in stripes, so that threads do not wait for each other's cache lines.

#[cfg(not(loom))]
use std::sync::OnceLock;

use crate::sync::{AtomicU64, Ordering};
use crate::totals::{Timing, Totals};

/// How many plain successes there have been, all told.
///
/// One word until two threads are seen to contend for it; from then on one for each of a few
/// stripes, a cache line apart.
#[derive(Debug)]
pub(super) struct Plain {
    first: AtomicU64,
    #[cfg(not(loom))]
    more: OnceLock<Box<Stripes>>,
    /// Bumps that were no success: see [`bump`](Self::bump).
    bumps: AtomicU64,
}

/// Behind one thin pointer, because most breakers never have any.
#[cfg(not(loom))]
#[derive(Debug)]
struct Stripes(Box<[Stripe]>);

#[cfg(not(loom))]
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    successes: AtomicU64,
    timing: Timing,
}

#[cfg(not(loom))]
impl Stripes {
    #[inline]
    fn mine(&self) -> &Stripe {
        &self.0[thread::index() & (self.0.len() - 1)]
    }
}

impl Plain {
    pub(super) fn new() -> Plain {
        Plain {
            first: AtomicU64::new(0),
            #[cfg(not(loom))]
            more: OnceLock::new(),
            bumps: AtomicU64::new(0),
        }
    }

    /// The word this thread counts in.
    #[cfg(not(loom))]
    #[inline]
    pub(super) fn mine(&self) -> &AtomicU64 {
        match self.more.get() {
            None => &self.first,
            Some(stripes) => &stripes.mine().successes,
        }
    }

    /// Where this thread adds up how long its calls took, once threads go apart.
    #[cfg(not(loom))]
    pub(super) fn timing(&self) -> Option<&Timing> {
        self.more.get().map(|stripes| &stripes.mine().timing)
    }

    #[cfg(loom)]
    pub(super) fn timing(&self) -> Option<&Timing> {
        None
    }

    #[cfg(not(loom))]
    pub(super) fn add_timing_to(&self, totals: &mut Totals) {
        self.more
            .get()
            .into_iter()
            .flat_map(|stripes| &*stripes.0)
            .for_each(|stripe| stripe.timing.add_to(totals));
    }

    #[cfg(loom)]
    pub(super) fn add_timing_to(&self, _: &mut Totals) {}

    #[cfg(loom)]
    pub(super) fn mine(&self) -> &AtomicU64 {
        &self.first
    }

    /// Two threads met: from now on they go apart.
    #[cfg(not(loom))]
    #[cold]
    pub(super) fn contended(&self) {
        self.more.get_or_init(|| {
            let cpus = std::thread::available_parallelism().map_or(2, usize::from);
            let count = cpus.next_power_of_two().clamp(2, MOST_STRIPES);
            Box::new(Stripes((0..count).map(|_| Stripe::default()).collect()))
        });
    }

    #[cfg(loom)]
    pub(super) fn contended(&self) {}

    #[cfg(not(loom))]
    fn all(&self) -> impl Iterator<Item = &AtomicU64> {
        let more = self.more.get().into_iter().flat_map(|stripes| &*stripes.0);
        std::iter::once(&self.first).chain(more.map(|stripe| &stripe.successes))
    }

    #[cfg(loom)]
    fn all(&self) -> impl Iterator<Item = &AtomicU64> {
        std::iter::once(&self.first)
    }

    /// All successes and bumps so far: what windows are measured in.
    ///
    /// Sequentially consistent, as the write of a success is: of a success and a failure that pass
    /// each other, at least one sees the other and weighs both.
    pub(super) fn sum(&self) -> u64 {
        self.all().fold(0, |sum, stripe| sum.wrapping_add(stripe.load(Ordering::SeqCst)))
    }

    /// The successes alone.
    pub(super) fn successes(&self) -> u64 {
        // Bumps first: each is noted before it is made.
        let bumps = self.bumps.load(Ordering::Acquire);
        self.sum().saturating_sub(bumps)
    }

    /// Moves every word on, so that no success prepared for the window before can still be written.
    pub(super) fn bump(&self) {
        for stripe in self.all() {
            self.bumps.fetch_add(1, Ordering::AcqRel);
            stripe.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A breaker shared by more threads than this shares stripes, which is no more than slower.
#[cfg(not(loom))]
const MOST_STRIPES: usize = 16;

#[cfg(not(loom))]
mod thread {
    use std::sync::atomic::{AtomicUsize, Ordering};

    static NEXT: AtomicUsize = AtomicUsize::new(0);

    thread_local! {
        static INDEX: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }

    /// A small number of this thread's own; zero where the thread is being torn down.
    #[inline]
    pub(super) fn index() -> usize {
        INDEX.try_with(|&index| index).unwrap_or(0)
    }
}

#[cfg(all(test, not(loom)))]
#[path = "plain_tests.rs"]
mod tests;
