use std::time::Duration;

use halfopen::{ConfigError, ConfigProblem};

use super::occupancy::Limits;

/// The limits of a [`Bulkhead`](crate::Bulkhead); a value that exists is valid.
///
/// # Examples
///
/// ```
/// use halfopen_limit::BulkheadConfig;
///
/// let config = BulkheadConfig::builder().max_concurrent_calls(20).max_waiting_calls(50).build()?;
/// assert_eq!(config.max_concurrent_calls(), 20);
///
/// let error = BulkheadConfig::builder().max_concurrent_calls(0).build().unwrap_err();
/// assert_eq!(error.to_string(), "`max_concurrent_calls` is 0, but must be at least 1");
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BulkheadConfig {
    max_concurrent_calls: u32,
    max_waiting_calls: u32,
    max_wait: Option<Duration>,
}

/// Builds a [`BulkheadConfig`].
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct BulkheadConfigBuilder {
    max_concurrent_calls: Option<u32>,
    max_waiting_calls: Option<u32>,
    max_wait: Option<Duration>,
}

/// The length of the queue for each slot where only a wait was written.
const WAITING_PER_SLOT: u32 = 10;

impl BulkheadConfig {
    /// Returns a builder; `max_concurrent_calls` is the one number it asks for.
    pub fn builder() -> BulkheadConfigBuilder {
        BulkheadConfigBuilder::default()
    }

    /// Returns how many calls may be in flight at a time.
    pub fn max_concurrent_calls(&self) -> u32 {
        self.max_concurrent_calls
    }

    /// Returns how many more may wait for a slot.
    pub fn max_waiting_calls(&self) -> u32 {
        self.max_waiting_calls
    }

    /// Returns how long one waits at most; [`None`] is as long as it takes.
    pub fn max_wait(&self) -> Option<Duration> {
        self.max_wait
    }

    pub(super) fn limits(&self) -> Limits {
        Limits { concurrent: self.max_concurrent_calls, waiting: self.max_waiting_calls }
    }

    pub(super) fn from_parts(limits: Limits, max_wait: Option<Duration>) -> BulkheadConfig {
        let Limits { concurrent, waiting } = limits;
        BulkheadConfig { max_concurrent_calls: concurrent, max_waiting_calls: waiting, max_wait }
    }
}

impl BulkheadConfigBuilder {
    /// Sets how many calls may be in flight at a time: at least 1.
    pub fn max_concurrent_calls(mut self, calls: u32) -> Self {
        self.max_concurrent_calls = Some(calls);
        self
    }

    /// Sets how many calls may wait for a slot in [`Bulkhead::acquire`](crate::Bulkhead::acquire).
    ///
    /// The default is 0: a full bulkhead rejects immediately. With a `max_wait` the default is ten for
    /// each slot.
    pub fn max_waiting_calls(mut self, calls: u32) -> Self {
        self.max_waiting_calls = Some(calls);
        self
    }

    /// Sets how long a call waits for a slot: longer than zero. The default is no limit.
    ///
    /// Waiting then takes tokio's timer (feature `tokio`).
    #[cfg(feature = "tokio")]
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = Some(wait);
        self
    }

    /// Builds the configuration.
    ///
    /// # Errors
    ///
    /// Every number that cannot hold, with its field, its value and its range.
    pub fn build(self) -> Result<BulkheadConfig, ConfigError> {
        let mut problems = Vec::new();
        match self.max_concurrent_calls {
            None => problems.push(ConfigProblem::new("max_concurrent_calls", "not set", "at least 1")),
            Some(0) => problems.push(ConfigProblem::new("max_concurrent_calls", 0, "at least 1")),
            Some(_) => {}
        }
        match (self.max_wait, self.max_waiting_calls) {
            (Some(Duration::ZERO), _) => {
                problems.push(ConfigProblem::new("max_wait", "0s", "longer than 0s"));
            }
            (Some(_), Some(0)) => {
                let range = "at least 1 where a max_wait is set";
                problems.push(ConfigProblem::new("max_waiting_calls", 0, range));
            }
            (Some(_) | None, _) => {}
        }
        ConfigError::check(problems)?;
        let max_concurrent_calls = self.max_concurrent_calls.unwrap_or_default();
        // A wait without a bound on the queue would let it grow with every call of an outage.
        let max_waiting_calls = self.max_waiting_calls.unwrap_or(match self.max_wait {
            Some(_) => max_concurrent_calls.saturating_mul(WAITING_PER_SLOT),
            None => 0,
        });
        Ok(BulkheadConfig { max_concurrent_calls, max_waiting_calls, max_wait: self.max_wait })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_reported_at_once() {
        let error = BulkheadConfigBuilder {
            max_wait: Some(Duration::ZERO),
            ..BulkheadConfig::builder().max_concurrent_calls(0)
        }
        .build()
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "2 problems: `max_concurrent_calls` is 0, but must be at least 1; `max_wait` is 0s, but must be longer than 0s"
        );
    }

    #[test]
    fn the_one_number_must_be_set() {
        let error = BulkheadConfig::builder().build().unwrap_err();
        assert_eq!(error.to_string(), "`max_concurrent_calls` is not set, but must be at least 1");
    }

    #[test]
    fn a_wait_needs_a_queue() {
        let wait = BulkheadConfigBuilder {
            max_wait: Some(Duration::from_secs(10)),
            ..BulkheadConfig::builder().max_concurrent_calls(20)
        };
        assert_eq!(wait.build().unwrap().max_waiting_calls(), 200, "ten for each slot by default");
        assert!(wait.max_waiting_calls(0).build().is_err(), "a wait that no call can have");
        assert_eq!(wait.max_waiting_calls(5).build().unwrap().max_waiting_calls(), 5);
    }

    #[test]
    fn nothing_waits_by_default() {
        let config = BulkheadConfig::builder().max_concurrent_calls(20).build().unwrap();
        assert_eq!((config.max_waiting_calls(), config.max_wait()), (0, None));
    }
}
