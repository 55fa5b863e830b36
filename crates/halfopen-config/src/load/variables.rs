//! Environment variables: `HALFOPEN_PAYMENTS__OPEN__DURATION=10s`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::partial::{keys, nested};
use crate::document::{Document, Group, Section};
use crate::reader::Reader;
use crate::source::{Place, Source, SourceKind};
use crate::written::{Layer, Origin, Written};
use crate::{Problem, suggest};

const PREFIX: &str = "HALFOPEN_";
const ENVIRONMENT: &str = "HALFOPEN_ENVIRONMENT";

/// What the variables say.
#[derive(Debug, Default)]
pub(super) struct Variables {
    pub(super) environment: Option<Written<String>>,
    pub(super) sections: BTreeMap<String, Section>,
}

pub(super) fn read(
    variables: &BTreeMap<String, String>,
    document: &Document,
    problems: &mut Vec<Problem>,
) -> Variables {
    let mut read = Variables::default();
    for (variable, value) in variables {
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        let source = Source::new(SourceKind::Variable, variable, format!("{variable}={value}"));
        match rest.split_once("__") {
            Some((stem, path)) => {
                let Some(name) = name(stem, document, &source, problems) else { continue };
                let place = value_of(&source, value);
                let keys = keys(&path.to_lowercase(), "__", &source, variable.len() - path.len());
                let node = nested(&keys, value, &place);
                let section = Section::read(&node, &mut Reader::new(Layer::Variable, &[name], problems));
                read.sections.entry(name.to_owned()).or_default().overlay(&section);
            }
            // Set and empty is how a shell unsets what it cannot take away.
            None if variable == ENVIRONMENT && value.is_empty() => {}
            None if variable == ENVIRONMENT => {
                let origin = Origin::new(Layer::Variable, ENVIRONMENT.into(), value_of(&source, value));
                read.environment = Some(Written::new(value.clone(), origin));
            }
            // A name without a key is not for us, whatever else begins like our names.
            None => problems.extend(slip(rest, document, &source)),
        }
    }
    read
}

fn value_of(source: &Arc<Source>, value: &str) -> Place {
    Place::new(source, source.text.len() - value.len(), source.text.len())
}

/// A warning for a variable that is nearly one of ours.
fn slip(rest: &str, document: &Document, source: &Arc<Source>) -> Option<Problem> {
    let variable = &source.name;
    let is_key = |key: &str| {
        let key = key.to_lowercase();
        Section::keys()
            .any(|known| key.strip_prefix(known).is_some_and(|more| more.is_empty() || more.starts_with('_')))
    };
    let folded = document.breakers.keys().map(|name| folded(name));
    let mut meant = folded.filter(|stem| {
        rest.strip_prefix(stem.as_str()).and_then(|key| key.strip_prefix('_')).is_some_and(is_key)
    });
    let message = match meant.next() {
        Some(stem) => format!(
            "`{variable}` is not used: two `_` stand between a name and each key, as in `{PREFIX}{stem}__OPEN__DURATION`"
        ),
        None => {
            let near = suggest::nearest(variable, [ENVIRONMENT])?;
            format!("`{variable}` is not used; did you mean `{near}`?")
        }
    };
    Some(Problem::warning(variable, message).at(Place::new(source, 0, variable.len())))
}

/// The breaker of the document that a variable means.
fn name<'a>(
    stem: &str,
    document: &'a Document,
    source: &Arc<Source>,
    problems: &mut Vec<Problem>,
) -> Option<&'a str> {
    let place = Place::new(source, PREFIX.len(), PREFIX.len() + stem.len());
    let names = || document.breakers.keys().map(String::as_str);
    let meant: Vec<_> = names().filter(|name| folded(name) == stem).collect();
    if let [name] = meant.as_slice() {
        return Some(name);
    }
    let variable = place.document();
    let problem = if let [first, second, ..] = meant.as_slice() {
        let message = format!("`{variable}` may mean `{first}` or `{second}`: it is not used");
        Problem::error(variable, message)
            .help("give the two names that differ in more than signs and capitals")
    } else {
        let folded: Vec<_> = names().map(folded).collect();
        let begins = |name: &&str| stem.strip_prefix(*name).is_some_and(|key| key.starts_with('_'));
        let near = suggest::nearest(stem, folded.iter().map(String::as_str));
        let near =
            near.or_else(|| folded.iter().map(String::as_str).filter(begins).max_by_key(|name| name.len()));
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{PREFIX}{near}__`?"));
        Problem::warning(
            variable,
            format!("`{variable}` names no breaker of the document: it is not used{near}"),
        )
    };
    problems.push(problem.at(place.clone()));
    None
}

/// A name as a variable has it: `payments-eu` is `PAYMENTS_EU`, `db-*` is `DB`.
fn folded(name: &str) -> String {
    let stem = name.trim_end_matches('*').trim_end_matches(|c: char| !c.is_alphanumeric());
    stem.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}
