use std::time::Duration;

use halfopen::{Classify, Outcome, OwnedPermit};
use halfopen_http::{ClassifyHead, GrpcClassify, GrpcCode, Head, WatchedCall, retry_hint};
use http::{HeaderMap, Response};
use http_body::Body;
use tonic::Status;

use crate::errors::{outcome_of_body, outcome_of_call, outcome_of_status};

/// Says what a `Result<T, Status>` means, as a caller of a tonic client has it.
///
/// A status that the peer sent is judged by its code, by the rules of a [`GrpcClassify`]. One that tonic
/// made of an error (a refused connection, a reset, a timeout) is a failure, whatever its code. A
/// rejection, and a call that the caller has cancelled, are ignored. The pushback and the `RetryInfo` of
/// a failure are the hint for the wait.
///
/// # Examples
///
/// A stream of messages behind a breaker; `tonic::Streaming` is such a stream.
///
/// ```
/// use halfopen::{CircuitBreaker, Classify, Outcome};
/// use halfopen_tonic::StatusClassify;
/// use tonic::Status;
///
/// let classify = StatusClassify::default();
/// assert_eq!(classify.classify(&Err::<(), _>(Status::not_found("no such article"))), Outcome::Success);
/// assert_eq!(classify.classify(&Err::<(), _>(Status::unavailable("restarting"))), Outcome::Failure);
/// assert_eq!(classify.classify(&Err::<(), _>(Status::cancelled("not needed"))), Outcome::Ignored);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StatusClassify(GrpcClassify);

impl StatusClassify {
    /// By these rules; `StatusClassify::default()` has the default ones.
    pub const fn new(rules: GrpcClassify) -> StatusClassify {
        StatusClassify(rules)
    }
}

impl<T> Classify<T, Status> for StatusClassify {
    fn classify(&self, result: &Result<T, Status>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(status) => outcome_of_status(status, self.0),
        }
    }

    fn retry_after(&self, result: &Result<T, Status>) -> Option<Duration> {
        let status = result.as_ref().err()?;
        retry_hint(status.metadata().as_ref(), status.details())
    }
}

/// The rules of a layer's calls: those of the codes, and what is known of tonic's errors.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules(pub(crate) GrpcClassify);

impl<B: Body, E: 'static> Classify<Response<B>, E> for Rules {
    fn classify(&self, result: &Result<Response<B>, E>) -> Outcome {
        let known = result.as_ref().err().and_then(|error| outcome_of_call(error, self.0));
        known.unwrap_or_else(|| self.0.classify(result))
    }

    fn retry_after(&self, result: &Result<Response<B>, E>) -> Option<Duration> {
        match result {
            Ok(_) => self.0.retry_after(result),
            Err(_) => None,
        }
    }
}

impl ClassifyHead for Rules {
    fn classify_head<B: Body>(&self, response: &Response<B>, timed_out: bool) -> Head {
        if is_rejection(response) {
            return Head::Decided(Outcome::Ignored);
        }
        self.0.classify_head(response, timed_out)
    }

    fn watch(&self, permit: OwnedPermit, headers: &HeaderMap) -> WatchedCall {
        self.0.watch(permit, headers).body_errors(outcome_of_body)
    }
}

/// An answer that a service further in has made of a breaker's rejection; tonic leaves the status with its
/// source in the extensions. Only an answer that says it failed is looked into.
fn is_rejection<B>(response: &Response<B>) -> bool {
    GrpcCode::from_headers(response.headers()).is_some_and(|code| code != GrpcCode::Ok)
        && response.extensions().get::<Status>().is_some_and(|status| halfopen::rejection(status).is_some())
}
