use std::sync::Arc;
use std::time::Duration;

use super::Registry;
use super::entry::Idle;
use super::inner::Inner;
use super::rules::Rules;
use crate::clock::{Clock, nanos};
use crate::config::CircuitBreakerConfig;

/// The default of `idle_after` if a capacity is set.
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

    /// Sets the configuration for names without a rule of their own.
    ///
    /// The default is [`CircuitBreakerConfig::default`].
    pub fn default_config(mut self, config: CircuitBreakerConfig) -> Self {
        self.rules.set_default(config);
        self
    }

    /// Sets the configuration for a name, or for every name with a prefix (`"prefix*"`).
    ///
    /// A whole name takes precedence over every prefix, and a longer prefix over a shorter one.
    pub fn config_for(mut self, name_or_prefix: &str, config: CircuitBreakerConfig) -> Self {
        self.rules.set(name_or_prefix, config);
        self
    }

    /// Sets whether the breaker of a name, or of every name with a prefix (`"prefix*"`), is enabled when it is
    /// created.
    ///
    /// Precedence is as in [`config_for`](Self::config_for). The default is enabled. A breaker is disabled as by
    /// [`CircuitBreaker::set_enabled`](crate::CircuitBreaker::set_enabled), and
    /// [`Registry::replace_rules`] can enable it again.
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

    /// Sets the maximum number of breakers. By default there is no limit.
    ///
    /// A limit bounds the memory when names come from outside, such as hosts or tenants. When it is reached,
    /// breakers that are [idle](Self::idle_after) are evicted first, then breakers whose wait while open is over and
    /// that have not been called since, the least recently used first. If there are none of these either, a new
    /// name gets a breaker outside the registry, which starts closed and admits its calls. That is counted in
    /// [`RegistryStatus::overflowed`](super::RegistryStatus::overflowed), and the registry's listeners are notified
    /// with [`Event::Overflowed`](crate::Event::Overflowed).
    ///
    /// A new name that finds a full registry examines 64 breakers on average to find one that can be evicted.
    pub fn capacity(self, max: usize) -> Self {
        Self { capacity: Some(max), ..self }
    }

    /// Sets the time for which a breaker must be unused before it can be evicted.
    ///
    /// The default is 10 minutes if a [`capacity`](Self::capacity) is set; otherwise nothing is evicted.
    ///
    /// A breaker can be evicted only if the registry created it when its name was used, its configuration is the one
    /// that the rules give it, and it has no override, handle, permit or subscription. In addition it must be
    /// in one of two states: closed, with the backoff at its first step and no sample in a time window; or
    /// open with a wait that has been over for the same time, and without a probe in flight, such as a name that
    /// failed and is never called again. Of the latter only the step of the backoff is lost. With this option a
    /// look-up reads the clock.
    pub fn idle_after(self, ttl: Duration) -> Self {
        Self { idle_after: Some(ttl), ..self }
    }

    /// Sets the clock of the registry and of the breakers that it creates.
    ///
    /// The default is the system's monotonic clock.
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Sets the seed of the jitter of all breakers that the registry creates. By default it is random.
    ///
    /// Each breaker's own seed is computed from this one and its name, so breakers still wait for
    /// different times, and a test that runs again sees the same ones.
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

    /// Builds the registry.
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
