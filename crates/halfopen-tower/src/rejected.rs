use halfopen::{CircuitBreakerError, Rejected};

use crate::BoxError;
use crate::mode::{Answered, Boxed, ErrorMode, Typed};

/// What the caller of a rejected call gets.
///
/// Sealed; here so that a bound can be written.
pub trait Reject<Request, Response, E>: ErrorMode<E> {
    /// Answers the request in the inner service's place.
    ///
    /// # Errors
    ///
    /// The rejection, unless a function of the user's answers otherwise.
    fn reject(&self, rejected: Rejected, request: Request) -> Result<Response, Self::Error>;
}

impl<Request, Response, E: Into<BoxError>> Reject<Request, Response, E> for Boxed {
    fn reject(&self, rejected: Rejected, _: Request) -> Result<Response, BoxError> {
        Err(Box::new(rejected))
    }
}

impl<Request, Response, E> Reject<Request, Response, E> for Typed {
    fn reject(&self, rejected: Rejected, _: Request) -> Result<Response, CircuitBreakerError<E>> {
        Err(CircuitBreakerError::Rejected(rejected))
    }
}

impl<Request, Response, E, A> Reject<Request, Response, E> for Answered<A>
where
    A: Fn(Rejected, Request) -> Result<Response, E>,
{
    fn reject(&self, rejected: Rejected, request: Request) -> Result<Response, E> {
        (self.answer)(rejected, request)
    }
}
