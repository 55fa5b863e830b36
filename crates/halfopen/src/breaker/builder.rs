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

/// Builds a [`CircuitBreaker`] with a clock, listeners or rules of its own.
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

    /// Sets the configuration: the rules, the window and the waits.
    ///
    /// The default is [`CircuitBreakerConfig::default`].
    pub fn config(self, config: CircuitBreakerConfig) -> Self {
        Self { config, ..self }
    }

    /// Sets the clock from which the breaker reads the time.
    ///
    /// The default is the system's monotonic clock.
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Adds a rule that opens the breaker when it returns true.
    ///
    /// The rule is evaluated after every recorded outcome in closed, in addition to the configured rules; any
    /// one of them opens the breaker. For a breaker with this rule alone see
    /// [`no_trip_rules`](crate::CircuitBreakerConfigBuilder::no_trip_rules). A panic in the rule is caught,
    /// counted and treated as false. If this method is called more than once, every rule is evaluated.
    pub fn ready_to_trip(mut self, rule: impl Fn(&Counts) -> bool + Send + Sync + 'static) -> Self {
        self.custom.push(Box::new(rule));
        self
    }

    /// Adds a listener for the lifetime of the breaker.
    pub fn listener(mut self, listener: impl Listener) -> Self {
        self.listeners.push(Box::new(listener));
        self
    }

    /// Adds a listener for state changes only, for the lifetime of the breaker.
    pub fn on_state_change(self, f: impl Fn(&StateChange) + Send + Sync + 'static) -> Self {
        self.listener(move |_: &CircuitBreaker, event: &Event| {
            if let Event::StateChanged(change) = event {
                f(change);
            }
        })
    }

    /// Sets the initial state.
    ///
    /// `Open` is entered as by [`trip`](CircuitBreaker::trip), and `HalfOpen` as by an open breaker whose wait is
    /// over. The default is [`State::Closed`]. The listeners of this builder are not notified of the change to the
    /// initial state.
    pub fn start_in(self, state: State) -> Self {
        Self { start_in: state, ..self }
    }

    /// Sets the seed from which jitter is computed.
    ///
    /// The wait of an opening is a pure function of the seed and of the breaker's history. The default is a random
    /// seed.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Builds the breaker.
    pub fn build(self) -> CircuitBreaker {
        // The standard library's source of random keys is good enough to spread waits, and it needs no dependency.
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
        // Last, so that the change to the initial state is not reported.
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
