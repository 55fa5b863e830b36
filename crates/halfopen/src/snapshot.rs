use std::sync::Arc;
use std::time::Duration;

use crate::{Ended, State, StateChange};

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

/// What has become of all calls since the breaker was built; no reset touches these.
///
/// `successes + failures + ignored + abandoned + late` is the number of permits that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Totals {
    /// Calls that succeeded.
    pub successes: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls that said nothing about the dependency.
    pub ignored: u64,
    /// Permits dropped without a word.
    pub abandoned: u64,
    /// Calls that took `slow_after` or longer, among the successes and failures.
    pub slow: u64,
    /// Calls that ended after the state they were admitted in had ended: counted here and nowhere else.
    pub late: u64,
    /// Calls that were not admitted.
    pub rejected: u64,
    /// How often a rule began to hold in metrics-only.
    pub would_trip: u64,
    /// How often the breaker opened: by a rule, a failed or overdue probe, or by hand.
    pub trips: u64,
    /// Panics caught in classifiers, rules and listeners.
    pub panics: u64,
    /// Calls whose duration was measured or reported.
    pub timed: u64,
    /// The sum of the durations of the `timed` calls.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::seconds::serialize"))]
    pub response_time: Duration,
}

impl Totals {
    /// The number of permits that have ended, however they did.
    pub fn calls(&self) -> u64 {
        [self.failures, self.ignored, self.abandoned, self.late]
            .into_iter()
            .fold(self.successes, u64::saturating_add)
    }

    /// All calls by what became of them, each once: the words of [`Ended::as_str`], and `rejected` for
    /// those that were not admitted.
    ///
    /// What exporters write; outcomes may be added.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::CircuitBreaker;
    ///
    /// let breaker = CircuitBreaker::builder("payments").build();
    /// breaker.try_acquire().unwrap().success();
    ///
    /// for (outcome, calls) in breaker.snapshot().totals.by_outcome() {
    ///     assert_eq!(calls, u64::from(outcome == "success"));
    /// }
    /// ```
    pub fn by_outcome(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        [
            (Ended::Success.as_str(), self.successes),
            (Ended::Failure.as_str(), self.failures),
            (Ended::Ignored.as_str(), self.ignored),
            (Ended::Abandoned.as_str(), self.abandoned),
            (Ended::Late.as_str(), self.late),
            ("rejected", self.rejected),
        ]
        .into_iter()
    }

    /// The mean duration of the timed calls; none if no call was timed.
    pub fn average_response_time(&self) -> Option<Duration> {
        if self.timed == 0 {
            return None;
        }
        let nanos = self.response_time.as_nanos() / u128::from(self.timed);
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

/// A breaker at one moment.
///
/// State, counts, `retry_after` and `rejected` belong to one visit to one state; the totals may be
/// a moment younger.
///
/// Displayed it is one line for a person. Serialized (feature `serde`) every duration is a number of
/// seconds (`1.5`), and a moment the number of seconds since 1970; the documentation of
/// [`RegistryStatus`](crate::RegistryStatus) shows two of them.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// The breaker's name.
    pub name: Arc<str>,
    /// The state an admission would find: an open breaker whose wait is over is half-open.
    pub state: State,
    /// What this visit has recorded; in open, what led to it.
    pub counts: Counts,
    /// Time left while open; zero where asking now may succeed; none while forced open.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::seconds::option"))]
    pub retry_after: Option<Duration>,
    /// Calls rejected since the last change of state.
    pub rejected: u64,
    /// Openings that are not forgotten, before the current or next one: the step of the backoff.
    pub reopenings: u32,
    /// The current wait, or while not open the next one.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::seconds::serialize"))]
    pub open_duration: Duration,
    /// How long the breaker has been in this state.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::seconds::serialize"))]
    pub in_state_for: Duration,
    /// What has become of all calls so far.
    pub totals: Totals,
    /// The last change that opened the breaker.
    pub last_trip: Option<StateChange>,
}
