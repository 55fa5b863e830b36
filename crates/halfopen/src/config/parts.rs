use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{
    Abandoned, Backoff, CircuitBreakerConfigBuilder, Form, HalfOpen, Opening, Recovery, Rule, Trip, Window,
};
use crate::clock::nanos;

/// When a breaker opens, how long it waits, and what closes it again.
///
/// One that exists is valid: [`builder`](Self::builder) checks it. A clone is a reference to the same
/// numbers, so any number of breakers can share one. Two are equal if they say the same, whether a
/// number was written or is a default.
///
/// The default opens at a failure rate of 0.5, of 5 calls at least, over the last 10 s in 10
/// buckets, and after 15 failures in a row, however far apart. It waits 2 s, with a jitter of 0.2 and no growth, then sends one probe at a time, and one
/// success closes it; a probe has 60 s. A server's hint may ask for 120 s. Abandoned calls count for
/// nothing. A part that is not set keeps that default.
///
/// With feature `serde` it can be read and written as part of any document. The keys are those that a breaker has in a
/// document of `halfopen-config`. All are optional, and unknown ones are refused:
///
#[cfg_attr(feature = "serde", doc = "```")]
#[cfg_attr(not(feature = "serde"), doc = "```ignore")]
/// # use halfopen::CircuitBreakerConfig;
/// let config: CircuitBreakerConfig = serde_json::from_str(r#"{
///     "trip": [
///         { "failure_rate": { "threshold": 0.5, "minimum_calls": 10 } },
///         { "slow_call_rate": { "threshold": 0.8, "slow_after": "500ms" } },
///         { "consecutive_failures": 20 },
///         { "failure_count": 100 }
///     ],
///     "window": { "last": { "duration": "1m30s", "buckets": 30 } },
///     "open": {
///         "duration": "5s",
///         "hint_max": "2m",
///         "backoff": { "multiplier": 2, "max": "1m", "jitter": 0.2, "forget_after": "10m" }
///     },
///     "half_open": { "max_calls": 3, "success_threshold": 2, "max_failures": 1, "probe_timeout": "30s", "ramp": "10s" },
///     "abandoned": { "failure_after": "10s" },
///     "time_calls": true
/// }"#)?;
/// # assert_eq!(config.trip().len(), 4);
/// # for other in [
/// #     r#"{ "trip": { "consecutive_failures": 20, "failure_rate": { "threshold": 0.5 } } }"#,
/// #     r#"{ "window": { "last_calls": 100 }, "open": { "backoff": { "delays": ["1s", "10s"] } }, "abandoned": "failure" }"#,
/// #     r#"{ "window": { "tumbling": "1m" }, "half_open": { "max_calls": 4, "failure_rate": 0.5 } }"#,
/// #     r#"{ "window": "unbounded", "trip": [], "abandoned": "ignore" }"#,
/// # ] { serde_json::from_str::<CircuitBreakerConfig>(other)?; }
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// Other forms: `trip` is also a map, if no rule stands in it twice; `window` is also
/// `{ "last_calls": 100 }`, `{ "tumbling": "1m" }` or `"unbounded"`; `open.backoff` takes `delays` in place
/// of a `multiplier`; `half_open` takes a `failure_rate` in place of counts; `abandoned` is also
/// `"ignore"` or `"failure"`. In a map of rules, `minimum_calls` holds for every rate that names none, and `off` in
/// place of a rule leaves it out. An empty list stands for
/// [`no_trip_rules`](CircuitBreakerConfigBuilder::no_trip_rules), an empty map for the default rules.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreakerConfig, Trip, Window};
/// use std::time::Duration;
///
/// let config = CircuitBreakerConfig::builder()
///     .trip(Trip::failure_rate(0.4).minimum_calls(20))
///     .trip(Trip::slow_call_rate(0.9, Duration::from_secs(2)))
///     .window(Window::last(Duration::from_secs(30)))
///     .open_duration(Duration::from_secs(5))
///     .build()?;
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "super::document::Config", into = "super::document::Config"))]
pub struct CircuitBreakerConfig(Arc<Parts>);

/// The parts as they hold, and what the rest of the core reads of them, computed once.
pub(super) struct Parts {
    trip: Box<[Trip]>,
    window: Window,
    /// Whether somebody chose the window; if not, other rules may bring another one.
    window_written: bool,
    open_duration: Duration,
    backoff: Backoff,
    hint_max: Duration,
    half_open: HalfOpen,
    abandoned: Abandoned,
    time_calls: bool,
    rules: Box<[Rule]>,
    form: Form,
    slow: Option<Slow>,
}

#[derive(Clone, Copy)]
struct Slow {
    threshold_ppb: u32,
    after_nanos: u64,
}

impl CircuitBreakerConfig {
    /// Starts from the default.
    pub fn builder() -> CircuitBreakerConfigBuilder {
        CircuitBreakerConfigBuilder::default()
    }

    /// Starts from this configuration: a part that is set replaces that part alone.
    ///
    /// The first [`trip`](CircuitBreakerConfigBuilder::trip) replaces all rules. A window and a
    /// `minimum_calls` that nobody wrote are chosen again for the new parts.
    pub fn to_builder(&self) -> CircuitBreakerConfigBuilder {
        let parts = &*self.0;
        CircuitBreakerConfigBuilder {
            trip: parts.trip.to_vec(),
            trip_named: false,
            window: parts.window_written.then_some(parts.window),
            open_duration: parts.open_duration,
            backoff: parts.backoff.clone(),
            hint_max: parts.hint_max,
            half_open: parts.half_open,
            abandoned: parts.abandoned,
            time_calls: parts.time_calls,
        }
    }

