//! Templates and environments, which layers refer to by name, of the document or shipped.

use super::layers::Layers;
use super::lint;
use crate::builtin;
use crate::document::BreakerSection;
use halfopen_document::{Group, Located, Problem, quoted, suggest};

/// The most names that a list of known names has.
const MOST_NAMED: usize = 20;

impl Layers<'_> {
    /// Overlays a template, after the one that it extends, and returns its name if it exists.
    pub(super) fn lay_template(
        &self,
        named: &Located<String>,
        section: &mut BreakerSection,
        problems: &mut Vec<Problem>,
    ) -> Option<String> {
        let name = named.value.as_str();
        let Some((parent, own)) = self.template(name) else {
            problems.push(self.no_template(named, problems.len()));
            // Metadata may have any label; it need not be a template.
            return (named.origin().path().contains(".metadata.")).then(|| name.to_owned());
        };
        if let Some(extends) = parent {
            // The parent first, so that the template's own values override its.
            self.lay_parent(name, extends, section, problems)?;
        }
        section.overlay(own);
        Some(name.to_owned())
    }

    fn lay_parent(
        &self,
        child: &str,
        extends: &Located<String>,
        section: &mut BreakerSection,
        problems: &mut Vec<Problem>,
    ) -> Option<()> {
        let name = extends.value.as_str();
        // A template that replaces a shipped one may extend it.
        let found = if name == child { builtin::template(name) } else { self.template(name) };
        let Some((grandparent, parent)) = found else {
            if name == child {
                problems.push(extends_itself(extends));
                return None;
            }
            problems.push(self.no_template(extends, problems.len()));
            return None;
        };
        // One level only: with more, a value's origin would be hard to find, and there could be circles.
        if let Some(grandparent) = grandparent {
            let path = extends.origin().path();
            let message = format!(
                "`{path}` is `{name}`, which extends `{}` itself; a template may extend only one that stands alone",
                grandparent.value
            );
            problems.push(lint::at(Problem::error(path, message), extends.origin()));
            return None;
        }
        section.overlay(parent);
        Some(())
    }

    fn template(&self, name: &str) -> Option<(Option<&Located<String>>, &BreakerSection)> {
        let own = self.document.templates.get(name);
        own.map(|template| (template.extends.as_ref(), &template.section)).or_else(|| builtin::template(name))
    }

    pub(super) fn environment(&self, name: &str) -> Option<&BreakerSection> {
        self.document.environments.get(name).or_else(|| builtin::environment(name))
    }

    pub(super) fn lay_environment(
        &self,
        named: &Located<String>,
        section: &mut BreakerSection,
        problems: &mut Vec<Problem>,
    ) {
        match self.environment(&named.value) {
            Some(environment) => section.overlay(environment),
            None => problems.push(self.no_environment(named, problems.len())),
        }
    }

    fn no_template(&self, named: &Located<String>, told: usize) -> Problem {
        let known = || {
            let own = self.document.templates.keys().map(String::as_str);
            own.chain(builtin::templates().map(|name| name as &str)).collect()
        };
        unknown("template", named, known, told)
    }

    pub(super) fn no_environment(&self, named: &Located<String>, told: usize) -> Problem {
        let known = || {
            let own = self.document.environments.keys().map(String::as_str);
            own.chain(builtin::environments().map(|name| name as &str)).collect()
        };
        unknown("environment", named, known, told)
    }
}

fn extends_itself(extends: &Located<String>) -> Problem {
    let path = extends.origin().path();
    let message =
        format!("`{path}` is `{}`, the template itself; a template may extend only another", extends.value);
    lint::at(Problem::error(path, message), extends.origin())
}

/// Returns a warning for an unknown label in metadata, and an error for an unknown setting.
fn unknown<'a>(
    what: &str,
    named: &Located<String>,
    known: impl FnOnce() -> Vec<&'a str>,
    told: usize,
) -> Problem {
    let (path, name) = (named.origin().path(), quoted(&named.value));
    // Collected only if it will be shown: a document can have as many wrong names as names.
    let known = if suggest::are_due(told) { known() } else { Vec::new() };
    let meant = suggest::nearest(&named.value, known.iter().copied(), told);
    let meant = meant.map_or_else(String::new, |near| format!("; did you mean `{}`?", quoted(near)));
    let problem = if path.contains(".metadata.") {
        let message = format!(
            "`{path}` is `{name}`, which is no {what}: it is kept as a label and changes no number{meant}"
        );
        Problem::warning(path, message)
    } else {
        Problem::error(path, format!("`{path}` is `{name}`, but there is no such {what}{meant}"))
    };
    let problem = lint::at(problem, named.origin());
    if known.is_empty() { problem } else { problem.help(known_here(known)) }
}

fn known_here(mut known: Vec<&str>) -> String {
    known.sort_unstable();
    known.dedup();
    let (shown, more) = known.split_at(known.len().min(MOST_NAMED));
    let shown: Vec<_> = shown.iter().map(|name| quoted(name)).collect();
    match more.len() {
        0 => format!("known here: {}", shown.join(", ")),
        more => format!("known here: {} and {more} more", shown.join(", ")),
    }
}
