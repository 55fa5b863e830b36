use std::error::Error;
use std::fmt;

/// Why a configuration is not valid: every problem, each with its field, its value and its range.
///
/// # Examples
///
/// ```
/// use fusebox::{CircuitBreakerConfig, Trip, Window};
///
/// let error = CircuitBreakerConfig::builder()
///     .trip(Trip::failure_rate(1.5))
///     .window(Window::last_calls(0))
///     .build()
///     .unwrap_err();
///
/// let fields: Vec<_> = error.problems().iter().map(|problem| problem.field()).collect();
/// assert_eq!(fields, ["window.last_calls", "trip.failure_rate.threshold"]);
/// assert_eq!(
///     error.problems()[1].to_string(),
///     "`trip.failure_rate.threshold` is 1.5, must be above 0 and at most 1"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<ConfigProblem>,
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    field: &'static str,
    value: String,
    range: String,
}

impl ConfigError {
    /// Every problem; there is at least one.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }
}

impl ConfigProblem {
    /// The field, as a path: `trip.failure_rate.threshold`.
    pub fn field(&self) -> &str {
        self.field
    }

    /// What was written there.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What may be written there: "must be from 1 to 1000".
    pub fn range(&self) -> &str {
        &self.range
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}, {}", self.field, self.value, self.range)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid circuit breaker configuration: ")?;
        for (place, problem) in self.problems.iter().enumerate() {
            if place > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl Error for ConfigError {}

/// Collects what is wrong, so that all of it can be told at once.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<ConfigProblem>);

impl Problems {
    pub(super) fn add(&mut self, field: &'static str, value: impl fmt::Display, range: impl fmt::Display) {
        self.0.push(ConfigProblem { field, value: value.to_string(), range: range.to_string() });
    }

    /// A number of calls, buckets or the like.
    pub(super) fn count(&mut self, field: &'static str, value: u32, most: u32) {
        if value == 0 || value > most {
            self.add(field, value, format_args!("must be from 1 to {most}"));
        }
    }

    pub(super) fn threshold(&mut self, field: &'static str, value: f64) {
        if super::parts_per_billion(value).is_none() {
            self.add(field, value, "must be above 0 and at most 1");
        }
    }

    pub(super) fn duration(&mut self, field: &'static str, value: std::time::Duration) {
        if value.is_zero() {
            self.add(field, "0", "must be longer than 0");
        }
    }

    pub(super) fn into_result(self) -> Result<(), ConfigError> {
        if self.0.is_empty() { Ok(()) } else { Err(ConfigError { problems: self.0 }) }
    }
}
