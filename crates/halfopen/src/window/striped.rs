//! A counter in stripes, so that threads do not wait for each other's cache lines.

#[cfg(not(loom))]
use std::sync::OnceLock;

#[cfg(not(loom))]
use crate::stripes::Stripes;
use crate::sync::{AtomicU64, Ordering};
use crate::totals::{Timing, Totals};

/// The plain successes so far, and the advances of the stripes that were no success.
///
/// One word until two threads contend for it; from then on one for each of a few stripes, a cache line
/// apart.
#[derive(Debug)]
pub(super) struct StripedCounter {
    first: AtomicU64,
    #[cfg(not(loom))]
    more: OnceLock<Box<Stripes<Stripe>>>,
}

#[cfg(not(loom))]
#[derive(Debug, Default)]
struct Stripe {
    successes: AtomicU64,
    timing: Timing,
}

impl StripedCounter {
    pub(super) fn new() -> StripedCounter {
        StripedCounter {
            first: AtomicU64::new(0),
            #[cfg(not(loom))]
            more: OnceLock::new(),
        }
    }

    /// The stripe of this thread.
    #[cfg(not(loom))]
    #[inline]
    pub(super) fn local(&self) -> &AtomicU64 {
        match self.more.get() {
            None => &self.first,
            Some(stripes) => &stripes.local().successes,
        }
    }

    /// Where this thread adds up how long its calls took, once there are stripes.
    #[cfg(not(loom))]
    pub(super) fn timing(&self) -> Option<&Timing> {
        self.more.get().map(|stripes| &stripes.local().timing)
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
            .flat_map(|stripes| stripes.iter())
            .for_each(|stripe| stripe.timing.add_to(totals));
    }

    #[cfg(loom)]
    pub(super) fn add_timing_to(&self, _: &mut Totals) {}

    #[cfg(loom)]
    pub(super) fn local(&self) -> &AtomicU64 {
        &self.first
    }

    /// Gives threads stripes of their own from now on.
    #[cfg(not(loom))]
    pub(super) fn split(&self) {
        self.more.get_or_init(|| Box::new(Stripes::new()));
    }

    #[cfg(loom)]
    pub(super) fn split(&self) {}

    pub(super) fn is_split(&self) -> bool {
        #[cfg(not(loom))]
        return self.more.get().is_some();
        #[cfg(loom)]
        return true;
    }

    #[cfg(not(loom))]
    fn all(&self) -> impl Iterator<Item = &AtomicU64> {
        let more = self.more.get().into_iter().flat_map(|stripes| stripes.iter());
        std::iter::once(&self.first).chain(more.map(|stripe| &stripe.successes))
    }

    #[cfg(loom)]
    fn all(&self) -> impl Iterator<Item = &AtomicU64> {
        std::iter::once(&self.first)
    }

    /// The sum of all stripes.
    ///
    /// Sequentially consistent, as the write of a success is: see `Window::arm`. A success that is written
    /// during the sum may be in it or not, all before are.
    pub(super) fn sum(&self) -> u64 {
        self.all().fold(0, |sum, stripe| sum.wrapping_add(stripe.load(Ordering::SeqCst)))
    }

    /// Advances every stripe by one, so that no success prepared before can be written; returns how many there are.
    pub(super) fn invalidate(&self) -> u64 {
        // A release, with the load of a stripe in `Window::add_success`.
        let advance = |stripes, stripe: &AtomicU64| {
            stripe.fetch_add(1, Ordering::AcqRel);
            stripes + 1
        };
        self.all().fold(0, advance)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn after_a_split_a_thread_counts_in_its_own_stripe() {
        let counter = StripedCounter::new();
        counter.local().fetch_add(1, Ordering::SeqCst);
        assert!(std::ptr::eq(counter.local(), &counter.first));
        counter.split();
        assert!(!std::ptr::eq(counter.local(), &counter.first));
        counter.local().fetch_add(1, Ordering::SeqCst);
        assert_eq!(counter.sum(), 2, "and nothing is lost");
    }

    #[test]
    fn after_a_split_time_is_added_up_in_stripes() {
        let counter = StripedCounter::new();
        assert!(counter.timing().is_none());
        counter.split();
        counter.timing().expect("there are stripes now").time(5);
        std::thread::scope(|scope| {
            scope.spawn(|| counter.timing().expect("in every thread").time(7));
        });
        let mut totals = Totals::default();
        counter.add_timing_to(&mut totals);
        assert_eq!((totals.timed, totals.response_time.as_nanos()), (2, 12));
    }

    #[test]
    fn an_invalidation_advances_every_stripe() {
        let counter = StripedCounter::new();
        counter.split();
        let before: Vec<u64> = counter.all().map(|word| word.load(Ordering::SeqCst)).collect();
        assert_eq!(counter.invalidate(), before.len() as u64);
        let moved = counter.all().zip(before).all(|(word, seen)| word.load(Ordering::SeqCst) == seen + 1);
        assert!(moved);
    }
}