    /// The rules that open the breaker; empty if only a rule of the breaker's own does.
    pub fn trip(&self) -> &[Trip] {
        &self.0.trip
    }

    /// What the rules look at.
    pub fn window(&self) -> Window {
        self.0.window
    }

    /// How long an open breaker waits before the first probe, before growth and jitter.
    pub fn open_duration(&self) -> Duration {
        self.0.open_duration
    }

    /// How the wait grows and is spread.
    pub fn backoff(&self) -> &Backoff {
        &self.0.backoff
    }

    /// The longest wait that a server may ask for.
    pub fn hint_max(&self) -> Duration {
        self.0.hint_max
    }

    /// What closes the breaker again.
    pub fn half_open(&self) -> HalfOpen {
        self.0.half_open
    }

    /// What a permit that was dropped without a word counts for.
    pub fn abandoned(&self) -> Abandoned {
        self.0.abandoned
    }

    /// Whether every call is timed, though no rule may need it.
    pub fn time_calls(&self) -> bool {
        self.0.time_calls
    }

    /// From parts that were found to hold, with the window they have.
    pub(super) fn of(parts: CircuitBreakerConfigBuilder, window: Window) -> CircuitBreakerConfig {
        let trip: Box<[Trip]> = parts.trip.iter().map(|rule| rule.over(window)).collect();
        let rules: Box<[Rule]> = trip.iter().map(|rule| rule.rule()).collect();
        CircuitBreakerConfig(Arc::new(Parts {
            slow: rules.iter().find_map(slow),
            form: window.form(),
            rules,
            trip,
            window,
            window_written: parts.window.is_some(),
            open_duration: parts.open_duration,
            backoff: parts.backoff.held(),
            hint_max: parts.hint_max,
            half_open: parts.half_open.held(),
            abandoned: parts.abandoned,
            time_calls: parts.time_calls,
        }))
    }
}

fn slow(rule: &Rule) -> Option<Slow> {
    match *rule {
        Rule::SlowCallRate { threshold_ppb, slow_after_nanos, .. } => {
            Some(Slow { threshold_ppb, after_nanos: slow_after_nanos })
        }
        Rule::ConsecutiveFailures(_) | Rule::FailureCount(_) | Rule::FailureRate { .. } => None,
    }
}

/// What the rest of the core reads.
impl CircuitBreakerConfig {
    pub(crate) fn rules(&self) -> &[Rule] {
        &self.0.rules
    }

    pub(crate) fn form(&self) -> Form {
        self.0.form
    }

    pub(crate) fn recovery(&self) -> Recovery {
        self.0.half_open.recovery()
    }

    pub(crate) fn probe_timeout_nanos(&self) -> u64 {
        self.0.half_open.probe_timeout_nanos()
    }

    pub(crate) fn ramp_nanos(&self) -> Option<u64> {
        self.0.half_open.ramp_nanos()
    }

    pub(crate) fn slow_ppb(&self) -> Option<u32> {
        self.0.slow.map(|slow| slow.threshold_ppb)
    }

    pub(crate) fn slow_after_nanos(&self) -> Option<u64> {
        self.0.slow.map(|slow| slow.after_nanos)
    }

    pub(crate) fn forget_after(&self) -> Option<u64> {
        self.0.backoff.forget_period().map(nanos)
    }

    pub(crate) fn hint_max_nanos(&self) -> u64 {
        nanos(self.0.hint_max)
    }

    /// Whether a call's begin and end must be known.
    pub(crate) fn needs_timing(&self) -> bool {
        let by_age = matches!(self.0.abandoned, Abandoned::FailureAfter(_));
        self.0.time_calls || self.0.slow.is_some() || by_age
    }

    /// Whether the window asks for the time of every outcome.
    pub(crate) fn needs_clock(&self) -> bool {
        match self.form() {
            Form::Time { .. } | Form::Tumbling { .. } => true,
            Form::LastCalls(_) | Form::Unbounded => false,
        }
    }

    /// The nanoseconds that the opening of an epoch waits; `step` openings before it are remembered.
    ///
    /// `planned` is the answer of the user's own function, where it has been asked.
    pub(crate) fn wait(&self, planned: Option<u64>, step: u32, seed: u64, epoch: u64) -> u64 {
        self.0.backoff.wait(self.0.open_duration, planned, step, seed, epoch)
    }

    /// The user's own function for the waits, if there is one.
    pub(crate) fn custom_backoff(&self) -> Option<&(dyn Fn(&Opening) -> Duration + Send + Sync)> {
        self.0.backoff.custom()
    }
}

impl PartialEq for CircuitBreakerConfig {
    fn eq(&self, other: &CircuitBreakerConfig) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        let named = |parts: &Parts| {
            (parts.window, parts.open_duration, parts.hint_max, parts.abandoned, parts.time_calls)
        };
        Arc::ptr_eq(&self.0, &other.0)
            || (a.trip == b.trip
                && named(a) == named(b)
                && a.backoff == b.backoff
                && a.half_open == b.half_open)
    }
}

impl fmt::Debug for CircuitBreakerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &*self.0;
        f.debug_struct("CircuitBreakerConfig")
            .field("trip", &parts.trip)
            .field("window", &parts.window)
            .field("open_duration", &parts.open_duration)
            .field("backoff", &parts.backoff)
            .field("hint_max", &parts.hint_max)
            .field("half_open", &parts.half_open)
            .field("abandoned", &parts.abandoned)
            .field("time_calls", &parts.time_calls)
            .finish()
    }
}
