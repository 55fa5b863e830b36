use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use halfopen::State;
use halfopen::adapter::{catch_panic, matches_pattern};

use crate::alert::Severity;
use crate::evaluator::NOTIFIER_GONE;
use crate::metrics::BreakerMetrics;

/// A rule: a condition, and what its alerts look like.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use halfopen_monitor::{AlertRule, Condition, Severity};
///
/// let typed = AlertRule::new("slow").condition(Condition::SlowCallRate { above: 0.5, minimum_calls: 20 });
/// let custom = AlertRule::new("critical_ai_failure")
///     .severity(Severity::Critical)
///     .when(|m| m.category == "ai" && m.failure_rate > 0.8)
///     .cooldown(Duration::from_secs(300));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRule {
    pub(crate) name: Arc<str>,
    pub(crate) severity: Severity,
    pub(crate) cooldown: Duration,
    pub(crate) condition: Condition,
    pub(crate) category: Option<String>,
    pub(crate) breakers: Vec<String>,
}

/// When a rule holds.
#[derive(Clone)]
#[non_exhaustive]
pub enum Condition {
    /// The breaker is open, forced open or half-open.
    Opened,
    /// The breaker has opened at least this often within this time.
    Flapping {
        /// The number of openings, at least 1.
        openings: u32,
        /// The time, at most an hour.
        within: Duration,
    },
    /// The breaker has not been closed for at least this time.
    StuckOpen {
        /// The time.
        lasting: Duration,
    },
    /// The failure rate of the breaker's window is at least this share.
    FailureRate {
        /// The share, from 0 to 1.
        above: f64,
        /// The calls in the window below which the rule does not hold.
        minimum_calls: u64,
    },
    /// The share of slow calls in the breaker's window is at least this share.
    SlowCallRate {
        /// The share, from 0 to 1.
        above: f64,
        /// The calls in the window below which the rule does not hold.
        minimum_calls: u64,
    },
    /// The breaker has rejected at least this many calls a second since the last evaluation.
    RejectionsPerSecond {
        /// The calls a second.
        above: f64,
    },
    /// A store that breakers share ([`store`](crate::MonitorBuilder::store)) cannot be reached.
    StoreGone,
    /// A function of the program returns true.
    Custom(CustomCondition),
}

/// A function of the program.
#[derive(Clone)]
pub struct CustomCondition(Arc<dyn Fn(&BreakerMetrics) -> bool + Send + Sync>);

impl AlertRule {
    /// Creates a rule that holds while a breaker is not closed, with the severity medium and a cooldown of 5 minutes.
    pub fn new(name: impl Into<Arc<str>>) -> AlertRule {
        AlertRule {
            name: name.into(),
            severity: Severity::Medium,
            cooldown: Duration::from_secs(300),
            condition: Condition::Opened,
            category: None,
            breakers: Vec::new(),
        }
    }

    /// Sets the severity.
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Sets the time from the begin of an alert before which the same rule does not fire again for the same breaker.
    pub fn cooldown(mut self, cooldown: Duration) -> Self {
        self.cooldown = cooldown;
        self
    }

