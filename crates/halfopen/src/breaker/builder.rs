use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::breaker::CircuitBreaker;
use crate::clock::Clock;
use crate::config::CircuitBreakerConfig;
use crate::counts::Counts;
use crate::observe::{Event, Listener, StateChange};
use crate::policy::trip::CustomRule;
use crate::word::State;

/// Builds a [`CircuitBreaker`] with more than a configuration.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, CircuitBreakerConfig, Trip};
///
/// let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(3)).build()?;
/// let breaker = CircuitBreaker::builder("ledger")
///     .config(config)
///     .on_state_change(|change| eprintln!("{}: {} -> {}", change.name, change.from, change.to))
///     .build();
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct CircuitBreakerBuilder {
    name: Arc<str>,
    config: CircuitBreakerConfig,
    clock: Clock,
    custom: Vec<CustomRule>,
    listeners: Vec<Box<dyn Listener>>,
    start_in: State,
    seed: Option<u64>,
}

impl CircuitBreakerBuilder {
    pub(crate) fn new(name: Arc<str>) -> Self {
        CircuitBreakerBuilder {
            name,
            config: CircuitBreakerConfig::default(),
            clock: Clock::system(),
            custom: Vec::new(),
            listeners: Vec::new(),
            start_in: State::Closed,
            seed: None,
        }
    }

    /// The rules, windows and waits; [`CircuitBreakerConfig::default`] if not given.
    pub fn config(self, config: CircuitBreakerConfig) -> Self {
        Self { config, ..self }
    }

    /// Where the breaker gets its time from; the system's clock if not given.
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// One more rule: opens the breaker when it says true.
    ///
    /// It is asked after every recorded outcome in closed, beside the configured rules (any one
    /// opens); for a breaker with this rule alone see
    /// [`no_trip_rules`](crate::CircuitBreakerConfigBuilder::no_trip_rules). A panic in it is caught,
    /// counted and taken for false. Given twice, either rule opens.
    pub fn ready_to_trip(mut self, rule: impl Fn(&Counts) -> bool + Send + Sync + 'static) -> Self {
        self.custom.push(Box::new(rule));
        self
    }

    /// A listener that listens as long as the breaker lives.
    pub fn listener(mut self, listener: impl Listener) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    /// A listener for changes of state only, that listens as long as the breaker lives.
    pub fn on_state_change(self, f: impl Fn(&StateChange) + Send + Sync + 'static) -> Self {
        self.listener(move |_: &CircuitBreaker, event: &Event| {
            if let Event::StateChanged(change) = event {
                f(change);
            }
        })
    }

    /// The state to begin in: `Open` as by [`trip`](CircuitBreaker::trip), `HalfOpen` as an open
    /// breaker whose wait is over; [`State::Closed`] if not given.
    ///
    /// The listeners of this builder are not told how it got there.
    pub fn start_in(self, state: State) -> Self {
        Self { start_in: state, ..self }
    }

    /// What the jitter is computed from; random if not given.
    ///
    /// The wait of an opening is a pure function of this and of the breaker's history.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// The breaker.
    pub fn build(self) -> CircuitBreaker {
        // The standard library's own source of random keys: good enough to spread waits.
        let seed = self.seed.unwrap_or_else(|| RandomState::new().hash_one(0_u8));
        let breaker = CircuitBreaker::from_parts(self.name, self.config, self.clock, seed, self.custom);
        match self.start_in {
            State::Closed => {}
            State::Open => breaker.trip(),
            State::HalfOpen => breaker.open_for(std::time::Duration::ZERO),
            State::ForcedOpen => breaker.force_open(),
            State::Disabled => breaker.disable(),
            State::MetricsOnly => breaker.metrics_only(),
        }
        for listener in self.listeners {
            breaker.listen_for_ever(listener);
        }
        breaker
    }
}

impl fmt::Debug for CircuitBreakerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreakerBuilder")
            .field("name", &self.name)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
