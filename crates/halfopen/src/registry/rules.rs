use std::collections::HashMap;

use crate::config::CircuitBreakerConfig;

/// The configuration of each name, and whether its breaker is enabled.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    default: CircuitBreakerConfig,
    configs: ByName<CircuitBreakerConfig>,
    enabled: ByName<bool>,
}

/// Values by whole name and by prefix.
#[derive(Clone, Debug)]
struct ByName<T> {
    names: HashMap<String, T>,
    /// The longest first, without the `*`.
    prefixes: Vec<(String, T)>,
}

impl Rules {
    pub(super) fn set_default(&mut self, config: CircuitBreakerConfig) {
        self.default = config;
    }

    /// Sets the configuration of a whole name or of a `prefix*`.
    pub(super) fn set(&mut self, name_or_prefix: &str, config: CircuitBreakerConfig) {
        self.configs.set(name_or_prefix, config);
    }

    /// Sets whether the breakers of a whole name or of a `prefix*` are enabled.
    pub(super) fn set_enabled(&mut self, name_or_prefix: &str, enabled: bool) {
        self.enabled.set(name_or_prefix, enabled);
    }

    /// Returns the configuration of the name itself, of its longest prefix, or the default.
    pub(super) fn find(&self, name: &str) -> &CircuitBreakerConfig {
        self.configs.find(name).unwrap_or(&self.default)
    }

    /// Returns the same, or [`None`] if another rule than this one decides.
    pub(super) fn find_if(&self, name: &str, name_or_prefix: &str) -> Option<&CircuitBreakerConfig> {
        self.configs.find_if(name, name_or_prefix)
    }

    pub(super) fn is_enabled(&self, name: &str) -> bool {
        self.enabled.find(name).is_none_or(|enabled| *enabled)
    }
}

/// Returns true if a name is the pattern, or begins with it up to its final `*`.
///
/// This is the rule by which a registry, documents and fleets name several breakers.
///
/// # Examples
///
/// ```
/// use halfopen::adapter::matches_pattern;
///
/// assert!(matches_pattern("db-*", "db-orders"));
/// assert!(matches_pattern("db", "db") && !matches_pattern("db", "db-orders"));
/// ```
pub fn matches_pattern(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

impl<T> ByName<T> {
    fn set(&mut self, name_or_prefix: &str, what: T) {
        let Some(prefix) = name_or_prefix.strip_suffix('*') else {
            self.names.insert(name_or_prefix.to_owned(), what);
            return;
        };
        // A rule that is set again replaces the former one.
        self.prefixes.retain(|(other, _)| other != prefix);
        // Sorted by length, so that the first match is the longest.
        let place = self.prefixes.partition_point(|(other, _)| other.len() >= prefix.len());
        self.prefixes.insert(place, (prefix.to_owned(), what));
    }

    fn find(&self, name: &str) -> Option<&T> {
        self.names.get(name).or_else(|| self.by_prefix(name).map(|(_, what)| what))
    }

    fn find_if(&self, name: &str, name_or_prefix: &str) -> Option<&T> {
        let Some(prefix) = name_or_prefix.strip_suffix('*') else {
            return if name == name_or_prefix { self.names.get(name) } else { None };
        };
        // A whole name takes precedence, so no prefix decides for this one.
        if self.names.contains_key(name) {
            return None;
        }
        self.by_prefix(name).filter(|(decides, _)| decides == prefix).map(|(_, what)| what)
    }

    fn by_prefix(&self, name: &str) -> Option<&(String, T)> {
        self.prefixes.iter().find(|(prefix, _)| name.starts_with(prefix.as_str()))
    }
}

// Not derived, as that would require `T: Default`.
impl<T> Default for ByName<T> {
    fn default() -> Self {
        ByName { names: HashMap::new(), prefixes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Trip;

    fn config(failures: u32) -> CircuitBreakerConfig {
        CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(failures)).build().unwrap()
    }

    fn rules() -> Rules {
        let mut rules = Rules::default();
        rules.set_default(config(1));
        rules.set("db-*", config(2));
        rules.set("db-orders-*", config(3));
        rules.set("db-orders-main", config(4));
        rules
    }

    #[test]
    fn whole_name_then_longest_prefix_then_default() {
        let rules = rules();
        assert_eq!(*rules.find("db-orders-main"), config(4));
        assert_eq!(*rules.find("db-orders-copy"), config(3));
        assert_eq!(*rules.find("db-users"), config(2));
        assert_eq!(*rules.find("cache"), config(1));
    }

    #[test]
    fn a_lone_star_is_for_every_name() {
        let mut rules = rules();
        rules.set("*", config(5));
        assert_eq!(*rules.find("cache"), config(5));
        assert_eq!(*rules.find("db-users"), config(2));
    }

    #[test]
    fn a_rule_set_twice_is_replaced() {
        let mut rules = rules();
        rules.set("db-*", config(6));
        assert_eq!(*rules.find("db-users"), config(6));
    }

    #[test]
    fn a_more_specific_rule_takes_precedence() {
        let rules = rules();
        assert!(rules.find_if("db-users", "db-*").is_some());
        assert!(rules.find_if("db-orders-copy", "db-*").is_none());
        assert!(rules.find_if("db-orders-main", "db-orders-*").is_none());
        assert!(rules.find_if("db-orders-main", "db-orders-main").is_some());
    }
}
