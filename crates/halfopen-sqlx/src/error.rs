use std::error::Error;
use std::time::Duration;
use std::{fmt, io};

use halfopen::{Rejected, format_duration};

/// The cause of an error: a call had no result within its [`query_timeout`](crate::ProtectedPool::query_timeout).
///
/// The server may still execute it: a write that timed out may have been made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryTimedOut {
    limit: Duration,
}

impl QueryTimedOut {
    /// Returns the limit that was exceeded.
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

impl fmt::Display for QueryTimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no result within {}", format_duration(self.limit))
    }
}

impl Error for QueryTimedOut {}

#[cold]
pub(crate) fn timed_out(limit: Duration) -> sqlx::Error {
    io::Error::new(io::ErrorKind::TimedOut, QueryTimedOut { limit }).into()
}

/// Wraps a rejection. An `io::Error` is the only variant whose source can be any error and that no part of the client
/// takes for a fault of the configuration; the pool retries none of this kind.
#[cold]
pub(crate) fn rejected(rejected: Rejected) -> sqlx::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, NotMade(rejected)).into()
}

/// A call that was rejected, as the content of an `io::Error`, whose `source()` skips its content: a walk along the sources
/// reaches the rejection in this one.
#[derive(Debug)]
struct NotMade(Rejected);

impl fmt::Display for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for NotMade {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use halfopen::RejectReason;

    use super::*;

    #[test]
    fn a_rejection_is_in_the_chain_of_sources() {
        let error = rejected(Rejected::new("orders", RejectReason::Open, Some(Duration::from_secs(3))));
        assert_eq!(halfopen::rejection(&error).unwrap().name(), "orders");
        let sources =
            std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| (*cause).source());
        assert!(sources.take(3).any(|source| source.is::<Rejected>()), "without a search inside errors");
        assert!(error.to_string().ends_with("circuit breaker `orders` is open; retry in 3s"), "{error}");
    }

    #[test]
    fn a_timeout_states_its_limit() {
        let error = timed_out(Duration::from_millis(1500));
        assert!(error.to_string().ends_with("no result within 1s500ms"), "{error}");
    }
}
