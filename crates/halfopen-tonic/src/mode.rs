use halfopen::{BoxError, Rejected};
use halfopen_http::WatchedBody;
use http::Response;

use crate::rejected_status;

/// What the caller of a rejected call gets, and how the inner service's errors are passed on.
///
/// Sealed; here so that a bound can be written.
pub trait Answer<B, E>: sealed::Sealed {
    /// The error of the service.
    type Error: 'static;

    /// Passes an error of the inner service on.
    fn inner(error: E) -> Self::Error;

    /// Answers in the inner service's place.
    ///
    /// # Errors
    ///
    /// The rejection, unless it is an answer.
    fn reject(rejected: Rejected) -> Result<Response<WatchedBody<B>>, Self::Error>;
}

/// A rejection is an error, a boxed [`Status`](tonic::Status), and the inner error is passed on as it is.
///
/// For clients: tonic hands that very status to the caller, its source included.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsError;

/// A rejection is an answer, a status without a message, and the error stays that of the inner service:
/// [`GrpcCircuitBreakerLayer::trailers_only`](crate::GrpcCircuitBreakerLayer::trailers_only).
#[derive(Clone, Copy, Debug, Default)]
pub struct TrailersOnly;

impl<B, E: Into<BoxError>> Answer<B, E> for AsError {
    type Error = BoxError;

    fn inner(error: E) -> BoxError {
        error.into()
    }

    fn reject(rejected: Rejected) -> Result<Response<WatchedBody<B>>, BoxError> {
        Err(Box::new(rejected_status(rejected)))
    }
}

impl<B: Default, E: 'static> Answer<B, E> for TrailersOnly {
    type Error = E;

    fn inner(error: E) -> E {
        error
    }

    fn reject(rejected: Rejected) -> Result<Response<WatchedBody<B>>, E> {
        Ok(rejected_status(rejected).into_http())
    }
}

mod sealed {
    #[allow(unnameable_types, reason = "that is the point")]
    pub trait Sealed {}
    impl Sealed for super::AsError {}
    impl Sealed for super::TrailersOnly {}
}
