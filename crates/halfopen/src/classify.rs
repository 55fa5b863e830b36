use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use crate::error::rejection;
use crate::outcome::Outcome;

/// Determines the outcome of a call from its result.
///
/// Implemented for every `Fn(&Result<T, E>) -> Outcome`. A classifier borrows the result and runs on the path of
/// every call, so it should not allocate. A panic in it is caught and counted, and the
/// default applies: `Ok` is a success, `Err` a failure.
///
/// # Examples
///
/// ```
/// use halfopen::{Classify, Outcome};
///
/// fn not_found_is_an_answer(result: &Result<u32, std::io::Error>) -> Outcome {
///     match result {
///         Ok(_) => Outcome::Success,
///         Err(error) if error.kind() == std::io::ErrorKind::NotFound => Outcome::Success,
///         Err(_) => Outcome::Failure,
///     }
/// }
///
/// assert_eq!(not_found_is_an_answer.classify(&Ok(1)), Outcome::Success);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not classify `Result<{T}, {E}>`",
    label = "not a classifier of results with the value `{T}` and the error `{E}`",
    note = "any `Fn(&Result<{T}, {E}>) -> halfopen::Outcome` is a classifier; a closure may need a type annotation on its argument",
    note = "the classifiers of the adapters accept only certain error types: map the error to one of them (such as `BoxError`) below the breaker, or call the classifier from a closure"
)]
pub trait Classify<T, E> {
    /// Returns the outcome of the call with this result.
    fn classify(&self, result: &Result<T, E>) -> Outcome;

    /// Returns the time for which the server asked its clients to stay away, if it did.
    ///
    /// Called only for failures. The hint can lengthen the wait of the opening that this failure
    /// causes, up to [`hint_max`](crate::CircuitBreakerConfigBuilder::hint_max), and never shortens it.
    fn retry_after(&self, result: &Result<T, E>) -> Option<Duration> {
        let _ = result;
        None
    }

    /// Returns a short description of a failure, for [`Rejected::last_error`](crate::Rejected::last_error).
    ///
    /// Called only for a failure that has opened the breaker, a failed probe included, so other calls do not pay
    /// for it. The text is cut at 256 characters, and control characters are replaced. It must not contain
    /// anything that callers may not see. A panic is caught and counted, and no text is stored.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreaker, CircuitBreakerConfig, Classify, Outcome, Trip};
    ///
    /// struct Described;
    ///
    /// impl<T> Classify<T, std::io::Error> for Described {
    ///     fn classify(&self, result: &Result<T, std::io::Error>) -> Outcome {
    ///         if result.is_ok() { Outcome::Success } else { Outcome::Failure }
    ///     }
    ///
    ///     fn describe(&self, result: &Result<T, std::io::Error>) -> Option<String> {
    ///         result.as_ref().err().map(ToString::to_string)
    ///     }
    /// }
    ///
    /// let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).build()?;
    /// let breaker = CircuitBreaker::new("payments", config);
    /// let call = || Err::<(), _>(std::io::Error::other("connection reset"));
    /// breaker.call_blocking_with(call, &Described).unwrap_err();
    ///
    /// let rejected = breaker.try_acquire().unwrap_err();
    /// assert_eq!(rejected.last_error(), Some("connection reset"));
    /// # Ok::<(), halfopen::ConfigError>(())
    /// ```
    fn describe(&self, result: &Result<T, E>) -> Option<String> {
        let _ = result;
        None
    }
}

impl<T, E, F: Fn(&Result<T, E>) -> Outcome> Classify<T, E> for F {
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        self(result)
    }
}

// `Arc<C>` does not implement `Fn`, so a shared classifier needs its own impl.
impl<T, E, C: Classify<T, E> + ?Sized> Classify<T, E> for Arc<C> {
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        (**self).classify(result)
    }

    fn retry_after(&self, result: &Result<T, E>) -> Option<Duration> {
        (**self).retry_after(result)
    }

    fn describe(&self, result: &Result<T, E>) -> Option<String> {
        (**self).describe(result)
    }
}

/// The default classifier: `Ok` is a success, every `Err` a failure.
///
/// # Examples
///
/// ```
/// use halfopen::{Classify, ErrorsFail, Outcome};
///
/// assert_eq!(ErrorsFail.classify(&Err::<(), _>("no")), Outcome::Failure);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrorsFail;

impl<T, E> Classify<T, E> for ErrorsFail {
    #[inline]
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        if result.is_ok() { Outcome::Success } else { Outcome::Failure }
    }
}

/// Returns a classifier for which `Ok` is a success and `Err` a failure, except that a rejection by an inner breaker
/// is ignored.
///
/// Intended for calls that go through another breaker: its rejection adds no evidence about the
/// dependency. It is found as by [`rejection`].
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use halfopen::{CircuitBreaker, errors};
///
/// let (outer, inner) = (CircuitBreaker::builder("outer").build(), CircuitBreaker::builder("inner").build());
/// inner.force_open();
///
/// let call = || inner.call(|| async { Ok::<_, std::io::Error>(()) });
/// outer.call_with(call, &errors()).await.unwrap_err();
/// assert_eq!(outer.snapshot().totals.ignored, 1);
/// # }
/// ```
pub fn errors() -> Errors {
    Errors
}

/// The classifier that [`errors`] returns.
#[derive(Clone, Copy, Debug, Default)]
pub struct Errors;

impl<T, E: Error + 'static> Classify<T, E> for Errors {
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) if rejection(error).is_some() => Outcome::Ignored,
            Err(_) => Outcome::Failure,
        }
    }
}

/// Returns a classifier for which an `Err` is a failure if `is_failure` returns true for it, and a success otherwise.
///
/// # Examples
///
/// ```
/// use halfopen::{Classify, Outcome, failure_if};
/// use std::io::{Error, ErrorKind};
///
/// let classify = failure_if(|error: &Error| error.kind() != ErrorKind::NotFound);
///
/// assert_eq!(classify.classify(&Err::<(), _>(ErrorKind::NotFound.into())), Outcome::Success);
/// assert_eq!(classify.classify(&Err::<(), _>(ErrorKind::TimedOut.into())), Outcome::Failure);
/// ```
pub fn failure_if<E, F: Fn(&E) -> bool>(is_failure: F) -> FailureIf<F> {
    FailureIf(is_failure)
}

/// The classifier that [`failure_if`] returns.
#[derive(Clone, Copy, Debug)]
pub struct FailureIf<F>(F);

impl<T, E, F: Fn(&E) -> bool> Classify<T, E> for FailureIf<F> {
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        match result {
            Err(error) if (self.0)(error) => Outcome::Failure,
            Ok(_) | Err(_) => Outcome::Success,
        }
    }
}
