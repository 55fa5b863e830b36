use std::borrow::Borrow;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock, Weak};

use crate::clock::Tick;
use crate::listeners::{Ear, Listeners};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakerError, Clock, Event, Listener, Snapshot, Subscription,
};

mod builder;
mod carried;
mod history;
mod rules;
mod slot;
mod status;
mod table;
mod transitions;
mod watch;

pub use builder::RegistryBuilder;
pub use history::History;
pub use status::RegistryStatus;
pub use transitions::TransitionCount;
pub use watch::{Sight, Watch, Watched};

use rules::Rules;
use slot::{Idle, Origin, Slot};

/// Circuit breakers by name: one for each dependency, made when its name is first used.
///
/// Cheap to clone; every clone is the same registry. Looking a name up takes no lock and allocates
/// nothing. However many threads use a new name at once, they all get one breaker.
///
/// # Examples
///
/// ```
/// use fusebox::{CircuitBreakerConfig, Registry, Trip};
/// use std::time::Duration;
///
/// let databases = CircuitBreakerConfig::builder()
///     .trip(Trip::consecutive_failures(3))
///     .open_duration(Duration::from_secs(1))
///     .build()?;
/// let registry = Registry::builder().config_for("db-*", databases.clone()).build();
///
/// let orders = registry.get_or_create("db-orders");
/// assert_eq!(*orders.config(), databases);
///
/// orders.trip();
/// assert!(registry.any_open());
/// assert_eq!(registry.open_breakers()[0].name(), "db-orders");
/// # Ok::<(), fusebox::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

/// There is a breaker of that name in the registry already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlreadyExists {
    name: Arc<str>,
}

/// What all clones share.
pub(crate) struct Inner {
    slots: papaya::HashMap<Name, Slot>,
    clock: Clock,
    capacity: usize,
    idle: Option<Idle>,
    /// Whoever adds, removes or configures holds this; no look-up of a present name does, and no
    /// user code runs under it. A guard of the map is taken before it, so that what the map lets
    /// go of is dropped after it.
    desk: Mutex<Desk>,
}

