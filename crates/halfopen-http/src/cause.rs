use std::any::Any;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use halfopen::{BoxError, Classify, Outcome, Rejected, rejection};
use http::Response;

/// How deep an error is searched; a chain longer than this is taken for a circle.
const DEPTH: usize = 64;

/// A classifier for typed errors: searches their `source()` chain for a rejection.
///
/// [`HttpClassify`](crate::HttpClassify) and [`GrpcClassify`](crate::GrpcClassify) take any error
/// type and find a rejection inside boxed ones. To walk the chain of a typed error (a client whose
/// connector has a breaker in it) its `Error` must be known, which is what this adds. Made by their
/// `typed_errors()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TypedErrors<C>(pub(crate) C);

impl<B, E: Error + 'static, C: Classify<Response<B>, E>> Classify<Response<B>, E> for TypedErrors<C> {
    fn classify(&self, result: &Result<Response<B>, E>) -> Outcome {
        match result {
            Err(error) if rejection(error).is_some() => Outcome::Ignored,
            Ok(_) | Err(_) => self.0.classify(result),
        }
    }

    fn retry_after(&self, result: &Result<Response<B>, E>) -> Option<Duration> {
        self.0.retry_after(result)
    }
}

/// Whether a timeout is what an error is about, as far as the standard library's types say it.
///
/// Looks along the `source()` chain and inside `io::Error` for [`io::ErrorKind::TimedOut`]. A client
/// with a timeout error of its own (tonic's `TimeoutExpired`) is asked by its adapter.
///
/// # Examples
///
/// ```
/// use std::io;
///
/// let timed_out = io::Error::from(io::ErrorKind::TimedOut);
/// assert!(halfopen_http::is_timeout(&io::Error::other(timed_out)));
/// assert!(!halfopen_http::is_timeout(&io::Error::from(io::ErrorKind::ConnectionReset)));
/// ```
pub fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    chain(error).any(|error| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    })
}

/// What an error means: a failure, unless a breaker further in rejected the call.
pub(crate) fn outcome_of<E: 'static>(error: &E) -> Outcome {
    match as_error(error).and_then(rejection) {
        Some(_) => Outcome::Ignored,
        None => Outcome::Failure,
    }
}

/// The error behind a type that need not be an `Error`: boxes, and what is likely to be a rejection.
fn as_error<E: 'static>(error: &E) -> Option<&(dyn Error + 'static)> {
    let any: &dyn Any = error;
    if let Some(boxed) = any.downcast_ref::<BoxError>() {
        return Some(&**boxed);
    }
    if let Some(boxed) = any.downcast_ref::<Box<dyn Error + Send>>() {
        return Some(&**boxed);
    }
    if let Some(boxed) = any.downcast_ref::<Box<dyn Error>>() {
        return Some(&**boxed);
    }
    if let Some(shared) = any.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return Some(&**shared);
    }
    if let Some(error) = any.downcast_ref::<io::Error>() {
        return Some(error);
    }
    any.downcast_ref::<Rejected>().map(|rejected| rejected as &(dyn Error + 'static))
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| below(*error)).take(DEPTH)
}

/// The next error down. An `io::Error` hides its payload from `source()`, which is the payload's own.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let payload = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    payload.map(|payload| payload as &(dyn Error + 'static)).or_else(|| error.source())
}
