use std::error::Error;
use std::fmt;

use super::{BoxError, Rejected};

/// The error of a protected call: a rejection, or the call's own error.
///
/// A rejection is displayed with its own message, with `{:#}` followed by the rest of its chain. The error
/// of the call is the [`source`](Error::source), so that an error report shows each message once.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, CircuitBreakerError};
///
/// let breaker = CircuitBreaker::builder("payments").build();
/// breaker.force_open();
/// let error = breaker.call_blocking(|| Err::<(), _>("not asked")).unwrap_err();
/// assert_eq!(error.to_string(), "circuit breaker `payments` is forced open by an operator");
///
/// let error = CircuitBreakerError::Inner(std::io::Error::other("connection reset"));
/// assert_eq!(error.to_string(), "call failed");
/// assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "connection reset");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CircuitBreakerError<E> {
    /// The call was rejected and not made.
    Rejected(Rejected),
    /// The call was made and failed.
    Inner(E),
}

impl<E> CircuitBreakerError<E> {
    /// Returns the call's own error, or [`None`] if the call was not made.
    pub fn into_inner(self) -> Option<E> {
        match self {
            CircuitBreakerError::Inner(error) => Some(error),
            CircuitBreakerError::Rejected(_) => None,
        }
    }

    /// Returns the call's own error, or the one that `convert` makes of the rejection.
    ///
    /// For functions whose own error type has a variant for a rejection.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::CircuitBreaker;
    /// use std::io;
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// breaker.force_open();
    /// let charged = breaker.call_blocking(|| Err::<(), _>(io::Error::from(io::ErrorKind::TimedOut)));
    /// let error: io::Error = charged.unwrap_err().into_inner_or_else(io::Error::other);
    /// assert_eq!(error.to_string(), "circuit breaker `payments` is forced open by an operator");
    /// ```
    pub fn into_inner_or_else(self, convert: impl FnOnce(Rejected) -> E) -> E {
        match self {
            CircuitBreakerError::Inner(error) => error,
            CircuitBreakerError::Rejected(rejected) => convert(rejected),
        }
    }

    /// Returns the rejection, or [`None`] if the call was made.
    pub fn rejected(&self) -> Option<&Rejected> {
        match self {
            CircuitBreakerError::Rejected(rejected) => Some(rejected),
            CircuitBreakerError::Inner(_) => None,
        }
    }

    /// Returns true if the call was rejected and not made.
    pub fn is_rejected(&self) -> bool {
        self.rejected().is_some()
    }
}

impl<E: Into<BoxError>> CircuitBreakerError<E> {
    /// Returns the rejection or the call's own error as a boxed error, also for types that do not
    /// implement [`Error`] (`BoxError`, `anyhow::Error`).
    pub fn into_boxed(self) -> BoxError {
        match self {
            CircuitBreakerError::Rejected(rejected) => Box::new(rejected),
            CircuitBreakerError::Inner(error) => error.into(),
        }
    }
}

impl<E> From<Rejected> for CircuitBreakerError<E> {
    fn from(rejected: Rejected) -> Self {
        CircuitBreakerError::Rejected(rejected)
    }
}

impl<E> fmt::Display for CircuitBreakerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CircuitBreakerError::Rejected(rejected) if f.alternate() => {
                write!(f, "{rejected}: {}", rejected.0)
            }
            CircuitBreakerError::Rejected(rejected) => rejected.fmt(f),
            CircuitBreakerError::Inner(_) => f.write_str("call failed"),
        }
    }
}

impl<E: Error + 'static> Error for CircuitBreakerError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            // Not the rejection itself, whose message this error displays already.
            CircuitBreakerError::Rejected(rejected) => &rejected.0,
            CircuitBreakerError::Inner(error) => error,
        })
    }
}
