use std::fmt;
use std::time::Duration;

use halfopen::State;

use crate::decide::HealthStatus;
use crate::task::Tracked;

/// The results of all checks of a monitor.
///
/// `Display` formats one line. Serialized (feature `serde`) durations are numbers of seconds.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct HealthSummary {
    /// The number of checks: the sum of the three counts below.
    pub total: u64,
    /// The number of healthy dependencies.
    pub healthy: u64,
    /// The number of unhealthy dependencies.
    pub unhealthy: u64,
    /// The number of dependencies about which no threshold has been reached.
    pub unknown: u64,
    /// The checks, sorted by name.
    pub checks: Vec<CheckSummary>,
    /// The breakers of the document that have a `health_check_config` without a target, and no check in the program.
    pub without_target: Vec<String>,
    /// The breakers whose `health_check_breaker` in the document would wait for itself through others: their checks do not
    /// run, as none of them would recover.
    pub circular: Vec<String>,
}

/// The results of one check.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CheckSummary {
    /// The name of the check and of its breaker.
    pub name: String,
    /// The health of the dependency.
    pub status: HealthStatus,
    /// The state of the breaker; [`None`] if neither a call nor a check has needed it.
    pub breaker: Option<State>,
    /// The number of checks that have ended.
    pub checks: u64,
    /// The number of checks that have failed.
    pub failed: u64,
    /// The passed checks in a row.
    pub consecutive_successes: u32,
    /// The failed checks in a row.
    pub consecutive_failures: u32,
    /// Why the last check failed; [`None`] if it passed.
    pub last_error: Option<String>,
    /// The time since the last check ended.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub last_checked_ago: Option<Duration>,
    /// The time that the last check took.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub last_duration: Option<Duration>,
}

impl HealthSummary {
    pub(crate) fn of(checks: Vec<CheckSummary>, without_target: Vec<String>) -> HealthSummary {
        let count = |status| checks.iter().filter(|check| check.status == status).count() as u64;
        HealthSummary {
            total: checks.len() as u64,
            healthy: count(HealthStatus::Healthy),
            unhealthy: count(HealthStatus::Unhealthy),
            unknown: count(HealthStatus::Unknown),
            checks,
            without_target,
            circular: Vec::new(),
        }
    }

    /// Returns the summary of the check of this name, or [`None`] if there is none.
    pub fn get(&self, name: &str) -> Option<&CheckSummary> {
        self.checks.iter().find(|check| check.name == name)
    }

    /// Returns the share of the checks that are healthy, from 0 to 100; 100 without checks.
    pub fn health_percentage(&self) -> f64 {
        if self.total == 0 { 100.0 } else { 100.0 * self.healthy as f64 / self.total as f64 }
    }
}

impl CheckSummary {
    pub(crate) fn of(tracked: &Tracked) -> CheckSummary {
        let record = tracked.record();
        CheckSummary {
            name: tracked.name.clone(),
            status: record.streak.status,
            breaker: tracked.breaker().map(|breaker| breaker.state()),
            checks: record.checks,
            failed: record.failed,
            consecutive_successes: record.streak.passes,
            consecutive_failures: record.streak.failures,
            last_error: record.last_error,
            last_checked_ago: record.last_checked.map(|ended| ended.elapsed()),
            last_duration: record.last_duration,
        }
    }
}

impl fmt::Display for HealthSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} healthy", self.healthy, self.total)?;
        for check in self.checks.iter().filter(|check| check.status != HealthStatus::Healthy) {
            write!(f, "; {check}")?;
        }
        Ok(())
    }
}

impl fmt::Display for CheckSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}", self.name, self.status)?;
        match &self.last_error {
            Some(error) => write!(f, ": {error}"),
            None => Ok(()),
        }
    }
}

#[cfg(feature = "serde")]
#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
fn seconds<S: serde::Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    serde::Serialize::serialize(&duration.map(|duration| duration.as_secs_f64()), serializer)
}
