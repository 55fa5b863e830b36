use std::time::Duration;

use super::error::Problems;
use super::{Abandoned, Backoff, CircuitBreakerConfig, ConfigError, HalfOpen, Trip, Window, trip};

/// The run of failures that opens a breaker by default, however far apart they lie.
///
/// Failures that come more slowly than the window forgets them (a call every three seconds, ten callers
/// before a server that hangs for 30 s each) reach no rate. Independent failures of 35 % at 1,000 calls a
/// second reach such a run once in two hours.
const DEFAULT_RUN: u32 = 15;

/// Puts a [`CircuitBreakerConfig`] together, part by part.
///
/// A part that is not set keeps its default, or with
/// [`to_builder`](CircuitBreakerConfig::to_builder) the value it had.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct CircuitBreakerConfigBuilder {
    pub(super) trip: Vec<Trip>,
    /// Whether `trip` holds the caller's rules, to which more are added.
    pub(super) trip_named: bool,
    pub(super) window: Option<Window>,
    pub(super) open_duration: Duration,
    pub(super) backoff: Backoff,
    pub(super) hint_max: Duration,
    pub(super) half_open: HalfOpen,
    pub(super) abandoned: Abandoned,
    pub(super) time_calls: bool,
}

impl CircuitBreakerConfigBuilder {
    /// Adds a rule; any one that holds opens the breaker.
    ///
    /// The first one replaces the rules the builder began with. With rules on consecutive failures
    /// alone the [`window`](Self::window) becomes [`Window::unbounded`], unless one is set: no rule
    /// looks into it, and so no clock is read for it.
    pub fn trip(mut self, rule: Trip) -> Self {
        if !self.trip_named {
            self.trip.clear();
            self.trip_named = true;
        }
        self.trip.push(rule);
        self
    }

    /// Takes all rules away, so that only the breaker's own
    /// [`ready_to_trip`](crate::CircuitBreakerBuilder::ready_to_trip) opens it.
    ///
    /// Without that rule, only [`trip`](crate::CircuitBreaker::trip) and
    /// [`open_for`](crate::CircuitBreaker::open_for) do. A rule added later stands alone.
    pub fn no_trip_rules(mut self) -> Self {
        self.trip.clear();
        self.trip_named = true;
        self
    }

    /// What the rules look at.
    ///
    /// If not set, the last 10 s in 10 buckets; but [`Window::unbounded`] if all rules are on
    /// consecutive failures. A rule of the breaker's own that looks into the window beside such rules
    /// needs one that is set.
    pub fn window(mut self, window: Window) -> Self {
        self.window = Some(window);
        self
    }

    /// How long an open breaker waits before the first probe; 2 s if not set, and zero is allowed.
    ///
    /// The wait is before growth, jitter and limit, which [`backoff`](Self::backoff) sets. Beyond 584
    /// years it is taken for that.
    pub fn open_duration(mut self, wait: Duration) -> Self {
        self.open_duration = wait;
        self
    }

    /// How the wait grows and is spread; no growth and a jitter of 0.2 if not set.
    ///
    /// A backoff that is set has the jitter it asks for: none if it asks for none.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// The longest wait that a server may ask for with the failure that opens the breaker; 120 s if not
    /// set, longer than zero.
    ///
    /// A hint makes a wait longer, never shorter.
    pub fn hint_max(mut self, limit: Duration) -> Self {
        self.hint_max = limit;
        self
    }

    /// What closes the breaker again; [`HalfOpen::new`] if not set.
    pub fn half_open(mut self, half_open: HalfOpen) -> Self {
        self.half_open = half_open;
        self
    }

    /// What a permit that was dropped without a word counts for; [`Abandoned::Ignore`] if not set.
    pub fn abandoned(mut self, policy: Abandoned) -> Self {
        self.abandoned = policy;
        self
    }

    /// Whether every call is timed, for the totals; false if not set.
    ///
    /// Calls are timed anyway where something needs it: a slow-call rule,
    /// [`Abandoned::FailureAfter`], or a listener that wants calls.
    pub fn time_calls(mut self, on: bool) -> Self {
        self.time_calls = on;
        self
    }

    /// The configuration.
    ///
    /// # Errors
    ///
    /// Every number that cannot hold, all at once, each with its field, its value and its range.
    pub fn build(self) -> Result<CircuitBreakerConfig, ConfigError> {
        let window = self.window_or_default();
        let mut problems = Problems::default();
        trip::judge(&self.trip, window, &mut problems);
        window.judge(&mut problems);
        self.backoff.judge(&mut problems);
        problems.above_zero("hint_max", self.hint_max);
        self.half_open.judge(&mut problems);
        self.abandoned.judge(&mut problems);
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
            backoff: Backoff::none().jitter(0.2),
            hint_max: Duration::from_secs(120),
            half_open: HalfOpen::new(),
            abandoned: Abandoned::Ignore,
            time_calls: false,
        }
    }
}
