//! The count of rejections, which a rejection without a lock can only enter in the visit that decided it.

use std::sync::Arc;
#[cfg(not(loom))]
use std::sync::OnceLock;

#[cfg(not(loom))]
use crate::stripes::Stripes;
use crate::sync::{AtomicU64, Ordering};

/// The number of rejections, and one more for each visit that has begun, in each stripe.
///
/// One word until two threads contend for it; from then on one for each of a few stripes. An open breaker is asked by
/// every thread at once, most of all during an outage.
#[derive(Debug, Default)]
pub(crate) struct Rejections {
    first: Lane,
    #[cfg(not(loom))]
    more: OnceLock<Box<Stripes<Stripe>>>,
}

/// The word of one stripe.
#[derive(Debug)]
pub(crate) struct Lane(AtomicU64);

#[cfg(not(loom))]
#[derive(Debug, Default)]
struct Stripe {
    lane: Lane,
    /// A copy of the breaker's name, whose reference count is not shared with the other stripes. Made by the first thread of
    /// the stripe, so that its allocator places it apart from those of other threads.
    name: OnceLock<Arc<str>>,
}

impl Default for Lane {
    fn default() -> Lane {
        Lane(AtomicU64::new(0))
    }
}

/// The top bit of a lane while a new visit is being published. A rejection that finds it set goes through the transition
/// lock, which the publishing thread holds.
const BETWEEN_VISITS: u64 = 1 << 63;

impl Lane {
    /// Returns the argument for [`reject_as_of`](Self::reject_as_of), which must be loaded before the state is, or
    /// [`None`] while a new visit is being published.
    #[inline]
    pub(crate) fn seen(&self) -> Option<u64> {
        // Acquire, paired with the read-modify-write in `begin_visit`: the state word that is loaded after this
        // belongs to that visit or a later one.
        let seen = self.0.load(Ordering::Acquire);
        (seen & BETWEEN_VISITS == 0).then_some(seen)
    }

    /// Counts a rejection and returns true, unless there has been another rejection or a new visit since `seen` was
    /// loaded.
    #[inline]
    pub(crate) fn reject_as_of(&self, seen: u64) -> bool {
        // AcqRel, paired with `end_visit` and `begin_visit`: Release keeps it after the loads that decided the
        // rejection, and a visit that ends after it sees it. Relaxed on failure: the caller loads everything again.
        self.0.compare_exchange(seen, seen + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn count(&self) -> u64 {
        // Relaxed: the number publishes no other data. Acquire where a visit begins, by `begin_visit` itself.
        self.0.load(Ordering::Relaxed) & !BETWEEN_VISITS
    }
}

impl Rejections {
    /// Returns the lane of this thread.
    #[inline]
    pub(crate) fn lane(&self) -> &Lane {
        #[cfg(not(loom))]
        if let Some(stripes) = self.more.get() {
            return &stripes.local().lane;
        }
        &self.first
    }

    /// Counts a rejection in the current visit, whichever that is.
    pub(crate) fn add(&self) {
        // Relaxed: the counter publishes no other data.
        self.lane().0.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns a reference to the name for a rejection by this thread.
    #[inline]
    pub(crate) fn name(&self, name: &Arc<str>) -> Arc<str> {
        #[cfg(not(loom))]
        if let Some(stripes) = self.more.get() {
            return Arc::clone(stripes.local().name.get_or_init(|| Arc::from(&**name)));
        }
        Arc::clone(name)
    }

    pub(crate) fn is_split(&self) -> bool {
        #[cfg(not(loom))]
        return self.more.get().is_some();
        #[cfg(loom)]
        return true;
    }

    /// Gives threads stripes of their own from now on.
    ///
    /// Called under the transition lock, so that a visit that begins finds as many stripes as when the one before ended.
    pub(crate) fn split(&self) {
        #[cfg(not(loom))]
        self.more.get_or_init(|| Box::new(Stripes::new()));
    }

    #[cfg(not(loom))]
    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        let more = self.more.get().into_iter().flat_map(|stripes| stripes.iter());
        std::iter::once(&self.first).chain(more.map(|stripe| &stripe.lane))
    }

    #[cfg(loom)]
    fn lanes(&self) -> impl Iterator<Item = &Lane> {
        std::iter::once(&self.first)
    }

    /// Returns the number of rejections plus the steps that [`begin_visit`](Self::begin_visit) has made.
    pub(crate) fn sum(&self) -> u64 {
        self.lanes().fold(0, |sum, lane| sum.wrapping_add(lane.count()))
    }

    /// Ends a visit: a rejection that was decided in it can no longer be counted.
    pub(crate) fn end_visit(&self) {
        for lane in self.lanes() {
            // AcqRel, paired with `seen` and `reject_as_of`: rejections counted before it belong to the visit that
            // ends, and a thread that sees the bit sees the opening that was stored before it.
            lane.0.fetch_or(BETWEEN_VISITS, Ordering::AcqRel);
        }
    }

    /// Begins the visit that has just been published, and returns the steps that this adds to the sum, and the sum.
    ///
    /// A step makes the number of its lane differ from every earlier one, so that the compare-and-swap of a rejection
    /// that was decided in an earlier visit fails.
    pub(crate) fn begin_visit(&self) -> (u64, u64) {
        // Adds one and clears the top bit in a single step.
        let step = 1_u64.wrapping_sub(BETWEEN_VISITS);
        self.lanes().fold((0, 0), |(steps, sum), lane| {
            // AcqRel, paired with the load in `seen`: a thread that sees this number sees the state word that was
            // published before it.
            let count = lane.0.fetch_add(step, Ordering::AcqRel).wrapping_add(step);
            (steps + 1, sum + count)
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_enters_the_visit_that_decided_it() {
        for split in [false, true] {
            let rejections = Rejections::default();
            if split {
                rejections.split();
            }
            let seen = rejections.lane().seen().unwrap();
            assert!(rejections.lane().reject_as_of(seen));
            assert!(!rejections.lane().reject_as_of(seen), "counted once");
            let old = rejections.lane().seen().unwrap();
            rejections.end_visit();
            assert_eq!(rejections.lane().seen(), None);
            assert!(!rejections.lane().reject_as_of(old));
            let (steps, sum) = rejections.begin_visit();
            assert_eq!((sum - steps, rejections.sum()), (1, sum));
            assert!(!rejections.lane().reject_as_of(old), "of the visit before");
            assert!(rejections.lane().reject_as_of(rejections.lane().seen().unwrap()));
            assert_eq!(rejections.sum() - steps, 2);
        }
    }

    #[test]
    fn a_split_loses_no_rejection() {
        let rejections = Rejections::default();
        rejections.add();
        rejections.split();
        rejections.add();
        assert_eq!(rejections.sum(), 2);
    }

    #[test]
    fn after_a_split_each_thread_has_its_name() {
        let (rejections, name) = (Rejections::default(), Arc::<str>::from("api"));
        assert!(Arc::ptr_eq(&rejections.name(&name), &name));
        rejections.split();
        let (own, again) = (rejections.name(&name), rejections.name(&name));
        assert!(own == name && !Arc::ptr_eq(&own, &name) && Arc::ptr_eq(&own, &again));
    }
}
