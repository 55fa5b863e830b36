//! The vocabulary of the model.

use std::collections::BTreeSet;

pub(crate) type Nanos = u64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    Closed,
    Open,
    HalfOpen,
    ForcedOpen,
    Disabled,
    MetricsOnly,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Reason {
    ConsecutiveFailures,
    FailureCount,
    FailureRate,
    SlowCallRate,
    Custom,
    ProbeFailed,
    ProbeTimedOut,
    Manual,
}

/// The reason of a rejection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    Open,
    HalfOpenSaturated,
    HalfOpenRamp,
    ForcedOpen,
}

/// The ways in which the holder of a permit ends it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Finish {
    Success,
    Failure,
    Ignored,
    Dropped,
    FailureWithHint(Nanos),
    Throttled(Option<Nanos>),
    SuccessAfter(Nanos),
    FailureAfter(Nanos),
    IgnoredAfter(Nanos),
}

/// The outcome of a permit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    Success,
    Failure,
    Ignored,
    Abandoned,
    Late,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Counts {
    pub(crate) calls: u64,
    pub(crate) failures: u64,
    pub(crate) successes: u64,
    pub(crate) slow: u64,
    pub(crate) overdue: u64,
    pub(crate) consecutive_failures: u64,
    pub(crate) consecutive_successes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Totals {
    pub(crate) successes: u64,
    pub(crate) failures: u64,
    pub(crate) ignored: u64,
    pub(crate) abandoned: u64,
    pub(crate) slow: u64,
    pub(crate) throttled: u64,
    pub(crate) late: u64,
    pub(crate) rejected: u64,
    pub(crate) would_trip: u64,
    pub(crate) trips: u64,
    pub(crate) panics: u64,
    pub(crate) timed: u64,
    pub(crate) response_time: Nanos,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Change {
    pub(crate) from: State,
    pub(crate) to: State,
    pub(crate) reasons: Vec<Reason>,
    pub(crate) counts: Counts,
    /// When it was due, which may be before it was observed (S18, S24).
    pub(crate) at: Nanos,
}

/// The queued events, in the order of their sequence (S27).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Queued {
    Changed(Change),
    WouldTrip {
        reasons: Vec<Reason>,
        counts: Counts,
    },
    /// S31: the probes have passed, and a tenth of the calls is admitted.
    Ramps,
    Reset,
    ConfigChanged,
}

/// The events that are delivered immediately (S27).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    Rejected { why: Why, retry_after: Option<Nanos> },
    Recorded { ended: Ended, slow: bool, took: Option<Nanos> },
    Rolled { counts: Counts },
}

pub(crate) fn in_order(reasons: &BTreeSet<Reason>) -> Vec<Reason> {
    reasons.iter().copied().collect()
}

impl Counts {
    /// Adds one recorded call. Runs are kept by the caller, which knows when they restart.
    pub(crate) fn add(&mut self, failure: bool, slow: bool) {
        self.calls += 1;
        self.slow += u64::from(slow);
        match failure {
            true => self.failures += 1,
            false => self.successes += 1,
        }
    }

    /// S15: a success ends a run of failures, and vice versa.
    pub(crate) fn run(&mut self, failure: bool) {
        match failure {
            true => {
                (self.consecutive_failures, self.consecutive_successes) = (self.consecutive_failures + 1, 0);
            }
            false => {
                (self.consecutive_failures, self.consecutive_successes) = (0, self.consecutive_successes + 1);
            }
        }
    }
}
