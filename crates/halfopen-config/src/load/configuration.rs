use halfopen_document::{Problem, Section, Sections};
use std::collections::BTreeMap;

use halfopen::{Registry, RegistryBuilder};

use crate::resolve::longest_match;
use crate::{Document, Explanation, Settings};

/// The values of every name: a document combined with templates, environments and all other layers.
///
/// It has no errors; [`warnings`](Self::warnings) returns the doubtful values. A [`Loader`](crate::Loader)
/// creates it.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub(super) document: Document,
    pub(super) sections: Sections,
    pub(super) settings: BTreeMap<String, Box<Settings>>,
    /// The values of names that the document does not have.
    pub(super) rest: Settings,
    pub(super) warnings: Vec<Problem>,
}

impl Configuration {
    /// Returns the settings of a name: of its own entry, or of the longest pattern that matches it, or the
    /// defaults.
    pub fn settings(&self, name: &str) -> &Settings {
        self.named(name).unwrap_or(&self.rest)
    }

    /// Returns the settings of a name, or [`None`] if only the defaults apply to it.
    pub(crate) fn named(&self, name: &str) -> Option<&Settings> {
        let exact = self.settings.get(name);
        exact
            .or_else(|| longest_match(&self.settings, name).map(|(_, settings)| settings))
            .map(|found| &**found)
    }

    /// Returns true if the configuration has an entry of this name or pattern.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.settings.contains_key(name)
    }

    /// Returns the settings of every name and pattern of the configuration, in the order of the names.
    pub fn all(&self) -> impl Iterator<Item = &Settings> {
        self.settings.values().map(|settings| &**settings)
    }

    /// Returns the settings of the names that the document does not have.
    pub fn defaults(&self) -> &Settings {
        &self.rest
    }

    /// Returns the origin of each value of this name.
    pub fn explain(&self, name: &str) -> Explanation {
        self.settings(name).explain()
    }

    /// Returns the values of a section of the document as a whole, or [`None`] if neither the document nor a variable
    /// sets any. The loader must [know](crate::Loader::section) the section.
    pub fn get<T: Section>(&self) -> Option<&T> {
        self.sections.get()
    }

    /// Returns the origin of each value of the sections of the document as a whole.
    pub fn explain_sections(&self) -> Explanation {
        Explanation::of_sections(&self.sections)
    }

    /// Returns the document as written.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Returns the warnings, in the order of the document: values that are valid but unlikely to be intended.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Returns a builder of a registry in which every name has its configuration, to set for example a capacity
    /// or a clock.
    ///
    /// The registry does not follow the document; that of a [`LiveRegistry`](crate::LiveRegistry) does.
    pub fn registry(&self) -> RegistryBuilder {
        let rest = Registry::builder().default_config(self.rest.config().clone());
        let rest = rest.enabled_for("*", self.rest.is_enabled());
        self.all().fold(rest, |builder, settings| {
            let name = settings.name();
            builder.config_for(name, settings.config().clone()).enabled_for(name, settings.is_enabled())
        })
    }
}
