//! The decisions of a check: what its results mean, and their effect on the breaker. Pure functions of values that were
//! read before.

use std::fmt;
use std::time::Duration;

use halfopen::{Snapshot, State, TripReason};

/// The health of a dependency by its checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum HealthStatus {
    /// Neither threshold has been reached yet.
    #[default]
    Unknown,
    /// The last threshold that was reached is that of passed checks.
    Healthy,
    /// The last threshold that was reached is that of failed checks.
    Unhealthy,
}

impl HealthStatus {
    /// Returns the name in a summary: `unknown`, `healthy` or `unhealthy`.
    pub const fn as_str(self) -> &'static str {
        match self {
            HealthStatus::Unknown => "unknown",
            HealthStatus::Healthy => "healthy",
            HealthStatus::Unhealthy => "unhealthy",
        }
    }
}

impl fmt::Display for HealthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The numbers of a check that its decisions need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// The failed checks in a row from which the dependency is unhealthy.
    pub(crate) failures: u32,
    /// The passed checks in a row from which it is healthy.
    pub(crate) successes: u32,
    /// Whether the breaker may probe only after a check has passed.
    pub(crate) gate_probes: bool,
    /// The longest time from the end of one check to the end of the next.
    pub(crate) longest: Duration,
}

impl Rules {
    /// The wait for which a breaker is opened. A runtime that is too busy for two checks does not let it lapse.
    pub(crate) fn lease(&self) -> Duration {
        self.longest.saturating_mul(3)
    }
}

/// The results so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Streak {
    pub(crate) status: HealthStatus,
    pub(crate) passes: u32,
    pub(crate) failures: u32,
    pub(crate) outage: Outage,
}

/// What the checks know of the breaker's last opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outage {
    /// Its sequence number; zero before the first.
    pub(crate) opening: u64,
    /// Whether a check has opened the breaker, or opened it anew.
    pub(crate) ours: bool,
    /// Whether a check that began after it has failed.
    failed: bool,
    /// The checks in a row that began after it and passed.
    passes: u32,
}

/// The breaker, as far as a check is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) state: State,
    /// The rest of the wait while open.
    pub(crate) rest: Duration,
    /// The sequence number of the last opening; zero before the first.
    pub(crate) opening: u64,
    /// Whether that opening was made by a control and not by a rule of the breaker.
    pub(crate) by_hand: bool,
    /// The step of the backoff.
    pub(crate) reopenings: u32,
}

/// The effect on the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Leave,
    OpenFor(Duration),
    EndWait,
}

impl View {
    pub(crate) fn of(snapshot: &Snapshot) -> View {
        let last = snapshot.last_trip.as_ref();
        View {
            state: snapshot.state,
            rest: snapshot.retry_after.unwrap_or_default(),
            opening: last.map_or(0, |change| change.sequence),
            by_hand: last.is_some_and(|change| {
                change.reasons.iter().any(|reason| matches!(reason, TripReason::Manual | TripReason::Fleet))
            }),
            reopenings: snapshot.reopenings,
        }
    }

    /// The view of a breaker that no call and no check has needed yet.
    pub(crate) const ABSENT: View =
        View { state: State::Closed, rest: Duration::ZERO, opening: 0, by_hand: false, reopenings: 0 };
}

impl Streak {
    /// Adds the result of a check that began when the last opening of the breaker was `began_in`.
    pub(crate) fn record(self, passed: bool, began_in: u64, view: View, rules: &Rules) -> Streak {
        let mut outage = self.seen(view).outage;
        // A check from before the opening is no evidence about it: its answer may be older than the outage.
        if began_in == view.opening {
            outage.failed |= !passed;
            outage.passes = if passed { outage.passes.saturating_add(1) } else { 0 };
        }
        let passes = if passed { self.passes.saturating_add(1) } else { 0 };
        let failures = if passed { 0 } else { self.failures.saturating_add(1) };
        let status = if passes >= rules.successes {
            HealthStatus::Healthy
        } else if failures >= rules.failures {
            HealthStatus::Unhealthy
        } else {
            self.status
        };
        Streak { status, passes, failures, outage }
    }

    /// Discards the evidence of an opening that is not the last one.
    pub(crate) fn seen(self, view: View) -> Streak {
        if self.outage.opening == view.opening {
            return self;
        }
        Streak { outage: Outage { opening: view.opening, ..Outage::default() }, ..self }
    }

    /// Notes that a check has opened the breaker by this opening. The outage goes on.
    pub(crate) fn opened(self, opening: u64) -> Streak {
        Streak { outage: Outage { opening, ours: true, ..self.outage }, ..self }
    }

    /// The passed checks that end the wait of this opening.
    fn needed(&self, view: View, rules: &Rules) -> u32 {
        // A check that has passed while calls failed does not see this outage: with each reopening it counts for
        // less, or it would annul the backoff.
        if self.outage.ours || self.outage.failed {
            rules.successes
        } else {
            rules.successes.saturating_mul(1 << view.reopenings.min(16))
        }
    }

    /// Returns the effect of the results on the breaker.
    pub(crate) fn decide(&self, view: View, rules: &Rules) -> Action {
        match view.state {
            State::Open => self.while_open(view, rules),
            State::Closed | State::HalfOpen if self.status == HealthStatus::Unhealthy => {
                Action::OpenFor(rules.lease())
            }
            State::Closed | State::HalfOpen => Action::Leave,
            // The operator's word stands.
            State::ForcedOpen | State::Disabled | State::MetricsOnly => Action::Leave,
            // A state of a later version of the core.
            _ => Action::Leave,
        }
    }

    fn while_open(&self, view: View, rules: &Rules) -> Action {
        let unhealthy = self.status == HealthStatus::Unhealthy;
        let passed = !unhealthy && self.outage.passes >= self.needed(view, rules);
        let theirs = view.by_hand && !self.outage.ours;
        let hold = unhealthy || (rules.gate_probes && !passed);
        match (passed, hold && view.rest < rules.longest) {
            // An operator or a fleet has set this wait.
            (true, _) if theirs => Action::Leave,
            (true, _) => Action::EndWait,
            (false, true) => Action::OpenFor(rules.lease()),
            (false, false) => Action::Leave,
        }
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
