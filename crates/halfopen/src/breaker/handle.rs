//! Reference counts that threads do not contend for.
//!
//! An owned permit keeps its breaker alive, so each call through a service takes the reference count of the breaker and
//! gives it back: two writes to one cache line, which all threads that call would pass to each other. A [`Handle`] has a
//! count of its own for the permits that it gives, and so does each of its clones.

use std::fmt;
use std::sync::Arc;

use crate::breaker::permit::{HandlePermit, OwnedPermit};
use crate::breaker::{CircuitBreaker, Inner};

/// A breaker as a service holds it that makes many calls.
///
/// Once threads have contended for the breaker, the permits of a handle share a reference count that is not that of the
/// breaker. The count is allocated by the second call of a handle after that, so a handle for one call allocates nothing.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, adapter::Handle};
///
/// let breaker = CircuitBreaker::builder("payments").build();
/// let mut handle = Handle::new(breaker.clone());
///
/// // The shortest way first. Behind the last one is `try_acquire_owned` of the breaker.
/// if let Some(permit) = handle.acquire_if_alone() {
///     permit.success();
/// } else if let Some(permit) = handle.acquire_if_closed() {
///     permit.success();
/// }
/// assert_eq!(breaker.snapshot().totals.successes, 1);
/// ```
pub struct Handle {
    breaker: CircuitBreaker,
    own: Option<OwnCount>,
    /// A call was made while threads contended.
    used: bool,
}

/// A handle of a breaker with a reference count of its own.
#[derive(Clone)]
pub(crate) struct OwnCount(Arc<Line>);

/// On cache lines of its own, as the count next to it is written by each call.
#[repr(align(128))]
struct Line(CircuitBreaker);

/// Keeps the breaker of a permit alive.
pub(crate) trait Keeper {
    /// Returns the breaker.
    fn breaker(&self) -> &CircuitBreaker;
}

impl Handle {
    /// Creates a handle of this breaker.
    pub fn new(breaker: CircuitBreaker) -> Handle {
        Handle { breaker, own: None, used: false }
    }

    /// Returns the breaker.
    #[inline]
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Returns the breaker without its handle.
    pub fn into_breaker(self) -> CircuitBreaker {
        self.breaker
    }

    /// Returns a permit if the breaker is closed and threads have not contended for it.
    #[inline(always)]
    pub fn acquire_if_alone(&self) -> Option<OwnedPermit> {
        let word = self.inner().word.load();
        let is_short = word.is_closed() && !self.inner().window.is_contended();
        is_short.then(|| OwnedPermit::new(self.breaker.clone(), self.breaker.ticket(word)))
    }

    /// Returns a permit if the breaker is closed, and counts it apart from the handles of the breaker.
    ///
    /// Returns [`None`] at the first call of a handle as well.
    #[inline(always)]
    pub fn acquire_if_closed(&mut self) -> Option<HandlePermit> {
        let word = self.inner().word.load();
        if !word.is_closed() {
            return None;
        }
        let own = match &self.own {
            Some(own) => own.clone(),
            None => self.own_count_slow()?,
        };
        Some(HandlePermit::new(own, self.breaker.ticket(word)))
    }

    #[cold]
    #[inline(never)]
    fn own_count_slow(&mut self) -> Option<OwnCount> {
        // Services are often cloned for each request. To allocate for a single call costs more than to contend.
        if !self.used {
            self.used = true;
            return None;
        }
        let own = OwnCount(Arc::new(Line(self.breaker.clone())));
        Some(self.own.insert(own).clone())
    }

    fn inner(&self) -> &Inner {
        self.breaker.inner()
    }
}

// The count stays with the original, as a clone is mostly for another thread.
impl Clone for Handle {
    fn clone(&self) -> Handle {
        Handle::new(self.breaker.clone())
    }
}

impl Keeper for CircuitBreaker {
    #[inline(always)]
    fn breaker(&self) -> &CircuitBreaker {
        self
    }
}

impl Keeper for OwnCount {
    #[inline(always)]
    fn breaker(&self) -> &CircuitBreaker {
        &self.0.0
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("breaker", &self.breaker.name()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Returns a breaker for which threads have contended, and a handle of it that has made a call since.
    fn contended() -> (CircuitBreaker, Handle) {
        let breaker = CircuitBreaker::builder("shared").build();
        breaker.inner().window.split();
        let mut handle = Handle::new(breaker.clone());
        assert!(handle.acquire_if_closed().is_none(), "a handle for one call allocates nothing");
        (breaker, handle)
    }

    #[test]
    fn without_contention_permits_count_as_clones() {
        let breaker = CircuitBreaker::builder("alone").build();
        let handle = Handle::new(breaker.clone());
        for _ in 0..3 {
            let permit = handle.acquire_if_alone().unwrap();
            assert_eq!(breaker.handles(), 3, "the breaker, the handle and the permit");
            permit.success();
        }
        assert_eq!(breaker.snapshot().totals.successes, 3);
    }

    #[test]
    fn contended_permits_have_a_count_of_their_own() {
        let (breaker, mut handle) = contended();
        for _ in 0..3 {
            assert!(handle.acquire_if_alone().is_none());
            let permits = [(), ()].map(|()| handle.acquire_if_closed().unwrap());
            assert_eq!(breaker.handles(), 3, "the breaker, the handle and its count");
            permits.into_iter().for_each(HandlePermit::success);
        }
        assert_eq!(breaker.snapshot().totals.successes, 6);
    }

    #[test]
    fn a_permit_outlives_its_handle_and_the_breaker() {
        let (breaker, mut handle) = contended();
        let permit = handle.acquire_if_closed().unwrap();
        let weak = crate::adapter::WeakCircuitBreaker::of(&breaker);
        drop((handle, breaker));
        assert!(!weak.is_gone());
        permit.success();
        assert!(weak.is_gone(), "with the last permit");
    }

    #[test]
    fn a_clone_has_no_count_yet() {
        let (_breaker, mut handle) = contended();
        assert!(handle.acquire_if_closed().is_some());
        assert!(handle.clone().acquire_if_closed().is_none());
    }

    #[test]
    fn a_dropped_permit_is_abandoned() {
        let (breaker, mut handle) = contended();
        drop(handle.acquire_if_closed().unwrap());
        handle.acquire_if_closed().unwrap().abandon();
        handle.acquire_if_closed().unwrap().failure();
        let totals = breaker.snapshot().totals;
        assert_eq!((totals.abandoned, totals.failures), (2, 1));
    }

    #[test]
    fn an_open_breaker_gives_its_handle_no_permit() {
        let (breaker, mut handle) = contended();
        breaker.force_open();
        assert!(handle.acquire_if_alone().is_none() && handle.acquire_if_closed().is_none());
        assert_eq!(breaker.snapshot().totals.rejected, 0, "the caller goes on to `try_acquire_owned`");
    }
}
