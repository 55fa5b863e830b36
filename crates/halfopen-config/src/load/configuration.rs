use halfopen_document::{Problem, Section, Sections};
use std::collections::BTreeMap;

use halfopen::{Registry, RegistryBuilder};

use crate::resolve::longest_match;
use crate::{Document, Explanation, Settings};

/// What holds for every name: a document with its templates, environments and all other layers.
///
/// A configuration that exists can be used; what is doubtful in it is told by
/// [`warnings`](Self::warnings). [`Loader`](crate::Loader) makes one.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub(super) document: Document,
    pub(super) sections: Sections,
    pub(super) settings: BTreeMap<String, Box<Settings>>,
    /// For names that the document does not know.
    pub(super) rest: Settings,
    pub(super) warnings: Vec<Problem>,
}

impl Configuration {
    /// What holds for this name: under the name itself, under the longest beginning that fits, or else
    /// the defaults.
    pub fn settings(&self, name: &str) -> &Settings {
        self.named(name).unwrap_or(&self.rest)
    }

    /// The same, unless it is what holds where the document names nobody.
    pub(crate) fn named(&self, name: &str) -> Option<&Settings> {
        let exact = self.settings.get(name);
        exact
            .or_else(|| longest_match(&self.settings, name).map(|(_, settings)| settings))
            .map(|found| &**found)
    }

    /// Everything the document names, in the order of the names, beginnings with their star included.
    pub fn all(&self) -> impl Iterator<Item = &Settings> {
        self.settings.values().map(|settings| &**settings)
    }

    /// What holds where the document names nobody.
    pub fn defaults(&self) -> &Settings {
        &self.rest
    }

    /// Says of each value of this name where it came from.
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

    /// What the document says, as it is written.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// What can be used and is hardly meant, in the order of the document.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// A builder of a registry in which every name has its configuration, for what is not in the
    /// document: a capacity, a clock.
    ///
    /// It does not follow the document; [`LiveRegistry`](crate::LiveRegistry) does.
    pub fn registry(&self) -> RegistryBuilder {
        let rest = Registry::builder().default_config(self.rest.config().clone());
        let rest = rest.enabled_for("*", self.rest.is_enabled());
        self.all().fold(rest, |builder, settings| {
            let name = settings.name();
            builder.config_for(name, settings.config().clone()).enabled_for(name, settings.is_enabled())
        })
    }
}
