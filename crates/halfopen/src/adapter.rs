//! The seam for adapters: what a middleware, a waiting layer or an exporter needs and a caller does not.
//!
//! A caller takes a permit or makes a call; an adapter sometimes has to ask before there is a call
//! ([`refusal`]), to hand a rejection to a call that is made later ([`reject`]), or to wait for the moment
//! at which calls pass again ([`refusal_for`], [`Signal::ProbeEnded`]). The functions take the breaker as
//! an argument, so that the list of a breaker's methods stays the caller's.
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
use crate::error::Rejected;

pub use crate::breaker::WeakCircuitBreaker;
pub use crate::call::StreamEnd;
pub use crate::error::Refusal;
pub use crate::error::search::{error_as, error_chain, error_in, rejection_in};
pub use crate::observe::Signal;
pub use crate::panics::catch_panic;
pub use crate::text::{Printable, is_printable};

/// Returns why a call made now would be rejected, or [`None`] if it would be admitted.
///
/// The same question as [`CircuitBreaker::check`]; the answer is cheap to keep and to copy. Nothing is
/// taken or counted.
#[inline]
pub fn refusal(breaker: &CircuitBreaker) -> Option<Refusal> {
    breaker.refusal()
}

/// Returns the [`refusal`] and how long it holds if only time passes; [`None`] for the time if time alone
/// does not end it.
///
/// Both belong to one moment. Read one after the other, a wait that ends in between would be neither.
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

/// The same as [`refusal_for`], with the moment on the breaker's own clock ([`CircuitBreaker::now`]) at which
/// time alone ends the refusal.
///
/// Two answers with the same moment are about the same wait, whatever time has passed between them.
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
/// For adapters that record an outcome for which no caller requested a permit, so that no caller is rejected.
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

/// The same as [`CircuitBreaker::try_acquire_owned`], but moves the handle into the permit.
///
/// # Errors
///
/// As [`CircuitBreaker::try_acquire`].
#[inline]
pub fn into_permit(breaker: CircuitBreaker) -> Result<OwnedPermit, Rejected> {
    breaker.into_permit()
}
