use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use halfopen::{Clock, Registry};

use super::{Protection, ProtectionLimits, Shared};
use crate::{Bulkhead, BulkheadConfig, LimitRegistry, Quota, RateLimiter};

/// The protections of a program by name, with limits that come from one function: that of a document, for example.
///
/// Cheap to clone; every clone is the same. When the function is [replaced](Self::follow), every protection that is
/// in use gets its new limits. A bulkhead or a rate limit that stays keeps its calls and its waiters, and gets the
/// new numbers as by [`set_config`](Bulkhead::set_config) and [`set_quota`](RateLimiter::set_quota); only a new
/// `max_wait` of a rate limit makes a new one. Protections whose bulkheads have one name share it.
///
/// # Examples
///
/// ```
/// use halfopen::Registry;
/// use halfopen_limit::{BulkheadConfig, ProtectionConfig, Protections};
///
/// let twenty = BulkheadConfig::builder().max_concurrent_calls(20).build()?;
/// let protections = Protections::new(&Registry::new(), move |_| ProtectionConfig::new().bulkhead("ai", twenty));
/// let (claude, gpt) = (protections.get("claude"), protections.get("gpt"));
///
/// let five = BulkheadConfig::builder().max_concurrent_calls(5).build()?;
/// protections.follow(move |_| ProtectionConfig::new().bulkhead("ai", five));
/// for protection in [claude, gpt] {
///     let limits = protection.limits();
///     assert_eq!(limits.get_bulkhead().unwrap().config().max_concurrent_calls(), 5);
/// }
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Protections(Arc<All>);

struct All {
    registry: Registry,
    clock: Clock,
    limits: LimitRegistry,
    state: Mutex<State>,
    /// Held while protections get the limits of a new function, so that two do so in one order.
    following: Mutex<()>,
}

struct State {
    config_of: Arc<ConfigOf>,
    known: BTreeMap<Arc<str>, Weak<Shared>>,
    /// Known protections when those that are gone were removed last.
    alive: usize,
}

type ConfigOf = dyn Fn(&str) -> ProtectionConfig + Send + Sync;

/// The limits of one protection, as numbers; by default there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a configuration does nothing until protections follow it"]
pub struct ProtectionConfig {
    bulkhead: Option<(Arc<str>, BulkheadConfig)>,
    rate_limit: Option<(Quota, Duration)>,
    call_timeout: Option<Duration>,
}

/// The number of names up to which those that are gone are not removed.
const FEW: usize = 64;

impl ProtectionConfig {
    /// Creates a configuration without limits.
    pub fn new() -> ProtectionConfig {
        ProtectionConfig::default()
    }

    /// Sets the bulkhead, by the name of its pool, which others may share.
    pub fn bulkhead(mut self, pool: impl Into<Arc<str>>, config: BulkheadConfig) -> Self {
        self.bulkhead = Some((pool.into(), config));
        self
    }

    /// Sets the rate limit, and how long a call waits for its turn.
    pub fn rate_limit(mut self, quota: Quota, max_wait: Duration) -> Self {
        self.rate_limit = Some((quota, max_wait));
        self
    }

    /// Sets the longest duration of a call.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = Some(timeout);
        self
    }
}

impl Protections {
    /// Creates protections of breakers of this registry, whose limits come from this function.
    ///
    /// The function is called with a name for each protection, when it is created and when the function is replaced.
    pub fn new(
        registry: &Registry,
        config_of: impl Fn(&str) -> ProtectionConfig + Send + Sync + 'static,
    ) -> Protections {
        Protections::with_clock(registry, Clock::system(), config_of)
    }

    /// The same, with rate limits on this clock.
    pub fn with_clock(
        registry: &Registry,
        clock: Clock,
        config_of: impl Fn(&str) -> ProtectionConfig + Send + Sync + 'static,
    ) -> Protections {
        let state = State { config_of: Arc::new(config_of), known: BTreeMap::new(), alive: 0 };
        let registry = registry.clone();
        let (limits, state, following) = (LimitRegistry::new(), Mutex::new(state), Mutex::new(()));
        Protections(Arc::new(All { registry, clock, limits, state, following }))
    }

