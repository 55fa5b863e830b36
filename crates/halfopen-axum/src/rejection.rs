use std::fmt;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use halfopen::{RejectReason, Rejected};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde::Serialize;

/// The response to a rejected call, for handlers that use `?`.
///
/// `503 Service Unavailable`, or `429 Too Many Requests` for a rate limit, with a `Retry-After` and an
/// `application/problem+json` body (RFC 9457). The body names what rejected the call and the wait, and nothing
/// else of the server's inside. The [`Rejected`] is an extension of the response; a protected route ignores a
/// response that has it.
///
/// # Examples
///
/// ```
/// use axum::extract::State;
/// use axum::response::IntoResponse;
/// use halfopen::{CircuitBreaker, Registry};
/// use halfopen_axum::Rejection;
///
/// async fn orders(State(database): State<CircuitBreaker>) -> Result<String, Rejection> {
///     let permit = database.try_acquire()?;
///     permit.success();
///     Ok("42 orders".to_owned())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let database = Registry::new().get_or_create("database");
/// database.open_for(std::time::Duration::from_secs(30));
///
/// let response = orders(State(database)).await.into_response();
/// assert_eq!(response.status(), 503);
/// assert_eq!(response.headers()["retry-after"], "30");
/// assert_eq!(response.headers()["content-type"], "application/problem+json");
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection(pub Rejected);

/// The members of a problem document, in the order of RFC 9457.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

impl From<Rejected> for Rejection {
    fn from(rejected: Rejected) -> Self {
        Rejection(rejected)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Rejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        let mut response = halfopen_http::rejected_response(&self.0).map(|()| Body::empty());
        let document = problem(&self.0, &response);
        *response.body_mut() = Body::from(document);
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, problem);
        // For a protected route further out, which must not count this answer as a failure of its own.
        response.extensions_mut().insert(self.0);
        response
    }
}

fn problem(rejected: &Rejected, response: &Response) -> String {
    let status = response.status();
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let problem = Problem {
        // The status is all that the problem's type is.
        kind: "about:blank",
        title: status.canonical_reason().unwrap_or_default(),
        status: status.as_u16(),
        detail: &detail(rejected, seconds.unwrap_or("1")),
    };
    serde_json::to_string(&problem).expect("strings and a number are JSON")
}

fn detail(rejected: &Rejected, seconds: &str) -> String {
    let name = rejected.name();
    let why = match rejected.reason() {
        RejectReason::BulkheadFull => "is at its limit of concurrent requests",
        RejectReason::RateLimited => "is at its limit of requests over time",
        // Whether an operator, an open or a half-open breaker rejects is not for a stranger.
        _ => "is temporarily unavailable",
    };
    format!("`{name}` {why}; retry in {seconds}s")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_detail_names_the_limit_and_the_wait_alone() {
        for (reason, detail_of_it) in [
            (RejectReason::Open, "`api` is temporarily unavailable; retry in 3s"),
            (RejectReason::HalfOpenSaturated, "`api` is temporarily unavailable; retry in 3s"),
            (RejectReason::ForcedOpen, "`api` is temporarily unavailable; retry in 3s"),
            (RejectReason::BulkheadFull, "`api` is at its limit of concurrent requests; retry in 3s"),
            (RejectReason::RateLimited, "`api` is at its limit of requests over time; retry in 3s"),
        ] {
            let rejected = Rejected::new("api", reason, Some(Duration::from_millis(2_500)));
            let response = halfopen_http::rejected_response(&rejected).map(|()| Body::empty());
            let document: serde_json::Value = serde_json::from_str(&problem(&rejected, &response)).unwrap();
            assert_eq!(document["detail"], detail_of_it, "{reason:?}");
        }
    }

    #[test]
    fn a_name_is_escaped() {
        let rejected = Rejected::new("a\"b\n", RejectReason::Open, None);
        let response = halfopen_http::rejected_response(&rejected).map(|()| Body::empty());
        assert_eq!(
            problem(&rejected, &response),
            r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"`a\"b\n` is temporarily unavailable; retry in 1s"}"#
        );
    }
}
