use std::error::Error;
use std::time::Duration;

use halfopen::{Classify, Outcome, OwnedPermit};
use halfopen_http::{ClassifyHead, GrpcClassify, GrpcCode, Head, WatchedCall, retry_hint};
use http::{HeaderMap, Response};
use http_body::Body;
use tonic::Status;

use crate::errors::{
    grpc_error, outcome_of_body, outcome_of_call, outcome_of_error, outcome_of_status, status_in,
};

/// Classifies the results of calls by the [`Status`] in their error.
///
/// - A status sent by the peer is classified by its code, with the rules of a [`GrpcClassify`]. A `Cancelled` from the
///   peer is a failure, because a caller that cancels its call does not receive a status.
/// - A status that tonic created from an error (a refused connection, a reset, a timeout) is a failure, whatever its
///   code is.
/// - A [local](halfopen_http::is_local) error is ignored: a rejection, a call that was cancelled here, a message that the
///   client refuses to send.
/// - An error without a status is a failure.
///
/// The pushback and the `RetryInfo` of a failure are the hint for the wait.
///
/// The error can be a `Status` or contain one: boxed, shared, in a
/// [`CircuitBreakerError`](halfopen::CircuitBreakerError) or, for a boxed error, anywhere in its `source()` chain. To walk
/// the chain of a typed error, such as that of an SDK over tonic, use [`typed_errors`](Self::typed_errors). If an error
/// hides its status from `source()`, extract the status and call [`outcome`](Self::outcome).
///
/// # Examples
///
/// ```
/// use halfopen::{Classify, Outcome};
/// use halfopen_tonic::StatusClassify;
/// use tonic::Status;
///
/// let classify = StatusClassify::default();
/// assert_eq!(classify.classify(&Err::<(), _>(Status::not_found("no such article"))), Outcome::Success);
/// assert_eq!(classify.classify(&Err::<(), _>(Status::unavailable("restarting"))), Outcome::Failure);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StatusClassify(GrpcClassify);

impl StatusClassify {
    /// Creates a classifier with these rules. `StatusClassify::default()` has the default rules.
    pub const fn new(rules: GrpcClassify) -> StatusClassify {
        StatusClassify(rules)
    }

    /// Returns the outcome of a call that failed with this status.
    pub fn outcome(&self, status: &Status) -> Outcome {
        outcome_of_status(status, self.0)
    }

    /// Returns the outcome of a call that failed with this error, by the outermost [`Status`] in its chain.
    ///
    /// An error without a status is a failure.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Outcome;
    /// use halfopen_tonic::StatusClassify;
    /// use tonic::Status;
    ///
    /// let error = std::io::Error::other(Status::not_found("no such article"));
    /// assert_eq!(StatusClassify::default().outcome_of(&error), Outcome::Success);
    /// ```
    pub fn outcome_of(&self, error: &(dyn Error + 'static)) -> Outcome {
        outcome_of_error(error, self.0)
    }

    /// Returns the same classifier for typed errors, which walks the `source()` chain of the error.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{Classify, Outcome};
    /// use halfopen_tonic::StatusClassify;
    /// use tonic::Status;
    ///
    /// let error = std::io::Error::other(Status::not_found("no such article"));
    /// let classify = StatusClassify::default().typed_errors();
    /// assert_eq!(classify.classify(&Err::<(), _>(error)), Outcome::Success);
    /// ```
    pub const fn typed_errors(self) -> TypedStatusClassify {
        TypedStatusClassify(self)
    }
}

impl<T, E: 'static> Classify<T, E> for StatusClassify {
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) => grpc_error(error).map_or(Outcome::Failure, |error| self.outcome_of(error)),
        }
    }

    fn retry_after(&self, result: &Result<T, E>) -> Option<Duration> {
        hint_of(grpc_error(result.as_ref().err()?)?)
    }
}

/// A [`StatusClassify`] for errors of any type, which walks their `source()` chain.
///
/// Created by [`StatusClassify::typed_errors`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TypedStatusClassify(StatusClassify);

impl<T, E: Error + 'static> Classify<T, E> for TypedStatusClassify {
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        match result {
            Ok(_) => Outcome::Success,
            Err(error) => self.0.outcome_of(error),
        }
    }

    fn retry_after(&self, result: &Result<T, E>) -> Option<Duration> {
        hint_of(result.as_ref().err()?)
    }
}

fn hint_of(error: &(dyn Error + 'static)) -> Option<Duration> {
    let status = status_in(error)?;
    retry_hint(status.metadata().as_ref(), status.details())
}

/// The rules of the layer: those for the codes, and those for the errors of tonic.
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
            // A status that is an error comes from a layer on the way and not from the server.
            Err(_) => None,
        }
    }
}

impl ClassifyHead for Rules {
    fn classify_head<B: Body>(&self, response: &Response<B>, timed_out: bool) -> Head {
        match self.0.classify_head(response, timed_out) {
            // The rejection of an inner layer that answers with trailers: the callee was not called. Its head has a
            // status, so it is decided by its head.
            Head::Decided(_) if is_rejection(response) => Head::Decided(Outcome::Ignored),
            head => head,
        }
    }

    fn watch(&self, permit: OwnedPermit, headers: &HeaderMap) -> WatchedCall {
        self.0.watch(permit, headers).body_errors(outcome_of_body)
    }
}

/// Returns `true` if an inner service has created the response from the rejection of a breaker.
///
/// tonic keeps the status and its source in the extensions of the response. The status in the headers is checked
/// first, as a response that succeeded can have a status in its extensions that has nothing to do with it.
fn is_rejection<B>(response: &Response<B>) -> bool {
    // The code first: almost all answers have none at the head, so their extensions are not searched.
    GrpcCode::from_headers(response.headers()).is_some_and(|code| code != GrpcCode::Ok)
        && response.extensions().get::<Status>().is_some_and(|status| halfopen::rejection(status).is_some())
}