    /// Returns the protection with this name, created if there is none.
    ///
    /// It is remembered for as long as it is in use.
    pub fn get(&self, name: &str) -> Protection {
        loop {
            let config_of = {
                let state = self.state();
                if let Some(shared) = state.known.get(name).and_then(Weak::upgrade) {
                    return Protection(shared);
                }
                Arc::clone(&state.config_of)
            };
            // Outside of the lock: it is the caller's function.
            let config = config_of(name);
            let protection = Protection::new(&self.0.registry, name);
            protection.set_limits(self.limits_of(name, config, &ProtectionLimits::new()));
            let mut state = self.state();
            // Checked again: another thread may have made the same name, or replaced the function, meanwhile. Then
            // this one starts over.
            let is_new = state.known.get(name).is_none_or(|shared| shared.strong_count() == 0);
            if is_new && Arc::ptr_eq(&state.config_of, &config_of) {
                state.forget_gone();
                state.known.insert(Arc::clone(&protection.0.name), Arc::downgrade(&protection.0));
                drop(state);
                self.show(&protection);
                return protection;
            }
        }
    }

    /// Replaces the function, under running calls.
    pub fn follow(&self, config_of: impl Fn(&str) -> ProtectionConfig + Send + Sync + 'static) {
        // Two changes at a time could leave some protections with the limits of the first and some with the
        // second's.
        let _following = self.0.following.lock().unwrap_or_else(PoisonError::into_inner);
        let config_of: Arc<ConfigOf> = Arc::new(config_of);
        let known: Vec<_> = {
            let mut state = self.state();
            // Before the known ones are changed: a protection that is made from now on has the new limits already.
            state.config_of = Arc::clone(&config_of);
            state.known.values().filter_map(Weak::upgrade).map(Protection).collect()
        };
        for protection in &known {
            let config = config_of(protection.name());
            let limits = self.limits_of(protection.name(), config, &protection.limits());
            protection.set_limits(limits);
            self.show(protection);
        }
        self.0.limits.remove_unused_bulkheads();
    }

    /// Shows the rate limit of a protection among those of all; pools are there already.
    fn show(&self, protection: &Protection) {
        match protection.limits().get_rate_limiter() {
            Some(limiter) => self.0.limits.add_rate_limiter(limiter),
            None => drop(self.0.limits.remove_rate_limiter(protection.name())),
        }
    }

    /// Returns the limits of all protections, to share and to observe.
    pub fn limits(&self) -> &LimitRegistry {
        &self.0.limits
    }

    /// Returns the registry of the breakers.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Returns the limits for this configuration; those that are there already keep their calls.
    fn limits_of(&self, name: &str, config: ProtectionConfig, now: &ProtectionLimits) -> ProtectionLimits {
        let ProtectionConfig { bulkhead, rate_limit, call_timeout } = config;
        ProtectionLimits {
            bulkhead: bulkhead.map(|(pool, config)| self.pool(&pool, config)),
            rate_limiter: rate_limit.map(|(quota, wait)| self.limiter(name, quota, wait, now)),
            call_timeout,
        }
    }

    fn pool(&self, name: &Arc<str>, config: BulkheadConfig) -> Bulkhead {
        let bulkhead = self.0.limits.bulkhead_or_add(name, config);
        // The pool may be shared by several names, whose calls in flight keep their slots.
        if bulkhead.config() != config {
            bulkhead.set_config(config);
        }
        bulkhead
    }

