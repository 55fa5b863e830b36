//! The numbers on which rules are evaluated.

/// The numbers on which rules are evaluated, of one visit to a state.
///
/// In closed and metrics-only these are the calls in the window, in half-open the probes of this
/// visit, in open the counts that opened the breaker. `calls == successes + failures` always holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Counts {
    /// Successes and failures together.
    pub calls: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls that succeeded.
    pub successes: u64,
    /// Calls that took `slow_after` or longer, both successes and failures; zero without a slow-call rule.
    pub slow: u64,
    /// Calls in flight that have already taken `slow_after`, if a slow-call rule counts them
    /// ([`Trip::in_flight`](crate::Trip::in_flight)). They are not included in `calls` and `slow`.
    pub overdue: u64,
    /// Failures since the last success; they do not expire with a sliding window.
    pub consecutive_failures: u64,
    /// Successes since the last failure.
    pub consecutive_successes: u64,
}

impl Counts {
    /// Returns the share of the calls that failed, from 0 to 1, or [`None`] if there are no calls.
    pub fn failure_rate(&self) -> Option<f64> {
        rate(self.failures, self.calls)
    }

    /// Returns the share of the calls that were slow, from 0 to 1, including overdue ones in flight, or [`None`] if there
    /// are no calls.
    pub fn slow_call_rate(&self) -> Option<f64> {
        rate(self.slow.saturating_add(self.overdue), self.calls.saturating_add(self.overdue))
    }
}

fn rate(part: u64, calls: u64) -> Option<f64> {
    (calls > 0).then(|| part as f64 / calls as f64)
}

pub(crate) fn share(parts_per_billion: u32) -> f64 {
    f64::from(parts_per_billion) / 1e9
}

/// The exact inverse of [`share`].
pub(crate) fn parts_per_billion(share: f64) -> u32 {
    (share * 1e9).round() as u32
}
