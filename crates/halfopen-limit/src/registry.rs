use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    Bulkhead, BulkheadSnapshot, KeyedRateLimiter, KeyedRateLimiterSnapshot, RateLimiter, RateLimiterSnapshot,
};

/// The limits of a program by name, for those that share and those that observe them.
///
/// Cheap to clone; every clone is the same registry. Names are of a kind: a bulkhead and a rate limiter may
/// have the same. A limit that is added replaces the one of its kind with its name.
///
/// # Examples
///
/// ```
/// use halfopen_limit::{Bulkhead, BulkheadConfig, LimitRegistry};
///
/// let limits = LimitRegistry::new();
/// let pool = BulkheadConfig::builder().max_concurrent_calls(20).build()?;
/// limits.add_bulkhead(&Bulkhead::new("ai", pool));
///
/// // Wherever the pool is needed:
/// let ai = limits.bulkhead("ai").expect("added above");
/// assert_eq!(ai.snapshot().in_flight, 0);
/// # Ok::<(), halfopen::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct LimitRegistry(Arc<Mutex<Named>>);

#[derive(Default)]
struct Named {
    bulkheads: BTreeMap<Arc<str>, Bulkhead>,
    rates: BTreeMap<Arc<str>, RateLimiter>,
    keyed: BTreeMap<Arc<str>, KeyedRateLimiter>,
}

/// The state of all limits of a [`LimitRegistry`], each kind in the order of the names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitsSnapshot {
    /// The bulkheads.
    pub bulkheads: Vec<BulkheadSnapshot>,
    /// The rate limiters.
    pub rate_limiters: Vec<RateLimiterSnapshot>,
    /// The keyed rate limiters.
    pub keyed_rate_limiters: Vec<KeyedRateLimiterSnapshot>,
}

impl LimitRegistry {
    /// Creates a registry without limits.
    pub fn new() -> LimitRegistry {
        LimitRegistry::default()
    }

    /// Adds a bulkhead.
    pub fn add_bulkhead(&self, bulkhead: &Bulkhead) {
        self.named().bulkheads.insert(bulkhead.name().into(), bulkhead.clone());
    }

    /// Adds a rate limiter.
    pub fn add_rate_limiter(&self, limiter: &RateLimiter) {
        self.named().rates.insert(limiter.name().into(), limiter.clone());
    }

    /// Adds a keyed rate limiter.
    pub fn add_keyed_rate_limiter(&self, limiter: &KeyedRateLimiter) {
        self.named().keyed.insert(limiter.name().into(), limiter.clone());
    }

    /// Returns the bulkhead with this name.
    pub fn bulkhead(&self, name: &str) -> Option<Bulkhead> {
        self.named().bulkheads.get(name).cloned()
    }

    /// Returns the rate limiter with this name.
    pub fn rate_limiter(&self, name: &str) -> Option<RateLimiter> {
        self.named().rates.get(name).cloned()
    }

    /// Returns the keyed rate limiter with this name.
    pub fn keyed_rate_limiter(&self, name: &str) -> Option<KeyedRateLimiter> {
        self.named().keyed.get(name).cloned()
    }

    /// Removes the bulkhead with this name and returns it; those who hold it keep its slots.
    pub fn remove_bulkhead(&self, name: &str) -> Option<Bulkhead> {
        self.named().bulkheads.remove(name)
    }

    /// Removes the rate limiter with this name and returns it.
    pub fn remove_rate_limiter(&self, name: &str) -> Option<RateLimiter> {
        self.named().rates.remove(name)
    }

    /// Removes the keyed rate limiter with this name and returns it.
    pub fn remove_keyed_rate_limiter(&self, name: &str) -> Option<KeyedRateLimiter> {
        self.named().keyed.remove(name)
    }

    /// Returns the state of all limits; changes nothing.
    pub fn snapshot(&self) -> LimitsSnapshot {
        let named = self.named();
        LimitsSnapshot {
            bulkheads: named.bulkheads.values().map(Bulkhead::snapshot).collect(),
            rate_limiters: named.rates.values().map(RateLimiter::snapshot).collect(),
            keyed_rate_limiters: named.keyed.values().map(KeyedRateLimiter::snapshot).collect(),
        }
    }

    /// Returns the bulkhead with this name, added with this configuration if there is none.
    #[cfg(all(feature = "tokio", not(loom)))]
    pub(crate) fn bulkhead_or_add(&self, name: &Arc<str>, config: crate::BulkheadConfig) -> Bulkhead {
        let mut named = self.named();
        let add = || Bulkhead::new(Arc::clone(name), config);
        named.bulkheads.entry(Arc::clone(name)).or_insert_with(add).clone()
    }

    /// Removes the bulkheads that are held nowhere else: not by a protection, nor by a call in flight.
    #[cfg(all(feature = "tokio", not(loom)))]
    pub(crate) fn remove_unused_bulkheads(&self) {
        // One that nothing else holds cannot be used any more, and would be shown for ever.
        self.named().bulkheads.retain(|_, bulkhead| bulkhead.is_shared());
    }

    fn named(&self) -> MutexGuard<'_, Named> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for LimitRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.named();
        f.debug_struct("LimitRegistry")
            .field("bulkheads", &named.bulkheads.keys())
            .field("rate_limiters", &named.rates.keys())
            .field("keyed_rate_limiters", &named.keyed.keys())
            .finish()
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{BulkheadConfig, Quota};

    fn bulkhead(calls: u32) -> Bulkhead {
        Bulkhead::new("ai", BulkheadConfig::builder().max_concurrent_calls(calls).build().unwrap())
    }

    #[test]
    fn a_name_is_of_its_kind() {
        let limits = LimitRegistry::new();
        let quota = Quota::calls(1).per(Duration::from_secs(1)).build().unwrap();
        limits.add_bulkhead(&bulkhead(1));
        limits.add_rate_limiter(&RateLimiter::new("ai", quota));
        limits.add_keyed_rate_limiter(&KeyedRateLimiter::new("ai", quota));
        let LimitsSnapshot { bulkheads, rate_limiters, keyed_rate_limiters } = limits.snapshot();
        assert_eq!([bulkheads.len(), rate_limiters.len(), keyed_rate_limiters.len()], [1; 3]);
        assert!(limits.rate_limiter("ai").is_some() && limits.keyed_rate_limiter("other").is_none());
    }

    #[test]
    fn the_later_of_two_with_one_name_is_kept() {
        let limits = LimitRegistry::new();
        limits.add_bulkhead(&bulkhead(1));
        limits.add_bulkhead(&bulkhead(2));
        assert_eq!(limits.bulkhead("ai").unwrap().config().max_concurrent_calls(), 2);
        assert!(limits.remove_bulkhead("ai").is_some());
        assert_eq!(limits.snapshot(), LimitsSnapshot::default());
    }
}
