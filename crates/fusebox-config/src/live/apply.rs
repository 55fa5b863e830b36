//! How a new configuration reaches a registry that is in use.

use std::sync::Arc;

use fusebox::{CircuitBreaker, Registry, State as Mode};

use super::{Difference, State};
use crate::{DocumentError, Loader};

/// Every name that nothing closer is said of.
const REST: &str = "*";

impl State {
    /// Puts everything in that the configuration names.
    pub(super) fn fill(&mut self, registry: &Registry) {
        self.configure(registry, REST);
        let names: Vec<_> = self.configuration.all().map(|settings| settings.name().to_owned()).collect();
        for name in &names {
            self.put(registry, name);
        }
        self.enable_all(registry);
    }

    /// Goes over to what the loader says now, or changes nothing.
    pub(super) fn take(&mut self, registry: &Registry, loader: Loader) -> Result<Difference, DocumentError> {
        let next = Arc::new(loader.load()?);
        let before = std::mem::replace(&mut self.configuration, next);
        let difference = Difference::between(&before, &self.configuration);
        self.loader = loader;
        for name in difference.removed().iter().filter(|name| !name.ends_with('*')) {
            registry.remove(name);
            self.disabled.remove(name);
        }
        // What the registry was told of names that are gone must follow what now holds for them.
        for name in self.given.clone() {
            let same = before.settings(&name).config() == self.configuration.settings(&name).config();
            if !same {
                self.configure(registry, &name);
            }
        }
        for name in difference.created() {
            self.put(registry, name);
        }
        self.enable_all(registry);
        Ok(difference)
    }

    fn put(&mut self, registry: &Registry, name: &str) {
        self.configure(registry, name);
        if !name.ends_with('*') && registry.get(name).is_none() {
            let config = self.configuration.settings(name).config().clone();
            // Somebody who was faster has made the same one, by the rule that was just given.
            let _ = registry.create(name, config);
        }
    }

    fn configure(&mut self, registry: &Registry, name: &str) {
        registry.configure(name, self.configuration.settings(name).config().clone());
        self.given.insert(name.to_owned());
    }

    fn enable_all(&mut self, registry: &Registry) {
        for breaker in registry.breakers() {
            let is_enabled = self.configuration.settings(breaker.name()).is_enabled();
            self.enable(&breaker, is_enabled);
        }
    }

    /// Disables and enables as the document says, and touches no breaker that an operator has set.
    pub(super) fn enable(&mut self, breaker: &CircuitBreaker, is_enabled: bool) {
        let name = breaker.name();
        let mode = breaker.state();
        let is_automatic = matches!(mode, Mode::Closed | Mode::Open | Mode::HalfOpen);
        if !is_enabled && is_automatic {
            breaker.disable();
            self.disabled.insert(name.to_owned());
        } else if is_enabled && self.disabled.remove(name) && mode == Mode::Disabled {
            breaker.force_closed();
        }
    }
}
