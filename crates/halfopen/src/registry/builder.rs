use std::sync::Arc;
use std::time::Duration;

use super::Registry;
use super::entry::Idle;
use super::inner::Inner;
use super::rules::Rules;
use crate::clock::{Clock, nanos};
use crate::config::CircuitBreakerConfig;

/// After how long an unused breaker may go if only a capacity is given.
const IDLE_AFTER: Duration = Duration::from_secs(600);

/// Builds a [`Registry`].
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreakerConfig, Registry, Trip};
/// use std::time::Duration;
///
/// let strict = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(3)).build()?;
/// let registry = Registry::builder()
///     .config_for("payments", strict)
///     .capacity(10_000)
///     .idle_after(Duration::from_secs(3600))
///     .build();
/// # drop(registry);
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct RegistryBuilder {
    pub(super) rules: Rules,
    capacity: Option<usize>,
    idle_after: Option<Duration>,
    clock: Clock,
    seed: Option<u64>,
}

impl RegistryBuilder {
    pub(super) fn new() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    /// What a name gets for which there is no rule; [`CircuitBreakerConfig::default`] if not given.
    pub fn default_config(mut self, config: CircuitBreakerConfig) -> Self {
        self.rules.set_default(config);
        self
    }

    /// What a name, or every name with a prefix (`"prefix*"`), gets.
    ///
    /// A whole name goes before every prefix and a longer prefix before a shorter one.
    pub fn config_for(mut self, name_or_prefix: &str, config: CircuitBreakerConfig) -> Self {
        self.rules.set(name_or_prefix, config);
        self
    }

    /// Whether the breaker of a name, or of every name with a prefix (`"prefix*"`), is enabled when it is
    /// made; it is if nothing is said.
    ///
    /// Which rule decides, is as with [`config_for`](Self::config_for). A breaker made so is disabled as by
    /// [`CircuitBreaker::set_enabled`](crate::CircuitBreaker::set_enabled), and
    /// [`Registry::replace_rules`] may enable it again.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{Registry, State};
    ///
    /// let registry = Registry::builder().enabled_for("legacy-*", false).enabled_for("legacy-mail", true).build();
    /// assert_eq!(registry.get_or_create("legacy-search").state(), State::Disabled);
    /// assert_eq!(registry.get_or_create("legacy-mail").state(), State::Closed);
    /// ```
    pub fn enabled_for(mut self, name_or_prefix: &str, enabled: bool) -> Self {
        self.rules.set_enabled(name_or_prefix, enabled);
        self
    }

    /// How many breakers the registry keeps; without a limit if not given.
    ///
    /// For names that come from outside (a host, a tenant): it bounds the memory. When it is reached,
    /// breakers that are [idle](Self::idle_after) make room, and then, the longest unused first, those whose
    /// wait while open is over and that have not been called since. If there are none of these either, a new
    /// name gets a breaker outside the registry, which lets its calls through. That is counted in
    /// [`RegistryStatus::overflowed`](super::RegistryStatus::overflowed), and the registry's listeners hear
    /// [`Event::Overflowed`](crate::Event::Overflowed).
    ///
    /// A new name that finds a full registry looks, on average, at 64 breakers for one that can go.
    pub fn capacity(self, max: usize) -> Self {
        Self { capacity: Some(max), ..self }
    }

    /// How long a breaker must be unused before it may be forgotten; 10 minutes if only a
    /// [`capacity`](Self::capacity) is given, never without one.
    ///
    /// Only a breaker that was made because its name was used is forgotten, that has the configuration the rules
    /// give it, no override, and no handle, permit or subscription. It must be closed, with the backoff at
    /// its first step and no sample in a window of time; or its wait while open has been over for as long as
    /// it must be unused, without a probe out: a name that failed and is never called again. All that is lost
    /// of such a one is the step of its backoff. With this, a look-up reads the clock.
    pub fn idle_after(self, ttl: Duration) -> Self {
        Self { idle_after: Some(ttl), ..self }
    }

    /// Where the registry and the breakers it makes get their time from; the system's clock if not
    /// given.
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Sets the seed of the jitter of all breakers that the registry creates; random if not given.
    ///
    /// Each breaker's own seed is computed from this one and its name, so breakers still wait for
    /// different times, and a test that is run again sees the same ones.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::Registry;
    ///
    /// let wait = |seed, name| {
    ///     let breaker = Registry::builder().seed(seed).build().get_or_create(name);
    ///     breaker.trip();
    ///     breaker.snapshot().open_duration
    /// };
    /// assert_eq!(wait(7, "payments"), wait(7, "payments"));
    /// assert_ne!(wait(7, "payments"), wait(7, "search"));
    /// assert_ne!(wait(7, "payments"), wait(8, "payments"));
    /// ```
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// The registry.
    pub fn build(self) -> Registry {
        let idle_after = self.idle_after.or(self.capacity.map(|_| IDLE_AFTER));
        let idle = idle_after.map(|after| Idle { after: nanos(after) });
        Registry(Arc::new(Inner::new(
            self.rules,
            self.capacity.unwrap_or(usize::MAX),
            idle,
            self.clock,
            self.seed,
        )))
    }
}
