//! The numbers and choices of a breaker. A configuration that exists is valid.

mod backoff;
mod builder;
mod error;
mod half_open;
mod trip;
mod window;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::clock::nanos;

pub use backoff::Backoff;
pub use builder::CircuitBreakerConfigBuilder;
pub use error::{ConfigError, ConfigProblem};
pub use half_open::HalfOpen;
pub(crate) use half_open::Recovery;
pub(crate) use trip::Rule;
pub use trip::Trip;
pub(crate) use window::Form;
pub use window::Window;

/// When a breaker opens, how long it waits, and what closes it again.
///
/// Cheap to clone: breakers that are built from clones share one. The default opens at a failure rate
/// of 0.5 over the last 10 s, from 5 calls on; waits 2 s, spread by a fifth; and closes after one
/// probe that succeeds.
///
/// # Examples
///
/// ```
/// use fusebox::{Backoff, CircuitBreakerConfig, HalfOpen, Trip, Window};
/// use std::time::Duration;
///
/// let config = CircuitBreakerConfig::builder()
///     .trip(Trip::failure_rate(0.3).minimum_calls(20))
///     .trip(Trip::slow_call_rate(0.8, Duration::from_millis(500)).minimum_calls(20))
///     .window(Window::last(Duration::from_secs(30)))
///     .open_duration(Duration::from_secs(5))
///     .backoff(Backoff::exponential(2.0).max(Duration::from_secs(60)).jitter(0.2))
///     .half_open(HalfOpen::new().max_calls(3).success_threshold(3))
///     .build()?;
/// # Ok::<(), fusebox::ConfigError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct CircuitBreakerConfig(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    trip: Vec<Trip>,
    rules: Box<[Rule]>,
    window: Window,
    window_written: bool,
    form: Form,
    open_duration: Duration,
    backoff: Backoff,
    hint_max: Duration,
    half_open: HalfOpen,
    abandoned: Abandoned,
    time_calls: bool,
}

impl PartialEq for Parts {
    // Whether a default was written out makes no difference to what a breaker does.
    fn eq(&self, other: &Self) -> bool {
        self.trip == other.trip
            && self.form == other.form
            && self.open_duration == other.open_duration
            && self.backoff == other.backoff
            && self.hint_max == other.hint_max
            && self.half_open == other.half_open
            && self.abandoned == other.abandoned
            && self.time_calls == other.time_calls
    }
}

/// What a permit that is dropped without a word counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Abandoned {
    /// As nothing; a probe's slot is given back.
    #[default]
    Ignore,
    /// As a failure.
    Failure,
    /// As a failure if the call was at least this old, else as nothing: for a timeout outside the
    /// breaker, which drops the calls it gives up. Every call is timed then. Longer than 0.
    FailureAfter(Duration),
}

impl Default for CircuitBreakerConfig {
    fn default() -> Self {
        static DEFAULT: OnceLock<CircuitBreakerConfig> = OnceLock::new();
        let build = || CircuitBreakerConfig::builder().build().expect("the defaults are valid");
        DEFAULT.get_or_init(build).clone()
    }
}

impl CircuitBreakerConfig {
    /// Begins with the defaults.
    pub fn builder() -> CircuitBreakerConfigBuilder {
        CircuitBreakerConfigBuilder::default()
    }

    /// Begins with what this configuration says.
    ///
    /// Its rules count as defaults: the first [`trip`](CircuitBreakerConfigBuilder::trip) replaces them.
    pub fn to_builder(&self) -> CircuitBreakerConfigBuilder {
        let parts = &*self.0;
        CircuitBreakerConfigBuilder {
            inherited: parts.trip.clone(),
            trip: None,
            window: parts.window_written.then_some(parts.window),
            open_duration: parts.open_duration,
            backoff: parts.backoff.clone(),
            hint_max: parts.hint_max,
            half_open: parts.half_open,
            abandoned: parts.abandoned,
            time_calls: parts.time_calls,
        }
    }

    /// For calls that are cheap to refuse and hurt when they hang: three failures in a row, or a
    /// fifth of the last 10 s, open it for a second at first.
    ///
    /// The wait doubles up to 30 s while the dependency stays down, so quick to open does not mean
    /// hammering it with probes.
    pub fn aggressive() -> Self {
        Self::builder()
            .trip(Trip::consecutive_failures(3))
            .trip(Trip::failure_rate(0.2).minimum_calls(10))
            .open_duration(Duration::from_secs(1))
            .backoff(Backoff::exponential(2.0).max(Duration::from_secs(30)).jitter(0.2))
            .build()
            .expect("the preset is valid")
    }

