//! How a new configuration reaches a registry that is in use.

use std::sync::Arc;

use halfopen::Registry;

use super::Difference;
use crate::{Configuration, Settings};

/// From one configuration to the next.
#[derive(Debug)]
pub(super) struct Step {
    after: Arc<Configuration>,
    pub(super) difference: Difference,
}

impl Step {
    pub(super) fn between(before: &Configuration, after: Arc<Configuration>) -> Step {
        Step { difference: Difference::between(before, &after), after }
    }

    /// Returns the configuration that the step leads to.
    pub(super) fn after(&self) -> &Arc<Configuration> {
        &self.after
    }

    /// Takes the registry over. Its listeners are called, and may do what they like.
    pub(super) fn apply(&self, registry: &Registry) {
        let removed = self.difference.removed().iter().filter(|name| !name.ends_with('*'));
        // One whose name a beginning still fits goes on under that, and keeps what it knows.
        for name in removed.filter(|name| self.after.named(name).is_none()) {
            registry.remove(name);
        }
        registry.replace_rules(&self.after.registry());
        self.after
            .all()
            .filter(|settings| self.is_new(settings))
            .for_each(|settings| put(registry, settings));
    }

    fn is_new(&self, settings: &Settings) -> bool {
        // In the order of the names, as everything the configuration tells.
        self.difference.created().binary_search_by(|name| name.as_str().cmp(settings.name())).is_ok()
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
    if breaker.config() != *config {
        breaker.set_config(config.clone());
    }
    breaker.set_enabled(settings.is_enabled());
}
