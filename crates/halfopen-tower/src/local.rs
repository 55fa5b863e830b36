//! Errors caused by the caller's own side (S7).

use std::any::Any;
use std::error::Error;

use halfopen::adapter::{error_chain, error_in};
use halfopen::rejection;

/// Returns `true` if the caller's own side caused an error: a rejection by a circuit breaker, a bulkhead or a rate
/// limit, or, with feature `load-shed`, tower's
/// [`Overloaded`](https://docs.rs/tower/0.5/tower/load_shed/error/struct.Overloaded.html).
///
/// The default classifier ignores such errors, because the call never reached the callee. Classifiers that replace
/// it can do the same with this function. Searches the error, its `source()` chain, and the errors inside
/// [`io::Error`](std::io::Error) and shared errors on the way.
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
    // A rejection by an inner breaker or limit, or a shed call: the dependency was not asked, so the error is no
    // evidence about it.
    rejection(error).is_some() || error_chain(error).any(is_shed)
}

/// Returns `true` if a value of any type is a local error, as far as its type is known here.
///
/// An error type of the user's is bounded by `'static` only, so its chain cannot be walked. With
/// `.classify(halfopen::errors())` the chain of every `E: Error + 'static` is.
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
