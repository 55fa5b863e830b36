//! The settings of a breaker, and the calculations that depend on settings alone.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::words::{Counts, Nanos, Reason};

#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Settings {
    pub(crate) rules: Vec<Rule>,
    pub(crate) window: Window,
    pub(crate) open_duration: Nanos,
    pub(crate) growth: Growth,
    /// The maximum of the waits, if there is one.
    pub(crate) longest: Option<Nanos>,
    /// The fraction of itself by which a wait may be shorter or longer.
    pub(crate) jitter: f64,
    pub(crate) forget_after: Option<Nanos>,
    pub(crate) hint_max: Nanos,
    pub(crate) half_open: HalfOpen,
    pub(crate) abandoned: Abandoned,
    pub(crate) time_calls: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Rule {
    Consecutive(u32),
    FailureCount(u32),
    FailureRate { threshold: f64, minimum: Option<u32> },
    SlowRate { threshold: f64, slow_after: Nanos, minimum: Option<u32>, in_flight: bool },
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Window {
    LastCalls(u32),
    Last { bucket: Nanos, buckets: u32 },
    Tumbling(Nanos),
    Unbounded,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Growth {
    None,
    Exponential(f64),
    Delays(Vec<Nanos>),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct HalfOpen {
    pub(crate) max_calls: u32,
    pub(crate) verdict: Verdict,
    pub(crate) probe_timeout: Nanos,
    /// S31: zero without a ramp.
    pub(crate) ramp: Nanos,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Verdict {
    Count { success_threshold: u32, max_failures: u32 },
    Rate(f64),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Abandoned {
    Ignore,
    Failure,
    FailureAfter(Nanos),
}

/// S8: a threshold is stored as parts per billion, rounded down.
fn parts(threshold: f64) -> u128 {
    (threshold * 1e9).floor() as u128
}

/// S8: inclusive and exact.
pub(crate) fn reaches(part: u64, calls: u64, threshold: f64) -> bool {
    u128::from(part) * 1_000_000_000 >= parts(threshold) * u128::from(calls)
}

impl Settings {
    /// S9: all rules that fire. S11: a rate requires its minimum of calls. S16: without calls there is no rate.
    pub(crate) fn fired(&self, counts: &Counts, custom: Option<fn(&Counts) -> bool>) -> BTreeSet<Reason> {
        let mut fired = BTreeSet::new();
        for rule in &self.rules {
            let (reason, holds) = match *rule {
                Rule::Consecutive(n) => {
                    (Reason::ConsecutiveFailures, counts.consecutive_failures >= u64::from(n))
                }
                Rule::FailureCount(n) => (Reason::FailureCount, counts.failures >= u64::from(n)),
                Rule::FailureRate { threshold, minimum } => {
                    (Reason::FailureRate, self.rate_holds(counts.failures, counts.calls, threshold, minimum))
                }
                Rule::SlowRate { threshold, minimum, .. } => {
                    // S32: overdue calls are slow calls.
                    let (slow, calls) = (counts.slow + counts.overdue, counts.calls + counts.overdue);
                    (Reason::SlowCallRate, self.rate_holds(slow, calls, threshold, minimum))
                }
            };
            if holds {
                fired.insert(reason);
            }
        }
        if custom.is_some_and(|rule| rule(counts)) {
            fired.insert(Reason::Custom);
        }
        fired
    }

    fn rate_holds(&self, part: u64, calls: u64, threshold: f64, minimum: Option<u32>) -> bool {
        let default = match self.window {
            Window::LastCalls(size) => size.min(5),
            Window::Last { .. } | Window::Tumbling(_) | Window::Unbounded => 5,
        };
        calls >= u64::from(minimum.unwrap_or(default)) && reaches(part, calls, threshold)
    }

    /// S14: the duration from which a call is slow, and the threshold, if there is a slow-call rule.
    pub(crate) fn slow_rule(&self) -> Option<(f64, Nanos)> {
        self.rules.iter().find_map(|rule| match *rule {
            Rule::SlowRate { threshold, slow_after, .. } => Some((threshold, slow_after)),
            Rule::Consecutive(_) | Rule::FailureCount(_) | Rule::FailureRate { .. } => None,
        })
    }

    /// S32: the duration from which a call in flight is overdue, if the slow-call rule counts it.
    pub(crate) fn overdue_after(&self) -> Option<Nanos> {
        self.rules.iter().find_map(|rule| match *rule {
            Rule::SlowRate { slow_after, in_flight: true, .. } => Some(slow_after),
            Rule::Consecutive(_)
            | Rule::FailureCount(_)
            | Rule::FailureRate { .. }
            | Rule::SlowRate { in_flight: false, .. } => None,
        })
    }

    pub(crate) fn is_slow(&self, took: Option<Nanos>) -> bool {
        matches!((self.slow_rule(), took), (Some((_, slow_after)), Some(took)) if took >= slow_after)
    }

    /// A call is timed only if something needs it.
    pub(crate) fn times_calls(&self) -> bool {
        self.time_calls || self.slow_rule().is_some() || matches!(self.abandoned, Abandoned::FailureAfter(_))
    }

    /// S20: the shortest and the longest wait of an opening with `before` earlier openings that are not
    /// forgotten; without jitter they are equal.
    pub(crate) fn waits(&self, before: u32) -> RangeInclusive<Nanos> {
        let (first, limit) = (self.open_duration, self.longest_wait());
        let grown = match &self.growth {
            Growth::None => first,
            Growth::Exponential(multiplier) => {
                let wait = first as f64 * multiplier.powi(before.min(1_000) as i32);
                if wait >= limit as f64 { limit } else { wait.round() as Nanos }
            }
            Growth::Delays(delays) => delays[(before as usize).min(delays.len() - 1)],
        };
        let wait = grown.min(limit);
        let reach = (u128::from(wait) * parts(self.jitter) / 1_000_000_000) as Nanos;
        wait - reach..=(wait + reach).min(limit)
    }

    fn longest_wait(&self) -> Nanos {
        match (self.longest, &self.growth) {
            (Some(longest), _) => longest,
            (None, Growth::Exponential(_)) => self.open_duration.max(60_000_000_000),
            (None, Growth::None | Growth::Delays(_)) => Nanos::MAX,
        }
    }
}

impl HalfOpen {
    /// S22: the maximum number of calls in flight or recorded in one visit.
    pub(crate) fn visit_limit(&self) -> u64 {
        match self.verdict {
            Verdict::Count { success_threshold, max_failures } => {
                u64::from(self.max_calls).max(u64::from(success_threshold) + u64::from(max_failures))
            }
            Verdict::Rate(_) => u64::from(self.max_calls),
        }
    }
}
