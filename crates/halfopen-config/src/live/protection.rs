//! The protections that a document describes.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use halfopen::ConfigError;
use halfopen_document::{quoted, suggest};
use halfopen_limit::{
    BulkheadConfig, LimitRegistry, Protection, ProtectionConfig, Protections, Quota, QuotaBuilder,
};

use super::LiveRegistry;
use crate::Configuration;
use crate::document::{Bulkhead, RateLimit};
use crate::load::pools;

/// The document has no breaker with this name, nor a pattern that matches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    name: String,
    nearest: Option<String>,
}

impl LiveRegistry {
    /// Returns the protection of a name of the document: its breaker, its limits and its `call_timeout`, which follow
    /// the document from now on.
    ///
    /// `halfopen_tower::ProtectionLayer` is the layer of it. Breakers whose `bulkhead_config` names one
    /// `isolation_pool_name` share its slots. A document that changes keeps calls in flight and calls used.
    ///
    /// # Errors
    ///
    /// The document does not have the name, and has no pattern for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_config::{Format, LiveRegistry, Loader};
    ///
    /// let document = "breakers: { claude: { bulkhead_config: { max_concurrent_calls: 20 } } }";
    /// let live = LiveRegistry::new(Loader::new().text("breakers.yaml", Format::Yaml, document))?;
    /// let claude = live.protection("claude")?;
    /// assert_eq!(claude.limits().get_bulkhead().unwrap().config().max_concurrent_calls(), 20);
    ///
    /// live.apply(Format::Yaml, "breakers: { claude: { bulkhead_config: { max_concurrent_calls: 5 } } }")?;
    /// assert_eq!(claude.limits().get_bulkhead().unwrap().config().max_concurrent_calls(), 5);
    ///
    /// let error = live.protection("cluade").unwrap_err();
    /// assert_eq!(error.to_string(), "the document has no breaker `cluade`; did you mean `claude`?");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn protection(&self, name: &str) -> Result<Protection, UnknownName> {
        let configuration = self.configuration();
        if configuration.named(name).is_none() {
            let known: Vec<_> = configuration.all().map(crate::Settings::name).collect();
            let nearest = suggest::nearest(name, known, 0).map(str::to_owned);
            return Err(UnknownName { name: name.to_owned(), nearest });
        }
        Ok(self.protections.get(name))
    }

    /// Returns the protections by name; a name that the document does not have has its defaults.
    pub fn protections(&self) -> &Protections {
        &self.protections
    }

    /// Returns the limits of all protections that are in use, to share and to observe.
    pub fn limits(&self) -> &LimitRegistry {
        self.protections.limits()
    }
}

/// Returns the function from names to limits of a configuration.
pub(super) fn config_of(
    configuration: Arc<Configuration>,
) -> impl Fn(&str) -> ProtectionConfig + Send + Sync + 'static {
    move |name| protection(&configuration, name)
}

fn protection(configuration: &Configuration, name: &str) -> ProtectionConfig {
    let settings = configuration.settings(name);
    let section = settings.section();
    let mut config = ProtectionConfig::new();
    let (pool, numbers) = match pools::name_of(settings) {
        Some(pool) => {
            // A pool is shared by several names, of which one has its numbers.
            let owner = pools::owner(configuration, pool).unwrap_or(settings);
            (pool, &owner.section().bulkhead_config)
        }
        None => (name, &section.bulkhead_config),
    };
    if let Some(bulkhead) = bulkhead(numbers).and_then(Result::ok) {
        config = config.bulkhead(pool, bulkhead);
    }
    if let Some(Ok(quota)) = quota(&section.rate_limit) {
        let wait = section.rate_limit.max_wait.as_ref().map_or(Duration::ZERO, |wait| wait.value.0);
        config = config.rate_limit(quota, wait);
    }
    match &section.call_timeout {
        Some(timeout) => config.call_timeout(timeout.value.0),
        None => config,
    }
}

/// Returns the numbers of a bulkhead, where it has any.
pub(crate) fn bulkhead(written: &Bulkhead) -> Option<Result<BulkheadConfig, ConfigError>> {
    let Bulkhead { max_concurrent_calls, max_waiting_calls, queue_timeout, .. } = written;
    let mut config = BulkheadConfig::builder().max_concurrent_calls(max_concurrent_calls.as_ref()?.value);
    let wait = queue_timeout.as_ref().map(|wait| wait.value.0);
    if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
        // A wait that no call can have is no wait; the lint of limits warns of it.
        if max_waiting_calls.as_ref().is_none_or(|waiting| waiting.value > 0) {
            config = config.max_wait(wait);
        }
    }
    if let Some(waiting) = max_waiting_calls.as_ref().filter(|_| wait != Some(Duration::ZERO)) {
        config = config.max_waiting_calls(waiting.value);
    }
    Some(config.build())
}

/// Returns the quota of a rate limit, where it has both numbers.
pub(crate) fn quota(written: &RateLimit) -> Option<Result<Quota, ConfigError>> {
    let builder = quota_builder(written)?;
    Some(match &written.burst {
        Some(burst) => builder.burst(burst.value),
        None => builder.build(),
    })
}

fn quota_builder(written: &RateLimit) -> Option<QuotaBuilder> {
    let RateLimit { calls, per, .. } = written;
    Some(Quota::calls(calls.as_ref()?.value).per(per.as_ref()?.value.0))
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the document has no breaker `{}`", quoted(&self.name))?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{}`?", quoted(nearest)),
            None => Ok(()),
        }
    }
}

impl Error for UnknownName {}
