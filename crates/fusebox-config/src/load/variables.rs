//! Environment variables: `FUSEBOX_PAYMENTS__OPEN__DURATION=10s`.

use std::collections::BTreeMap;

use super::partial::nested;
use crate::document::{Document, Group, Section};
use crate::reader::Reader;
use crate::source::{Place, Source, SourceKind};
use crate::written::Layer;
use crate::{Problem, suggest};

const PREFIX: &str = "FUSEBOX_";
const ENVIRONMENT: &str = "FUSEBOX_ENVIRONMENT";

/// What the variables say.
#[derive(Debug, Default)]
pub(super) struct Variables {
    pub(super) environment: Option<String>,
    pub(super) sections: BTreeMap<String, Section>,
}

pub(super) fn read(
    variables: &BTreeMap<String, String>,
    document: &Document,
    problems: &mut Vec<Problem>,
) -> Variables {
    let mut read = Variables { environment: variables.get(ENVIRONMENT).cloned(), ..Variables::default() };
    for (variable, value) in variables {
        // A name without a key is not for us, whatever else begins like our names.
        let Some((stem, keys)) = variable.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__")) else {
            continue;
        };
        let text = format!("{variable}={value}");
        let source = Source::new(SourceKind::Variable, variable, &text);
        let Some(name) =
            name(stem, document, &Place::new(&source, PREFIX.len(), PREFIX.len() + stem.len()), problems)
        else {
            continue;
        };
        let place = Place::new(&source, variable.len() + 1, text.len());
        let keys = keys.to_lowercase();
        let node = nested(keys.split("__").collect::<Vec<_>>().into_iter(), value, &place);
        let section = Section::read(&node, &mut Reader::new(Layer::Variable, &[name], problems));
        read.sections.entry(name.to_owned()).or_default().overlay(&section);
    }
    read
}

/// The breaker of the document that a variable means.
fn name<'a>(
    stem: &str,
    document: &'a Document,
    place: &Place,
    problems: &mut Vec<Problem>,
) -> Option<&'a str> {
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
        let near = suggest::nearest(stem, folded.iter().map(String::as_str));
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{PREFIX}{near}`?"));
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
