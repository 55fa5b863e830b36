//! The numbers that rules are evaluated on.

/// What one visit to a state has recorded: the numbers the rules are asked about.
///
/// In closed and metrics-only these are the calls in the window, in half-open the probes of this
/// visit, in open those at the moment it opened. `calls == successes + failures` always holds.
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
    /// Calls that took `slow_after` or longer, however they ended; zero without a slow-call rule.
    pub slow: u64,
    /// Failures since the last success; does not expire with a sliding window.
    pub consecutive_failures: u64,
    /// Successes since the last failure.
    pub consecutive_successes: u64,
}

impl Counts {
    /// The share of the calls that failed, from 0 to 1; none without calls.
    pub fn failure_rate(&self) -> Option<f64> {
        rate(self.failures, self.calls)
    }

    /// The share of the calls that were slow, from 0 to 1; none without calls.
    pub fn slow_call_rate(&self) -> Option<f64> {
        rate(self.slow, self.calls)
    }
}

fn rate(part: u64, calls: u64) -> Option<f64> {
    (calls > 0).then(|| part as f64 / calls as f64)
}

pub(crate) fn share(parts_per_billion: u32) -> f64 {
    f64::from(parts_per_billion) / 1e9
}

/// The inverse of [`share`], to the last of its parts.
pub(crate) fn parts_per_billion(share: f64) -> u32 {
    (share * 1e9).round() as u32
}
