use super::{Registry, RegistryBuilder};
use crate::CircuitBreaker;

/// All rules at once, as a document brings them.
impl Registry {
    /// Replaces the default and all rules by those of a builder, in one step, and brings the breakers
    /// that exist to them, as by [`CircuitBreaker::set_config`]; says which those were, in the order of
    /// their names.
    ///
    /// A breaker to whose name the new rules give what the old ones gave is left alone, whatever it
    /// was set to in between. One whose rule is gone gets what the rest of the rules give it. Of the
    /// builder nothing else is taken: capacity and clock stay.
    ///
    /// # Examples
    ///
    /// ```
    /// use fusebox::{CircuitBreakerConfig, Registry, Trip};
    ///
    /// let runs = |n| CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(n)).build();
    /// let registry = Registry::builder().config_for("db-*", runs(3)?).config_for("mail", runs(5)?).build();
    /// let (orders, mail) = (registry.get_or_create("db-orders"), registry.get_or_create("mail"));
    ///
    /// let changed = registry.replace_rules(&Registry::builder().config_for("db-*", runs(3)?));
    ///
    /// assert_eq!(changed.len(), 1);
    /// assert_eq!(*mail.config(), CircuitBreakerConfig::default());
    /// assert_eq!(*orders.config(), runs(3)?);
    /// # Ok::<(), fusebox::ConfigError>(())
    /// ```
    pub fn replace_rules(&self, rules: &RegistryBuilder) -> Vec<CircuitBreaker> {
        let mut changed = self.exchange(rules);
        changed.sort_by(|a, b| a.name().cmp(b.name()));
        changed.retain(|breaker| self.0.follow(breaker, |rules| Some(rules.find(breaker.name()))));
        changed
    }

    /// Puts the rules in place; the breakers to which they give something else than the old ones.
    fn exchange(&self, rules: &RegistryBuilder) -> Vec<CircuitBreaker> {
        let map = self.0.slots.pin();
        let mut desk = self.0.desk();
        let old = std::mem::replace(&mut desk.rules, rules.rules.clone());
        desk.version += 1;
        let differs = |name: &str| old.find(name) != desk.rules.find(name);
        map.values().filter(|slot| differs(slot.breaker.name())).map(|slot| slot.breaker.clone()).collect()
    }
}
