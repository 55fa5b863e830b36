use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::builder::HINT_MAX;
use super::{
    Abandoned, Adaptive, Backoff, CircuitBreakerConfigBuilder, Form, HalfOpen, Opening, Recovery, Rule, Trip,
    Window, WindowKind,
};
use crate::clock::nanos;
use crate::word::Epoch;

/// The configuration of a breaker: the rules that open it, the wait while it is open, and the recovery.
///
/// A configuration is always valid: [`builder`](Self::builder) checks it. Clones share their data, so any number of
/// breakers can use one. Two configurations are equal if their values are equal, whether a value was set or is a
/// default.
///
/// The default opens at a failure rate of 0.5 of at least 5 calls in the last 10 s (10 buckets), and after 15 failures
/// in a row, however far apart. It waits 2 s, with a jitter of 0.2 and without growth, then admits one probe at a
/// time, and one success closes it. A probe must report within 60 s. A server's hint can lengthen the wait to 120 s.
/// Abandoned calls are not recorded. A part that is not set has this default.
///
/// With the feature `serde` it can be part of any document. The keys are those of a breaker in a
/// document of `halfopen-config`. All keys are optional, and unknown ones are rejected:
///
#[cfg_attr(feature = "serde", doc = "```")]
#[cfg_attr(not(feature = "serde"), doc = "```ignore")]
/// # use halfopen::CircuitBreakerConfig;
/// let config: CircuitBreakerConfig = serde_json::from_str(r#"{
///     "trip": [
///         { "failure_rate": { "threshold": 0.5, "minimum_calls": 10 } },
///         { "slow_call_rate": { "threshold": 0.8, "slow_after": "500ms", "in_flight": true } },
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
/// Other forms: `trip` can be a map if each rule is present only once; `window` can be
/// `{ "last_calls": 100 }`, `{ "tumbling": "1m" }` or `"unbounded"`; `open.backoff` accepts `delays` instead
/// of a `multiplier`; `half_open` accepts a `failure_rate` instead of counts; `abandoned` can be
/// `"ignore"` or `"failure"`. In a map of rules, `minimum_calls` applies to every rate without one of its own, and
/// `off` instead of a rule removes it. An empty list means
/// [`no_trip_rules`](CircuitBreakerConfigBuilder::no_trip_rules), an empty map the default rules.
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

/// The validated parts. The integers that the rest of the core reads are derived from them, except for the thresholds,
/// which a rule stores.
pub(super) struct Parts {
    trip: Box<[Trip]>,
    window: WindowKind,
    open_duration: Duration,
    // [`None`] stands for the defaults: few breakers differ from them, and there may be one for each host.
    rare: Option<Box<Rare>>,
    /// Whether the window was set explicitly. Otherwise its default depends on the rules.
    window_written: bool,
}

/// The parts that most configurations leave at their defaults.
struct Rare {
    backoff: Option<Box<Backoff>>,
    hint_max: Duration,
    half_open: Option<Box<HalfOpen>>,
    abandoned: Abandoned,
    time_calls: bool,
    adaptive: Option<Box<Adaptive>>,
}

static DEFAULT: Rare = Rare {
    backoff: None,
    hint_max: HINT_MAX,
    half_open: None,
    abandoned: Abandoned::Ignore,
    time_calls: false,
    adaptive: None,
};

impl Rare {
    fn is_default(&self) -> bool {
        let Rare { backoff, hint_max, half_open, abandoned, time_calls, adaptive } = self;
        let is_boxed = backoff.is_some() || half_open.is_some() || adaptive.is_some();
        !is_boxed && (*hint_max, *abandoned, *time_calls) == (HINT_MAX, Abandoned::Ignore, false)
    }
}

#[derive(Clone, Copy)]
struct Slow {
    threshold_ppb: u32,
    after_nanos: u64,
    in_flight: bool,
}

impl CircuitBreakerConfig {
    /// Returns a builder that starts from the default.
    pub fn builder() -> CircuitBreakerConfigBuilder {
        CircuitBreakerConfigBuilder::default()
    }

