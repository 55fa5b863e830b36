use std::time::Duration;

use super::error::Problems;
use super::{Abandoned, Adaptive, Backoff, CircuitBreakerConfig, ConfigError, HalfOpen, Trip, Window, trip};

/// The number of consecutive failures that opens a breaker by default, however far apart they are.
///
/// Failures that are less frequent than the window needs (a call every three seconds, or ten callers of a server that
/// hangs for 30 s each) never reach a failure rate. At 1,000 calls a second with 35 % independent failures, such a run
/// occurs once in two hours.
const DEFAULT_RUN: u32 = 15;

/// The default of `hint_max`.
pub(super) const HINT_MAX: Duration = Duration::from_secs(120);

/// Builds a [`CircuitBreakerConfig`].
///
/// A part that is not set keeps its default or, with
/// [`to_builder`](CircuitBreakerConfig::to_builder), its value in the original configuration.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct CircuitBreakerConfigBuilder {
    pub(super) trip: Vec<Trip>,
    /// Whether `trip` contains the caller's rules instead of the original ones.
    pub(super) trip_named: bool,
    pub(super) window: Option<Window>,
    pub(super) open_duration: Duration,
    pub(super) backoff: Backoff,
    pub(super) hint_max: Duration,
    pub(super) half_open: HalfOpen,
    pub(super) abandoned: Abandoned,
    pub(super) time_calls: bool,
    pub(super) adaptive: Option<Adaptive>,
    /// The parts that an adaptive breaker has no use for, as far as they are set.
    pub(super) fixed: Vec<&'static str>,
}

impl CircuitBreakerConfigBuilder {
    /// Adds a rule. Any rule that holds opens the breaker.
    ///
    /// The first call replaces the rules with which the builder started. If all rules are on consecutive failures,
    /// the default of the [`window`](Self::window) is [`Window::unbounded`]: no rule needs the window, so no clock is
    /// read for it.
    pub fn trip(mut self, rule: Trip) -> Self {
        self.note_fixed("trip");
        if !self.trip_named {
            self.trip.clear();
            self.trip_named = true;
        }
        self.trip.push(rule);
        self
    }

    /// Removes all rules, so that only the breaker's
    /// [`ready_to_trip`](crate::CircuitBreakerBuilder::ready_to_trip) opens it.
    ///
    /// Without such a rule, only [`trip`](crate::CircuitBreaker::trip) and
    /// [`open_for`](crate::CircuitBreaker::open_for) do. Rules that are added afterwards are the only ones.
    pub fn no_trip_rules(mut self) -> Self {
        self.note_fixed("trip");
        self.trip.clear();
        self.trip_named = true;
        self
    }

    /// Sets the window on which the rules are evaluated.
    ///
    /// The default is the last 10 s in 10 buckets, or [`Window::unbounded`] if all rules are on
    /// consecutive failures. In the latter case, a custom rule that needs the counts of a window requires one to be
    /// set.
    pub fn window(mut self, window: Window) -> Self {
        self.note_fixed("window");
        self.window = Some(window);
        self
    }

    /// Sets the wait of an open breaker before the first probe. The default is 2 s, and zero is allowed.
    ///
    /// [`backoff`](Self::backoff) adds growth, jitter and a limit to this wait. It is clamped to 584 years.
    pub fn open_duration(mut self, wait: Duration) -> Self {
        self.note_fixed("open_duration");
        self.open_duration = wait;
        self
    }

    /// Sets the growth and the jitter of the wait. The default is no growth and a jitter of 0.2.
    ///
    /// A [`Backoff`] that is set here has no jitter unless it specifies one.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.note_fixed("backoff");
        self.backoff = backoff;
        self
    }

    /// Sets the maximum wait for which a server can ask with the failure that opens the breaker. The default is 120 s;
    /// it must be longer than zero.
    ///
    /// A hint lengthens a wait and never shortens it.
    pub fn hint_max(mut self, limit: Duration) -> Self {
        self.hint_max = limit;
        self
    }

    /// Sets the recovery: the probes, and the verdict that closes the breaker. The default is [`HalfOpen::new`].
    pub fn half_open(mut self, half_open: HalfOpen) -> Self {
        self.note_fixed("half_open");
        self.half_open = half_open;
        self
    }

    /// Sets how permits that are dropped without a report are recorded. The default is [`Abandoned::Ignore`].
    pub fn abandoned(mut self, policy: Abandoned) -> Self {
        self.abandoned = policy;
        self
    }

    /// Sets whether every call is timed, for the totals. The default is false.
    ///
    /// Calls are timed in any case if something needs the time: a slow-call rule,
    /// [`Abandoned::FailureAfter`], or a listener that is interested in calls.
    pub fn time_calls(mut self, on: bool) -> Self {
        self.time_calls = on;
        self
    }

    /// Makes the breaker adaptive: it learns when to open, when to probe and when to close.
    ///
    /// It has no use for rules, window, wait, backoff and half-open policy: each of these beside it is an error.
    pub fn adaptive(mut self, adaptive: Adaptive) -> Self {
        self.adaptive = Some(adaptive);
        self
    }

    fn note_fixed(&mut self, part: &'static str) {
        if !self.fixed.contains(&part) {
            self.fixed.push(part);
        }
    }

    /// Validates the parts and builds the configuration.
    ///
    /// # Errors
    ///
    /// Returns a [`ConfigError`] with every invalid value, each with its field and its valid range.
    pub fn build(mut self) -> Result<CircuitBreakerConfig, ConfigError> {
        if self.adaptive.is_some() {
            self.trip.clear();
        }
        let window = self.window_or_default();
        // All parts are checked before the first problem is returned, so that a user fixes them in one pass.
        let mut problems = Problems::default();
        trip::judge(&self.trip, window, &mut problems);
        window.judge(&mut problems);
        self.backoff.judge(&mut problems);
        problems.above_zero("hint_max", self.hint_max);
        self.half_open.judge(&mut problems);
        self.abandoned.judge(&mut problems);
        if let Some(adaptive) = &self.adaptive {
            adaptive.judge(&self.fixed, &mut problems);
        }
        problems.result()?;
        Ok(CircuitBreakerConfig::of(self, window))
    }

    fn window_or_default(&self) -> Window {
        let only_runs = !self.trip.is_empty() && self.trip.iter().all(Trip::is_consecutive);
        let default = || if only_runs { Window::unbounded() } else { Window::last(Duration::from_secs(10)) };
        self.window.unwrap_or_else(default)
    }
}

impl Default for CircuitBreakerConfigBuilder {
    fn default() -> CircuitBreakerConfigBuilder {
        CircuitBreakerConfigBuilder {
            trip: vec![Trip::failure_rate(0.5), Trip::consecutive_failures(DEFAULT_RUN)],
            trip_named: false,
            window: None,
            open_duration: Duration::from_secs(2),
            backoff: Backoff::DEFAULT,
            hint_max: HINT_MAX,
            half_open: HalfOpen::new(),
            abandoned: Abandoned::Ignore,
            time_calls: false,
            adaptive: None,
            fixed: Vec::new(),
        }
    }
}
