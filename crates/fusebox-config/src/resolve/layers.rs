use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::{Document, Group, Section};
use crate::resolve::settings::{Origins, Settings};
use crate::resolve::{build, circuit_type, judge};
use crate::{Problem, Written, shipped, suggest};

/// Everything that has a say, from the document to the program.
pub(crate) struct Layers<'a> {
    pub(crate) document: &'a Document,
    /// The environment the program runs in.
    pub(crate) environment: Option<&'a str>,
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
        let own = self.document.breakers.get(name);
        let closer = [self.code.get(name), self.variables.get(name), own, Some(&self.document.defaults)];
        let closer = || closer.iter().flatten();
        let template = closer().find_map(|section| section.template_name());
        let environment =
            closer().take(3).find_map(|section| section.environment_name().filter(|_| own.is_some()));
        let fallback = self.document.defaults.environment_name();

        let mut section = self.document.defaults.clone();
        let template_name = template.and_then(|template| self.lay_template(template, &mut section, problems));
        let environment_name = match (environment, self.environment, fallback) {
            (Some(written), _, _) | (None, None, Some(written)) => {
                self.lay_written(written, &mut section, problems)
            }
            (None, Some(chosen), _) => {
                self.environment(chosen).into_iter().for_each(|environment| section.overlay(environment));
                Some(chosen.to_owned())
            }
            (None, None, None) => None,
        };
        for upper in [own, self.variables.get(name), self.code.get(name)].into_iter().flatten() {
            section.overlay(upper);
        }
        let subject = if own.is_some() { format!("breakers.{name}") } else { "defaults".into() };
        let (template, environment) = (template_name, environment_name);
        self.finish(name, &subject, section, problems).map(|settings| Settings {
            template,
            environment,
            ..settings
        })
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
        if let Some(chosen) = self.environment.filter(|chosen| self.environment(chosen).is_none()) {
            let known = || self.known_environments();
            let message = format!("there is no environment `{chosen}`{}", meant(chosen, known()));
            problems.push(Problem::error("environments", message).help(known_here(known())));
        }
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

    /// Lays a template, and the one it extends, over what is there; its name if there is one.
    fn lay_template(
        &self,
        named: &Written<String>,
        section: &mut Section,
        problems: &mut Vec<Problem>,
    ) -> Option<String> {
        let name = named.value.as_str();
        let Some((parent, own)) = self.template(name) else {
            problems.push(self.no_template(named));
            // A label of somebody's own, in metadata that may hold anything.
            return (named.origin().path().contains(".metadata.")).then(|| name.to_owned());
        };
        if let Some(extends) = parent {
            self.lay_parent(name, extends, section, problems)?;
        }
        section.overlay(own);
        Some(name.to_owned())
    }

    fn lay_parent(
        &self,
        child: &str,
        extends: &Written<String>,
        section: &mut Section,
        problems: &mut Vec<Problem>,
    ) -> Option<()> {
        let name = extends.value.as_str();
        // A template that takes the place of a shipped one may build on it.
        let found = if name == child { shipped::template(name) } else { self.template(name) };
        let Some((grandparent, parent)) = found else {
            problems.push(self.no_template(extends));
            return None;
        };
        if let Some(grandparent) = grandparent {
            let path = extends.origin().path();
            let message = format!(
                "`{path}` is `{name}`, which extends `{}` itself; a template may extend only one that stands alone",
                grandparent.value
            );
            problems.push(judge::at(Problem::error(path, message), extends.origin()));
            return None;
        }
        section.overlay(parent);
        Some(())
    }

    fn template(&self, name: &str) -> Option<(Option<&Written<String>>, &Section)> {
        let own = self.document.templates.get(name);
        own.map(|template| (template.extends.as_ref(), &template.section)).or_else(|| shipped::template(name))
    }

    fn environment(&self, name: &str) -> Option<&Section> {
        self.document.environments.get(name).or_else(|| shipped::environment(name))
    }

    fn lay_written(
        &self,
        named: &Written<String>,
        section: &mut Section,
        problems: &mut Vec<Problem>,
    ) -> Option<String> {
        let name = named.value.as_str();
        match self.environment(name) {
            Some(environment) => {
                section.overlay(environment);
                Some(name.to_owned())
            }
            None => {
                problems.push(unknown("environment", named, self.known_environments()));
                Some(name.to_owned())
            }
        }
    }

    fn no_template(&self, named: &Written<String>) -> Problem {
        let mut known: Vec<&str> = self.document.templates.keys().map(String::as_str).collect();
        known.extend(shipped::templates().map(|name| name as &str));
        unknown("template", named, known)
    }

    fn known_environments(&self) -> Vec<&str> {
        let mut known: Vec<&str> = self.document.environments.keys().map(String::as_str).collect();
        known.extend(shipped::environments().map(|name| name as &str));
        known
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

/// A label in the metadata may be anything; a setting must be there.
fn unknown(what: &str, named: &Written<String>, known: Vec<&str>) -> Problem {
    let (path, name) = (named.origin().path(), &named.value);
    let meant = meant(name, known.clone());
    let problem = if path.contains(".metadata.") {
        let message = format!(
            "`{path}` is `{name}`, which is no {what}: it is kept as a label and changes no number{meant}"
        );
        Problem::warning(path, message)
    } else {
        Problem::error(path, format!("`{path}` is `{name}`, but there is no such {what}{meant}"))
    };
    judge::at(problem.help(known_here(known)), named.origin())
}

fn meant(name: &str, known: Vec<&str>) -> String {
    suggest::nearest(name, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

fn known_here(mut known: Vec<&str>) -> String {
    known.sort_unstable();
    known.dedup();
    format!("known here: {}", known.join(", "))
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
