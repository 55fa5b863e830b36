//! The pools of slots that several breakers share.

use std::collections::BTreeMap;

use halfopen_document::{Located, Problem};

use crate::document::Bulkhead;
use crate::{Configuration, Settings};

/// Returns the settings whose numbers a pool has: those of the first name that has any.
#[cfg(feature = "limit")]
pub(crate) fn owner<'c>(configuration: &'c Configuration, pool: &str) -> Option<&'c Settings> {
    configuration.all().find(|settings| name_of(settings) == Some(pool) && has_numbers(settings))
}

/// Returns the pool that a document names for a breaker.
pub(crate) fn name_of(settings: &Settings) -> Option<&str> {
    settings.section().bulkhead_config.isolation_pool_name.as_ref().map(|name| name.value.as_str())
}

fn has_numbers(settings: &Settings) -> bool {
    settings.section().bulkhead_config.max_concurrent_calls.is_some()
}

/// Warns of pools whose breakers disagree, and of those without a number.
pub(super) fn doubts(configuration: &Configuration) -> Vec<Problem> {
    let mut first: BTreeMap<&str, &Settings> = BTreeMap::new();
    let mut doubts = Vec::new();
    for settings in configuration.all().filter(|settings| has_numbers(settings)) {
        let Some(pool) = name_of(settings) else { continue };
        // The first by name has the pool's numbers, as in `owner`.
        let owner = *first.entry(pool).or_insert(settings);
        if numbers(&owner.section().bulkhead_config) != numbers(&settings.section().bulkhead_config) {
            doubts.extend(disagreement(owner, settings, pool));
        }
    }
    for settings in configuration.all().filter(|settings| !has_numbers(settings)) {
        let bulkhead = &settings.section().bulkhead_config;
        let known = name_of(settings).is_some_and(|pool| first.contains_key(pool));
        doubts.extend((!known).then(|| without_numbers(bulkhead)).flatten());
    }
    doubts
}

type Numbers = [Option<String>; 3];

fn numbers(bulkhead: &Bulkhead) -> Numbers {
    let Bulkhead { max_concurrent_calls, max_waiting_calls, queue_timeout, .. } = bulkhead;
    [
        max_concurrent_calls.as_ref().map(|calls| calls.value.to_string()),
        max_waiting_calls.as_ref().map(|calls| calls.value.to_string()),
        queue_timeout.as_ref().map(|wait| wait.value.to_string()),
    ]
}

fn disagreement(owner: &Settings, other: &Settings, pool: &str) -> Option<Problem> {
    let origin = other.section().bulkhead_config.max_concurrent_calls.as_ref().map(Located::origin)?;
    let path = origin.path();
    let owner = owner.name();
    let message = format!(
        "`{path}` is in the pool `{pool}`, to which `{owner}` gives other numbers: the pool has those of `{owner}`"
    );
    Some(Problem::warning(path, message).at_origin(origin))
}

fn without_numbers(bulkhead: &Bulkhead) -> Option<Problem> {
    let Bulkhead { isolation_pool_name, max_waiting_calls, queue_timeout, .. } = bulkhead;
    let origins = [
        isolation_pool_name.as_ref().map(Located::origin),
        max_waiting_calls.as_ref().map(Located::origin),
        queue_timeout.as_ref().map(Located::origin),
    ];
    let origin = origins.into_iter().flatten().next()?;
    let path = origin.path();
    let message = format!("`{path}` has no effect: no `max_concurrent_calls` is set");
    Some(Problem::warning(path, message).at_origin(origin))
}
