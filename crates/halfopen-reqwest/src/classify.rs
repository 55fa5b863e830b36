use std::any::Any;
use std::error::Error;
use std::time::Duration;

use halfopen::adapter::error_chain;
use halfopen::{Classify, Outcome};
use halfopen_http::{HttpClassify, as_error, is_local, retry_after_now};
use reqwest::Response;

/// The maximum depth of nested middleware errors. A deeper nesting is treated as a cycle.
const DEPTH: usize = 64;

/// The prefixes of errors that the server did not cause. Only the text is available, as the
/// `reqwest-retry` middleware hides the error of the first and only attempt behind a type of its own.
const OURS: [&str; 3] = ["builder error", "error following redirect", "Request object is not cloneable"];

/// Classifies the results of reqwest calls.
///
/// - A response is classified by its status, with [`HttpClassify`]. By default 408, 429 and every 5xx
///   except 501 and 505 are failures. The `Retry-After` of a failure becomes the hint for the wait.
/// - An error is ignored if the request was not sent or the server did not cause the error: an error of
///   the caller's own side ([`is_local`](halfopen_http::is_local): a rejection, an error of the request
///   body, a limit set by the caller), a request that cannot be built (`is_builder`), a redirect that is
///   not followed (`is_redirect`), a failed upgrade (`is_upgrade`), a body that cannot be cloned for a
///   retry.
/// - An error created from a status (`error_for_status`) is classified by the status. It has no headers,
///   so its `Retry-After` is unknown.
/// - Every other error is a failure: connecting, DNS, timeouts, broken connections, the errors of other
///   middleware, and errors of unknown types.
///
/// The known types are the errors of `reqwest`, `reqwest_middleware` and `anyhow`, boxed errors, and
/// [`io::Error`](std::io::Error). For another type that wraps one of these, use
/// [`typed_errors`](Self::typed_errors) or call [`outcome_of`](Self::outcome_of). The rules are plain
/// data, copied without allocating.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, Outcome};
/// use halfopen_reqwest::{CircuitBreakerMiddleware, HttpClassify, ReqwestClassify};
///
/// // A quota per tenant is no evidence about the server.
/// let statuses = HttpClassify::new().rule(429..=429, Outcome::Ignored)?;
/// let breaker = CircuitBreaker::builder("inventory").build();
/// let middleware = CircuitBreakerMiddleware::new(breaker).classify(ReqwestClassify::new().statuses(statuses));
/// # drop(middleware);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReqwestClassify {
    statuses: HttpClassify,
}

/// The source of an error, as far as its types show it.
enum Cause<'a> {
    Client(&'a reqwest::Error),
    Middleware(&'a anyhow::Error),
    Unknown,
}

impl ReqwestClassify {
    /// Creates the default rules.
    pub const fn new() -> ReqwestClassify {
        ReqwestClassify { statuses: HttpClassify::new() }
    }

    /// Sets the rules for statuses.
    #[must_use]
    pub const fn statuses(self, statuses: HttpClassify) -> ReqwestClassify {
        ReqwestClassify { statuses }
    }

    /// Returns the same rules for typed errors, which walk the `source()` chain of the error.
    pub const fn typed_errors(self) -> TypedErrors {
        TypedErrors(self)
    }

    /// Returns the outcome of a call that failed with this error, or with an error that wraps it.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Outcome;
    /// use halfopen_reqwest::ReqwestClassify;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let error = reqwest::Client::new().get("no URL").send().await.unwrap_err();
    /// assert_eq!(ReqwestClassify::new().outcome_of(&error), Outcome::Ignored);
    /// # }
    /// ```
    pub fn outcome_of(&self, error: &(dyn Error + 'static)) -> Outcome {
        if is_local(error) {
            return Outcome::Ignored;
        }
        match cause(error, DEPTH) {
            Cause::Client(error) => self.outcome_of_client(error),
            Cause::Middleware(error) if is_local(&**error) || is_ours(error) => Outcome::Ignored,
            Cause::Middleware(_) | Cause::Unknown => Outcome::Failure,
        }
    }

    fn outcome_of_response(&self, response: &Response) -> Outcome {
        self.statuses.outcome_with(response.status(), response.headers())
    }

    fn outcome_of_client(&self, error: &reqwest::Error) -> Outcome {
        // Errors of the request itself, or of what this side makes of the answer: no host is to blame for them.
        if is_local(error) || error.is_builder() || error.is_redirect() || error.is_upgrade() {
            return Outcome::Ignored;
        }
        error.status().map_or(Outcome::Failure, |status| self.statuses.outcome(status))
    }
}

impl<E: 'static> Classify<Response, E> for ReqwestClassify {
    fn classify(&self, result: &Result<Response, E>) -> Outcome {
        match result {
            Ok(response) => self.outcome_of_response(response),
            Err(error) => as_known_error(error).map_or(Outcome::Failure, |error| self.outcome_of(error)),
        }
    }

    fn retry_after(&self, result: &Result<Response, E>) -> Option<Duration> {
        hint(result.as_ref().ok())
    }
}

/// A [`ReqwestClassify`] for errors of any type, which walks their `source()` chain.
///
/// For clients that wrap the errors of reqwest. Created by [`ReqwestClassify::typed_errors`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TypedErrors(ReqwestClassify);

impl<E: Error + 'static> Classify<Response, E> for TypedErrors {
    fn classify(&self, result: &Result<Response, E>) -> Outcome {
        match result {
            Ok(response) => self.0.outcome_of_response(response),
            Err(error) => self.0.outcome_of(error),
        }
    }

    fn retry_after(&self, result: &Result<Response, E>) -> Option<Duration> {
        hint(result.as_ref().ok())
    }
}

