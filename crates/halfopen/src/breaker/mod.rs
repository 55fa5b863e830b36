//! The breaker: the state that its clones share, admission, recording, controls and publication.

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
mod evidence;
mod handle;
#[cfg(all(test, not(loom), feature = "test-util"))]
mod lagging_clock_tests;
mod listening;
mod locked;
mod observation;
pub(crate) mod permit;
mod permitting;
mod plan;
mod publish;
mod record;
mod shadow;

pub use builder::CircuitBreakerBuilder;
pub use handle::Handle;
pub use permit::{AnyPermit, HandlePermit, OwnedPermit, Permit};
pub use shadow::{Shadow, ShadowError};

pub(crate) use permit::{Ticket, caught};
pub(crate) use permitting::{Waiting, WakeOnEvent};

use cold::Cold;
use locked::Locked;

/// A circuit breaker: admits calls while the dependency is healthy, and rejects them immediately while it is not.
///
/// Clones are cheap and share one state. A breaker can be shared among threads and tasks and needs no runtime.
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

/// The state that all clones share.
pub(crate) struct Inner {
    /// The state, the epoch and the flags of the fast path. Stored only under the transition lock, loaded without.
    pub(crate) word: StateWord,
    pub(crate) window: Window,
    pub(crate) clock: Clock,
    pub(crate) name: Arc<str>,
    pub(crate) cold: OnceLock<Box<Cold>>,
    /// The transition lock. Calls in `Closed` and rejections in `Open` do not take it.
    pub(crate) locked: Mutex<Locked>,
}

/// A weak handle: it does not keep the breaker alive and does not count as a use of it.
///
/// Intended for listeners that store data about each breaker that notifies them.
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
    /// Creates a weak handle of this breaker.
    pub fn of(breaker: &CircuitBreaker) -> WeakCircuitBreaker {
        WeakCircuitBreaker(breaker.weak())
    }

    /// Returns whether the last strong handle has been dropped.
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
    /// Creates a closed breaker on the system's clock.
    pub fn new(name: impl Into<Arc<str>>, config: CircuitBreakerConfig) -> Self {
        Self::builder(name).config(config).build()
    }

    /// Returns a builder, for a breaker with a clock, listeners or rules of its own.
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
        // Loom does not model the ordering of a `OnceLock`, so under loom it is initialized before any race.
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

    /// Returns the name of the breaker.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the time on the breaker's own clock, measured from the clock's start.
    ///
    /// Intended for deadlines that must follow the same clock as the breaker, a manual one in tests.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.0.clock.now().0)
    }

    /// Returns the current configuration: a shared handle, so nothing is allocated.
    pub fn config(&self) -> CircuitBreakerConfig {
        self.0.window.config()
    }

    /// Replaces the configuration; calls in flight are not affected.
    ///
    /// The state, the deadline, the backoff step and the consecutive run are kept, and so are the samples if the
    /// window keeps its kind, size and buckets. New rules are evaluated from the next recorded outcome on. A
    /// half-open visit keeps the numbers it began with until it ends.
    pub fn set_config(&self, config: CircuitBreakerConfig) {
        let now = self.0.clock.now();
        // The old configuration may contain the user's own function, so it is dropped after the lock is released.
        let _old = self.transition(now, |locked, log, now| {
            let moment = Moment::at(&self.0.clock, now);
            // Transitions that are already due follow the configuration that made them due.
            locked.machine.catch_up(now, log);
            // The window changes before the word does: a call that loads the new flags must find the window to which
            // they belong.
            self.0.window.reconfigure(&config, &moment);
            self.0.word.publish(self.0.word.load().with_clocked(config.needs_clock()));
            locked.machine.set_config(config, now, log)
        });
    }

    /// Returns the number of strong handles: clones and owned permits. `1` means that only the caller holds the
    /// breaker.
    pub(crate) fn handles(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl Inner {
    /// Returns the rarely used state, allocated on first use.
    pub(crate) fn cold(&self) -> &Cold {
        self.cold.get_or_init(|| Box::new(Cold::new(Box::default())))
    }

    /// Returns the user's own rules.
    pub(crate) fn custom(&self) -> &[CustomRule] {
        self.cold.get().map_or(&[], |cold| &cold.custom)
    }

    /// Returns the counter to which this thread adds the durations of its calls.
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
