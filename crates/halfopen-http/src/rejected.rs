use halfopen::{RejectReason, Rejected};
use http::header::{HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

/// Returns the HTTP response to a request that was rejected.
///
/// The status is `503 Service Unavailable`, or `429 Too Many Requests` if a rate limit rejected the
/// request. `Retry-After` is rounded up to whole seconds, and is 1 second if the time is unknown or has
/// passed, so that no client retries immediately. The caller adds a body.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use halfopen::CircuitBreaker;
///
/// let breaker = CircuitBreaker::builder("inventory").build();
/// breaker.open_for(Duration::from_secs(30));
/// let rejected = breaker.try_acquire().unwrap_err();
///
/// let response = halfopen_http::rejected_response(&rejected).map(|()| rejected.to_string());
/// assert_eq!(response.status(), 503);
/// assert_eq!(response.headers()["retry-after"], "30");
/// ```
pub fn rejected_response(rejected: &Rejected) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status(rejected);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(whole_seconds(rejected)));
    response
}

fn status(rejected: &Rejected) -> StatusCode {
    match rejected.reason() {
        RejectReason::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        // A reason added by a later version of the core is not the client's fault either.
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn whole_seconds(rejected: &Rejected) -> u64 {
    let left = rejected.retry_after().unwrap_or_default();
    // Rounded up and at least one: a client that comes back too early is only rejected again.
    let started = u64::from(left.subsec_nanos() > 0);
    left.as_secs().saturating_add(started).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use halfopen::{CircuitBreaker, CircuitBreakerConfig, Clock};

    use super::*;

    fn answer(open: impl FnOnce(&CircuitBreaker)) -> (u16, String) {
        let (clock, _) = Clock::manual();
        let config = CircuitBreakerConfig::default();
        let breaker = CircuitBreaker::builder("peer").config(config).clock(clock).build();
        open(&breaker);
        let response = rejected_response(&breaker.try_acquire().unwrap_err());
        (response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap().to_owned())
    }

    #[test]
    fn the_time_left_is_rounded_up_to_seconds() {
        for (millis, seconds) in [(1, "1"), (1_000, "1"), (1_001, "2"), (59_870, "60")] {
            let answer = answer(|breaker| breaker.open_for(Duration::from_millis(millis)));
            assert_eq!(answer, (503, seconds.to_owned()), "{millis} ms");
        }
    }

    #[test]
    fn an_unknown_time_is_a_second() {
        assert_eq!(answer(CircuitBreaker::force_open), (503, "1".to_owned()));
    }

    #[test]
    fn the_longest_wait_is_still_a_header() {
        let (status, seconds) = answer(|breaker| breaker.open_for(Duration::MAX));
        assert_eq!((status, seconds.parse::<u64>().is_ok()), (503, true), "{seconds}");
    }

    #[test]
    fn a_rate_limit_is_too_many_requests() {
        let limited = Rejected::new("ai", RejectReason::RateLimited, Some(Duration::from_millis(1200)));
        let response = rejected_response(&limited);
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (429, &HeaderValue::from(2))
        );

        let full = rejected_response(&Rejected::bulkhead_full("ai", 20, 5));
        assert_eq!((full.status().as_u16(), &full.headers()["retry-after"]), (503, &HeaderValue::from(1)));
    }
}
