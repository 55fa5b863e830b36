//! The section `services` of a document.

use std::collections::BTreeMap;

use halfopen::adapter::matches_pattern;
use halfopen_config::{Document, Origin};
use halfopen_document::{Group, Lint, Node, Path, Reader, Scope, Section, group, quoted, scalar};
use reqwest::Url;
use serde::Serialize;

group! {
    /// A service: the values below its name in the section `services`.
    ServiceKeys, expected "a service such as { base_url: https://api.example.com }"
    values {
        /// The URL that the paths of requests are appended to.
        base_url: String = base_url,
        /// The name of its breaker. The default is the name of the service.
        breaker: String = scalar::text,
    }
}

/// The section `services` of a document: servers by name.
///
/// ```yaml
/// services:
///   payment_service: { base_url: "https://api.payments.com" }
/// breakers:
///   payment_service: { template: external_api, call_timeout: 5s }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ServicesSection {
    services: BTreeMap<String, ServiceKeys>,
}

impl ServicesSection {
    /// Returns the services, in the order of their names.
    pub fn services(&self) -> impl Iterator<Item = (&str, &ServiceKeys)> {
        self.services.iter().map(|(name, keys)| (name.as_str(), keys))
    }
}

impl Group for ServicesSection {
    // Names, which differ in each document.
    const KEYS: &'static [&'static str] = &[];

    fn read(node: &Node, reader: &mut Reader<'_>) -> Self {
        let entries = reader.fields(node, "a map whose keys are the names of services").remaining();
        let read = entries.into_iter().map(|entry| {
            let keys = reader.within(&entry.key, |reader| ServiceKeys::read(&entry.node, reader));
            (entry.key.clone(), keys)
        });
        ServicesSection { services: read.collect() }
    }

    fn overlay(&mut self, upper: &Self) {
        for (name, keys) in &upper.services {
            self.services.entry(name.clone()).or_default().overlay(keys);
        }
    }

    fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    fn visit(&self, path: &mut Path, visit: &mut dyn FnMut(&str, &Origin)) {
        for (name, keys) in &self.services {
            path.within(name, |path| keys.visit(path, visit));
        }
    }
}

impl Section for ServicesSection {
    const KEY: &'static str = "services";
    const SCOPE: Scope = Scope::Document;

    fn lint(&self, lint: &mut Lint<'_>) {
        let document = lint.get::<Document>();
        for (name, keys) in &self.services {
            let Some(written) = keys.base_url.as_ref().map(|url| url.origin()) else {
                if let Some(breaker) = &keys.breaker {
                    lint.error(breaker.origin(), |_| {
                        format!("the service `{}` has no `base_url`", quoted(name))
                    });
                }
                continue;
            };
            let (breaker, origin) = match &keys.breaker {
                Some(breaker) => (&breaker.value, breaker.origin()),
                None => (name, written),
            };
            if document.is_some_and(|document| !has_breaker(document, breaker)) {
                lint.warn(origin, |_| {
                    format!(
                        "the service `{}` has the defaults: `breakers` has no entry `{}`",
                        quoted(name),
                        quoted(breaker)
                    )
                });
            }
        }
    }
}

fn has_breaker(document: &Document, name: &str) -> bool {
    document.breakers.keys().any(|entry| matches_pattern(entry, name))
}

fn base_url(node: &Node, reader: &mut Reader<'_>) -> Option<String> {
    let text = scalar::text(node, reader)?;
    match parse(&text) {
        Ok(_) => Some(text),
        Err(why) => reader.mismatch_because(node, "a URL such as https://api.example.com/v1", Some(why)),
    }
}

/// Parses a base URL: requests append a path to it, and a query of their own.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("its scheme is `{}`, must be http or https", quoted(url.scheme())));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it has a query or a fragment: set them in each request".to_owned());
    }
    Ok(url)
}
