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

/// Classifies a call by the [`Status`] in its error, as a caller of a tonic client gets it.
///
/// A status that the peer sent is judged by its code, by the rules of a [`GrpcClassify`]; a `Cancelled` among them
/// is a failure: who cancels does not wait for the status. One that tonic made of an error (a refused connection, a
/// reset, a timeout) is a failure, whatever its code. What this side did itself is ignored: a rejection, a call that
/// was cancelled, a message that the client refuses to send. The pushback and the `RetryInfo` of a failure are the
/// hint for the wait.
///
/// The error may be a `Status` or hold one: boxed, shared, in a [`CircuitBreakerError`](halfopen::CircuitBreakerError)
/// or, if it is a boxed error, anywhere in its `source()` chain. An error without a status is a failure. To walk the
/// chain of a typed error (that of an SDK over tonic) use [`typed_errors`](Self::typed_errors); for an error that
/// hides its status from `source()` take it out and ask [`outcome`](Self::outcome).
///
/// # Examples
///
/// A stream of messages behind a breaker; `tonic::Streaming` is such a stream.
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
    /// A classifier with these rules; `StatusClassify::default()` has the default ones.
    pub const fn new(rules: GrpcClassify) -> StatusClassify {
        StatusClassify(rules)
    }

    /// Returns what a status means.
    pub fn outcome(&self, status: &Status) -> Outcome {
        outcome_of_status(status, self.0)
    }

    /// Returns what an error means: by the outermost [`Status`] in its chain; a failure if there is none.
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

    /// The same classifier for a typed error, whose `source()` chain is walked.
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

/// A [`StatusClassify`] of typed errors; made by [`StatusClassify::typed_errors`].
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
