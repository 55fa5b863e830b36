//! The interface for adapters: functions that a middleware, a waiting layer or an exporter needs and a caller
//! does not.
//!
//! A caller acquires a permit or makes a call. An adapter sometimes has to ask before there is a call
//! ([`refusal`]), to return a rejection to a call that is made later ([`reject`]), or to wait for the time
//! at which calls are admitted again ([`refusal_for`], [`Signal::ProbeEnded`]). The functions take the breaker
//! as an argument, so that the methods of a breaker are those that callers use.
//!
//! # Examples
//!
//! A readiness check that keeps the refusal for the call that follows:
//!
//! ```
//! use halfopen::{CircuitBreaker, adapter};
//!
//! let breaker = CircuitBreaker::builder("payments").build();
//! breaker.force_open();
//!
//! // poll_ready: nothing is counted yet, as there may never be a call.
//! let refusal = adapter::refusal(&breaker).expect("it is forced open");
//! assert_eq!(breaker.snapshot().totals.rejected, 0);
//!
//! // call: this call is rejected.
//! let rejected = adapter::reject(&breaker, refusal);
//! assert_eq!(rejected.name(), "payments");
//! assert_eq!(breaker.snapshot().totals.rejected, 1);
//! ```

use std::time::Duration;

use crate::breaker::{CircuitBreaker, OwnedPermit};
use crate::classify::Classify;
use crate::clock::nanos;
use crate::error::Rejected;
use crate::reason::TripReason;

pub use crate::breaker::{AnyPermit, Handle, HandlePermit, WeakCircuitBreaker};
pub use crate::call::StreamEnd;
pub use crate::error::Refusal;
pub use crate::error::search::{error_as, error_chain, error_in, rejection_in, with_causes};
pub use crate::observe::Signal;
pub use crate::panics::{catch_panic, catch_panic_in_future};
pub use crate::passwords::without_passwords;
pub use crate::registry::{Lookup, matches_pattern};
pub use crate::text::{Printable, is_printable};

/// Returns why a call made now would be rejected, or [`None`] if it would be admitted.
///
/// Evaluates the same condition as [`CircuitBreaker::check`], but the result is cheap to store and to copy.
/// No permit is taken, and nothing is counted.
#[inline]
pub fn refusal(breaker: &CircuitBreaker) -> Option<Refusal> {
    breaker.refusal()
}

/// Returns the [`refusal`] and the time until it ends by itself, or [`None`] for the time if time alone
/// does not end it.
///
/// Both are read at the same moment. Read one after the other, they would not fit together if the wait ended in
/// between.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, adapter};
/// use std::time::Duration;
///
/// let breaker = CircuitBreaker::builder("payments").build();
/// assert!(adapter::refusal_for(&breaker).is_none());
///
/// breaker.open_for(Duration::from_secs(5));
/// let (_, time) = adapter::refusal_for(&breaker).unwrap();
/// assert!(time.unwrap() <= Duration::from_secs(5));
///
/// breaker.force_open();
/// assert!(matches!(adapter::refusal_for(&breaker), Some((_, None))));
/// ```
pub fn refusal_for(breaker: &CircuitBreaker) -> Option<(Refusal, Option<Duration>)> {
    breaker.refusal_for()
}

/// Like [`refusal_for`], but returns the instant on the breaker's own clock ([`CircuitBreaker::now`]) at which
/// the refusal ends by itself.
///
/// Two results with the same instant belong to the same wait, however much time has passed between them.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, adapter};
/// use std::time::Duration;
///
/// let breaker = CircuitBreaker::builder("payments").build();
/// breaker.open_for(Duration::from_secs(5));
/// let (_, until) = adapter::refusal_until(&breaker).unwrap();
/// assert!(until.unwrap() <= breaker.now() + Duration::from_secs(5));
/// ```
pub fn refusal_until(breaker: &CircuitBreaker) -> Option<(Refusal, Option<Duration>)> {
    breaker.refusal_until()
}

/// Turns a pending [`Refusal`] into a [`Rejected`], counts it and notifies the listeners.
#[inline]
pub fn reject(breaker: &CircuitBreaker, refusal: Refusal) -> Rejected {
    breaker.reject(refusal)
}

/// Counts a rejection that [`CircuitBreaker::check`] returned and that the adapter now returns to a caller,
/// and notifies the listeners.
pub fn count_rejection(breaker: &CircuitBreaker, rejected: &Rejected) {
    breaker.count_rejection(rejected);
}

