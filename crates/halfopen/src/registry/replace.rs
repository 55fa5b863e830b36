use super::{Registry, RegistryBuilder};
use crate::breaker::CircuitBreaker;

/// All rules at once, as a document brings them.
impl Registry {
    /// Replaces the default and all rules by those of a builder, in one step, and brings the breakers
    /// that exist to them, as by [`CircuitBreaker::set_config`] and [`CircuitBreaker::set_enabled`]; says
    /// which those were, in the order of their names.
    ///
    /// A breaker to whose name the new rules give what the old ones gave is left alone, whatever it
    /// was set to in between. One whose rule is gone gets what the rest of the rules give it. Of the
    /// builder nothing else is taken: capacity and clock stay.
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
        let bring = |(breaker, differs): (CircuitBreaker, Differs)| {
            let config = differs.config && self.0.follow(&breaker, |rules| Some(rules.find(breaker.name())));
            let enabled = differs.enabled && self.0.follow_enabled(&breaker);
            (config || enabled).then_some(breaker)
        };
        differing.into_iter().filter_map(bring).collect()
    }

    /// Puts the rules in place; the breakers to which they give something else than the old ones.
    fn exchange(&self, rules: &RegistryBuilder) -> Vec<(CircuitBreaker, Differs)> {
        let map = self.0.entries.pin();
        let mut locked = self.0.locked();
        let old = std::mem::replace(&mut locked.rules, rules.rules.clone());
        locked.version += 1;
        let differs = |breaker: &CircuitBreaker| Differs {
            config: old.find(breaker.name()) != locked.rules.find(breaker.name()),
            enabled: old.is_enabled(breaker.name()) != locked.rules.is_enabled(breaker.name()),
        };
        let all = map.values().map(|entry| (entry.breaker.clone(), differs(&entry.breaker)));
        all.filter(|(_, differs)| differs.config || differs.enabled).collect()
    }
}

/// In what the new rules of a name differ from the old ones.
#[derive(Clone, Copy)]
struct Differs {
    config: bool,
    enabled: bool,
}
