use halfopen::{BoxError, Rejected};
use halfopen_tower::adapter::OnReject;
use http::Response;

use crate::rejected_status;

/// Returns rejections as errors, each a boxed [`Status`](tonic::Status). Inner errors are boxed without a wrapper.
///
/// For clients: tonic returns the same status to the caller, including its source.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatusError;

/// Answers rejections with a response that has a status and no message. The error is that of the inner service:
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
        // An answer and no error: the server ends a connection whose service fails.
        Ok(rejected_status(rejected).into_http())
    }
}
