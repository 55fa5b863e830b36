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
mod name;
mod replace;
mod rules;
mod status;
mod table;

pub use builder::RegistryBuilder;
pub use error::AlreadyExists;
pub use status::RegistryStatus;

use entry::Origin;
use inner::{Found, Inner};

/// Circuit breakers by name: one for each dependency, made when its name is first used.
///
/// Cheap to clone; every clone is the same registry. Looking a name up takes no lock and allocates
/// nothing. However many threads use a new name at once, they all get one breaker.
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
    /// An empty registry: every name gets the default configuration, and none is ever forgotten.
    pub fn new() -> Registry {
        Registry::builder().build()
    }

    /// A registry with configurations by name, a limit, or a clock of its own.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::new()
    }

    /// The one registry of the process, for programs that do not pass one around.
    pub fn global() -> &'static Registry {
        static GLOBAL: OnceLock<Registry> = OnceLock::new();
        GLOBAL.get_or_init(Registry::new)
    }

    // ---- by name ------------------------------------------------------------------------------

    /// The breaker of this name, if there is one.
    pub fn get(&self, name: &str) -> Option<CircuitBreaker> {
        match self.0.find(name) {
            Found::Breaker(breaker) => Some(breaker),
            Found::Nothing => None,
            // The lock is free once the name is forgotten, or kept after all.
            Found::Leaving => {
                let _desk = self.0.locked();
                self.0.find(name).breaker()
            }
        }
    }

    /// The breaker of this name, made now if there is none, with the configuration that the rules
    /// give that name.
    ///
    /// In a registry that is full (see [`RegistryBuilder::capacity`]) a new name gets a breaker that
    /// the registry does not keep: its calls pass, and nobody else sees what they come to.
    pub fn get_or_create(&self, name: &str) -> CircuitBreaker {
        match self.0.find(name) {
            Found::Breaker(breaker) => breaker,
            Found::Nothing | Found::Leaving => self.0.make(name),
        }
    }

    /// Makes a breaker with a configuration of its own.
    ///
    /// It is never evicted, and enters a registry that is full: the limit is for names that traffic
    /// brings.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`] if there is a breaker of that name.
    pub fn create(&self, name: &str, config: CircuitBreakerConfig) -> Result<CircuitBreaker, AlreadyExists> {
        let breaker = CircuitBreaker::builder(name).config(config).clock(self.0.clock.clone()).build();
        self.insert(breaker.clone())?;
        Ok(breaker)
    }

    /// Takes in a breaker that was built by hand: with a rule, a clock, listeners of its own.
    ///
    /// It is never evicted, and enters a registry that is full.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`] if there is a breaker of that name.
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

    /// Takes a breaker out; whoever holds it can go on using it.
    ///
    /// The registry's listeners do not hear it any more.
    pub fn remove(&self, name: &str) -> Option<CircuitBreaker> {
        let map = self.0.entries.pin();
        let locked = self.0.locked();
        let breaker = map.remove(name)?.breaker.clone();
        locked.let_go(&breaker);
        Some(breaker)
    }

    /// Takes all breakers out, as by [`remove`](Self::remove).
    pub fn clear(&self) {
        let map = self.0.entries.pin();
        let locked = self.0.locked();
        for entry in map.values() {
            locked.let_go(&entry.breaker);
        }
        map.clear();
    }

    /// Gives names a configuration: those to come, and those that exist, as by
    /// [`CircuitBreaker::set_config`].
    ///
    /// `name_or_prefix` is a whole name, or a prefix with a `*` at its end. A whole name goes before
    /// every prefix and a longer prefix before a shorter one: a breaker for which there is a closer
    /// rule keeps its configuration.
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
            locked.version += 1;
        }
        for breaker in self.0.meant_by(name_or_prefix) {
            self.0.apply(name_or_prefix, &breaker);
        }
    }

    /// Makes a call through the breaker of this name; every `Err` is a failure.
    ///
    /// # Errors
    ///
    /// As [`CircuitBreaker::call`].
    ///
    /// # Panics
    ///
    /// If `operation` panics; the panic goes on unchanged and counts as a failure.
    ///
    /// # Cancel safety
    ///
    /// As [`CircuitBreaker::call`]: a dropped call is abandoned.
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
