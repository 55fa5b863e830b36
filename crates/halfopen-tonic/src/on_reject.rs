use halfopen::{BoxError, Rejected};
use halfopen_tower::OnReject;
use http::Response;

use crate::rejected_status;

/// A rejection is an error, a boxed [`Status`](tonic::Status), and the inner error is passed on as it is.
///
/// For clients: tonic hands that very status to the caller, its source included.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatusError;

/// A rejection is an answer, a status without a message, and the error stays that of the inner service:
/// [`GrpcCircuitBreakerLayer::trailers_only`](crate::GrpcCircuitBreakerLayer::trailers_only).
#[derive(Clone, Copy, Debug, Default)]
pub struct TrailersOnly;

impl<Request, Response, E: Into<BoxError>> OnReject<Request, Response, E> for StatusError {
    type Error = BoxError;

    fn map_error(error: E) -> BoxError {
        error.into()
    }

    fn reject(&self, rejected: Rejected, _: Request) -> Result<Response, BoxError> {
        Err(Box::new(rejected_status(rejected)))
    }
}

impl<Request, B: Default, E> OnReject<Request, Response<B>, E> for TrailersOnly {
    type Error = E;

    fn map_error(error: E) -> E {
        error
    }

    fn reject(&self, rejected: Rejected, _: Request) -> Result<Response<B>, E> {
        Ok(rejected_status(rejected).into_http())
    }
}
