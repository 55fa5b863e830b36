use halfopen_document::{Group, Origin, Path, Section, Sections};
use std::collections::BTreeMap;
use std::sync::Arc;

use halfopen::CircuitBreakerConfig;
use halfopen_http::{GrpcClassify, HttpClassify};

use crate::Explanation;
use crate::document::BreakerSection;

/// The settings of one breaker, or of all that match a pattern, with every layer applied.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) name: Arc<str>,
    pub(crate) section: BreakerSection,
    pub(crate) config: CircuitBreakerConfig,
    pub(crate) template: Option<String>,
    pub(crate) environment: Option<String>,
}

/// The origin of every written value, by its path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins(BTreeMap<String, Origin>);

impl Settings {
    /// Returns the name or pattern of the entry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns true if the entry is a pattern.
    pub fn is_pattern(&self) -> bool {
        self.name.ends_with('*')
    }

    /// Returns the configuration of the breaker.
    pub fn config(&self) -> &CircuitBreakerConfig {
        &self.config
    }

    /// Returns the values of all layers as written, including metadata and values that the core does not use.
    pub fn section(&self) -> &BreakerSection {
        &self.section
    }

    /// Returns the values of a section, all layers taken together, or [`None`] if no layer sets any. The loader must
    /// [know](crate::Loader::section) the section.
    pub fn get<T: Section>(&self) -> Option<&T> {
        self.section.sections.get()
    }

    /// Returns the template of the breaker, or else the one that its metadata names.
    pub fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }

    /// Returns the environment of the breaker, or else the one that its metadata names.
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// Returns the kind of the dependency that the breaker protects.
    pub fn category(&self) -> Option<&str> {
        self.section.metadata.service_category.as_ref().map(|category| category.value.as_str())
    }

    /// Returns the tags of the breaker.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        let tags = self.section.metadata.tags.iter().flat_map(|tags| &tags.value);
        tags.map(|tag| tag.value.as_str())
    }

    /// Returns false if the document disables the breaker.
    pub fn is_enabled(&self) -> bool {
        self.section.enabled.as_ref().is_none_or(|enabled| enabled.value)
    }

    /// Returns the HTTP answers that are failures.
    pub fn http(&self) -> HttpClassify {
        self.section.classify.http.rules()
    }

    /// Returns the gRPC answers that are failures.
    pub fn grpc(&self) -> GrpcClassify {
        self.section.classify.grpc.rules()
    }

    /// Returns the origin of each value.
    pub fn explain(&self) -> Explanation {
        Explanation::of(self)
    }

    // Collected when they are asked for: of many breakers few are explained or have a problem.
    pub(crate) fn origins(&self) -> Origins {
        Origins::of(&self.section)
    }
}

impl Origins {
    pub(crate) fn of(section: &BreakerSection) -> Origins {
        let mut origins = BTreeMap::new();
        section.visit(&mut Path::default(), &mut |path, origin| {
            origins.insert(path.to_owned(), origin.clone());
        });
        Origins(origins)
    }

    pub(crate) fn of_sections(sections: &Sections) -> Origins {
        let mut origins = BTreeMap::new();
        sections.visit(&mut Path::default(), &mut |path, origin| {
            origins.insert(path.to_owned(), origin.clone());
        });
        Origins(origins)
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Origin> {
        self.0.get(path)
    }

    /// Returns the origin of this value of a rule, where the rules are a list with two rules of its kind.
    pub(crate) fn of_a_rule(&self, path: &str, value: &str) -> Option<&Origin> {
        let rule = path.strip_prefix("trip")?;
        let mut all = self.0.iter().filter(|(path, _)| path.starts_with("trip.") && path.ends_with(rule));
        let says =
            |(_, origin): &(&String, &Origin)| origin.span().is_some_and(|place| place.text() == value);
        // Of several rules of a kind, the one whose text is the value that is reported.
        let found = all.clone().find(says).or_else(|| all.next());
        found.map(|(_, origin)| origin)
    }

    /// Returns the origin of this path, or of a path above or below it.
    pub(crate) fn near(&self, path: &str) -> Option<&Origin> {
        self.get(path).or_else(|| {
            let minimum = path.ends_with(".minimum_calls").then(|| self.get("trip.minimum_calls")).flatten();
            let part = format!("{path}.");
            let inside =
                || self.0.iter().find(|(other, _)| other.starts_with(&part)).map(|(_, origin)| origin);
            let around = || path.rsplit_once('.').and_then(|(group, _)| self.get(group));
            // The value itself, the common minimum, a part of the group, or the group: the nearest place in the
            // document that a reader can change.
            minimum.or_else(inside).or_else(around)
        })
    }
}