/// Returns the error in a value of any type, or [`None`] if the type is unknown.
pub(crate) fn as_known_error(any: &dyn Any) -> Option<&(dyn Error + 'static)> {
    if let Some(error) = any.downcast_ref::<reqwest_middleware::Error>() {
        return Some(error);
    }
    if let Some(error) = any.downcast_ref::<reqwest::Error>() {
        return Some(error);
    }
    if let Some(error) = any.downcast_ref::<anyhow::Error>() {
        return Some(&**error);
    }
    as_error(any)
}

fn hint(response: Option<&Response>) -> Option<Duration> {
    retry_after_now(response?.headers())
}

fn cause<'a>(error: &'a (dyn Error + 'static), depth: usize) -> Cause<'a> {
    // Bounded, because an error from outside could contain itself.
    error_chain(error).take(depth).find_map(|error| cause_at(error, depth)).unwrap_or(Cause::Unknown)
}

fn cause_at<'a>(error: &'a (dyn Error + 'static), depth: usize) -> Option<Cause<'a>> {
    if let Some(error) = error.downcast_ref::<reqwest::Error>() {
        return Some(Cause::Client(error));
    }
    match error.downcast_ref::<reqwest_middleware::Error>()? {
        reqwest_middleware::Error::Reqwest(error) => Some(Cause::Client(error)),
        // This variant is transparent: the `source()` chain skips the error that it wraps.
        reqwest_middleware::Error::Middleware(error) => match cause(&**error, depth.checked_sub(1)?) {
            Cause::Unknown => Some(Cause::Middleware(error)),
            found @ (Cause::Client(_) | Cause::Middleware(_)) => Some(found),
        },
    }
}

fn is_ours(error: &anyhow::Error) -> bool {
    // These errors have no type of their own, only their texts.
    let text = error.to_string();
    OURS.iter().any(|prefix| text.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use halfopen::{BoxError, CircuitBreaker};

    use super::*;

    /// The error of a client that wraps an error of reqwest.
    #[derive(Debug)]
    struct Wrapped(BoxError);

    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the client failed")
        }
    }

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }

    async fn not_built() -> reqwest::Error {
        reqwest::Client::new().get("no URL").send().await.unwrap_err()
    }

    fn with_status(status: u16) -> reqwest::Error {
        let response = http::Response::builder().status(status).header("retry-after", "9").body("").unwrap();
        Response::from(response).error_for_status().unwrap_err()
    }

    fn outcome<E: 'static>(error: E) -> Outcome {
        ReqwestClassify::new().classify(&Err::<Response, _>(error))
    }

    #[tokio::test]
    async fn every_form_of_the_clients_error_is_known() {
        assert_eq!(outcome(not_built().await), Outcome::Ignored);
        assert_eq!(outcome(reqwest_middleware::Error::from(not_built().await)), Outcome::Ignored);
        assert_eq!(outcome(anyhow::Error::new(not_built().await).context("while asking")), Outcome::Ignored);
        assert_eq!(outcome(BoxError::from(not_built().await)), Outcome::Ignored);
        assert_eq!(outcome(std::io::Error::other(not_built().await)), Outcome::Ignored);
    }

    #[tokio::test]
    async fn an_unknown_type_is_a_failure_unless_walked() {
        assert_eq!(outcome(Wrapped(not_built().await.into())), Outcome::Failure);
        assert_eq!(outcome("no error at all"), Outcome::Failure);

        let wrapped = Wrapped(not_built().await.into());
        assert_eq!(ReqwestClassify::new().outcome_of(&wrapped), Outcome::Ignored);
        let typed = ReqwestClassify::new().typed_errors();
        assert_eq!(typed.classify(&Err::<Response, _>(wrapped)), Outcome::Ignored);
    }

    #[test]
    fn an_error_of_a_status_has_its_outcome_and_no_hint() {
        assert_eq!(outcome(with_status(503)), Outcome::Failure);
        assert_eq!(outcome(with_status(404)), Outcome::Success);
        let result = Err::<Response, _>(with_status(503));
        assert_eq!(ReqwestClassify::new().retry_after(&result), None, "its headers are gone");
    }

    #[test]
    fn a_rejection_is_ignored_in_any_known_type() {
        let breaker = CircuitBreaker::builder("further in").build();
        breaker.force_open();
        let rejected = || breaker.try_acquire().unwrap_err();
        assert_eq!(outcome(rejected()), Outcome::Ignored);
        assert_eq!(outcome(anyhow::Error::new(rejected())), Outcome::Ignored);
        assert_eq!(ReqwestClassify::new().outcome_of(&Wrapped(rejected().into())), Outcome::Ignored);
    }
}