/// A key of the map: the breaker's own name, found by a plain `str`.
#[derive(PartialEq, Eq, Hash)]
struct Name(Arc<str>);

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// What changes only under the lock.
struct Desk {
    rules: Rules,
    /// Grows with every change of the rules.
    version: u64,
    ears: Vec<Arc<Ear>>,
    overflowed: u64,
    evicted: u64,
    swept_at: Tick,
    /// New names refused since the last sweep.
    refused: usize,
}

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

    fn from_parts(rules: Rules, capacity: usize, idle: Option<Idle>, clock: Clock) -> Registry {
        let desk = Desk {
            rules,
            version: 0,
            ears: Vec::new(),
            overflowed: 0,
            evicted: 0,
            swept_at: clock.now(),
            refused: 0,
        };
        Registry(Arc::new(Inner {
            slots: papaya::HashMap::new(),
            clock,
            capacity,
            idle,
            desk: Mutex::new(desk),
        }))
    }

    // ---- by name ------------------------------------------------------------------------------

    /// The breaker of this name, if there is one.
    pub fn get(&self, name: &str) -> Option<CircuitBreaker> {
        match self.0.find(name) {
            Found::Breaker(breaker) => Some(breaker),
            Found::Nothing => None,
            // The lock is free once the name is forgotten, or kept after all.
            Found::Leaving => {
                let _desk = self.0.desk();
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
        let map = self.0.slots.pin();
        let desk = self.0.desk();
        let name = Arc::clone(breaker.inner().name());
        if map.contains_key(&*name) {
            return Err(AlreadyExists { name });
        }
        self.0.put(&desk, breaker, Origin::Hand);
        Ok(())
    }

    /// Takes a breaker out; whoever holds it can go on using it.
    ///
    /// The registry's listeners do not hear it any more.
    pub fn remove(&self, name: &str) -> Option<CircuitBreaker> {
        let map = self.0.slots.pin();
        let desk = self.0.desk();
        let breaker = map.remove(name)?.breaker.clone();
        desk.let_go(&breaker);
        Some(breaker)
    }

    /// Takes all breakers out, as by [`remove`](Self::remove).
    pub fn clear(&self) {
        let map = self.0.slots.pin();
        let desk = self.0.desk();
        for slot in map.values() {
            desk.let_go(&slot.breaker);
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
    /// use fusebox::{CircuitBreakerConfig, Registry, Trip};
    ///
    /// let strict = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(3)).build()?;
    /// let patient = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(20)).build()?;
    /// let registry = Registry::new();
    /// let search = registry.get_or_create("api-search");
    ///
    /// registry.configure("api-search", strict.clone());
    /// registry.configure("api-*", patient.clone());
    ///
    /// assert_eq!(*search.config(), strict);
    /// assert_eq!(*registry.get_or_create("api-users").config(), patient);
    /// # Ok::<(), fusebox::ConfigError>(())
    /// ```
    pub fn configure(&self, name_or_prefix: &str, config: CircuitBreakerConfig) {
        {
            let mut desk = self.0.desk();
            desk.rules.set(name_or_prefix, config);
            desk.version += 1;
        }
        for breaker in self.breakers() {
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
    /// use fusebox::Registry;
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

    // ---- all of them --------------------------------------------------------------------------

    /// All breakers, in the order of their names.
    pub fn breakers(&self) -> Vec<CircuitBreaker> {
        let mut all: Vec<_> = self.0.slots.pin().values().map(|slot| slot.breaker.clone()).collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }

    /// How many breakers there are.
    pub fn len(&self) -> usize {
        self.0.slots.len()
    }

    /// True if there is no breaker.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How all breakers are: how many in each state, which are open, and a snapshot of each.
    pub fn status(&self) -> RegistryStatus {
        let (overflowed, evicted) = {
            let desk = self.0.desk();
            (desk.overflowed, desk.evicted)
        };
        let snapshots: Vec<Snapshot> = self.breakers().iter().map(CircuitBreaker::snapshot).collect();
        RegistryStatus::of(snapshots, overflowed, evicted)
    }

    /// True if a breaker rejects every call: it is open or forced open.
    pub fn any_open(&self) -> bool {
        self.0.slots.pin().values().any(|slot| slot.breaker.is_open())
    }

    /// The breakers that reject every call (open or forced open), in the order of their names.
    pub fn open_breakers(&self) -> Vec<CircuitBreaker> {
        let mut all = self.breakers();
        all.retain(CircuitBreaker::is_open);
        all
    }

    /// Resets every breaker, as by [`CircuitBreaker::reset`].
    pub fn reset_all(&self) {
        for breaker in self.breakers() {
            breaker.reset();
        }
    }

    /// Forgets now what [`RegistryBuilder::idle_after`] allows to forget, and says how many that were.
    ///
    /// The registry does this by itself when new names come; a program whose names come in waves can
    /// do it in between.
    pub fn evict_idle(&self) -> usize {
        let Some(idle) = self.0.idle else { return 0 };
        let map = self.0.slots.pin();
        let mut desk = self.0.desk();
        let evicted = self.0.sweep(&mut desk, idle, self.0.clock.now());
        drop(desk);
        drop(map);
        evicted
    }

    /// Lets a listener hear every breaker of this registry, those to come included, until the
    /// subscription is dropped.
    ///
    /// [`Listener::wants_calls`] is asked once.
    pub fn subscribe(&self, listener: impl Listener) -> Subscription {
        let ear = Listeners::ear(Box::new(listener));
        let map = self.0.slots.pin();
        let mut desk = self.0.desk();
        desk.ears.push(Arc::clone(&ear));
        for slot in map.values() {
            slot.breaker.inner().adopt(&ear);
        }
        drop(desk);
        Subscription::to_registry(Arc::downgrade(&self.0), &ear)
    }

    /// The same as [`subscribe`](Self::subscribe), for closures.
    pub fn on_event(&self, f: impl Fn(&CircuitBreaker, &Event) + Send + Sync + 'static) -> Subscription {
        self.subscribe(f)
    }
}

/// What a look-up finds.
enum Found {
    Breaker(CircuitBreaker),
    Nothing,
    /// It is being evicted at this moment.
    Leaving,
}

impl Found {
    fn breaker(self) -> Option<CircuitBreaker> {
        match self {
            Found::Breaker(breaker) => Some(breaker),
            Found::Nothing | Found::Leaving => None,
        }
    }
}

impl Inner {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.desk)
    }

    #[inline]
    fn find(&self, name: &str) -> Found {
        let map = self.slots.pin();
        let Some(slot) = map.get(name) else { return Found::Nothing };
        // Cloned before the slot is asked: from here on an eviction sees that somebody holds it.
        let breaker = slot.breaker.clone();
        match self.idle {
            Some(idle) if !slot.touch(self.clock.now(), idle) => Found::Leaving,
            Some(_) | None => Found::Breaker(breaker),
        }
    }

    /// Makes the breaker of a name that was not there a moment ago.
    #[cold]
    fn make(&self, name: &str) -> CircuitBreaker {
        let map = self.slots.pin();
        let mut desk = self.desk();
        if let Found::Breaker(breaker) = self.find(name) {
            return breaker;
        }
        let config = desk.rules.find(name).clone();
        let breaker = CircuitBreaker::builder(name).config(config).clock(self.clock.clone()).build();
        if self.has_room(&mut desk) {
            self.put(&desk, breaker.clone(), Origin::Rules);
        } else {
            desk.overflowed += 1;
        }
        drop(desk);
        drop(map);
        breaker
    }

    fn put(&self, desk: &Desk, breaker: CircuitBreaker, origin: Origin) {
        for ear in &desk.ears {
            breaker.inner().adopt(ear);
        }
        let name = Name(Arc::clone(breaker.inner().name()));
        self.slots.pin().insert(name, Slot::new(breaker, origin, self.clock.now()));
    }

    /// Whether one more fits, after forgetting what may be forgotten.
    fn has_room(&self, desk: &mut Desk) -> bool {
        let full = |inner: &Inner| inner.slots.len() >= inner.capacity;
        if let Some(idle) = self.idle {
            let now = self.clock.now();
            desk.refused += usize::from(full(self));
            if desk.sweep_is_due(idle, now, full(self), self.slots.len()) {
                self.sweep(desk, idle, now);
            }
        }
        !full(self)
    }

    fn sweep(&self, desk: &mut Desk, idle: Idle, now: Tick) -> usize {
        let map = self.slots.pin();
        let mut evicted = 0;
        for (name, slot) in &map {
            let same = |config: &CircuitBreakerConfig| desk.rules.find(&name.0) == config;
            if slot.give_up(now, idle, desk.ears.len(), same) {
                map.remove(name);
                evicted += 1;
            }
        }
        desk.evicted = desk.evicted.saturating_add(evicted as u64);
        (desk.swept_at, desk.refused) = (now, 0);
        evicted
    }

    /// Brings a breaker to the configuration that the rules give it, if the rule that was set is the
    /// one that decides.
    fn apply(&self, set: &str, breaker: &CircuitBreaker) {
        loop {
            let (config, version) = {
                let desk = self.desk();
                let Some(config) = desk.rules.find_if(breaker.name(), set) else { return };
                (config.clone(), desk.version)
            };
            // Its listeners are told: not under the lock. So somebody may have set another rule in
            // between, and may have been faster: then this one is not the last word.
            if *breaker.config() != config {
                breaker.set_config(config);
            }
            if self.desk().version == version {
                return;
            }
        }
    }

    pub(crate) fn unsubscribe(&self, ear: &Arc<Ear>) {
        let map = self.slots.pin();
        let mut desk = self.desk();
        desk.ears.retain(|other| !Arc::ptr_eq(other, ear));
        for slot in map.values() {
            slot.breaker.inner().unsubscribe(ear);
        }
    }
}

impl Desk {
    /// A sweep looks at every breaker. New names that find no room pay for it together, and where
    /// there is room it need not come often.
    fn sweep_is_due(&self, idle: Idle, now: Tick, full: bool, len: usize) -> bool {
        let since = now.since(self.swept_at);
        if full { self.refused >= len / 64 || since >= idle.after / 64 } else { since >= idle.after / 4 }
    }

    fn let_go(&self, breaker: &CircuitBreaker) {
        for ear in &self.ears {
            breaker.inner().unsubscribe(ear);
        }
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

impl AlreadyExists {
    /// The name that is taken.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for AlreadyExists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is a circuit breaker named `{}` in the registry already", self.name)
    }
}

impl Error for AlreadyExists {}

/// What a registry's subscription holds on to.
pub(crate) type WeakRegistry = Weak<Inner>;