    /// For calls that are dear to refuse: seven tenths of at least 20 calls in the last minute open
    /// it, and three probes of three must pass to close it.
    pub fn conservative() -> Self {
        Self::builder()
            .trip(Trip::failure_rate(0.7).minimum_calls(20))
            .window(Window::last(Duration::from_secs(60)))
            .open_duration(Duration::from_secs(5))
            .backoff(Backoff::none().jitter(0.2))
            .half_open(HalfOpen::new().max_calls(3).success_threshold(3))
            .build()
            .expect("the preset is valid")
    }

    /// The rules, any of which opens the breaker.
    pub fn trip(&self) -> &[Trip] {
        &self.0.trip
    }

    /// What is remembered.
    pub fn window(&self) -> Window {
        self.0.window
    }

    /// The wait before the first probe.
    pub fn open_duration(&self) -> Duration {
        self.0.open_duration
    }

    /// How the wait grows and spreads.
    pub fn backoff(&self) -> &Backoff {
        &self.0.backoff
    }

    /// The longest wait that a hint can bring about.
    pub fn hint_max(&self) -> Duration {
        self.0.hint_max
    }

    /// How the breaker finds out whether it can close.
    pub fn half_open(&self) -> HalfOpen {
        self.0.half_open
    }

    /// What an abandoned call counts as.
    pub fn abandoned(&self) -> Abandoned {
        self.0.abandoned
    }

    /// Whether every call is timed.
    pub fn time_calls(&self) -> bool {
        self.0.time_calls
    }

    // ---- for the machine and the windows --------------------------------------------------------

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
        self.0.half_open.timeout_nanos()
    }

    pub(crate) fn slow_ppb(&self) -> Option<u32> {
        self.0.rules.iter().find_map(|rule| match rule {
            Rule::SlowCallRate { threshold_ppb, .. } => Some(*threshold_ppb),
            Rule::ConsecutiveFailures(_) | Rule::FailureCount(_) | Rule::FailureRate { .. } => None,
        })
    }

    pub(crate) fn slow_after_nanos(&self) -> Option<u64> {
        self.0.rules.iter().find_map(|rule| match rule {
            Rule::SlowCallRate { slow_after_nanos, .. } => Some(*slow_after_nanos),
            Rule::ConsecutiveFailures(_) | Rule::FailureCount(_) | Rule::FailureRate { .. } => None,
        })
    }

    pub(crate) fn forget_after(&self) -> Option<u64> {
        self.0.backoff.forgets_after().map(nanos)
    }

    pub(crate) fn hint_max_nanos(&self) -> u64 {
        nanos(self.0.hint_max)
    }

    /// Whether something in it needs to know how long a call took.
    pub(crate) fn needs_timing(&self) -> bool {
        self.0.time_calls
            || self.slow_after_nanos().is_some()
            || matches!(self.0.abandoned, Abandoned::FailureAfter(_))
    }

    /// The wait of an opening with `step` openings before it: a pure function of its arguments.
    pub(crate) fn wait(&self, step: u32, seed: u64, epoch: u64) -> u64 {
        self.0.backoff.wait(self.0.open_duration, step, seed, epoch)
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

pub(crate) const BILLION: u32 = 1_000_000_000;

/// A threshold in parts per billion, rounded down; none if it is no threshold (S8, S11).
///
/// A decimal with up to nine digits comes out as written: 0.29 is not representable and lies a hair
/// below, but is the number nearest to 290,000,000 parts.
pub(crate) fn parts_per_billion(threshold: f64) -> Option<u32> {
    if !(threshold > 0.0 && threshold <= 1.0) {
        return None;
    }
    let near = (threshold * f64::from(BILLION)).round();
    let written = near / f64::from(BILLION) == threshold;
    let parts = if written { near } else { (threshold * f64::from(BILLION)).floor() };
    (parts >= 1.0).then_some(parts as u32)
}

/// Whether `part` of `calls` reaches the threshold, exactly (S8).
pub(crate) fn reached(part: u64, calls: u64, threshold_ppb: u32) -> bool {
    u128::from(part) * u128::from(BILLION) >= u128::from(threshold_ppb) * u128::from(calls)
}
