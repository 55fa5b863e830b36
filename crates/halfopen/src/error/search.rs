//! The search for a rejection inside an error of any type.

use std::any::Any;
use std::error::Error;
use std::sync::Arc;
use std::{io, iter};

use super::{BoxError, CircuitBreakerError, NotMade, Rejected};

/// The maximum length of a chain that is searched. It bounds the search in a chain that is a cycle.
const DEPTH: usize = 64;

/// Finds the [`Rejected`] in an error that is a rejection, wraps one or was caused by one.
///
/// Searches the error itself, its [`source`](Error::source) chain, and the contents of
/// [`io::Error`] and of reference-counted errors on the way. A transparent wrapper (thiserror's
/// `#[error(transparent)]`, `anyhow::Error::from_boxed`) hides its error from that chain; a rejection inside is
/// found nevertheless, because a [`Rejected`] is also its own source. A wrapper whose
/// `source()` is [`None`] hides its contents.
///
/// Boxed errors are passed as `&*boxed` or `error.as_ref()`.
///
/// # Examples
///
/// ```
/// use halfopen::{BoxError, CircuitBreaker};
/// use std::io;
///
/// let breaker = CircuitBreaker::builder("search").build();
/// breaker.force_open();
/// let rejected = breaker.try_acquire().unwrap_err();
///
/// let wrapped: BoxError = Box::new(io::Error::new(io::ErrorKind::ConnectionRefused, rejected));
/// assert_eq!(halfopen::rejection(&*wrapped).unwrap().name(), "search");
/// ```
pub fn rejection<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Rejected> {
    error_chain(error).find_map(as_rejected)
}

/// Finds the [`Rejected`] in a value of any type that [`error_in`] supports.
///
/// # Examples
///
/// ```
/// use halfopen::adapter::rejection_in;
/// use halfopen::{BoxError, RejectReason, Rejected};
///
/// let boxed: BoxError = Rejected::new("ai", RejectReason::BulkheadFull, None).into();
/// assert!(rejection_in(&boxed).is_some());
/// assert!(rejection_in(&"no error type at all").is_none());
/// ```
pub fn rejection_in(value: &dyn Any) -> Option<&Rejected> {
    error_in(value).and_then(rejection)
}

/// Returns the error that a value is or contains, or [`None`] if the type is not supported.
///
/// Intended for adapters whose error type is bounded only by `'static`. Supported types are boxed and
/// reference-counted errors, [`io::Error`], [`Rejected`], and [`CircuitBreakerError`] around a boxed error or an
/// [`io::Error`]. An adapter adds the types of its client with [`error_as`].
///
/// # Examples
///
/// ```
/// use halfopen::BoxError;
/// use halfopen::adapter::error_in;
///
/// let boxed = BoxError::from("connection reset");
/// assert_eq!(error_in(&boxed).unwrap().to_string(), "connection reset");
/// ```
pub fn error_in(value: &dyn Any) -> Option<&(dyn Error + 'static)> {
    // Boxes do not implement `Error`, so each kind of box is asked for by its own type.
    if let Some(boxed) = value.downcast_ref::<BoxError>() {
        return Some(&**boxed);
    }
    if let Some(boxed) = value.downcast_ref::<Box<dyn Error + Send>>() {
        return Some(&**boxed);
    }
    if let Some(boxed) = value.downcast_ref::<Box<dyn Error>>() {
        return Some(&**boxed);
    }
    if let Some(error) = value.downcast_ref::<CircuitBreakerError<BoxError>>() {
        return Some(match error {
            CircuitBreakerError::Rejected(rejected) => rejected,
            CircuitBreakerError::Inner(error) => &**error,
        });
    }
    error_as::<Arc<dyn Error + Send + Sync>>(value)
        .or_else(|| error_as::<Arc<dyn Error>>(value))
        .or_else(|| error_as::<Rejected>(value))
        .or_else(|| error_as::<Arc<Rejected>>(value))
        .or_else(|| error_as::<Box<Rejected>>(value))
        .or_else(|| error_as::<io::Error>(value))
        .or_else(|| error_as::<CircuitBreakerError<io::Error>>(value))
}

/// Returns the value as an error if it is an `E`.
///
/// # Examples
///
/// ```
/// use halfopen::adapter::error_as;
/// use std::{fmt, io};
///
/// assert!(error_as::<fmt::Error>(&fmt::Error).is_some());
/// assert!(error_as::<io::Error>(&fmt::Error).is_none());
/// ```
pub fn error_as<E: Error + 'static>(value: &dyn Any) -> Option<&(dyn Error + 'static)> {
    value.downcast_ref::<E>().map(|error| error as &(dyn Error + 'static))
}

/// Iterates over an error and its causes, the outermost first.
///
/// Follows [`source`](Error::source), and enters [`io::Error`] and reference-counted errors, whose `source()`
/// skips the error that they contain. The iterator ends after at most 64 errors.
///
/// # Examples
///
/// ```
/// use halfopen::adapter::error_chain;
/// use std::{fmt, io};
///
/// let error = io::Error::other(fmt::Error);
/// assert!(error_chain(&error).any(|error| error.is::<fmt::Error>()));
/// ```
pub fn error_chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error| below(*error)).take(DEPTH)
}

