use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use crate::error::rejection;
use crate::outcome::Outcome;

/// Says how a call ended, from its result.
///
/// Any `Fn(&Result<T, E>) -> Outcome` is one. It only borrows the result and runs on the path of
/// every call, so it should not allocate. If it panics, the panic is caught and counted and the
/// default holds: `Ok` is a success, `Err` a failure.
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
    note = "any `Fn(&Result<{T}, {E}>) -> halfopen::Outcome` is one; a closure may need its argument's type written",
    note = "a ready-made classifier takes certain error types only: map the error to one of them (a `BoxError`, say) below the breaker, or ask the classifier from a closure"
)]
pub trait Classify<T, E> {
    /// How the call with this result ended.
    fn classify(&self, result: &Result<T, E>) -> Outcome;

    /// How long the other side asked us to stay away, if it did.
    ///
    /// Asked only of a failure. The hint can lengthen the wait of the opening that this failure
    /// causes, up to [`hint_max`](crate::CircuitBreakerConfigBuilder::hint_max), and never shortens it.
    fn retry_after(&self, result: &Result<T, E>) -> Option<Duration> {
        let _ = result;
        None
    }

    /// Returns a short text of a failure, for [`Rejected::last_error`](crate::Rejected::last_error).
    ///
    /// Called only of a failure that opens the breaker, also as a failed probe, and after it has opened: no
    /// other call pays for it. The text is cut at 256 characters, and control characters are replaced; it should
    /// hold nothing that a caller must not see. A panic is caught and counted, and no text is kept.
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

// `Arc<C>` is no `Fn`, so a shared classifier needs its own impl.
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

/// What holds where nobody says otherwise: `Ok` is a success, every `Err` a failure.
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

/// `Ok` is a success and `Err` a failure, but a rejection by a breaker further in is ignored.
///
/// For calls that go through another breaker on the way: its "no" says nothing new about the
/// dependency. The rejection is looked for as by [`rejection`].
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

/// The classifier that [`errors`] gives.
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

/// Only the errors this says true for are failures; every other `Err` is an answer, and a success.
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

/// The classifier that [`failure_if`] gives.
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
