use std::sync::Arc;
use std::time::Duration;

use super::error::Problems;
use super::{Abandoned, Backoff, CircuitBreakerConfig, ConfigError, HalfOpen, Parts, Trip, Window};

/// Builds a [`CircuitBreakerConfig`]; parts that are not set keep their defaults.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct CircuitBreakerConfigBuilder {
    /// The rules that hold until the first one is given.
    pub(super) inherited: Vec<Trip>,
    pub(super) trip: Option<Vec<Trip>>,
    pub(super) window: Option<Window>,
    pub(super) open_duration: Duration,
    pub(super) backoff: Backoff,
    pub(super) hint_max: Duration,
    pub(super) half_open: HalfOpen,
    pub(super) abandoned: Abandoned,
    pub(super) time_calls: bool,
}

impl Default for CircuitBreakerConfigBuilder {
    fn default() -> Self {
        CircuitBreakerConfigBuilder {
            inherited: vec![Trip::failure_rate(0.5)],
            trip: None,
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

impl CircuitBreakerConfigBuilder {
    /// One more rule that opens the breaker; the first call replaces the default rule.
    ///
    /// With rules on failures in a row alone no rule looks at the window: it is then
    /// [`Window::unbounded`] unless [`window`](Self::window) says otherwise, and no call reads a clock.
    pub fn trip(mut self, rule: Trip) -> Self {
        self.trip.get_or_insert_default().push(rule);
        self
    }

    /// No rule but the one given with
    /// [`ready_to_trip`](crate::CircuitBreakerBuilder::ready_to_trip), or none at all.
    pub fn no_trip_rules(self) -> Self {
        Self { trip: Some(Vec::new()), ..self }
    }

    /// What is remembered; the last 10 s in 10 buckets if not set (see [`trip`](Self::trip)).
    pub fn window(self, window: Window) -> Self {
        Self { window: Some(window), ..self }
    }

    /// How long the breaker stays open before it lets a probe through; 2 s if not set, zero is valid.
    pub fn open_duration(self, wait: Duration) -> Self {
        Self { open_duration: wait, ..self }
    }

    /// How that wait grows and spreads; the same wait with a jitter of 0.2 if not set.
    pub fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// The longest wait that a hint of the other side can bring about; 120 s if not set.
    pub fn hint_max(self, limit: Duration) -> Self {
        Self { hint_max: limit, ..self }
    }

    /// How the breaker finds out whether it can close; [`HalfOpen::new`] if not set.
    pub fn half_open(self, half_open: HalfOpen) -> Self {
        Self { half_open, ..self }
    }

    /// What a permit dropped without a word counts as; [`Abandoned::Ignore`] if not set.
    pub fn abandoned(self, policy: Abandoned) -> Self {
        Self { abandoned: policy, ..self }
    }

    /// Whether every call is timed, for [`Totals::response_time`](crate::Totals::response_time); false
    /// if not set: then only calls that something needs the time of.
    pub fn time_calls(self, on: bool) -> Self {
        Self { time_calls: on, ..self }
    }

    /// The configuration, checked.
    ///
    /// # Errors
    ///
    /// Every problem at once, each with its field, its value and its range.
    pub fn build(self) -> Result<CircuitBreakerConfig, ConfigError> {
        let mut problems = Problems::default();
        let trip = self.trip.unwrap_or(self.inherited);
        let window = self.window.unwrap_or_else(|| default_window(&trip));
        let form = window.form();
        window.check(&mut problems);
        for rule in &trip {
            rule.check(form, &mut problems);
        }
        let slow_rules = trip.iter().filter(|rule| rule.slow_after().is_some()).count();
        if slow_rules > 1 {
            problems.add(
                "trip.slow_call_rate",
                format_args!("given {slow_rules} times"),
                "must be given once at most",
            );
        }
        self.backoff.check(&mut problems);
        problems.duration("hint_max", self.hint_max);
        self.half_open.check(&mut problems);
        if let Abandoned::FailureAfter(age) = self.abandoned {
            problems.duration("abandoned.failure_after", age);
        }
        problems.into_result()?;
        Ok(CircuitBreakerConfig(Arc::new(Parts {
            rules: trip.iter().map(|rule| rule.rule(form)).collect(),
            form,
            trip,
            window,
            window_written: self.window.is_some(),
            open_duration: self.open_duration,
            backoff: self.backoff,
            hint_max: self.hint_max,
            half_open: self.half_open,
            abandoned: self.abandoned,
            time_calls: self.time_calls,
        })))
    }
}

fn default_window(trip: &[Trip]) -> Window {
    if !trip.is_empty() && trip.iter().all(Trip::is_consecutive) {
        return Window::unbounded();
    }
    Window::last(Duration::from_secs(10))
}