/// Returns the text of an error followed by those of its causes, which many clients leave out of their own.
///
/// The texts are separated by `: `. One that the text has already is left out.
///
/// # Examples
///
/// ```
/// use halfopen::adapter::with_causes;
/// use std::io;
///
/// let error = io::Error::other("connection reset");
/// assert_eq!(with_causes(&error), "connection reset");
/// ```
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in error_chain(error).map(ToString::to_string) {
        if !text.contains(&cause) {
            let separator = if text.is_empty() { "" } else { ": " };
            text.push_str(separator);
            text.push_str(&cause);
        }
    }
    text
}

/// Returns the next error of the chain: the one that is hidden in this one, or its source.
fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(error) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return Some(error);
    }
    if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return Some(&**shared);
    }
    if let Some(shared) = error.downcast_ref::<Arc<dyn Error>>() {
        return Some(&**shared);
    }
    error.source()
}

// A transparent wrapper around a rejection returns the rejection's source, which is its `NotMade`.
fn as_rejected<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Rejected> {
    error.downcast_ref::<Rejected>().or_else(|| error.downcast_ref::<NotMade>().map(Rejected::of_source))
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;
    use crate::reason::RejectReason;

    fn rejected() -> Rejected {
        Rejected::new("api", RejectReason::ForcedOpen, None)
    }

    /// A wrapper as generated by thiserror's `#[error(transparent)]`.
    #[derive(Debug)]
    struct Transparent<E>(E);

    impl<E: fmt::Display> fmt::Display for Transparent<E> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    impl Error for Transparent<BoxError> {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.0.source()
        }
    }

    impl Error for Transparent<Rejected> {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.0.source()
        }
    }

    impl Error for Transparent<CircuitBreakerError<io::Error>> {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.0.source()
        }
    }

    #[derive(Debug)]
    struct Circle;

    impl fmt::Display for Circle {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("again")
        }
    }

    impl Error for Circle {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&Circle)
        }
    }

    #[test]
    fn a_rejection_is_found_however_it_is_wrapped() {
        let typed = || CircuitBreakerError::<io::Error>::from(rejected());
        let shared: Arc<dyn Error + Send + Sync> = Arc::new(rejected());
        let wrapped: [BoxError; 13] = [
            Box::new(rejected()),
            Box::new(Arc::new(rejected())),
            Box::new(Box::new(rejected())),
            Box::new(io::Error::other(rejected())),
            Box::new(io::Error::other(io::Error::other(typed()))),
            Box::new(Arc::clone(&shared)),
            Box::new(Arc::new(shared)),
            Box::new(typed()),
            Box::new(CircuitBreakerError::Inner(io::Error::other(typed()))),
            Box::new(Transparent(rejected())),
            Box::new(Transparent(typed())),
            Box::new(Transparent(BoxError::from(rejected()))),
            Box::new(Transparent(BoxError::from(Transparent(BoxError::from(io::Error::other(rejected())))))),
        ];
        for error in wrapped {
            assert_eq!(rejection(&*error), Some(&rejected()), "{error:?}");
        }
    }

    #[test]
    fn an_error_without_a_rejection_has_none() {
        assert_eq!(rejection(&io::Error::other("connection reset")), None);
        assert_eq!(rejection(&CircuitBreakerError::Inner(io::Error::other("reset"))), None);
        assert_eq!(rejection(&Circle), None, "the search ends");
    }

    #[test]
    fn a_value_of_any_known_type_is_searched() {
        let boxed = || BoxError::from(rejected());
        let values: [Box<dyn Any>; 10] = [
            Box::new(rejected()),
            Box::new(Arc::new(rejected())),
            Box::new(boxed()),
            Box::new(Box::new(rejected()) as Box<dyn Error + Send>),
            Box::new(Box::new(rejected()) as Box<dyn Error>),
            Box::new(Arc::new(rejected()) as Arc<dyn Error + Send + Sync>),
            Box::new(Arc::new(rejected()) as Arc<dyn Error>),
            Box::new(io::Error::other(boxed())),
            Box::new(CircuitBreakerError::Inner(boxed())),
            Box::new(CircuitBreakerError::<BoxError>::from(rejected())),
        ];
        for (place, value) in values.iter().enumerate() {
            assert_eq!(rejection_in(&**value), Some(&rejected()), "the value at {place}");
        }
        assert!(rejection_in(&String::from("not an error")).is_none());
    }
}
