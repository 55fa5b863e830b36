use std::fmt;
use std::time::Duration;

use super::duration;

/// The error of an invalid configuration, with all its problems.
///
/// Each is a [`ConfigProblem`] with the field, its value and its valid range. `Debug` formats
/// the same text as `Display`, so that `unwrap()` and `fn main() -> Result<..>` print a readable report.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreakerConfig, HalfOpen, Trip};
///
/// let error = CircuitBreakerConfig::builder()
///     .trip(Trip::failure_rate(0.0))
///     .half_open(HalfOpen::new().max_calls(0))
///     .build()
///     .unwrap_err();
///
/// let fields: Vec<_> = error.problems().iter().map(|problem| problem.field()).collect();
/// assert_eq!(fields, ["trip.failure_rate.threshold", "half_open.max_calls"]);
/// assert_eq!(
///     error.problems()[0].to_string(),
///     "`trip.failure_rate`: threshold is 0, but must be above 0 and at most 1",
/// );
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<ConfigProblem>,
}

/// One invalid value of a configuration.
///
/// `Display` formats the field, its value and the valid range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    field: &'static str,
    value: String,
    range: String,
}

impl ConfigError {
    /// Returns an error with these problems, or `Ok` if there are none.
    ///
    /// Intended for the configurations of other crates, so that all of them share one error type.
    ///
    /// # Errors
    ///
    /// Returns a [`ConfigError`] if `problems` is not empty.
    pub fn check(problems: Vec<ConfigProblem>) -> Result<(), ConfigError> {
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }

    /// Returns all problems, in the order of the parts. It is never empty.
    pub fn problems(&self) -> &[ConfigProblem] {
        &self.problems
    }
}

impl ConfigProblem {
    /// Creates the problem of one field: its path, its value and the valid range, worded to follow "must be".
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::ConfigProblem;
    ///
    /// let problem = ConfigProblem::new("max_calls", 0, "at least 1");
    /// assert_eq!(problem.to_string(), "`max_calls` is 0, but must be at least 1");
    /// ```
    pub fn new(field: &'static str, value: impl fmt::Display, range: impl Into<String>) -> ConfigProblem {
        ConfigProblem { field, value: value.to_string(), range: range.into() }
    }

    /// Returns the path of the invalid field, such as `backoff.jitter` or `trip.failure_rate.threshold`.
    pub fn field(&self) -> &str {
        self.field
    }

    /// Returns the invalid value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the valid range, worded to follow "must be".
    pub fn range(&self) -> &str {
        &self.range
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [problem] = self.problems.as_slice() {
            return problem.fmt(f);
        }
        write!(f, "{} problems", self.problems.len())?;
        for (place, problem) in self.problems.iter().enumerate() {
            write!(f, "{} {problem}", if place == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConfigProblem { field, value, range } = self;
        match field.rsplit_once('.') {
            // A rule can be present several times, so its path is separate from the name of its number.
            Some((part, number)) if part.contains('.') => {
                write!(f, "`{part}`: {number} is {value}, but must be {range}")
            }
            _ => write!(f, "`{field}` is {value}, but must be {range}"),
        }
    }
}

// `unwrap()` and a `main` that returns the error print it with `Debug`, which should be readable.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

/// Collects the problems of all parts.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<ConfigProblem>);

impl Problems {
    pub(super) fn add(&mut self, field: &'static str, value: impl fmt::Display, range: impl Into<String>) {
        self.0.push(ConfigProblem::new(field, value, range));
    }

    /// Checks a share of calls: above 0, at most 1, and not so small that it is rounded to 0.
    pub(super) fn share(&mut self, field: &'static str, share: f64) {
        if !(share > 0.0 && share <= 1.0) {
            self.add(field, number(share), "above 0 and at most 1");
        } else if super::ratio::parts_per_billion(share) == 0 {
            self.add(
                field,
                number(share),
                "from 0.000000001 (the smallest share that is not rounded to 0) to 1",
            );
        }
    }

    pub(super) fn at_least_one(&mut self, field: &'static str, count: u32) {
        if count == 0 {
            self.add(field, count, "at least 1");
        }
    }

    pub(super) fn above_zero(&mut self, field: &'static str, time: Duration) {
        if time.is_zero() {
            self.add(field, duration::print(time), "longer than 0s");
        }
    }

    pub(super) fn result(self) -> Result<(), ConfigError> {
        ConfigError::check(self.0)
    }
}

/// Formats a number for people; very large and very small ones in scientific notation.
pub(super) fn number(number: f64) -> String {
    if number == 0.0 || (1e-9..1e9).contains(&number.abs()) {
        format!("{number}")
    } else {
        format!("{number:?}")
    }
}