    /// Returns a builder that starts from this configuration.
    ///
    /// A part that is set replaces only that part. The first [`trip`](CircuitBreakerConfigBuilder::trip) replaces all
    /// rules. A window and a `minimum_calls` that were defaults are chosen again for the new parts.
    pub fn to_builder(&self) -> CircuitBreakerConfigBuilder {
        let parts = &*self.0;
        CircuitBreakerConfigBuilder {
            trip: parts.trip.to_vec(),
            trip_named: false,
            window: parts.window_written.then_some(self.window()),
            open_duration: parts.open_duration,
            backoff: self.backoff().clone(),
            hint_max: self.hint_max(),
            half_open: self.half_open(),
            abandoned: self.abandoned(),
            time_calls: self.time_calls(),
            adaptive: self.adaptive_part(),
            fixed: Vec::new(),
        }
    }

    /// Returns the numbers of an adaptive breaker, or [`None`] for one of rules.
    pub fn adaptive_part(&self) -> Option<Adaptive> {
        self.rare().adaptive.as_deref().copied()
    }

    /// Returns the rules that open the breaker; empty with
    /// [`no_trip_rules`](CircuitBreakerConfigBuilder::no_trip_rules).
    pub fn trip(&self) -> &[Trip] {
        &self.0.trip
    }

    /// Returns the window on which the rules are evaluated.
    pub fn window(&self) -> Window {
        Window::of(self.0.window)
    }

    /// Returns the wait of an open breaker before the first probe, without growth and jitter.
    pub fn open_duration(&self) -> Duration {
        self.0.open_duration
    }

    /// Returns the growth and the jitter of the wait.
    pub fn backoff(&self) -> &Backoff {
        self.rare().backoff.as_deref().unwrap_or(&Backoff::DEFAULT)
    }

    /// Returns the maximum wait for which a server can ask.
    pub fn hint_max(&self) -> Duration {
        self.rare().hint_max
    }

    /// Returns the recovery: the probes, and the verdict that closes the breaker.
    pub fn half_open(&self) -> HalfOpen {
        self.rare().half_open.as_deref().copied().unwrap_or_default()
    }

    /// Returns how permits that were dropped without a report are recorded.
    pub fn abandoned(&self) -> Abandoned {
        self.rare().abandoned
    }

    /// Returns whether every call is timed, even if no rule needs it.
    pub fn time_calls(&self) -> bool {
        self.rare().time_calls
    }

    fn rare(&self) -> &Rare {
        self.0.rare.as_deref().unwrap_or(&DEFAULT)
    }

    /// Creates a configuration from validated parts and their effective window.
    pub(super) fn of(parts: CircuitBreakerConfigBuilder, window: Window) -> CircuitBreakerConfig {
        let trip: Box<[Trip]> = parts.trip.iter().map(|rule| rule.over(window)).collect();
        let rare = Rare {
            backoff: Some(parts.backoff.rounded()).filter(|it| *it != Backoff::DEFAULT).map(Box::new),
            hint_max: parts.hint_max,
            half_open: Some(parts.half_open.rounded()).filter(|it| !it.is_unset()).map(Box::new),
            abandoned: parts.abandoned,
            time_calls: parts.time_calls,
            adaptive: parts.adaptive.map(Box::new),
        };
        CircuitBreakerConfig(Arc::new(Parts {
            trip,
            // A valid window is its kind alone.
            window: window.kind(),
            open_duration: parts.open_duration,
            rare: Some(rare).filter(|rare| !rare.is_default()).map(Box::new),
            window_written: parts.window.is_some(),
        }))
    }
}

fn slow(rule: Rule) -> Option<Slow> {
    match rule {
        Rule::SlowCallRate { threshold_ppb, slow_after_nanos, in_flight, .. } => {
            Some(Slow { threshold_ppb, after_nanos: slow_after_nanos, in_flight })
        }
        Rule::ConsecutiveFailures(_) | Rule::FailureCount(_) | Rule::FailureRate { .. } => None,
    }
}

