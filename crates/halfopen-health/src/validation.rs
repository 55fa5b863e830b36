use halfopen::{RegistryStatus, Snapshot, State};

use crate::decide::HealthStatus;
use crate::summary::HealthSummary;

/// Whether something is in order, with the reasons: for pipelines and readiness checks that act on a yes or a no.
///
/// # Examples
///
/// ```
/// use halfopen::CircuitBreaker;
/// use halfopen_health::ValidationResult;
///
/// let breaker = CircuitBreaker::builder("payments").build();
/// assert!(ValidationResult::from(&breaker.snapshot()).valid);
///
/// breaker.force_open();
/// let result = ValidationResult::from(&breaker.snapshot());
/// assert!(!result.valid);
/// assert!(result.errors[0].starts_with("payments: "), "{:?}", result.errors);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ValidationResult {
    /// Whether there are no errors.
    pub valid: bool,
    /// What prevents calls: a breaker that is open or forced open, a dependency that is unhealthy.
    pub errors: Vec<String>,
    /// What an operator should know: a breaker that probes or has an override, a check without a result.
    pub warnings: Vec<String>,
}

impl Default for ValidationResult {
    /// Returns a valid result without warnings.
    fn default() -> ValidationResult {
        ValidationResult { valid: true, errors: Vec::new(), warnings: Vec::new() }
    }
}

impl ValidationResult {
    /// Returns the result of both: valid if both are.
    #[must_use]
    pub fn and(mut self, other: ValidationResult) -> ValidationResult {
        self.valid &= other.valid;
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
        self
    }

    fn error(&mut self, message: String) {
        self.valid = false;
        self.errors.push(message);
    }

    fn add(&mut self, snapshot: &Snapshot) {
        let message = || snapshot.to_string();
        match snapshot.state {
            State::Closed => {}
            State::Open | State::ForcedOpen => self.error(message()),
            State::HalfOpen | State::Disabled | State::MetricsOnly => self.warnings.push(message()),
            // A state of a later version of the core.
            _ => self.warnings.push(message()),
        }
        let panics = snapshot.totals.panics;
        if panics > 0 {
            let name = &snapshot.name;
            self.warnings.push(format!("{name}: {panics} panics in its listeners, rules or classifiers"));
        }
    }
}

impl From<&Snapshot> for ValidationResult {
    fn from(snapshot: &Snapshot) -> ValidationResult {
        let mut result = ValidationResult::default();
        result.add(snapshot);
        result
    }
}

impl From<&RegistryStatus> for ValidationResult {
    fn from(status: &RegistryStatus) -> ValidationResult {
        let mut result = ValidationResult::default();
        status.breakers.iter().for_each(|snapshot| result.add(snapshot));
        if status.overflowed > 0 {
            let count = status.overflowed;
            result.warnings.push(format!("the registry was full for {count} new names"));
        }
        result
    }
}

impl From<&HealthSummary> for ValidationResult {
    fn from(summary: &HealthSummary) -> ValidationResult {
        let mut result = ValidationResult::default();
        for check in &summary.checks {
            match check.status {
                HealthStatus::Healthy => {}
                HealthStatus::Unhealthy => result.error(check.to_string()),
                HealthStatus::Unknown => result.warnings.push(check.to_string()),
            }
        }
        for name in &summary.circular {
            result.error(format!(
                "`{name}` has a `health_check_breaker` that would wait for itself through others"
            ));
        }
        let without = summary.without_target.iter();
        result
            .warnings
            .extend(without.map(|name| format!("`{name}` has a `health_check_config` without a target")));
        result
    }
}

#[cfg(test)]
mod tests {
    use halfopen::{CircuitBreaker, Registry};

    use super::*;

    #[test]
    fn open_breakers_are_errors_and_probing_ones_warnings() {
        let registry = Registry::new();
        let (payments, search) = (registry.get_or_create("payments"), registry.get_or_create("search"));
        payments.trip();
        search.trip();
        search.end_wait();
        let result = ValidationResult::from(&registry.status());
        assert!(!result.valid);
        assert_eq!((result.errors.len(), result.warnings.len()), (1, 1), "{result:?}");
        assert!(result.errors[0].starts_with("payments: "), "{result:?}");
    }

    #[test]
    fn every_state_has_its_verdict() {
        for &state in State::ALL {
            let breaker = CircuitBreaker::builder("a").start_in(state).build();
            let result = ValidationResult::from(&breaker.snapshot());
            let expected = match state {
                State::Closed => (true, 0),
                State::Open | State::ForcedOpen => (false, 0),
                _ => (true, 1),
            };
            assert_eq!((result.valid, result.warnings.len()), expected, "{state}");
        }
    }
}
