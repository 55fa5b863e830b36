use std::time::Duration;

use halfopen::{ConfigError, ConfigProblem, format_duration};

use super::gcra::Pace;
use crate::nanos;

/// How many calls a rate limiter permits: so many per period, and so many in one burst.
///
/// Calls come back one by one, at the pace of `per / calls`, and not all at the end of a period. In any
/// stretch of time at most the burst and what came back within it are permitted: at most `calls + burst`
/// per period.
///
/// # Examples
///
/// ```
/// use halfopen_limit::Quota;
/// use std::time::Duration;
///
/// // A call every 600 ms; after a pause up to 20 in a burst.
/// let quota = Quota::calls(100).per(Duration::from_secs(60)).burst(20)?;
///
/// // All hundred may come in one burst.
/// let quota = Quota::calls(100).per(Duration::from_secs(60)).build()?;
/// assert_eq!(quota.max_burst(), 100);
///
/// let error = Quota::calls(0).per(Duration::from_secs(60)).build().unwrap_err();
/// assert_eq!(error.to_string(), "`calls` is 0, but must be at least 1");
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    calls: u32,
    per: Duration,
    burst: u32,
}

/// A number of calls that still has no period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "it becomes a quota with `per` and `build`"]
pub struct QuotaCalls(u32);

/// Builds a [`Quota`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "it becomes a quota with `build` or `burst`"]
pub struct QuotaBuilder {
    calls: u32,
    per: Duration,
    /// The burst of a quota that the builder comes from; [`None`] for all calls.
    burst: Option<u32>,
}

/// Calls come back on whole nanoseconds, rounded up; faster than this the rounding would be seen.
const SHORTEST_INTERVAL: u64 = 100;

/// A burst comes back within 146 years, so that its end is a moment that a clock can show.
const LONGEST_BURST: u64 = u64::MAX / 4;

impl Quota {
    /// Begins a quota of so many calls: at least 1.
    pub fn calls(calls: u32) -> QuotaCalls {
        QuotaCalls(calls)
    }

    /// Returns the number of calls per period.
    pub fn max_calls(&self) -> u32 {
        self.calls
    }

    /// Returns the period.
    pub fn period(&self) -> Duration {
        self.per
    }

    /// Returns how many calls may come in one burst.
    pub fn max_burst(&self) -> u32 {
        self.burst
    }

    pub(crate) fn pace(&self) -> Pace {
        Pace { interval: interval(self.calls, self.per), burst: self.burst }
    }
}

impl QuotaCalls {
    /// Sets the period: longer than zero.
    pub fn per(self, period: Duration) -> QuotaBuilder {
        QuotaBuilder { calls: self.0, per: period, burst: None }
    }
}

impl QuotaBuilder {
    /// Builds the quota with a burst of so many calls: at least 1.
    ///
    /// # Errors
    ///
    /// Every number that cannot hold, with its field, its value and its range.
    pub fn burst(self, calls: u32) -> Result<Quota, ConfigError> {
        let QuotaBuilder { calls: max_calls, per, .. } = self;
        let mut problems = Vec::new();
        if max_calls == 0 {
            problems.push(ConfigProblem::new("calls", 0, "at least 1"));
        }
        if per.is_zero() {
            problems.push(ConfigProblem::new("per", "0s", "longer than 0s"));
        }
        if calls == 0 && max_calls > 0 {
            problems.push(ConfigProblem::new("burst", 0, "at least 1"));
        }
        ConfigError::check(problems)?;
        // Only with valid numbers: the interval is a quotient of them.
        let pace = Pace { interval: interval(max_calls, per), burst: calls };
        let mut problems = Vec::new();
        if pace.interval < SHORTEST_INTERVAL {
            let range = format!("at most one call in {SHORTEST_INTERVAL}ns");
            let value = format!("{max_calls} per {}", format_duration(per));
            problems.push(ConfigProblem::new("calls", value, range));
        }
        if pace.cost(calls) > LONGEST_BURST {
            let range = "so many calls that they come back within 146 years";
            problems.push(ConfigProblem::new("burst", calls, range));
        }
        ConfigError::check(problems)?;
        Ok(Quota { calls: max_calls, per, burst: calls })
    }

    /// Builds the quota; all its calls may come in one burst.
    ///
    /// # Errors
    ///
    /// As [`burst`](Self::burst).
    pub fn build(self) -> Result<Quota, ConfigError> {
        self.burst(self.burst.unwrap_or(self.calls))
    }
}

/// The builder that builds this quota again, for functions that take a quota or the builder of one.
impl From<Quota> for QuotaBuilder {
    fn from(quota: Quota) -> QuotaBuilder {
        QuotaBuilder { calls: quota.calls, per: quota.per, burst: Some(quota.burst) }
    }
}

impl TryFrom<QuotaBuilder> for Quota {
    type Error = ConfigError;

    fn try_from(builder: QuotaBuilder) -> Result<Quota, ConfigError> {
        builder.build()
    }
}

fn interval(calls: u32, per: Duration) -> u64 {
    // Rounded up, so that the quota is never exceeded where the interval is not a whole number of nanoseconds.
    nanos(per).div_ceil(calls.max(1).into()).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn error(quota: Result<Quota, ConfigError>) -> String {
        quota.unwrap_err().to_string()
    }

    #[test]
    fn a_quota_comes_down_to_an_interval_and_a_burst() {
        let quota = Quota::calls(100).per(MINUTE).burst(20).unwrap();
        assert_eq!(quota.pace(), Pace { interval: 600_000_000, burst: 20 });
    }

    #[test]
    fn rounded_intervals_exceed_no_quota() {
        let quota = Quota::calls(3).per(Duration::from_secs(1)).build().unwrap();
        assert_eq!(quota.pace().interval, 333_333_334);
    }

    #[test]
    fn the_builder_of_a_quota_builds_it_again() {
        let quota = Quota::calls(100).per(MINUTE).burst(20).unwrap();
        assert_eq!(QuotaBuilder::from(quota).build(), Ok(quota));
    }

    #[test]
    fn errors_name_field_value_and_range() {
        assert_eq!(
            error(Quota::calls(1).per(Duration::ZERO).build()),
            "`per` is 0s, but must be longer than 0s"
        );
        assert_eq!(error(Quota::calls(1).per(MINUTE).burst(0)), "`burst` is 0, but must be at least 1");
        assert_eq!(
            error(Quota::calls(11_000_000).per(Duration::from_secs(1)).build()),
            "`calls` is 11000000 per 1s, but must be at most one call in 100ns"
        );
        assert_eq!(
            error(Quota::calls(1).per(Duration::MAX).build()),
            "`burst` is 1, but must be so many calls that they come back within 146 years"
        );
        assert_eq!(
            error(Quota::calls(0).per(Duration::ZERO).build()),
            "2 problems: `calls` is 0, but must be at least 1; `per` is 0s, but must be longer than 0s"
        );
    }
}
