use std::time::Duration;

use halfopen::adapter::matches_pattern;
use halfopen::{ConfigError, ConfigProblem, format_duration};

/// The number of buckets of a fleet's window.
const BUCKETS: u128 = 10;

/// The longest of all durations: sums of them are exact in the numbers of a script.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The settings of a [`Fleet`](crate::Fleet): the same in all its nodes.
///
/// # Examples
///
/// ```
/// use halfopen_redis::FleetConfig;
/// use std::time::Duration;
///
/// let config = FleetConfig::builder("checkout")
///     .share(["payments", "db-*"])
///     .failure_rate(0.5)
///     .minimum_calls(20)
///     .open_duration(Duration::from_secs(10))
///     .build()?;
/// assert_eq!(config.lease(), Duration::from_millis(10_750));
///
/// let error = FleetConfig::builder("checkout").failure_rate(1.5).build().unwrap_err();
/// assert_eq!(error.to_string(), "`failure_rate` is 1.5, but must be above 0 and at most 1");
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FleetConfig {
    pub(super) fleet: String,
    pub(super) share: Vec<String>,
    pub(super) failure_rate: f64,
    pub(super) minimum_calls: u32,
    pub(super) window: Duration,
    pub(super) open_duration: Duration,
    pub(super) probe_timeout: Duration,
    pub(super) sync_interval: Duration,
    pub(super) prefix: String,
}

/// Builds a [`FleetConfig`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it builds"]
pub struct FleetConfigBuilder(FleetConfig);

impl FleetConfig {
    /// Returns a builder for the fleet of this name, with the defaults of its methods.
    pub fn builder(fleet: impl Into<String>) -> FleetConfigBuilder {
        FleetConfigBuilder(FleetConfig {
            fleet: fleet.into(),
            share: vec!["*".into()],
            failure_rate: 0.5,
            minimum_calls: 20,
            window: Duration::from_secs(10),
            open_duration: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(10),
            sync_interval: Duration::from_millis(250),
            prefix: "halfopen:fleet".into(),
        })
    }

    /// Returns the name of the fleet.
    pub fn fleet(&self) -> &str {
        &self.fleet
    }

    /// Returns the interval between two syncs of a node.
    pub fn sync_interval(&self) -> Duration {
        self.sync_interval
    }

    /// Returns the longest time that an opening of the fleet keeps a breaker open whose node has lost the server: the
    /// open duration and three sync intervals, in which a node hears of its end.
    pub fn lease(&self) -> Duration {
        self.open_duration + self.hold()
    }

    pub(super) fn hold(&self) -> Duration {
        3 * self.sync_interval
    }

    /// Whether a breaker of this name is shared: by its name, or by a pattern that ends with `*`.
    pub(super) fn shares(&self, name: &str) -> bool {
        self.share.iter().any(|shared| matches_pattern(shared, name))
    }

    /// The numbers of a sync that are the same for all breakers: at most 15 days of milliseconds.
    pub(super) fn numbers(&self) -> [u32; 8] {
        let width = millis(self.window).div_ceil(BUCKETS as u64);
        let [open, probe, hold] = [self.open_duration, self.probe_timeout, self.hold()].map(millis);
        // Long enough for every lease that a node can still hold. A state extends it once per bucket only.
        let life = millis(self.window) + 2 * width + open + probe + 4 * hold + 1_000;
        // A node extends it with every second sync.
        let node = 4 * millis(self.sync_interval) + 1_000;
        // Rounded down, so that a rate that is met exactly fires.
        let rate = (self.failure_rate * 1e9) as u64;
        [width, rate, self.minimum_calls.into(), open, probe, hold, life, node]
            .map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }
}

