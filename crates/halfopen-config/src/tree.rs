//! What the three formats have in common: values, each with the place where it is written.
//!
//! Every format is read into this tree by its own well-kept parser, and one reader gives it a meaning:
//! so that a message does not depend on the format, and all problems are found at once.

mod json;
mod toml;
mod yaml;

use std::sync::Arc;

use crate::display::quoted;
use crate::source::{Place, Source};
use crate::{Format, Problem};

/// Deeper than any document means anything; what lies below is not read.
pub(crate) const DEPTH: usize = 32;

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order of the document, a key that is written twice included.
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) node: Node,
}

/// The tree of a document, or why there is none.
pub(crate) fn parse(format: Format, source: &Arc<Source>) -> Result<Node, Vec<Problem>> {
    match format {
        Format::Yaml => yaml::parse(source),
        Format::Toml => toml::parse(source),
        Format::Json => json::parse(source),
    }
}

impl Node {
    /// What a person calls it: `the number 30`, `a list`.
    pub(crate) fn described(&self) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Bool(on) => format!("{on}"),
            Value::Integer(number) => format!("{number}"),
            // As a number with a point: 5.0 is no whole number.
            Value::Float(number) => format!("{number:?}"),
            Value::Text(text) => format!("{:?}", quoted(text)),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
        }
    }
}

/// The one problem of a text that is not of its format.
fn unreadable(format: Format, place: Place, why: &str) -> Problem {
    Problem::error("", format!("this is not {}: {why}", format.name())).at(place)
}

fn too_deep(format: Format, place: Place) -> Problem {
    unreadable(format, place, &format!("values lie more than {DEPTH} deep in one another"))
}