    /// Sets the condition.
    pub fn condition(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// Sets a function as the condition. One that panics does not hold.
    pub fn when(self, f: impl Fn(&BreakerMetrics) -> bool + Send + Sync + 'static) -> Self {
        self.condition(Condition::Custom(CustomCondition(Arc::new(f))))
    }

    /// Restricts the rule to breakers of a category.
    pub fn category(mut self, category: impl Into<String>) -> Self {
        self.category = Some(category.into());
        self
    }

    /// Restricts the rule to breakers of these names, or of prefixes with a star such as `db-*`.
    pub fn breakers<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.breakers = names.into_iter().map(Into::into).collect();
        self
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rules that ship with the crate: opened, flapping, stuck open, high failure rate, slow, many rejections, store
    /// gone.
    pub fn shipped() -> Vec<AlertRule> {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let rule =
            |name: &str, severity, condition| AlertRule::new(name).severity(severity).condition(condition);
        vec![
            rule("opened", Severity::High, Condition::Opened),
            rule("flapping", Severity::High, Condition::Flapping { openings: 4, within: minutes(10) }),
            rule("stuck_open", Severity::Critical, Condition::StuckOpen { lasting: minutes(15) }),
            rule(
                "high_failure_rate",
                Severity::Medium,
                Condition::FailureRate { above: 0.25, minimum_calls: 20 },
            ),
            rule("slow", Severity::Medium, Condition::SlowCallRate { above: 0.25, minimum_calls: 20 }),
            rule("many_rejections", Severity::High, Condition::RejectionsPerSecond { above: 10.0 }),
            rule("store_gone", Severity::High, Condition::StoreGone),
        ]
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        if self.name.is_empty() || self.name.len() > 100 {
            return Err(format!("the name has {} bytes, but must have 1 to 100", self.name.len()));
        }
        if *self.name == *NOTIFIER_GONE {
            return Err("the name is that of a rule which every monitor has".to_owned());
        }
        match &self.condition {
            Condition::Opened | Condition::StoreGone | Condition::Custom(_) | Condition::StuckOpen { .. } => {
                Ok(())
            }
            Condition::Flapping { openings: 0, .. } => {
                Err("openings is 0, but must be at least 1".to_owned())
            }
            Condition::Flapping { within, .. } if within.is_zero() || *within > LONGEST_MEMORY => {
                Err(format!("within is {within:?}, but must be above 0s and at most 1h"))
            }
            Condition::Flapping { .. } => Ok(()),
            Condition::FailureRate { above, .. } | Condition::SlowCallRate { above, .. } => {
                // Negated, so that NaN is an error.
                if *above > 0.0 && *above <= 1.0 {
                    Ok(())
                } else {
                    Err(format!("above is {above}, but must be above 0 and at most 1"))
                }
            }
            Condition::RejectionsPerSecond { above } => {
                if *above > 0.0 && above.is_finite() {
                    Ok(())
                } else {
                    Err(format!("above is {above}, but must be a number of calls a second above 0"))
                }
            }
        }
    }

    /// Returns whether the rule holds for a breaker.
    pub(crate) fn holds(&self, metrics: &BreakerMetrics) -> bool {
        self.concerns(metrics) && self.condition.holds(metrics)
    }

    fn concerns(&self, metrics: &BreakerMetrics) -> bool {
        let category = self.category.as_ref().is_none_or(|category| **category == *metrics.category);
        let named = |pattern: &String| matches_pattern(pattern, &metrics.name);
        category && (self.breakers.is_empty() || self.breakers.iter().any(named))
    }
}

/// The time for which openings are remembered.
pub(crate) const LONGEST_MEMORY: Duration = Duration::from_secs(3_600);

impl Condition {
    fn holds(&self, metrics: &BreakerMetrics) -> bool {
        let enough = |minimum: u64| metrics.calls >= minimum.max(1);
        match self {
            Condition::Opened => is_not_closed(metrics.state),
            Condition::Flapping { openings, within } => {
                metrics.openings_within(*within) >= u64::from(*openings)
            }
            Condition::StuckOpen { lasting } => metrics.not_closed_for.is_some_and(|time| time >= *lasting),
            Condition::FailureRate { above, minimum_calls } => {
                enough(*minimum_calls) && metrics.failure_rate >= *above
            }
            Condition::SlowCallRate { above, minimum_calls } => {
                enough(*minimum_calls) && metrics.slow_call_rate >= *above
            }
            Condition::RejectionsPerSecond { above } => metrics.rejections_per_second >= *above,
            Condition::StoreGone => false,
            Condition::Custom(custom) => catch_panic(|| (custom.0)(metrics)).unwrap_or(false),
        }
    }
}

pub(crate) fn is_not_closed(state: State) -> bool {
    match state {
        State::Open | State::ForcedOpen | State::HalfOpen => true,
        State::Closed | State::Disabled | State::MetricsOnly => false,
        // A state of a later version of the core.
        _ => false,
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Condition) -> bool {
        match (self, other) {
            (Condition::Opened, Condition::Opened) | (Condition::StoreGone, Condition::StoreGone) => true,
            (
                Condition::Flapping { openings: one, within },
                Condition::Flapping { openings: other, within: others },
            ) => (one, within) == (other, others),
            (Condition::StuckOpen { lasting: one }, Condition::StuckOpen { lasting: other }) => one == other,
            (
                Condition::FailureRate { above: one, minimum_calls },
                Condition::FailureRate { above: other, minimum_calls: others },
            )
            | (
                Condition::SlowCallRate { above: one, minimum_calls },
                Condition::SlowCallRate { above: other, minimum_calls: others },
            ) => one == other && minimum_calls == others,
            (
                Condition::RejectionsPerSecond { above: one },
                Condition::RejectionsPerSecond { above: other },
            ) => one == other,
            (Condition::Custom(one), Condition::Custom(other)) => one == other,
            // Two conditions of different kinds; named one by one, so that a new kind is not forgotten.
            (
                Condition::Opened
                | Condition::Flapping { .. }
                | Condition::StuckOpen { .. }
                | Condition::FailureRate { .. }
                | Condition::SlowCallRate { .. }
                | Condition::RejectionsPerSecond { .. }
                | Condition::StoreGone
                | Condition::Custom(_),
                _,
            ) => false,
        }
    }
}

// The same function, not one that does the same.
impl PartialEq for CustomCondition {
    fn eq(&self, other: &CustomCondition) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Opened => f.write_str("opened"),
            Condition::Flapping { openings, within } => write!(f, "{openings} openings within {within:?}"),
            Condition::StuckOpen { lasting } => write!(f, "not closed for {lasting:?}"),
            Condition::FailureRate { above, minimum_calls } => {
                write!(f, "failure rate >= {above} of {minimum_calls} calls")
            }
            Condition::SlowCallRate { above, minimum_calls } => {
                write!(f, "slow call rate >= {above} of {minimum_calls} calls")
            }
            Condition::RejectionsPerSecond { above } => write!(f, "{above} rejections a second"),
            Condition::StoreGone => f.write_str("store gone"),
            Condition::Custom(_) => f.write_str("custom"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_equal_by_kind_and_numbers() {
        let all = || {
            let mut rules = AlertRule::shipped();
            rules.push(
                AlertRule::new("rates").condition(Condition::FailureRate { above: 0.5, minimum_calls: 1 }),
            );
            rules.push(
                AlertRule::new("flaps")
                    .condition(Condition::Flapping { openings: 2, within: LONGEST_MEMORY }),
            );
            rules.into_iter().map(|rule| rule.condition).collect::<Vec<_>>()
        };
        for (index, one) in all().iter().enumerate() {
            for (place, other) in all().iter().enumerate() {
                assert_eq!(one == other, index == place, "{one:?} and {other:?}");
            }
        }
        let custom = AlertRule::new("custom").when(|_| true);
        assert_eq!(custom, custom.clone());
        assert_ne!(custom, AlertRule::new("custom").when(|_| true), "another function");
    }
}
