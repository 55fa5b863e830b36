//! How a new configuration reaches a registry that is in use.

use std::sync::Arc;

use fusebox::Registry;

use super::{Difference, State};
use crate::{Configuration, DocumentError, Loader, Settings};

impl State {
    /// Goes over to what the loader says now, or changes nothing.
    pub(super) fn take(&mut self, registry: &Registry, loader: Loader) -> Result<Difference, DocumentError> {
        let next = Arc::new(loader.load()?);
        let before = std::mem::replace(&mut self.configuration, next);
        let difference = Difference::between(&before, &self.configuration);
        self.loader = loader;
        for name in difference.removed().iter().filter(|name| !name.ends_with('*')) {
            registry.remove(name);
        }
        registry.replace_rules(&self.configuration.registry());
        let is_new = |settings: &&Settings| {
            // In the order of the names, as everything the configuration tells.
            let created = difference.created();
            created.binary_search_by(|name| name.as_str().cmp(settings.name())).is_ok()
        };
        self.configuration.all().filter(is_new).for_each(|settings| put(registry, settings));
        self.tell(&difference);
        Ok(difference)
    }

    /// Sends it to those who still receive.
    fn tell(&mut self, difference: &Difference) {
        if !difference.is_empty() {
            self.subscribers.retain(|subscriber| subscriber.send(difference.clone()).is_ok());
        }
    }
}

/// Puts everything in that the configuration names.
pub(super) fn fill(registry: &Registry, configuration: &Configuration) {
    registry.replace_rules(&configuration.registry());
    configuration.all().for_each(|settings| put(registry, settings));
    // A breaker that was there under rules which said the same may have been set to something else.
    for breaker in registry.breakers() {
        breaker.set_enabled(configuration.settings(breaker.name()).is_enabled());
    }
}

/// Makes the breaker of a name that the document has, or brings the one that is there to it.
fn put(registry: &Registry, settings: &Settings) {
    let (name, config) = (settings.name(), settings.config());
    if settings.is_pattern() {
        return;
    }
    let breaker = match registry.create(name, config.clone()) {
        Ok(breaker) => breaker,
        // It was there already, or somebody was faster.
        Err(_) => registry.get_or_create(name),
    };
    if *breaker.config() != *config {
        breaker.set_config(config.clone());
    }
    breaker.set_enabled(settings.is_enabled());
}