    fn limiter(&self, name: &str, quota: Quota, wait: Duration, now: &ProtectionLimits) -> RateLimiter {
        // Kept, with the used part of its quota: a reload must not give every caller a fresh burst. The wait is
        // fixed when a limiter is built.
        if let Some(limiter) = now.get_rate_limiter().filter(|limiter| limiter.max_wait() == wait) {
            if limiter.quota() != quota {
                limiter.set_quota(quota);
            }
            return limiter.clone();
        }
        RateLimiter::builder(name, quota).clock(self.0.clock.clone()).max_wait(wait).build()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Removes protections that are no longer in use once there are twice as many names as after the last time,
    /// so that the cost per new name is amortized constant.
    fn forget_gone(&mut self) {
        // Only when the table has doubled, so that a look at all of them is paid for by as many new names.
        if self.known.len() >= FEW.max(2 * self.alive) {
            self.known.retain(|_, shared| shared.strong_count() > 0);
            self.alive = self.known.len();
        }
    }
}

impl fmt::Debug for Protections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protections").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn slots(calls: u32) -> BulkheadConfig {
        BulkheadConfig::builder().max_concurrent_calls(calls).build().unwrap()
    }

    fn quota(calls: u32) -> Quota {
        Quota::calls(calls).per(60 * SECOND).build().unwrap()
    }

    fn protections(config: ProtectionConfig) -> Protections {
        Protections::with_clock(&Registry::new(), Clock::manual().0, move |_| config.clone())
    }

    #[test]
    fn one_name_is_one_protection_while_it_is_used() {
        let protections = protections(ProtectionConfig::new().rate_limit(quota(1), Duration::ZERO));
        let (first, second) = (protections.get("a"), protections.get("a"));
        assert!(first.acquire_if_permitted().is_some() && second.acquire_if_permitted().is_none());
        assert!(protections.get("b").acquire_if_permitted().is_some());
    }

    #[test]
    fn one_pool_is_shared_by_name() {
        let protections = protections(ProtectionConfig::new().bulkhead("pool", slots(1)));
        let slot = protections.get("a").acquire_if_permitted();
        assert!(slot.is_some() && protections.get("b").acquire_if_permitted().is_none());
    }

    #[test]
    fn a_new_function_keeps_what_is_in_flight_and_used_up() {
        let both = |slots_of_it, calls| {
            ProtectionConfig::new()
                .bulkhead("pool", slots(slots_of_it))
                .rate_limit(quota(calls), Duration::ZERO)
        };
        let protections = protections(both(2, 10));
        let protection = protections.get("a");
        let _slots = [protection.acquire_if_permitted().unwrap(), protection.acquire_if_permitted().unwrap()];
        protections.follow(move |_| both(3, 10));
        let limits = protection.limits();
        assert_eq!(limits.get_bulkhead().unwrap().snapshot().in_flight, 2);
        assert_eq!(limits.get_rate_limiter().unwrap().snapshot().available, 8);
        assert!(protection.acquire_if_permitted().is_some(), "the third slot");
    }

    #[test]
    fn limits_come_and_go() {
        let protections = protections(ProtectionConfig::new());
        let protection = protections.get("a");
        let full = ProtectionConfig::new()
            .bulkhead("pool", slots(1))
            .rate_limit(quota(1), SECOND)
            .call_timeout(SECOND);
        protections.follow(move |_| full.clone());
        let seen = protections.limits().snapshot();
        assert_eq!((seen.bulkheads.len(), seen.rate_limiters.len()), (1, 1));
        assert_eq!(protection.call_timeout(), Some(SECOND));

        protections.follow(|_| ProtectionConfig::new());
        assert_eq!(protections.limits().snapshot(), crate::LimitsSnapshot::default());
        assert_eq!(protection.call_timeout(), None);
    }

    #[test]
    fn names_that_are_not_used_are_forgotten() {
        let protections = protections(ProtectionConfig::new());
        for name in 0..10_000 {
            let _ = protections.get(&name.to_string());
        }
        assert!(protections.state().known.len() <= FEW);
    }
}
