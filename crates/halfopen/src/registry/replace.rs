use super::{Registry, RegistryBuilder};
use crate::breaker::CircuitBreaker;

/// Replacement of all rules together, as after a document was reloaded.
impl Registry {
    /// Replaces the default and all rules with those of a builder, in one step, and returns the breakers that this
    /// changed, sorted by name.
    ///
    /// The new rules are applied to existing breakers as by [`CircuitBreaker::set_config`] and
    /// [`CircuitBreaker::set_enabled`]. A breaker for whose name the old and the new rules agree is not changed,
    /// even if it was given another configuration in between. A breaker whose rule was removed follows the remaining
    /// rules. Nothing else of the builder is used: the capacity and the clock stay the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::{CircuitBreakerConfig, Registry, Trip};
    ///
    /// let runs = |n| CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(n)).build();
    /// let registry = Registry::builder().config_for("db-*", runs(3)?).config_for("mail", runs(5)?).build();
    /// let (orders, mail) = (registry.get_or_create("db-orders"), registry.get_or_create("mail"));
    ///
    /// let changed = registry.replace_rules(&Registry::builder().config_for("db-*", runs(3)?));
    ///
    /// assert_eq!(changed.len(), 1);
    /// assert_eq!(mail.config(), CircuitBreakerConfig::default());
    /// assert_eq!(orders.config(), runs(3)?);
    /// # Ok::<(), halfopen::ConfigError>(())
    /// ```
    pub fn replace_rules(&self, rules: &RegistryBuilder) -> Vec<CircuitBreaker> {
        let mut differing = self.exchange(rules);
        differing.sort_by(|(a, _), (b, _)| a.name().cmp(b.name()));
        let apply = |(breaker, differs): (CircuitBreaker, Differs)| {
            // Each part alone: a breaker that an operator gave another configuration keeps it if the rules only
            // enable it.
            let config = differs.config && self.0.follow(&breaker, |rules| Some(rules.find(breaker.name())));
            let enabled = differs.enabled && self.0.follow_enabled(&breaker);
            (config || enabled).then_some(breaker)
        };
        differing.into_iter().filter_map(apply).collect()
    }

    /// Replaces the rules, and returns the breakers for which the old and the new ones differ.
    fn exchange(&self, rules: &RegistryBuilder) -> Vec<(CircuitBreaker, Differs)> {
        let map = self.0.entries.pin();
        let mut locked = self.0.locked();
        let old = std::mem::replace(&mut locked.rules, rules.rules.clone());
        locked.version += 1;
        // Compared under the lock, so that a breaker which is created later has the new rules already.
        let differs = |breaker: &CircuitBreaker| Differs {
            config: old.find(breaker.name()) != locked.rules.find(breaker.name()),
            enabled: old.is_enabled(breaker.name()) != locked.rules.is_enabled(breaker.name()),
        };
        let all = map.values().map(|entry| (entry.breaker.clone(), differs(&entry.breaker)));
        all.filter(|(_, differs)| differs.config || differs.enabled).collect()
    }
}

/// The parts in which the new rules for a name differ from the old ones.
#[derive(Clone, Copy)]
struct Differs {
    config: bool,
    enabled: bool,
}
