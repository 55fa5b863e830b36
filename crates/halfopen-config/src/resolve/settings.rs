use halfopen_document::{Group, Origin, Path, Section, Sections};
use std::collections::BTreeMap;
use std::sync::Arc;

use halfopen::CircuitBreakerConfig;
use halfopen_http::{GrpcClassify, HttpClassify};

use crate::Explanation;
use crate::document::BreakerSection;

/// What holds for one breaker, or for all whose name begins alike: every layer taken together.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) name: Arc<str>,
    pub(crate) section: BreakerSection,
    pub(crate) config: CircuitBreakerConfig,
    pub(crate) template: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) origins: Origins,
}

/// Where every value that is written comes from, by its path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins(BTreeMap<String, Origin>);

impl Settings {
    /// The name, or the beginning with its star, under which it stands in the document.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True if it is for all names that begin alike.
    pub fn is_pattern(&self) -> bool {
        self.name.ends_with('*')
    }

    /// The numbers the breaker goes by.
    pub fn config(&self) -> &CircuitBreakerConfig {
        &self.config
    }

    /// Everything that is written of it, in any layer: its metadata, and what is kept for others.
    pub fn section(&self) -> &BreakerSection {
        &self.section
    }

    /// Returns the values of a section, all layers taken together, or [`None`] if no layer sets any. The loader must
    /// [know](crate::Loader::section) the section.
    pub fn get<T: Section>(&self) -> Option<&T> {
        self.section.sections.get()
    }

    /// The template whose numbers it has; else what its metadata calls so.
    pub fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }

    /// The environment whose numbers it has; else what its metadata calls so.
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// What kind of dependency it protects.
    pub fn category(&self) -> Option<&str> {
        self.section.metadata.service_category.as_ref().map(|category| category.value.as_str())
    }

    /// The words to find it by.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        let tags = self.section.metadata.tags.iter().flat_map(|tags| &tags.value);
        tags.map(|tag| tag.value.as_str())
    }

    /// False if the document disables it.
    pub fn is_enabled(&self) -> bool {
        self.section.enabled.as_ref().is_none_or(|enabled| enabled.value)
    }

    /// Which HTTP answers are failures.
    pub fn http(&self) -> HttpClassify {
        self.section.classify.http.rules()
    }

    /// Which gRPC answers are failures.
    pub fn grpc(&self) -> GrpcClassify {
        self.section.classify.grpc.rules()
    }

    /// Says of each value where it came from.
    pub fn explain(&self) -> Explanation {
        Explanation::of(self)
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

    /// Where this value of a rule is written, where the rules are a list that has its kind twice.
    pub(crate) fn of_a_rule(&self, path: &str, value: &str) -> Option<&Origin> {
        let rule = path.strip_prefix("trip")?;
        let mut all = self.0.iter().filter(|(path, _)| path.starts_with("trip.") && path.ends_with(rule));
        let says =
            |(_, origin): &(&String, &Origin)| origin.span().is_some_and(|place| place.text() == value);
        let found = all.clone().find(says).or_else(|| all.next());
        found.map(|(_, origin)| origin)
    }

    /// Where this is written, or what it belongs to or consists of.
    pub(crate) fn near(&self, path: &str) -> Option<&Origin> {
        self.get(path).or_else(|| {
            let minimum = path.ends_with(".minimum_calls").then(|| self.get("trip.minimum_calls")).flatten();
            let part = format!("{path}.");
            let inside =
                || self.0.iter().find(|(other, _)| other.starts_with(&part)).map(|(_, origin)| origin);
            let around = || path.rsplit_once('.').and_then(|(group, _)| self.get(group));
            minimum.or_else(inside).or_else(around)
        })
    }
}
