use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};

use crate::breaker::CircuitBreaker;
use crate::config::CircuitBreakerConfig;
use crate::error::CircuitBreakerError;

mod all;
mod builder;
mod entry;
mod error;
mod inner;
mod locked;
mod lookup;
mod name;
mod replace;
mod rules;
mod status;
mod table;

pub use builder::RegistryBuilder;
pub use error::AlreadyExists;
pub use lookup::Lookup;
pub use rules::matches_pattern;
pub use status::RegistryStatus;

use entry::Origin;
use inner::{Found, Inner};

/// Circuit breakers by name: one for each dependency, created when its name is first used.
///
/// Clones are cheap and share one registry. Looking up an existing name takes no lock and allocates nothing.
/// Threads that use a new name concurrently all get the same breaker.
///
/// # Examples
///
/// ```
/// use halfopen::{CircuitBreakerConfig, Registry, Trip};
/// use std::time::Duration;
///
/// let databases = CircuitBreakerConfig::builder()
///     .trip(Trip::consecutive_failures(3))
///     .open_duration(Duration::from_secs(1))
///     .build()?;
/// let registry = Registry::builder().config_for("db-*", databases.clone()).build();
///
/// let orders = registry.get_or_create("db-orders");
/// assert_eq!(orders.config(), databases);
///
/// orders.trip();
/// assert!(registry.any_open());
/// assert_eq!(registry.open_breakers()[0].name(), "db-orders");
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

impl Registry {
    /// Creates an empty registry: every name gets the default configuration, and no breaker is evicted.
    pub fn new() -> Registry {
        Registry::builder().build()
    }

    /// Returns a builder, for a registry with configurations by name, a limit or a clock of its own.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::new()
    }

    /// Returns the global registry of the process, for programs that do not pass one around.
    pub fn global() -> &'static Registry {
        static GLOBAL: OnceLock<Registry> = OnceLock::new();
        GLOBAL.get_or_init(Registry::new)
    }

    // ---- by name ------------------------------------------------------------------------------

    /// Returns the breaker of this name, or [`None`] if there is none.
    pub fn get(&self, name: &str) -> Option<CircuitBreaker> {
        match self.0.find(name) {
            Found::Breaker(breaker) => Some(breaker),
            Found::Nothing => None,
            // The evicting thread holds the lock until the entry is either removed or restored.
            Found::Leaving => {
                // Waits for that thread; the second look-up finds its decision.
                let _locked = self.0.locked();
                self.0.find(name).breaker()
            }
        }
    }

    /// Returns the breaker of this name, and creates it by the rules if there is none.
    ///
    /// If the registry is full (see [`RegistryBuilder::capacity`]), a new name gets a breaker that
    /// the registry does not store: its calls are admitted, and their outcomes are not shared with other callers.
    pub fn get_or_create(&self, name: &str) -> CircuitBreaker {
        match self.0.find(name) {
            Found::Breaker(breaker) => breaker,
            Found::Nothing | Found::Leaving => self.0.create_slow(name),
        }
    }

    /// Creates a breaker with a configuration of its own.
    ///
    /// It is never evicted, and a full registry accepts it: the limit applies only to names that calls bring in.
    ///
    /// # Errors
    ///
    /// Returns [`AlreadyExists`] if the registry has a breaker of this name.
    pub fn create(&self, name: &str, config: CircuitBreakerConfig) -> Result<CircuitBreaker, AlreadyExists> {
        let breaker = CircuitBreaker::builder(name).config(config).clock(self.0.clock.clone()).build();
        self.insert(breaker.clone())?;
        Ok(breaker)
    }

    /// Inserts a breaker that was built with its own rules, clock or listeners.
    ///
    /// It is never evicted, and a full registry accepts it.
    ///
    /// # Errors
    ///
    /// Returns [`AlreadyExists`] if the registry has a breaker of this name.
    pub fn insert(&self, breaker: CircuitBreaker) -> Result<(), AlreadyExists> {
        let map = self.0.entries.pin();
        let locked = self.0.locked();
        let name = Arc::clone(breaker.inner().name());
        if map.contains_key(&*name) {
            return Err(AlreadyExists { name });
        }
        self.0.put(&locked, breaker, Origin::Hand);
        Ok(())
    }

    /// Removes and returns the breaker of this name. Its handles remain usable.
    ///
    /// The registry's listeners no longer receive its events.
    pub fn remove(&self, name: &str) -> Option<CircuitBreaker> {
        let map = self.0.entries.pin();
        let locked = self.0.locked();
        let breaker = map.remove(name)?.breaker.clone();
        self.0.note_removal();
        locked.release(&breaker);
        Some(breaker)
    }

    /// Removes all breakers, as by [`remove`](Self::remove).
    pub fn clear(&self) {
        let map = self.0.entries.pin();
        let locked = self.0.locked();
        for entry in map.values() {
            locked.release(&entry.breaker);
        }
        map.clear();
        self.0.note_removal();
    }

    /// Sets the configuration for a name or a prefix, for breakers that are created later and for existing ones, as
    /// by [`CircuitBreaker::set_config`].
    ///
    /// `name_or_prefix` is a whole name, or a prefix followed by `*`. A whole name takes precedence over every
    /// prefix, and a longer prefix over a shorter one: a breaker to which a more specific rule applies
    /// keeps its configuration.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreakerConfig, Registry, Trip};
    ///
    /// let strict = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(3)).build()?;
    /// let patient = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(20)).build()?;
    /// let registry = Registry::new();
    /// let search = registry.get_or_create("api-search");
    ///
    /// registry.configure("api-search", strict.clone());
    /// registry.configure("api-*", patient.clone());
    ///
    /// assert_eq!(search.config(), strict);
    /// assert_eq!(registry.get_or_create("api-users").config(), patient);
    /// # Ok::<(), halfopen::ConfigError>(())
    /// ```
    pub fn configure(&self, name_or_prefix: &str, config: CircuitBreakerConfig) {
        {
            let mut locked = self.0.locked();
            locked.rules.set(name_or_prefix, config);
            // In the step that changes the rules: a thread that applies older ones sees by the version that it has
            // to look again.
            locked.version += 1;
        }
        // Without the lock, because the breakers notify their listeners.
        for breaker in self.0.matching(name_or_prefix) {
            self.0.apply(name_or_prefix, &breaker);
        }
    }

    /// Makes a call through the breaker of this name; every `Err` is a failure.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`CircuitBreaker::call`].
    ///
    /// # Panics
    ///
    /// Panics if `operation` panics. The panic counts as a failure and continues to unwind.
    ///
    /// # Cancel safety
    ///
    /// Same as [`CircuitBreaker::call`]: a dropped call is abandoned.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use halfopen::Registry;
    ///
    /// let registry = Registry::new();
    /// let user = registry.call("users", || async { Ok::<_, std::io::Error>("Ada") }).await;
    /// assert_eq!(user.unwrap(), "Ada");
    /// assert_eq!(registry.get("users").unwrap().snapshot().totals.successes, 1);
    /// # }
    /// ```
    pub async fn call<F, Fut, T, E>(&self, name: &str, operation: F) -> Result<T, CircuitBreakerError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.get_or_create(name).call(operation).await
    }
}

impl Default for Registry {
    fn default() -> Self {
        Registry::new()
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("len", &self.len()).finish_non_exhaustive()
    }
}
