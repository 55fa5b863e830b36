use std::sync::Arc;

use halfopen::{RejectReason, Rejected};
use tonic::{Code, Status};

use crate::details;

/// Returns the status of a rejected gRPC call.
///
/// The code is UNAVAILABLE, or RESOURCE_EXHAUSTED for a rate limit. The message is that of the rejection, which contains
/// the name of the breaker or limit and the time until the next attempt. The details are a `google.rpc.RetryInfo`, if
/// the time is known, and a `google.rpc.ErrorInfo` with the domain `halfopen`, the reason `CIRCUIT_OPEN`,
/// `BULKHEAD_FULL` or `RATE_LIMITED`, and the name as `breaker`, `bulkhead` or `rate_limit`. The source is the
/// [`Rejected`]. The code, the message and the details are sent to the peer; the source exists only in this process.
///
/// Names are truncated to 128 characters in the message and the details. Peers accept 8 KiB of headers by default, and
/// a longer status would become a protocol error.
///
/// # Examples
///
/// ```
/// use halfopen::CircuitBreaker;
/// use halfopen_tonic::rejected_status;
///
/// let breaker = CircuitBreaker::builder("inventory").build();
/// breaker.force_open();
///
/// let status = rejected_status(breaker.try_acquire().unwrap_err());
/// assert_eq!(status.code(), tonic::Code::Unavailable);
/// assert_eq!(status.message(), "circuit breaker `inventory` is forced open by an operator");
/// assert_eq!(halfopen::rejection(&status).unwrap().name(), "inventory");
/// ```
pub fn rejected_status(rejected: Rejected) -> Status {
    let message = rejected.to_string();
    let code = code(&rejected);
    let details = details::of(&rejected, code, &message);
    let mut status = Status::with_details(code, message, details.into());
    // So that `halfopen::rejection` finds it again, and no layer further out counts it as a failure.
    status.set_source(Arc::new(rejected));
    status
}

fn code(rejected: &Rejected) -> Code {
    match rejected.reason() {
        RejectReason::RateLimited => Code::ResourceExhausted,
        // A reason added by a later version of the core is not the caller's fault either.
        _ => Code::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use halfopen::{CircuitBreaker, Clock};
    use tonic_types::StatusExt;

    use super::*;

    fn open_for(wait: Duration) -> Status {
        let breaker = CircuitBreaker::builder("lager für €").clock(Clock::manual().0).build();
        breaker.open_for(wait);
        rejected_status(breaker.try_acquire().unwrap_err())
    }

    #[test]
    fn the_details_have_the_wait_and_the_breaker() {
        let status = open_for(Duration::from_millis(90_500));
        let details = status.check_error_details().unwrap();
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_millis(90_500)));
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("CIRCUIT_OPEN", "halfopen"));
        assert_eq!(info.metadata["breaker"], "lager für €");
    }

    #[test]
    fn a_limit_is_reported_as_what_it_is() {
        let limited = Rejected::new("ai", RejectReason::RateLimited, Some(Duration::from_secs(2)));
        let full = Rejected::bulkhead_full("ai", 20, 5);
        for (rejected, code, reason, kind) in [
            (limited, Code::ResourceExhausted, "RATE_LIMITED", "rate_limit"),
            (full, Code::Unavailable, "BULKHEAD_FULL", "bulkhead"),
        ] {
            let status = rejected_status(rejected);
            let info = status.check_error_details().unwrap().error_info().unwrap().clone();
            assert_eq!((status.code(), &*info.reason), (code, reason));
            assert_eq!(info.metadata[kind], "ai");
        }
    }

    #[test]
    fn the_longest_wait_is_still_a_wait() {
        let details = open_for(Duration::MAX).check_error_details().unwrap();
        let delay = details.retry_info().unwrap().retry_delay.unwrap();
        assert!(delay >= Duration::from_secs(500 * 365 * 24 * 3600), "{delay:?}");
    }

    #[test]
    fn an_unknown_wait_has_no_retry_info() {
        let breaker = CircuitBreaker::builder("inventory").build();
        breaker.force_open();
        let details = rejected_status(breaker.try_acquire().unwrap_err()).check_error_details().unwrap();
        assert!(details.retry_info().is_none());
        assert!(details.error_info().is_some());
    }

    #[test]
    fn another_halfopen_reads_the_wait_back() {
        let status = open_for(Duration::from_secs(300));
        let hint = halfopen_http::retry_hint(status.metadata().as_ref(), status.details());
        assert_eq!(hint, Some(Duration::from_secs(300)));
        let headers = status.into_http::<()>().into_parts().0.headers;
        assert_eq!(halfopen_http::retry_hint(&headers, &[]), Some(Duration::from_secs(300)));
    }
}
