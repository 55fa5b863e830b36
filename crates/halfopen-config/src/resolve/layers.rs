use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::{Document, Group, Section};
use crate::resolve::named::unknown;
use crate::resolve::settings::{Origins, Settings};
use crate::resolve::{build, circuit_type, judge};
use crate::{Problem, Written, suggest};

/// Everything that has a say, from the document to the program.
pub(crate) struct Layers<'a> {
    pub(crate) document: &'a Document,
    /// The environment the program runs in.
    pub(crate) environment: Option<&'a Written<String>>,
    /// What environment variables say of a name or pattern.
    pub(crate) variables: &'a BTreeMap<String, Section>,
    /// What the program says.
    pub(crate) code: &'a BTreeMap<String, Section>,
}

/// The name for what holds where the document names nobody.
pub(crate) const REST: &str = "*";

impl Layers<'_> {
    /// What holds for this name or pattern; nothing after telling why it cannot.
    pub(crate) fn settings(&self, name: &str, problems: &mut Vec<Problem>) -> Option<Settings> {
        let own = self.own(name);
        let template = self.nearest(&own, Section::template_name);
        let named = own.iter().rev().find_map(|section| section.environment_name());
        let environment = named.or(self.environment).or_else(|| self.document.defaults.environment_name());

        let mut section = self.document.defaults.clone();
        let template = template.and_then(|template| self.lay_template(template, &mut section, problems));
        let chosen = environment.map(|environment| {
            self.lay_environment(environment, &mut section, problems);
            environment.value.clone()
        });
        own.into_iter().for_each(|upper| section.overlay(upper));
        if named.is_none() {
            // The document does not have it, and an explanation must.
            section.environment = environment.cloned();
        }
        let settings = self.finish(name, &self.subject(name), section, problems)?;
        Some(Settings { template, environment: chosen, ..settings })
    }

    /// What is said of this name by itself, the lowest first: by the document, variables, the program.
    ///
    /// A name that only the program knows has what the document says of the beginning that fits it.
    fn own(&self, name: &str) -> Vec<&Section> {
        let mut own = match self.document.breakers.get(name) {
            Some(section) => vec![section],
            None => self.beginning(name).map_or_else(Vec::new, |wider| self.own(wider)),
        };
        own.extend([self.variables.get(name), self.code.get(name)].into_iter().flatten());
        own
    }

    /// The longest beginning that a name, or a longer beginning, has.
    fn beginning(&self, name: &str) -> Option<&str> {
        let stem = name.strip_suffix('*').unwrap_or(name);
        let all = self.document.breakers.keys().chain(self.code.keys()).map(String::as_str);
        let fits = |other: &&str| {
            *other != name && other.strip_suffix('*').is_some_and(|wide| stem.starts_with(wide))
        };
        all.filter(fits).max_by_key(|other| other.len())
    }

    fn nearest<'s>(
        &'s self,
        own: &[&'s Section],
        named: impl Fn(&'s Section) -> Option<&'s Written<String>>,
    ) -> Option<&'s Written<String>> {
        own.iter().copied().rev().chain([&self.document.defaults]).find_map(named)
    }

    /// What messages call a name where nothing is written that they could point to.
    fn subject(&self, name: &str) -> String {
        let is_written = |name: &&str| self.document.breakers.contains_key(*name);
        match Some(name).filter(is_written).or_else(|| self.beginning(name).filter(is_written)) {
            Some(written) => format!("breakers.{written}"),
            None if self.code.contains_key(name) => name.to_owned(),
            None => "defaults".into(),
        }
    }

    /// Judges what no breaker may ever use: every template, every environment.
    pub(crate) fn judge_the_unused(&self, problems: &mut Vec<Problem>) {
        for name in self.document.templates.keys() {
            let mut section = self.document.defaults.clone();
            let named = Written::from(name.clone());
            if self.lay_template(&named, &mut section, problems).is_some() {
                self.finish(name, &format!("templates.{name}"), section, problems);
                problems.extend(self.unused(name));
            }
        }
        for (name, environment) in &self.document.environments {
            let mut section = self.document.defaults.clone();
            section.overlay(environment);
            self.finish(name, &format!("environments.{name}"), section, problems);
        }
        if let Some(chosen) = self.environment.filter(|chosen| self.environment(&chosen.value).is_none()) {
            problems.push(unknown("environment", chosen, self.known_environments()));
        }
        problems.extend(self.code.keys().filter_map(|name| self.unknown_name(name)));
    }

    /// A warning for a name that only the program knows, and that looks like one of the document.
    fn unknown_name(&self, name: &str) -> Option<Problem> {
        let known = &self.document.breakers;
        if known.contains_key(name) || self.beginning(name).is_some() {
            return None;
        }
        let near =
            suggest::nearest(name, known.keys().map(String::as_str)).filter(|_| !name.contains('*'))?;
        let message =
            format!("`{name}` is named by the program and not by the document; did you mean `{near}`?");
        Some(Problem::warning(name, message))
    }

    /// A warning for a template of the document that nobody is made from and none extends; a document
    /// without breakers is there for others, who may name it.
    fn unused(&self, name: &str) -> Option<Problem> {
        let document = self.document;
        if document.breakers.is_empty() {
            return None;
        }
        let breakers = [&document.breakers, self.variables, self.code].into_iter().flat_map(BTreeMap::values);
        let sections = breakers.chain([&document.defaults]);
        let named = sections.filter_map(|section| section.template_name());
        let others = document.templates.iter().filter(|(other, _)| *other != name);
        let extended = others.filter_map(|(_, template)| template.extends.as_ref());
        if named.chain(extended).any(|used| used.value == *name) {
            return None;
        }
        let path = format!("templates.{name}");
        let message = format!("`{path}` is used by nobody: no breaker names it, and no template extends it");
        Some(Problem::warning(path.as_str(), message).at_least_at(document.place(&path)))
    }

    /// Takes the layers together, and tells what is wrong at the place of the name if at no other.
    fn finish(
        &self,
        name: &str,
        subject: &str,
        section: Section,
        problems: &mut Vec<Problem>,
    ) -> Option<Settings> {
        let mut found = Vec::new();
        let settings = taken_together(name, subject, section, &mut found);
        let home = self.document.place(subject);
        problems.extend(found.into_iter().map(|problem| problem.at_least_at(home)));
        settings
    }
}

fn taken_together(
    name: &str,
    subject: &str,
    mut section: Section,
    problems: &mut Vec<Problem>,
) -> Option<Settings> {
    circuit_type::apply(&mut section, name, problems);
    let origins = Origins::of(&section);
    let config = build::build(&section, subject, &origins, problems)?;
    let settings =
        Settings { name: Arc::from(name), section, config, template: None, environment: None, origins };
    judge::judge(&settings, subject, problems);
    Some(settings)
}