/// Fast path of [`CircuitBreaker::try_acquire_owned`]: returns a permit if the breaker is closed, otherwise
/// [`None`].
///
/// On [`None`], fall back to `try_acquire_owned`, which may still admit the call.
#[inline]
pub fn acquire_if_closed(breaker: &CircuitBreaker) -> Option<OwnedPermit> {
    breaker.acquire_if_closed()
}

/// Returns a permit if the breaker admits a call now, otherwise [`None`]; a refusal is neither counted nor
/// reported to listeners.
///
/// Intended for adapters that record an outcome for which no caller requested a permit, so that no caller is
/// rejected.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, adapter};
///
/// let breaker = CircuitBreaker::builder("payments").build();
/// adapter::acquire_if_permitted(&breaker).unwrap().failure();
///
/// breaker.force_open();
/// assert!(adapter::acquire_if_permitted(&breaker).is_none());
/// assert_eq!(breaker.snapshot().totals.rejected, 0);
/// ```
pub fn acquire_if_permitted(breaker: &CircuitBreaker) -> Option<OwnedPermit> {
    breaker.acquire_if_permitted()
}

/// The permit of a call that may be dropped between two polls, until the call has ended.
///
/// A dropped one is abandoned. The drop of an [`OwnedPermit`] is too, except while the thread panics: that a panic
/// elsewhere drops a future is no failure of its call.
///
/// # Examples
///
/// ```
/// use halfopen::adapter::HeldPermit;
/// use halfopen::{CircuitBreaker, ErrorsFail};
///
/// let breaker = CircuitBreaker::builder("orders").build();
/// let held = HeldPermit::new(breaker.try_acquire_owned()?);
/// held.settle(&Err::<(), _>("no confirm"), &ErrorsFail);
/// drop(HeldPermit::new(breaker.try_acquire_owned()?));
///
/// let totals = breaker.snapshot().totals;
/// assert_eq!((totals.failures, totals.abandoned), (1, 1));
/// # Ok::<(), halfopen::Rejected>(())
/// ```
#[derive(Debug)]
#[must_use = "a dropped permit is an abandoned call"]
pub struct HeldPermit(Option<OwnedPermit>);

impl HeldPermit {
    /// Holds a permit.
    pub fn new(permit: OwnedPermit) -> HeldPermit {
        HeldPermit(Some(permit))
    }

    /// Returns whether the call is a probe.
    pub fn is_probe(&self) -> bool {
        self.0.as_ref().is_some_and(OwnedPermit::is_probe)
    }

    /// Ends the call with the outcome that the classifier determines from this result.
    pub fn settle<T, E, C: Classify<T, E> + ?Sized>(mut self, result: &Result<T, E>, classify: &C) {
        if let Some(permit) = self.0.take() {
            permit.settle(result, classify);
        }
    }
}

impl Drop for HeldPermit {
    fn drop(&mut self) {
        if let Some(permit) = self.0.take() {
            permit.abandon();
        }
    }
}

/// Like [`CircuitBreaker::try_acquire_owned`], but moves the handle into the permit instead of cloning it.
///
/// # Errors
///
/// Returns the same errors as [`CircuitBreaker::try_acquire`].
#[inline]
pub fn into_permit(breaker: CircuitBreaker) -> Result<OwnedPermit, Rejected> {
    breaker.into_permit()
}

/// Opens the breaker as [`CircuitBreaker::open_for`] does, on behalf of the breakers of other processes.
///
/// The opening has the reason [`TripReason::Fleet`], by which an operator can distinguish it from one by hand.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, TripReason, adapter};
/// use std::time::Duration;
///
/// let breaker = CircuitBreaker::builder("payments").build();
/// adapter::open_by_fleet(&breaker, Duration::from_secs(5));
/// assert_eq!(breaker.snapshot().last_trip.unwrap().reasons, [TripReason::Fleet]);
/// ```
pub fn open_by_fleet(breaker: &CircuitBreaker, wait: Duration) {
    breaker.open_by_hand(TripReason::Fleet, Some(nanos(wait)));
}

/// Ends the wait as [`CircuitBreaker::end_wait`] does, on behalf of the breakers of other processes.
///
/// The change has the reason [`TripReason::Fleet`].
pub fn end_wait_by_fleet(breaker: &CircuitBreaker) {
    breaker.end_wait_by(TripReason::Fleet);
}
