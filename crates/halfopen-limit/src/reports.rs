//! Rejections in the log: however many there are, one event per limit and second.

#[cfg(feature = "tracing")]
mod counted;

#[cfg(feature = "tracing")]
use std::time::Duration;

use halfopen::Rejected;

/// The rejections of one limit that the log has not shown yet.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    #[cfg(feature = "tracing")]
    counted: counted::Counted,
}

/// The target of the events, which is that of the breakers.
#[cfg(feature = "tracing")]
const TARGET: &str = "halfopen";

#[cfg(feature = "tracing")]
impl Reports {
    /// Reports a rejection by a bulkhead at this time of any monotonic clock.
    pub(crate) fn bulkhead_full(&self, rejected: &Rejected, in_flight: u32, waiting: u32) {
        // First, because a limit that rejects thousands of calls must not pay for a report that no subscriber
        // takes.
        if !tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
            return;
        }
        let now = halfopen::Clock::system().elapsed_nanos();
        let Some(summary) = self.counted.add(now) else { return };
        tracing::debug!(
            target: TARGET,
            name = rejected.name(),
            rejected = summary.count,
            over_seconds = summary.over.as_secs_f64(),
            reason = rejected.reason().as_str(),
            in_flight,
            waiting,
            "bulkhead rejected calls"
        );
    }

    /// Reports a rejection by a rate limit, where it is one of a key with the key.
    pub(crate) fn rate_limited(&self, name: &str, key: Option<&str>, rejected: &Rejected, now: u64) {
        if !tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
            return;
        }
        let Some(summary) = self.counted.add(now) else { return };
        tracing::debug!(
            target: TARGET,
            name,
            key,
            rejected = summary.count,
            over_seconds = summary.over.as_secs_f64(),
            reason = rejected.reason().as_str(),
            retry_after_seconds = rejected.retry_after().as_ref().map(Duration::as_secs_f64),
            "rate limit rejected calls"
        );
    }
}

#[cfg(not(feature = "tracing"))]
impl Reports {
    pub(crate) fn bulkhead_full(&self, _: &Rejected, _: u32, _: u32) {}

    pub(crate) fn rate_limited(&self, _: &str, _: Option<&str>, _: &Rejected, _: u64) {}
}
