use std::error::Error;
use std::time::Duration;
use std::{fmt, io};

use halfopen::{Rejected, format_duration};
use redis::RedisError;

/// The cause of an error: the command had no reply within its
/// [`call_timeout`](crate::ProtectedConnection::call_timeout).
///
/// The server may still execute it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoReply {
    limit: Duration,
}

impl NoReply {
    /// Returns the limit that was exceeded.
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

impl fmt::Display for NoReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no reply within {}", format_duration(self.limit))
    }
}

impl Error for NoReply {}

#[cold]
pub(crate) fn no_reply(limit: Duration) -> RedisError {
    io::Error::new(io::ErrorKind::TimedOut, NoReply { limit }).into()
}

/// Wraps a rejection. An `io::Error` is the only error that the client carries as a source, and of its kinds this
/// is one whose `retry_method()` is `NoRetry`.
#[cold]
pub(super) fn rejected(rejected: Rejected) -> RedisError {
    io::Error::new(io::ErrorKind::PermissionDenied, rejected).into()
}

#[cfg(test)]
mod tests {
    use halfopen::RejectReason;
    use redis::RetryMethod;

    use super::*;

    #[test]
    fn a_rejection_is_found_and_not_to_be_retried() {
        let error = rejected(Rejected::new("cache", RejectReason::Open, Some(Duration::from_secs(3))));
        assert_eq!(halfopen::rejection(&error).unwrap().name(), "cache");
        assert!(matches!(error.retry_method(), RetryMethod::NoRetry), "{:?}", error.retry_method());
        assert!(!error.is_timeout() && !error.is_connection_dropped() && !error.is_unrecoverable_error());
        assert_eq!(error.to_string(), "circuit breaker `cache` is open; retry in 3s");
    }

    #[test]
    fn a_missing_reply_is_a_timeout_and_states_its_limit() {
        let error = no_reply(Duration::from_millis(1500));
        assert!(error.is_timeout());
        assert_eq!(error.to_string(), "no reply within 1s500ms");
    }
}
