use halfopen_document::{Group, Located, Problem, quoted, suggest};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::document::{BreakerSection, Document};
use crate::resolve::longest_match;
use crate::resolve::settings::Settings;
use crate::resolve::{Subject, build, circuit_type, lint};

/// All layers of values, from the document to the program.
pub(crate) struct Layers<'a> {
    pub(crate) document: &'a Document,
    /// The environment the program runs in.
    pub(crate) environment: Option<&'a Located<String>>,
    /// The defaults that environment variables set.
    pub(crate) variable_defaults: &'a BreakerSection,
    /// The values that environment variables set for a name or pattern.
    pub(crate) variables: &'a BTreeMap<String, BreakerSection>,
    /// The values that the program sets.
    pub(crate) code: &'a BTreeMap<String, BreakerSection>,
}

/// The number of names set by the program, but absent from the document, that are compared with the document's.
const MOST_DOUBTED: usize = 100;

/// The name of the settings for names that the document does not have.
pub(crate) const REST: &str = "*";

impl Layers<'_> {
    /// Returns the settings of this name or pattern, or [`None`] after it has reported the reason.
    pub(crate) fn settings(&self, name: &str, problems: &mut Vec<Problem>) -> Option<Settings> {
        self.settings_of(name, self.document.breakers.get(name), problems)
    }

    /// The same for a name whose section in the document is known, so that it is not looked up.
    pub(crate) fn settings_of(
        &self,
        name: &str,
        written: Option<&BreakerSection>,
        problems: &mut Vec<Problem>,
    ) -> Option<Settings> {
        let own = self.own(name, written);
        let template = self.nearest(&own, BreakerSection::template_name);
        // The nearest layer that names an environment wins, as with every other value; the chosen one of the
        // process is only a default.
        let named = own.iter().rev().find_map(|section| section.environment_name());
        let environment =
            named.or(self.environment).or_else(|| self.default_of(BreakerSection::environment_name));

        let mut section = self.defaults();
        // From the lowest layer to the highest: each overlays those below it.
        let template = template.and_then(|template| self.lay_template(template, &mut section, problems));
        let chosen = environment.map(|environment| {
            self.lay_environment(environment, &mut section, problems);
            environment.value.clone()
        });
        own.into_iter().for_each(|upper| section.overlay(upper));
        if named.is_none() {
            // The breaker's own sections do not name the environment, and an explanation must have its origin.
            section.environment = environment.cloned();
        }
        let subject = match written {
            Some(_) => Subject::Entry { group: "breakers", name },
            None => self.subject_of_unwritten(name),
        };
        let settings = self.finish(name, subject, section, problems)?;
        Some(Settings { template, environment: chosen, ..settings })
    }

    /// Returns the sections of this name itself in ascending precedence: the document's, the variables', the
    /// program's.
    ///
    /// A name that only the program sets has the document's section of the pattern that matches it.
    fn own<'s>(&'s self, name: &str, written: Option<&'s BreakerSection>) -> Vec<&'s BreakerSection> {
        let mut own = match written {
            Some(section) => vec![section],
            // A breaker without an entry has the values of its longest pattern; an entry of its own replaces them
            // as a whole.
            None => self
                .pattern(name)
                .map_or_else(Vec::new, |wider| self.own(wider, self.document.breakers.get(wider))),
        };
        own.extend([self.variables.get(name), self.code.get(name)].into_iter().flatten());
        own
    }

    /// Returns the longest pattern that matches a name, or a longer pattern.
    fn pattern(&self, name: &str) -> Option<&str> {
        let written = longest_match(&self.document.breakers, name).map(|(pattern, _)| pattern);
        let set = longest_match(self.code, name).map(|(pattern, _)| pattern);
        [written, set].into_iter().flatten().max_by_key(|pattern| pattern.len())
    }

    fn nearest<'s>(
        &'s self,
        own: &[&'s BreakerSection],
        named: impl Fn(&'s BreakerSection) -> Option<&'s Located<String>>,
    ) -> Option<&'s Located<String>> {
        own.iter().copied().rev().find_map(&named).or_else(|| self.default_of(named))
    }

    fn default_of<'s>(
        &'s self,
        named: impl Fn(&'s BreakerSection) -> Option<&'s Located<String>>,
    ) -> Option<&'s Located<String>> {
        [self.variable_defaults, &self.document.defaults].into_iter().find_map(named)
    }

    /// Returns the name in messages of an entry that the document does not have.
    fn subject_of_unwritten<'s>(&'s self, name: &'s str) -> Subject<'s> {
        match self.pattern(name).filter(|pattern| self.document.breakers.contains_key(*pattern)) {
            Some(name) => Subject::Entry { group: "breakers", name },
            None if self.code.contains_key(name) => Subject::Program { name },
            None => Subject::Defaults,
        }
    }

    /// Checks the templates and environments that no breaker may use.
    pub(crate) fn judge_the_unused(&self, problems: &mut Vec<Problem>) {
        let used = self.used_templates();
        for name in self.document.templates.keys() {
            let mut section = self.defaults();
            let named = Located::from(name.clone());
            // Each template is resolved as if a breaker had it, so that a wrong one is reported before it is used.
            if self.lay_template(&named, &mut section, problems).is_some() {
                self.finish(name, Subject::Entry { group: "templates", name }, section, problems);
                if !used.contains(name.as_str()) {
                    problems.extend(self.unused(name));
                }
            }
        }
        for (name, environment) in &self.document.environments {
            let mut section = self.defaults();
            section.overlay(environment);
            self.finish(name, Subject::Entry { group: "environments", name }, section, problems);
        }
        if let Some(chosen) = self.environment.filter(|chosen| self.environment(&chosen.value).is_none()) {
            problems.push(self.no_environment(chosen, problems.len()));
        }
        // Only a doubt: a program may create a breaker that no document knows. Limited, as each name is compared
        // with all others.
        let unknown = self.code.keys().filter(|name| self.is_unknown(name)).take(MOST_DOUBTED);
        problems.extend(unknown.filter_map(|name| self.nearly_known(name)));
    }

    /// Returns true for a name that only the program sets.
    fn is_unknown(&self, name: &str) -> bool {
        !name.contains('*') && !self.document.breakers.contains_key(name) && self.pattern(name).is_none()
    }

    /// Returns a warning if such a name looks like one of the document.
    fn nearly_known(&self, name: &str) -> Option<Problem> {
        let near = suggest::nearest(name, self.document.breakers.keys().map(String::as_str), 0)?;
        let (shown, near) = (quoted(name), quoted(near));
        let message = format!(
            "`{shown}` is set by the program, but the document does not have it; did you mean `{near}`?"
        );
        Some(Problem::warning(name, message))
    }

    /// Returns the templates that a breaker is made from or another template extends.
    fn used_templates(&self) -> HashSet<&str> {
        let document = self.document;
        let breakers = [&document.breakers, self.variables, self.code].into_iter().flat_map(BTreeMap::values);
        let sections = breakers.chain([&document.defaults, self.variable_defaults]);
        let named = sections.filter_map(|section| section.template_name());
        let extended = document.templates.iter().filter_map(|(name, template)| {
            template.extends.as_ref().filter(|extended| extended.value != *name)
        });
        named.chain(extended).map(|used| used.value.as_str()).collect()
    }

    /// Returns a warning for a template of the document that no breaker uses, unless the document has no
    /// breakers: then its templates are for other documents.
    fn unused(&self, name: &str) -> Option<Problem> {
        if self.document.breakers.is_empty() {
            return None;
        }
        let path = format!("templates.{}", quoted(name));
        let message = format!("`{path}` is not used: no breaker names it, and no template extends it");
        Some(Problem::warning(path, message).or_at(self.document.span("templates", name)))
    }

    /// Returns the defaults of the document below those of variables.
    fn defaults(&self) -> BreakerSection {
        let mut section = self.document.defaults.clone();
        section.overlay(self.variable_defaults);
        section
    }

    /// Combines the layers; a problem without a place of its own is reported at the name.
    fn finish(
        &self,
        name: &str,
        subject: Subject<'_>,
        section: BreakerSection,
        problems: &mut Vec<Problem>,
    ) -> Option<Settings> {
        let mut found = Vec::new();
        let settings = taken_together(name, subject, section, &mut found);
        if !found.is_empty() {
            let home = match subject {
                Subject::Entry { group, name } => self.document.span(group, name),
                Subject::Program { .. } | Subject::Defaults => None,
            };
            problems.extend(found.into_iter().map(|problem| problem.or_at(home)));
        }
        settings
    }
}

fn taken_together(
    name: &str,
    subject: Subject<'_>,
    mut section: BreakerSection,
    problems: &mut Vec<Problem>,
) -> Option<Settings> {
    // After all layers: a type fills in values that none of them has set, and drops those without effect.
    circuit_type::apply(&mut section, problems);
    let config = build::build(&section, subject, problems)?;
    let settings = Settings { name: Arc::from(name), section, config, template: None, environment: None };
    lint::lint(&settings, subject, problems);
    // Last, because a section may judge itself by the settings of its breaker.
    if !settings.section.sections.is_empty() {
        settings.section.sections.lint(&subject.to_string(), &[&settings], problems);
    }
    Some(settings)
}
