//! Errors that were made on this side of the network (S7).

use std::any::Any;
use std::error::Error;
use std::io;
use std::sync::Arc;

use halfopen::{CircuitBreakerError, Rejected, rejection};

use crate::BoxError;

/// How deep an error is searched; a longer chain is taken for a circle.
const DEPTH: usize = 64;

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
    rejection(error).is_some() || chain(error).any(is_shed)
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

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| below(*error)).take(DEPTH)
}

/// The next error down. An `io::Error` and an `Arc` hide their payload from `source()`.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(payload) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return Some(payload);
    }
    if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return Some(&**shared);
    }
    error.source()
}

fn as_error(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(boxed) = error.downcast_ref::<BoxError>() {
        return Some(&**boxed);
    }
    if let Some(boxed) = error.downcast_ref::<Box<dyn Error + Send>>() {
        return Some(&**boxed);
    }
    if let Some(boxed) = error.downcast_ref::<Box<dyn Error>>() {
        return Some(&**boxed);
    }
    if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return Some(&**shared);
    }
    if let Some(boxed) = error.downcast_ref::<CircuitBreakerError<BoxError>>() {
        return Some(match boxed {
            CircuitBreakerError::Rejected(rejected) => rejected,
            CircuitBreakerError::Inner(error) => &**error,
        });
    }
    if let Some(rejected) = error.downcast_ref::<Arc<Rejected>>() {
        return Some(&**rejected);
    }
    as_shed(error)
        .or_else(|| downcast::<Rejected>(error))
        .or_else(|| downcast::<io::Error>(error))
        .or_else(|| downcast::<CircuitBreakerError<io::Error>>(error))
}

#[cfg(feature = "load-shed")]
fn as_shed(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    downcast::<tower::load_shed::error::Overloaded>(error)
}

#[cfg(not(feature = "load-shed"))]
fn as_shed(_: &dyn Any) -> Option<&(dyn Error + 'static)> {
    None
}

fn downcast<E: Error + 'static>(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    error.downcast_ref::<E>().map(|error| error as &(dyn Error + 'static))
}
