//! Applies a new configuration to a registry in use.

use std::sync::Arc;

use halfopen::Registry;

use super::Difference;
use crate::{Configuration, Settings};

/// The step from one configuration to the next.
#[derive(Debug)]
pub(super) struct Step {
    after: Arc<Configuration>,
    pub(super) difference: Difference,
}

impl Step {
    pub(super) fn between(before: &Configuration, after: Arc<Configuration>) -> Step {
        Step { difference: Difference::between(before, &after), after }
    }

    /// Returns the configuration after the step.
    pub(super) fn after(&self) -> &Arc<Configuration> {
        &self.after
    }

    /// Applies the step to the registry. No lock is held, because the registry's listeners run.
    pub(super) fn apply(&self, registry: &Registry) {
        let removed = self.difference.removed().iter().filter(|name| !name.ends_with('*'));
        // A breaker that a pattern still matches stays in the registry, with its state.
        for name in removed.filter(|name| self.after.named(name).is_none()) {
            registry.remove(name);
        }
        // Before the new breakers are put in, so that a name that calls bring in meanwhile gets the new rules.
        registry.replace_rules(&self.after.registry());
        self.after
            .all()
            .filter(|settings| self.is_new(settings))
            .for_each(|settings| put(registry, settings));
    }

    fn is_new(&self, settings: &Settings) -> bool {
        // The names are sorted, because the configuration iterates in their order.
        self.difference.created().binary_search_by(|name| name.as_str().cmp(settings.name())).is_ok()
    }
}

/// Creates every breaker of the configuration.
pub(super) fn fill(registry: &Registry, configuration: &Configuration) {
    registry.replace_rules(&configuration.registry());
    configuration.all().for_each(|settings| put(registry, settings));
    // A breaker may have existed under equal rules, with another `enabled` set by hand.
    for breaker in registry.breakers() {
        breaker.set_enabled(configuration.settings(breaker.name()).is_enabled());
    }
}

/// Creates the breaker of a name of the document, or configures the existing one.
fn put(registry: &Registry, settings: &Settings) {
    let (name, config) = (settings.name(), settings.config());
    if settings.is_pattern() {
        return;
    }
    let breaker = match registry.create(name, config.clone()) {
        Ok(breaker) => breaker,
        // It existed, or another thread has created it.
        Err(_) => registry.get_or_create(name),
    };
    // Only if it differs: a change is reported, and the rules are evaluated anew.
    if breaker.config() != *config {
        breaker.set_config(config.clone());
    }
    breaker.set_enabled(settings.is_enabled());
}
