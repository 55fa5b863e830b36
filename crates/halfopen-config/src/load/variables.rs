//! Environment variables: `HALFOPEN_PAYMENTS__OPEN__DURATION=10s`.

use halfopen_document::{
    Group, Layer, Located, Origin, Path, Problem, Reader, Scope, SectionKind, SectionKinds, Sections, Source,
    SourceKind, Span, quoted, suggest,
};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::names::{self, Names};
use super::overrides::{keys, nested};
use crate::document::{BreakerSection, Document};

const PREFIX: &str = "HALFOPEN_";
const ENVIRONMENT: &str = "HALFOPEN_ENVIRONMENT";
/// The name part of a variable that sets a default.
const DEFAULTS: &str = "DEFAULTS";

/// The values that variables set.
#[derive(Debug, Default)]
pub(super) struct Variables {
    pub(super) environment: Option<Located<String>>,
    pub(super) defaults: BreakerSection,
    pub(super) sections: BTreeMap<String, BreakerSection>,
    /// Values of the sections of the document as a whole.
    pub(super) sections_of_document: Sections,
}

/// The target of a variable's values.
enum Subject<'d> {
    Defaults,
    Section(&'d SectionKind),
    Breaker(&'d str),
}

pub(super) fn read(
    variables: &BTreeMap<String, String>,
    document: &Document,
    sections: &SectionKinds,
    problems: &mut Vec<Problem>,
) -> Variables {
    let mut read = Variables::default();
    // Most processes have none, and an index of all names is not free.
    if !variables.keys().any(|variable| variable.starts_with(PREFIX)) {
        return read;
    }
    let names = Names::of(&document.breakers);
    for (variable, value) in variables {
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        // The whole assignment is the source, so that a problem can show the name as well as the value.
        let source = Source::new(SourceKind::Variable, variable, format!("{variable}={value}"));
        match names::split(rest) {
            Some((stem, path)) => {
                let Some(subject) = subject(stem, &names, sections, &source, problems) else { continue };
                let place = value_of(&source, value);
                let keys = keys(&path.to_lowercase(), "__", &source, variable.len() - path.len());
                // Variables come from outside: without a limit, a long name would nest as deep as it is long.
                let keys = keys.map_err(|too_deep| problems.push(too_deep));
                let Ok(keys) = keys else { continue };
                let node = nested(&keys, value, &place);
                let (layer, name, section) = match subject {
                    Subject::Defaults => (Layer::Defaults, "defaults", &mut read.defaults),
                    Subject::Section(kind) => {
                        let path = Path::new(&[kind.key()]);
                        let mut reader = Reader::new(Layer::Variable, path, problems);
                        let section = Sections::read_one(kind, &node, &mut reader);
                        read.sections_of_document.overlay(&section);
                        continue;
                    }
                    Subject::Breaker(name) => {
                        (Layer::Variable, name, read.sections.entry(name.to_owned()).or_default())
                    }
                };
                let mut reader = Reader::new(layer, Path::new(&[name]), problems).with_sections(sections);
                // Each variable is read as a document of one value, so its errors and its hints are the same.
                section.overlay(&BreakerSection::read(&node, &mut reader));
            }
            // A shell that cannot unset an inherited variable sets it to the empty string.
            None if variable == ENVIRONMENT && value.is_empty() => {}
            None if variable == ENVIRONMENT => {
                let origin = Origin::new(Layer::Variable, ENVIRONMENT, value_of(&source, value));
                read.environment = Some(Located::new(value.clone(), origin));
            }
            // A name without a key belongs to another program, even with this prefix.
            None => problems.extend(slip(rest, &names, sections, &source, problems.len())),
        }
    }
    read
}

fn value_of(source: &Arc<Source>, value: &str) -> Span {
    Span::new(source, source.text().len() - value.len(), source.text().len())
}

/// Returns a warning for a variable that is nearly one of ours.
fn slip(
    rest: &str,
    names: &Names<'_>,
    sections: &SectionKinds,
    source: &Arc<Source>,
    told: usize,
) -> Option<Problem> {
    let variable = quoted(source.name());
    let is_key = |key: &str| {
        let key = key.to_lowercase();
        BreakerSection::keys(sections)
            .any(|known| key.strip_prefix(known).is_some_and(|more| more.is_empty() || more.starts_with('_')))
    };
    let is_name = |stem: &str| stem == DEFAULTS || names.has_folded(stem);
    // Limited, because each `_` of a long name is another place where the name could end.
    let mut parts = rest.match_indices('_').map(|(at, _)| (&rest[..at], &rest[at + 1..])).take(LONGEST_STEM);
    let message = match parts.find(|(stem, key)| is_name(stem) && is_key(key)) {
        Some((stem, _)) => format!(
            "`{variable}` is not used: a name and its keys must be separated by two `_`, as in `{PREFIX}{stem}__OPEN__DURATION`"
        ),
        None => {
            let near = suggest::nearest(source.name(), [ENVIRONMENT], told)?;
            format!("`{variable}` is not used; did you mean `{near}`?")
        }
    };
    Some(Problem::warning(source.name(), message).at(Span::new(source, 0, source.name().len())))
}

/// The most leading parts of a variable that are tried as a name without its `__`.
const LONGEST_STEM: usize = 32;

/// Returns the target and the keys of a variable.
fn subject<'d>(
    stem: &str,
    names: &Names<'d>,
    sections: &'d SectionKinds,
    source: &Arc<Source>,
    problems: &mut Vec<Problem>,
) -> Option<Subject<'d>> {
    let meant = names.meant(stem);
    // A breaker may have the name of a section; its escaped form is still distinct.
    let section = sections.of(Scope::Document).find(|kind| kind.key().to_uppercase() == stem);
    if let ([], Some(kind)) = (meant.as_slice(), section) {
        return Some(Subject::Section(kind));
    }
    let problem = match meant.as_slice() {
        [] if stem == DEFAULTS => return Some(Subject::Defaults),
        [name] if section.is_some() => ambiguous(
            source.name(),
            &format!("the section `{}`", stem.to_lowercase()),
            &format!("the breaker `{}`", quoted(name)),
        )
        .help(format!("for the breaker write `{}`", exact(name))),
        [] => unknown(stem, names, source.name(), problems.len()),
        [name] if stem != DEFAULTS => return Some(Subject::Breaker(name)),
        [name] => ambiguous(source.name(), "the defaults", &format!("the breaker `{}`", quoted(name)))
            .help(format!("for the breaker write `{}`", exact(name))),
        [first, second, ..] => {
            let [one, other] = [first, second].map(|name| format!("`{}`", quoted(name)));
            ambiguous(source.name(), &one, &other).help(format!(
                "write `{}` or `{}`, which mean one name each",
                exact(first),
                exact(second)
            ))
        }
    };
    problems.push(problem.at(Span::new(source, PREFIX.len(), PREFIX.len() + stem.len())));
    None
}

/// Returns the prefix of a variable that means this name and no other.
fn exact(name: &str) -> String {
    format!("{PREFIX}{}__", names::escape(name))
}

fn ambiguous(variable: &str, one: &str, other: &str) -> Problem {
    let message = format!("`{}` may mean {one} or {other}: it is not used", quoted(variable));
    Problem::error(variable, message)
}

fn unknown(stem: &str, names: &Names<'_>, variable: &str, told: usize) -> Problem {
    let begins = |name: &&str| stem.strip_prefix(*name).is_some_and(|key| key.starts_with('_'));
    let longest = || names.all_folded().filter(begins).max_by_key(|name| name.len());
    let near = suggest::nearest(stem, names.all_folded().chain([DEFAULTS]), told);
    let near = near.or_else(|| if suggest::are_due(told) { longest() } else { None });
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{PREFIX}{}__`?", quoted(near)));
    let message = format!("`{}` names no breaker of the document: it is not used{near}", quoted(variable));
    Problem::warning(variable, message)
}
