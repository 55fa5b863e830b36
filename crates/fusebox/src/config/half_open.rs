use std::time::Duration;

use super::error::Problems;
use super::parts_per_billion;
use crate::clock::nanos;

/// How a half-open breaker finds out whether it can close.
///
/// By counting: it closes after `success_threshold` successes and opens after more than
/// `max_failures` failures. Or by a rate over `max_calls` probes. Not both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HalfOpen {
    pub(super) max_calls: u32,
    pub(super) success_threshold: Option<u32>,
    pub(super) max_failures: Option<u32>,
    pub(super) failure_rate: Option<f64>,
    pub(super) probe_timeout: Duration,
}

/// The same, checked, in the numbers that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    Counts { max_calls: u32, success_threshold: u32, max_failures: u32 },
    Rate { max_calls: u32, threshold_ppb: u32 },
}

impl Default for HalfOpen {
    fn default() -> Self {
        HalfOpen::new()
    }
}

impl HalfOpen {
    /// One probe at a time; one success closes, one failure opens; a probe has 60 s to report.
    pub fn new() -> HalfOpen {
        HalfOpen {
            max_calls: 1,
            success_threshold: None,
            max_failures: None,
            failure_rate: None,
            probe_timeout: Duration::from_secs(60),
        }
    }

    /// How many probes may be out at once, from 1; with a rate, how many decide.
    pub fn max_calls(self, n: u32) -> HalfOpen {
        HalfOpen { max_calls: n, ..self }
    }

    /// How many successes close the breaker, from 1; may be more than `max_calls`. 1 if not set.
    pub fn success_threshold(self, n: u32) -> HalfOpen {
        HalfOpen { success_threshold: Some(n), ..self }
    }

    /// How many failures are tolerated on the way: none if not set.
    pub fn max_failures(self, n: u32) -> HalfOpen {
        HalfOpen { max_failures: Some(n), ..self }
    }

    /// Decides by the share of `max_calls` probes that failed: above 0, 1 means all.
    pub fn failure_rate(self, threshold: f64) -> HalfOpen {
        HalfOpen { failure_rate: Some(threshold), ..self }
    }

    /// A probe that has not reported after this long opens the breaker again: longer than 0.
    pub fn probe_timeout(self, limit: Duration) -> HalfOpen {
        HalfOpen { probe_timeout: limit, ..self }
    }

    /// How many probes may be out at once.
    pub fn probes(&self) -> u32 {
        self.max_calls
    }

    /// How many successes close the breaker; none where a rate decides.
    pub fn successes_needed(&self) -> Option<u32> {
        self.failure_rate.is_none().then(|| self.success_threshold.unwrap_or(1))
    }

    /// How many failures are tolerated; none where a rate decides.
    pub fn failures_tolerated(&self) -> Option<u32> {
        self.failure_rate.is_none().then(|| self.max_failures.unwrap_or(0))
    }

    /// The rate that decides, if one does.
    pub fn rate(&self) -> Option<f64> {
        self.failure_rate
    }

    /// How long a probe has to report.
    pub fn timeout(&self) -> Duration {
        self.probe_timeout
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        problems.count("half_open.max_calls", self.max_calls, u32::MAX);
        if let Some(n) = self.success_threshold {
            problems.count("half_open.success_threshold", n, u32::MAX);
        }
        if let Some(threshold) = self.failure_rate {
            problems.threshold("half_open.failure_rate", threshold);
            let both = "a failure_rate decides alone: must not be set beside it";
            if let Some(n) = self.success_threshold {
                problems.add("half_open.success_threshold", n, both);
            }
            if let Some(n) = self.max_failures {
                problems.add("half_open.max_failures", n, both);
            }
        }
        problems.duration("half_open.probe_timeout", self.probe_timeout);
    }

    pub(super) fn recovery(&self) -> Recovery {
        match self.failure_rate.and_then(parts_per_billion) {
            Some(threshold_ppb) => Recovery::Rate { max_calls: self.max_calls, threshold_ppb },
            None => Recovery::Counts {
                max_calls: self.max_calls,
                success_threshold: self.success_threshold.unwrap_or(1),
                max_failures: self.max_failures.unwrap_or(0),
            },
        }
    }

    pub(super) fn timeout_nanos(&self) -> u64 {
        nanos(self.probe_timeout)
    }
}
