//! The breaker: what its clones share, how calls are permitted and recorded, and what is published of it.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use crate::clock::{Clock, Moment};
use crate::config::CircuitBreakerConfig;
use crate::policy::trip::CustomRule;
use crate::state::Machine;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::totals::Timing;
use crate::window::Window;
use crate::word::{State, StateWord, Word};

mod admit;
#[cfg(feature = "test-util")]
mod advance;
mod builder;
mod check;
mod cold;
mod control;
mod listening;
mod locked;
mod observation;
pub(crate) mod permit;
mod permitting;
mod plan;
mod publish;
mod record;

pub use builder::CircuitBreakerBuilder;
pub use permit::{OwnedPermit, Permit};

pub(crate) use permit::{Ticket, caught};

use cold::Cold;
use locked::Locked;

/// A circuit breaker: lets calls through while the other side answers, and says no at once while it
/// does not.
///
/// Cheap to clone; every clone is the same breaker. It can be shared between threads and tasks and
/// needs no runtime.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, CircuitBreakerConfig, CircuitBreakerError};
///
/// # async fn fetch(_: &str) -> Result<String, std::io::Error> { Ok(String::new()) }
/// # async fn example() -> Result<(), CircuitBreakerError<std::io::Error>> {
/// let breaker = CircuitBreaker::new("weather", CircuitBreakerConfig::default());
/// let report = breaker.call(|| fetch("/today")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CircuitBreaker(Arc<Inner>);

/// What all clones share.
pub(crate) struct Inner {
    pub(crate) word: StateWord,
    pub(crate) window: Window,
    pub(crate) clock: Clock,
    pub(crate) name: Arc<str>,
    pub(crate) cold: OnceLock<Box<Cold>>,
    /// The transition lock. No call in Closed and no rejection in Open takes it.
    pub(crate) locked: Mutex<Locked>,
}

/// A handle that keeps no breaker alive and does not count as a use of it, for listeners that keep something of
/// each breaker they hear.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreaker, adapter::WeakCircuitBreaker};
///
/// let breaker = CircuitBreaker::builder("pod-7").build();
/// let weak = WeakCircuitBreaker::of(&breaker);
/// assert!(!weak.is_gone());
/// drop(breaker);
/// assert!(weak.is_gone());
/// ```
#[derive(Clone)]
pub struct WeakCircuitBreaker(Weak<Inner>);

impl WeakCircuitBreaker {
    /// A weak handle of this breaker.
    pub fn of(breaker: &CircuitBreaker) -> WeakCircuitBreaker {
        WeakCircuitBreaker(breaker.weak())
    }

    /// Whether the last strong handle has been dropped.
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl fmt::Debug for WeakCircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakCircuitBreaker").field("is_gone", &self.is_gone()).finish()
    }
}

impl CircuitBreaker {
    /// A closed breaker on the system's clock.
    pub fn new(name: impl Into<Arc<str>>, config: CircuitBreakerConfig) -> Self {
        Self::builder(name).config(config).build()
    }

    /// A breaker with more than a configuration: a clock, listeners, a rule of its own.
    pub fn builder(name: impl Into<Arc<str>>) -> CircuitBreakerBuilder {
        CircuitBreakerBuilder::new(name.into())
    }

    pub(crate) fn from_parts(
        name: Arc<str>,
        config: CircuitBreakerConfig,
        clock: Clock,
        seed: u64,
        custom: Vec<CustomRule>,
    ) -> CircuitBreaker {
        let now = clock.now();
        let machine = Machine::new(config, seed, now);
        let inner = Inner {
            word: StateWord::new(Word::new(machine.epoch(), State::Closed)),
            window: Window::new(machine.epoch(), machine.config(), now),
            clock,
            name,
            cold: if custom.is_empty() { OnceLock::new() } else { Box::new(Cold::new(custom.into())).into() },
            locked: Mutex::new(Locked::new(machine)),
        };
        // The models do not see what a `OnceLock` orders, so there it is made before any race.
        #[cfg(loom)]
        inner.cold().listeners();
        inner.republish();
        CircuitBreaker(Arc::new(inner))
    }

    pub(crate) fn weak(&self) -> Weak<Inner> {
        Arc::downgrade(&self.0)
    }

    #[inline]
    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }

    /// The name given when it was built.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The time on the breaker's own clock, since that clock began.
    ///
    /// For deadlines that must be judged by the same clock as the breaker (a manual one in tests).
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.0.clock.now().0)
    }

    /// Returns the configuration in force: a shared handle, so nothing is allocated.
    pub fn config(&self) -> CircuitBreakerConfig {
        self.0.window.config()
    }

    /// Replaces the configuration under running calls.
    ///
    /// State, deadline, backoff step and the consecutive run stay, and so do the samples if the
    /// window keeps its kind, size and buckets. New rules are asked at the next recorded outcome; a
    /// half-open visit is judged to its end by the numbers it began with.
    pub fn set_config(&self, config: CircuitBreakerConfig) {
        let now = self.0.clock.now();
        let _old = self.transition(now, |locked, log, now| {
            let moment = Moment::at(&self.0.clock, now);
            // What is due already happens by the numbers it was due by.
            locked.machine.catch_up(now, log);
            let generation = self.0.window.reconfigure(&config, &moment);
            let clocked = config.needs_clock();
            self.0.word.publish(self.0.word.load().with_generation(generation).with_clocked(clocked));
            locked.machine.set_config(config, log)
        });
    }

    /// Only the registry holds it: no clone, no permit.
    pub(crate) fn handles(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl Inner {
    /// What is made when it is first needed.
    pub(crate) fn cold(&self) -> &Cold {
        self.cold.get_or_init(|| Box::new(Cold::new(Box::default())))
    }

    /// The user's own rules.
    pub(crate) fn custom(&self) -> &[CustomRule] {
        self.cold.get().map_or(&[], |cold| &cold.custom)
    }

    /// Where this thread adds up how long its calls took.
    #[inline]
    pub(crate) fn timing(&self) -> &Timing {
        self.window.timing().unwrap_or_else(|| &self.cold().timing)
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    #[inline]
    pub(crate) fn word(&self) -> &StateWord {
        &self.word
    }

    pub(crate) fn locked(&self) -> MutexGuard<'_, Locked> {
        lock(&self.locked)
    }

    pub(crate) fn count_panic(&self) {
        self.cold().ledger.panics.add(1);
    }
}

impl fmt::Debug for CircuitBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBreaker")
            .field("name", &self.name())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
