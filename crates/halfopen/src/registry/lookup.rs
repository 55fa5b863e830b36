use std::fmt;

use super::Registry;
use crate::breaker::CircuitBreaker;
use crate::sync::Ordering;

/// The breaker that a registry has for a name, kept by an adapter that asks for the same name again and again.
///
/// A look-up hashes the name; [`is_current`](Self::is_current) is one load. A kept breaker is a handle, so the
/// adapter keeps the breaker of a name that was removed from the registry until it replaces the look-up.
///
/// # Examples
///
/// ```
/// use halfopen::Registry;
/// use halfopen::adapter::Lookup;
///
/// let registry = Registry::new();
/// let kept = Lookup::new(&registry, "payments").expect("a registry that evicts nothing");
/// assert!(kept.is_current(&registry));
/// assert_eq!(kept.breaker().name(), "payments");
///
/// registry.remove("payments");
/// assert!(!kept.is_current(&registry));
/// ```
#[derive(Clone)]
pub struct Lookup {
    breaker: CircuitBreaker,
    removals: u64,
}

impl Lookup {
    /// Looks a name up, and creates its breaker if there is none.
    ///
    /// Returns [`None`] if the registry evicts breakers, as it has to see each use of a name: look the name up for each
    /// call, by [`Registry::get_or_create`].
    pub fn new(registry: &Registry, name: &str) -> Option<Lookup> {
        if registry.0.idle.is_some() {
            return None;
        }
        // Read before the name is looked up: a removal in between makes this look-up outdated.
        let removals = registry.0.removals.load(Ordering::Acquire);
        // Stored in the registry: only one with a capacity can be full, and that evicts.
        Some(Lookup { breaker: registry.get_or_create(name), removals })
    }

    /// Returns the breaker.
    #[inline]
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Returns `false` if the registry may have another breaker, or none, for the name.
    #[inline]
    pub fn is_current(&self, registry: &Registry) -> bool {
        // Acquire, paired with the Release in `note_removal`: a thread that has seen a removal looks up anew.
        registry.0.removals.load(Ordering::Acquire) == self.removals
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("breaker", &self.breaker.name()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_look_up_is_outdated_once_a_name_is_removed() {
        let registry = Registry::new();
        for remove in
            [(|registry| drop(registry.remove("mail"))) as fn(&Registry), Registry::clear, |registry| {
                registry.remove("mail");
                registry.get_or_create("mail");
            }]
        {
            let kept = Lookup::new(&registry, "mail").unwrap();
            assert!(kept.is_current(&registry));
            registry.get_or_create("another");
            assert!(kept.is_current(&registry), "a new name changes nothing");
            remove(&registry);
            assert!(!kept.is_current(&registry));
            assert!(Lookup::new(&registry, "mail").unwrap().is_current(&registry));
        }
    }

    #[test]
    fn a_registry_that_evicts_sees_each_use() {
        let evicting = Registry::builder().idle_after(std::time::Duration::from_secs(1)).build();
        assert!(Lookup::new(&evicting, "mail").is_none());
        assert!(Lookup::new(&Registry::builder().capacity(1).build(), "mail").is_none());
    }
}