/// The values that the rest of the core reads.
impl CircuitBreakerConfig {
    pub(crate) fn rules(&self) -> impl Iterator<Item = Rule> {
        self.0.trip.iter().map(Trip::rule)
    }

    fn slow(&self) -> Option<Slow> {
        self.rules().find_map(slow)
    }

    pub(crate) fn form(&self) -> Form {
        self.window().form()
    }

    pub(crate) fn recovery(&self) -> Recovery {
        self.half_open().recovery()
    }

    pub(crate) fn probe_timeout_nanos(&self) -> u64 {
        self.half_open().probe_timeout_nanos()
    }

    pub(crate) fn ramp_nanos(&self) -> Option<u64> {
        self.half_open().ramp_nanos()
    }

    pub(crate) fn is_adaptive(&self) -> bool {
        self.rare().adaptive.is_some()
    }

    pub(crate) fn slow_ppb(&self) -> Option<u32> {
        self.slow().map(|slow| slow.threshold_ppb)
    }

    pub(crate) fn slow_after_nanos(&self) -> Option<u64> {
        self.slow().map(|slow| slow.after_nanos)
    }

    /// Returns the nanoseconds after which a call in flight is overdue, if a rule counts calls in flight.
    pub(crate) fn overdue_after_nanos(&self) -> Option<u64> {
        self.slow().filter(|slow| slow.in_flight).map(|slow| slow.after_nanos)
    }

    pub(crate) fn forget_after(&self) -> Option<u64> {
        self.backoff().forget_period().map(nanos)
    }

    pub(crate) fn hint_max_nanos(&self) -> u64 {
        nanos(self.hint_max())
    }

    /// Returns whether the start and the end of a call must be known.
    pub(crate) fn needs_timing(&self) -> bool {
        let by_age = matches!(self.abandoned(), Abandoned::FailureAfter(_));
        self.time_calls() || self.slow().is_some() || by_age
    }

    /// Returns whether the window needs the time of every outcome.
    pub(crate) fn needs_clock(&self) -> bool {
        match self.form() {
            Form::Time { .. } | Form::Tumbling { .. } => true,
            Form::LastCalls(_) | Form::Unbounded => false,
        }
    }

    /// Returns the wait of the opening of this epoch, in nanoseconds. `step` is the number of earlier openings that are
    /// not forgotten.
    ///
    /// `planned` is the result of the user's own function, if it has been called.
    pub(crate) fn wait(&self, planned: Option<u64>, step: u32, seed: u64, epoch: Epoch) -> u64 {
        self.backoff().wait(self.0.open_duration, planned, step, seed, epoch)
    }

    /// Returns the user's own function for the waits, if there is one.
    pub(crate) fn custom_backoff(&self) -> Option<&(dyn Fn(&Opening) -> Duration + Send + Sync)> {
        self.backoff().custom()
    }
}

impl PartialEq for CircuitBreakerConfig {
    fn eq(&self, other: &CircuitBreakerConfig) -> bool {
        let (a, b) = (&*self.0, &*other.0);
        let named = |parts: &Parts| {
            let Rare { hint_max, abandoned, time_calls, .. } = parts.rare.as_deref().unwrap_or(&DEFAULT);
            (parts.window, parts.open_duration, *hint_max, *abandoned, *time_calls)
        };
        Arc::ptr_eq(&self.0, &other.0)
            || (a.trip == b.trip
                && named(a) == named(b)
                && self.backoff() == other.backoff()
                && self.rare().adaptive == other.rare().adaptive
                && self.half_open() == other.half_open())
    }
}

impl fmt::Debug for CircuitBreakerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &*self.0;
        f.debug_struct("CircuitBreakerConfig")
            .field("trip", &parts.trip)
            .field("window", &self.window())
            .field("open_duration", &parts.open_duration)
            .field("backoff", self.backoff())
            .field("hint_max", &self.hint_max())
            .field("half_open", &self.half_open())
            .field("abandoned", &self.abandoned())
            .field("time_calls", &self.time_calls())
            .field("adaptive", &self.rare().adaptive)
            .finish()
    }
}
