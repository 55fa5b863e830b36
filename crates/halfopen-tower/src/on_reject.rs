use std::fmt;
use std::sync::Arc;

use halfopen::{CircuitBreakerError, Rejected};

use crate::BoxError;
use crate::local::{is_local, is_local_any};

/// Answers rejected calls, and maps the errors of the inner service to those of the service.
///
/// [`Boxed`], [`Typed`] and [`OnRejected`] are chosen by the methods of the layers. An adapter for another protocol
/// implements this trait to answer in its form, such as a status or a response.
pub trait OnReject<Request, Response, E> {
    /// The error of the service.
    type Error;

    /// Maps an error of the inner service.
    fn map_error(error: E) -> Self::Error;

    /// Answers a rejected request.
    ///
    /// # Errors
    ///
    /// Returns the rejection as an error of the service, unless it is answered with a response.
    fn reject(&self, rejected: Rejected, request: Request) -> Result<Response, Self::Error>;
}

/// Finds local errors for the default classifier.
///
/// Separate from [`OnReject`], because the bounds differ: an error that is not boxed must be `'static`.
pub trait FindLocal<Request, Response, E>: OnReject<Request, Response, E> {
    /// Returns `true` if the error is [local](crate::is_local).
    fn is_local(error: &Self::Error) -> bool;
}

/// Boxes errors as [`BoxError`]: a rejection is a boxed [`Rejected`], and the inner error is boxed without a wrapper.
#[derive(Clone, Copy, Debug, Default)]
pub struct Boxed;

/// Wraps errors in [`CircuitBreakerError`]:
/// [`CircuitBreakerLayer::typed_errors`](crate::CircuitBreakerLayer::typed_errors).
#[derive(Clone, Copy, Debug, Default)]
pub struct Typed;

/// Answers rejections with a function:
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