impl FleetConfigBuilder {
    /// Sets which breakers are shared: names, or prefixes that end with `*`. The default is `*`, all of them.
    pub fn share(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.share = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the share of failures, of all nodes together, that opens the fleet; the default is 0.5.
    pub fn failure_rate(mut self, rate: f64) -> Self {
        self.0.failure_rate = rate;
        self
    }

    /// Sets the number of calls, of all nodes together, from which on the rate counts; the default is 20.
    pub fn minimum_calls(mut self, calls: u32) -> Self {
        self.0.minimum_calls = calls;
        self
    }

    /// Sets the window of the rate, which has ten buckets; the default is 10 s.
    pub fn window(mut self, window: Duration) -> Self {
        self.0.window = window;
        self
    }

    /// Sets how long the fleet stays open before a node probes; the default is 5 s.
    pub fn open_duration(mut self, duration: Duration) -> Self {
        self.0.open_duration = duration;
        self
    }

    /// Sets how long a node may probe without an outcome before another one does; the default is 10 s.
    pub fn probe_timeout(mut self, timeout: Duration) -> Self {
        self.0.probe_timeout = timeout;
        self
    }

    /// Sets the interval between two syncs of a node; the default is 250 ms. It is varied by 10 %.
    pub fn sync_interval(mut self, interval: Duration) -> Self {
        self.0.sync_interval = interval;
        self
    }

    /// Sets the prefix of the keys; the default is `halfopen:fleet`.
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.0.prefix = prefix.into();
        self
    }

    /// Builds the configuration.
    ///
    /// # Errors
    ///
    /// Every value that cannot hold, with its field and its range.
    pub fn build(self) -> Result<FleetConfig, ConfigError> {
        let config = self.0;
        let mut problems = Vec::new();
        let mut check = |holds: bool, field: &'static str, value: String, range: &str| {
            if !holds {
                problems.push(ConfigProblem::new(field, value, range));
            }
        };
        // The name is the hash tag of the keys, which keeps them on one node of a cluster.
        let is_tag = |text: &str| !text.is_empty() && !text.contains(['{', '}']);
        check(is_tag(&config.fleet), "fleet", config.fleet.clone(), "a name without `{` and `}`");
        check(
            !config.prefix.contains(['{', '}']),
            "key_prefix",
            config.prefix.clone(),
            "without `{` and `}`",
        );
        check(!config.share.is_empty(), "share", "[]".into(), "at least one name or pattern");
        let rate = config.failure_rate;
        check((1e-9..=1.0).contains(&rate), "failure_rate", rate.to_string(), "above 0 and at most 1");
        check(config.minimum_calls > 0, "minimum_calls", "0".into(), "at least 1");
        let ranges = [
            ("window", config.window, Duration::from_millis(10)),
            ("open_duration", config.open_duration, Duration::from_millis(1)),
            ("probe_timeout", config.probe_timeout, Duration::from_millis(1)),
            ("sync_interval", config.sync_interval, Duration::from_millis(1)),
        ];
        for (field, value, least) in ranges {
            let range = format!("from {} to {}", format_duration(least), format_duration(LONGEST));
            check((least..=LONGEST).contains(&value), field, format_duration(value), &range);
        }
        ConfigError::check(problems)?;
        Ok(config)
    }
}

/// Milliseconds, rounded up: a duration that is checked is not longer than a day.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_prefixes_are_shared() {
        let config = FleetConfig::builder("a").share(["payments", "db-*"]).build().unwrap();
        for (name, shared) in
            [("payments", true), ("payments-2", false), ("db-", true), ("db-1", true), ("d", false)]
        {
            assert_eq!(config.shares(name), shared, "{name}");
        }
        assert!(FleetConfig::builder("a").build().unwrap().shares("anything"));
    }

    #[test]
    fn every_problem_is_reported() {
        let config = FleetConfig::builder("{a}")
            .share(Vec::<String>::new())
            .failure_rate(f64::NAN)
            .minimum_calls(0)
            .window(Duration::from_millis(9))
            .sync_interval(Duration::ZERO);
        let error = config.build().unwrap_err();
        let fields: Vec<_> = error.problems().iter().map(ConfigProblem::field).collect();
        assert_eq!(fields, ["fleet", "share", "failure_rate", "minimum_calls", "window", "sync_interval"]);
    }

    #[test]
    fn the_longest_durations_fit_a_sync() {
        let config = FleetConfig::builder("a")
            .window(LONGEST)
            .open_duration(LONGEST)
            .probe_timeout(LONGEST)
            .sync_interval(LONGEST)
            .build();
        assert!(config.unwrap().numbers().iter().all(|number| *number < u32::MAX));
    }

    #[test]
    fn a_rate_that_is_met_exactly_is_not_rounded_up() {
        let config = FleetConfig::builder("a").failure_rate(2.0 / 3.0).build().unwrap();
        assert_eq!(config.numbers()[1], 666_666_666);
    }
}
