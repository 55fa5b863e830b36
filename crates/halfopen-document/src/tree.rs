//! The tree that all three formats are read into: values, each with its span.
//!
//! Every format is parsed by its own well-kept parser into this tree, and one reader interprets it, so that messages
//! do not depend on the format and all problems are found in one pass.

mod json;
mod toml;
mod yaml;

use std::sync::Arc;

use crate::display::quoted;
use crate::source::{Source, Span};
use crate::{Format, Problem};

/// The deepest nesting of values in a document.
pub const MAX_DEPTH: usize = 32;

/// A value of the tree with its span.
#[derive(Clone, Debug)]

pub struct Node {
    /// The value.
    pub value: Value,
    /// Its place in the source.
    pub span: Span,
}

/// A value in one of the forms that the formats have in common.
#[derive(Clone, Debug)]
pub enum Value {
    /// No value, as after a key whose entries are all commented out.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i128),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the document; duplicate keys are kept.
    Map(Vec<Entry>),
}

/// An entry of a map.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The place of the key in the source.
    pub key_span: Span,
    /// The value.
    pub node: Node,
}

/// Parses a document into its tree.
///
/// # Errors
///
/// Syntax errors, values nested deeper than [`MAX_DEPTH`], and aliases that expand to too many nodes.
///
/// # Examples
///
/// ```
/// use halfopen_document::{Format, Source, SourceKind, Value, parse};
///
/// let source = Source::new(SourceKind::File, "pool.toml", "size = 5");
/// let root = parse(Format::Toml, &source).unwrap();
/// let Value::Map(entries) = &root.value else { unreachable!() };
/// assert!(matches!(entries[0].node.value, Value::Integer(5)));
/// assert_eq!(entries[0].node.span.to_string(), "pool.toml:1:8");
/// ```
pub fn parse(format: Format, source: &Arc<Source>) -> Result<Node, Vec<Problem>> {
    match format {
        Format::Yaml => yaml::parse(source),
        Format::Toml => toml::parse(source),
        Format::Json => json::parse(source),
    }
}

impl Node {
    /// Returns the value for use in a message: `30`, `"text"`, `a list`.
    pub(crate) fn described(&self) -> String {
        match &self.value {
            Value::Null => "nothing".into(),
            Value::Bool(on) => format!("{on}"),
            Value::Integer(number) => format!("{number}"),
            // With its point: 5.0 is not a whole number.
            Value::Float(number) => format!("{number:?}"),
            Value::Text(text) => format!("{:?}", quoted(text)),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a map".into(),
        }
    }
}

/// Returns the problem of a text that is not valid in its format.
fn unreadable(format: Format, span: Span, why: &str) -> Problem {
    Problem::error("", format!("this is not {}: {why}", format.name())).at(span)
}

fn too_deep(format: Format, span: Span) -> Problem {
    unreadable(format, span, &format!("nesting exceeds the limit of {MAX_DEPTH} levels"))
}
