use std::error::Error;
use std::time::Duration;

use halfopen::{BoxError, Classify, Outcome, rejection};
use halfopen_http::{HttpClassify, retry_after_now};
use reqwest::Response;

/// How deep an error is searched; a chain longer than this is taken for a circle.
const DEPTH: usize = 64;

/// What begins the text of an error that is no fault of the server, where the text is all that is left
/// of it: `reqwest-retry` hides the error of a first and only attempt behind a type of its own.
const OURS: [&str; 3] = ["builder error", "error following redirect", "Request object is not cloneable"];

/// Says what the result of a reqwest call means.
///
/// - An answer: as [`HttpClassify`] says of its status. By default 408, 429 and every 5xx except 501
///   and 505 are failures. A failure's `Retry-After` is passed on as the hint for the wait.
/// - Ignored, since the server was never asked or is not to blame: a rejection by a breaker further
///   in, a request that could not be built (`is_builder`), a redirect that is not followed
///   (`is_redirect`), an upgrade that is none (`is_upgrade`), a body that cannot be sent twice.
/// - An error made of a status by a middleware further in (`error_for_status`): as the status.
/// - Every other error is a failure: connecting, DNS, timeouts, broken connections, and what other
///   middleware makes of them.
///
/// It is a classifier of `reqwest_middleware`'s results, of `reqwest`'s own and of boxed ones, for the
/// tower layer over a `reqwest::Client`. Plain data, copied without allocating.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, Outcome};
/// use halfopen_http::HttpClassify;
/// use halfopen_reqwest::{CircuitBreakerMiddleware, ReqwestClassify};
///
/// // A quota per tenant says nothing about the server.
/// let statuses = HttpClassify::new().rule(429..=429, Outcome::Ignored)?;
/// let breaker = CircuitBreaker::builder("inventory").build();
/// let middleware = CircuitBreakerMiddleware::new(breaker).classify(ReqwestClassify::new().statuses(statuses));
/// # drop(middleware);
/// # Ok::<(), halfopen_http::RuleError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReqwestClassify {
    statuses: HttpClassify,
}

/// Where an error comes from, as far as it can be seen.
enum Cause<'a> {
    Client(&'a reqwest::Error),
    Middleware(&'a anyhow::Error),
    Unknown,
}

impl ReqwestClassify {
    /// The default rules.
    pub const fn new() -> ReqwestClassify {
        ReqwestClassify { statuses: HttpClassify::new() }
    }

    /// Judges statuses by these rules.
    #[must_use]
    pub const fn statuses(self, statuses: HttpClassify) -> ReqwestClassify {
        ReqwestClassify { statuses }
    }

    fn outcome<E>(
        &self,
        result: Result<&Response, &E>,
        as_error: impl Fn(&E) -> &(dyn Error + 'static),
    ) -> Outcome {
        match result {
            Ok(response) => self.statuses.outcome(response.status()),
            Err(error) => self.outcome_of(as_error(error)),
        }
    }

    fn outcome_of(&self, error: &(dyn Error + 'static)) -> Outcome {
        if rejection(error).is_some() {
            return Outcome::Ignored;
        }
        match cause(error, DEPTH) {
            Cause::Client(error) => self.outcome_of_client(error),
            Cause::Middleware(error) if rejection(&**error).is_some() || is_ours(error) => Outcome::Ignored,
            Cause::Middleware(_) | Cause::Unknown => Outcome::Failure,
        }
    }

    fn outcome_of_client(&self, error: &reqwest::Error) -> Outcome {
        if error.is_builder() || error.is_redirect() || error.is_upgrade() {
            return Outcome::Ignored;
        }
        error.status().map_or(Outcome::Failure, |status| self.statuses.outcome(status))
    }
}

impl Classify<Response, reqwest_middleware::Error> for ReqwestClassify {
    fn classify(&self, result: &Result<Response, reqwest_middleware::Error>) -> Outcome {
        self.outcome(result.as_ref(), |error| error)
    }

    fn retry_after(&self, result: &Result<Response, reqwest_middleware::Error>) -> Option<Duration> {
        hint(result.as_ref().ok())
    }
}

impl Classify<Response, reqwest::Error> for ReqwestClassify {
    fn classify(&self, result: &Result<Response, reqwest::Error>) -> Outcome {
        self.outcome(result.as_ref(), |error| error)
    }

    fn retry_after(&self, result: &Result<Response, reqwest::Error>) -> Option<Duration> {
        hint(result.as_ref().ok())
    }
}

impl Classify<Response, BoxError> for ReqwestClassify {
    fn classify(&self, result: &Result<Response, BoxError>) -> Outcome {
        self.outcome(result.as_ref(), |error| &**error)
    }

    fn retry_after(&self, result: &Result<Response, BoxError>) -> Option<Duration> {
        hint(result.as_ref().ok())
    }
}

fn hint(response: Option<&Response>) -> Option<Duration> {
    retry_after_now(response?.headers())
}

fn cause<'a>(error: &'a (dyn Error + 'static), depth: usize) -> Cause<'a> {
    let mut links = std::iter::successors(Some(error), |error| (*error).source()).take(depth);
    links.find_map(|error| cause_at(error, depth)).unwrap_or(Cause::Unknown)
}

fn cause_at<'a>(error: &'a (dyn Error + 'static), depth: usize) -> Option<Cause<'a>> {
    if let Some(error) = error.downcast_ref::<reqwest::Error>() {
        return Some(Cause::Client(error));
    }
    match error.downcast_ref::<reqwest_middleware::Error>()? {
        reqwest_middleware::Error::Reqwest(error) => Some(Cause::Client(error)),
        // Transparent: what it holds is on no chain but its own.
        reqwest_middleware::Error::Middleware(error) => match cause(&**error, depth.checked_sub(1)?) {
            Cause::Unknown => Some(Cause::Middleware(error)),
            found @ (Cause::Client(_) | Cause::Middleware(_)) => Some(found),
        },
    }
}

fn is_ours(error: &anyhow::Error) -> bool {
    let text = error.to_string();
    OURS.iter().any(|beginning| text.starts_with(beginning))
}
