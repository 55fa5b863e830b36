use std::fmt;
use std::sync::Arc;

use halfopen::{CircuitBreakerError, Rejected};

use crate::BoxError;
use crate::local::{is_local, is_local_any};

/// What the caller of a rejected call gets, and in which form it gets the inner service's errors.
///
/// [`Boxed`], [`Typed`] and [`OnRejected`] are those of the layers' methods. An adapter brings its own for the
/// answers of its protocol: a status, a response.
pub trait OnReject<Request, Response, E> {
    /// The error of the service.
    type Error;

    /// Returns an error of the inner service as one of the service.
    fn map_error(error: E) -> Self::Error;

    /// Answers the request in the inner service's place.
    ///
    /// # Errors
    ///
    /// The rejection, in the form that the caller expects.
    fn reject(&self, rejected: Rejected, request: Request) -> Result<Response, Self::Error>;
}

/// Finds the errors of this side of the network among those that a mode returns.
///
/// Apart from [`OnReject`], because only the default classifier asks, and it needs more bounds.
pub trait FindLocal<Request, Response, E>: OnReject<Request, Response, E> {
    /// Returns true if the error was made on this side of the network.
    fn is_local(error: &Self::Error) -> bool;
}

/// Errors are a [`BoxError`]; a rejection is a boxed [`Rejected`], and the inner error is passed on as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Boxed;

/// Errors are a [`CircuitBreakerError`]:
/// [`CircuitBreakerLayer::typed_errors`](crate::CircuitBreakerLayer::typed_errors).
#[derive(Clone, Copy, Debug, Default)]
pub struct Typed;

/// A rejection is answered by a function:
/// [`CircuitBreakerLayer::on_rejected`](crate::CircuitBreakerLayer::on_rejected).
pub struct OnRejected<A> {
    // Shared, so that the closure need not be `Clone`.
    answer: Arc<A>,
}

impl<A> OnRejected<A> {
    pub(crate) fn new(answer: A) -> Self {
        Self { answer: Arc::new(answer) }
    }
}

impl<A> Clone for OnRejected<A> {
    fn clone(&self) -> Self {
        Self { answer: Arc::clone(&self.answer) }
    }
}

impl<A> fmt::Debug for OnRejected<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnRejected").finish_non_exhaustive()
    }
}

impl<Request, Response, E: Into<BoxError>> OnReject<Request, Response, E> for Boxed {
    type Error = BoxError;

    #[inline]
    fn map_error(error: E) -> BoxError {
        error.into()
    }

    fn reject(&self, rejected: Rejected, _: Request) -> Result<Response, BoxError> {
        Err(Box::new(rejected))
    }
}

impl<Request, Response, E: Into<BoxError>> FindLocal<Request, Response, E> for Boxed {
    fn is_local(error: &BoxError) -> bool {
        is_local(&**error)
    }
}

impl<Request, Response, E> OnReject<Request, Response, E> for Typed {
    type Error = CircuitBreakerError<E>;

    #[inline]
    fn map_error(error: E) -> CircuitBreakerError<E> {
        CircuitBreakerError::Inner(error)
    }

    fn reject(&self, rejected: Rejected, _: Request) -> Result<Response, CircuitBreakerError<E>> {
        Err(CircuitBreakerError::Rejected(rejected))
    }
}

impl<Request, Response, E: 'static> FindLocal<Request, Response, E> for Typed {
    fn is_local(error: &CircuitBreakerError<E>) -> bool {
        match error {
            CircuitBreakerError::Rejected(_) => true,
            CircuitBreakerError::Inner(error) => is_local_any(error),
        }
    }
}

impl<Request, Response, E, A> OnReject<Request, Response, E> for OnRejected<A>
where
    A: Fn(Rejected, Request) -> Result<Response, E>,
{
    type Error = E;

    #[inline]
    fn map_error(error: E) -> E {
        error
    }

    fn reject(&self, rejected: Rejected, request: Request) -> Result<Response, E> {
        (self.answer)(rejected, request)
    }
}

impl<Request, Response, E: 'static, A> FindLocal<Request, Response, E> for OnRejected<A>
where
    A: Fn(Rejected, Request) -> Result<Response, E>,
{
    fn is_local(error: &E) -> bool {
        is_local_any(error)
    }
}
