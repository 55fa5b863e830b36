//! Errors that were made on this side of the network (S7).

use std::any::Any;
use std::error::Error;

use halfopen::adapter::{error_chain, error_in};
use halfopen::rejection;

/// Returns true if an error was made on this side of the network: a rejection by a circuit breaker, a bulkhead or
/// a rate limit, or (feature `load-shed`) tower's
/// [`Overloaded`](https://docs.rs/tower/0.5/tower/load_shed/error/struct.Overloaded.html).
///
/// The default classifiers ignore such an error: the call never reached the callee. Looks at the error itself,
/// along its `source()` chain, and inside `io::Error` and shared errors. For classifiers that replace the
/// default one.
///
/// # Examples
///
/// ```
/// use halfopen::CircuitBreaker;
/// use halfopen_tower::is_local;
///
/// let breaker = CircuitBreaker::builder("search").build();
/// breaker.force_open();
/// let rejected = breaker.try_acquire().unwrap_err();
///
/// assert!(is_local(&std::io::Error::other(rejected)));
/// assert!(!is_local(&std::io::Error::other("connection reset")));
/// ```
pub fn is_local(error: &(dyn Error + 'static)) -> bool {
    rejection(error).is_some() || error_chain(error).any(is_shed)
}

/// The same for a value that may be no error: looks into the types that can hold one and are known here.
///
/// An error of the caller's own type has no bound but `'static` and cannot be walked:
/// `.classify(halfopen::errors())` walks every `E: Error + 'static`.
pub(crate) fn is_local_any<E: 'static>(error: &E) -> bool {
    as_error(error).is_some_and(is_local)
}

#[cfg(feature = "load-shed")]
fn is_shed(error: &(dyn Error + 'static)) -> bool {
    error.is::<tower::load_shed::error::Overloaded>()
}

#[cfg(not(feature = "load-shed"))]
fn is_shed(_: &(dyn Error + 'static)) -> bool {
    false
}

fn as_error(value: &dyn Any) -> Option<&(dyn Error + 'static)> {
    error_in(value).or_else(|| as_shed(value))
}

#[cfg(feature = "load-shed")]
fn as_shed(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    halfopen::adapter::error_as::<tower::load_shed::error::Overloaded>(error)
}

#[cfg(not(feature = "load-shed"))]
fn as_shed(_: &dyn Any) -> Option<&(dyn Error + 'static)> {
    None
}
