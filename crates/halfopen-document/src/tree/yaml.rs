use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Location, Spanned};

use super::{Entry, Node, Value, too_deep, unreadable};
use crate::source::{Source, Span};
use crate::{Format, Problem};

/// The most nodes that aliases expand to. A document repeats a few groups; more is an attack on the memory.
const MOST_EXPANDED: usize = 20_000;

pub(super) fn parse(source: &Arc<Source>) -> Result<Node, Vec<Problem>> {
    let options = serde_saphyr::options! {
        // Reported as problems of ours, together with all others.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // `off` and `no` are texts.
        strict_booleans: true,
        with_snippet: false,
        // Reported with its key when the number is read.
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        // The parser recurses before there is a tree to measure; levels inside aliases count too.
        budget: serde_saphyr::budget! {
            max_depth: super::MAX_DEPTH + 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_EXPANDED,
        },
    };
    let read = serde_saphyr::from_str_with_options::<Spanned<Raw>>(source.text(), options);
    let root = read.map_err(|error| vec![problem(source, &error)])?;
    node(source, root, 0)
}

fn node(source: &Arc<Source>, read: Spanned<Raw>, depth: usize) -> Result<Node, Vec<Problem>> {
    let span = span_of(source, &read.defined);
    // The parser's own limit is one level deeper, so that the problem names the place with the words of all
    // formats.
    if depth > super::MAX_DEPTH {
        return Err(vec![too_deep(Format::Yaml, span)]);
    }
    let value = match read.value {
        Raw::Plain(value) => value,
        Raw::List(items) => {
            let items = items.into_iter().map(|item| node(source, item, depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        Raw::Map(entries) => {
            let entries = entries.into_iter().map(|(key, value)| {
                let key_span = span_of(source, &key.defined);
                Ok(Entry { key: key.value, key_span, node: node(source, value, depth + 1)? })
            });
            Value::Map(entries.collect::<Result<_, Vec<Problem>>>()?)
        }
    };
    Ok(Node { value, span })
}

fn span_of(source: &Arc<Source>, location: &Location) -> Span {
    let span = location.span();
    match (span.byte_offset(), span.byte_len()) {
        (Some(start), Some(length)) => {
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            let length = usize::try_from(length).unwrap_or(0);
            Span::new(source, start, start.saturating_add(length))
        }
        (None, _) | (_, None) => at_line(source, location),
    }
}

// Syntax errors have a line and a column, but no offset.
fn at_line(source: &Arc<Source>, location: &Location) -> Span {
    let line = usize::try_from(location.line()).unwrap_or(1).max(1);
    let column = usize::try_from(location.column()).unwrap_or(1).max(1);
    let before = source.text().split_inclusive('\n').take(line - 1).map(str::len).sum::<usize>();
    let rest = &source.text()[before.min(source.text().len())..];
    let offset = rest.char_indices().nth(column - 1).map_or(rest.len(), |(offset, _)| offset);
    Span::new(source, before + offset, before + offset + 1)
}

fn problem(source: &Arc<Source>, error: &Error) -> Problem {
    let span = error.location().map_or_else(|| Span::whole(source), |location| span_of(source, &location));
    match innermost(error) {
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_deep(Format::Yaml, span),
        Error::AliasReplayLimitExceeded { .. } => {
            unreadable(Format::Yaml, span, "alias expansion exceeds the limit of 20,000 nodes")
        }
        Error::MultipleDocuments { .. } => {
            unreadable(Format::Yaml, span, "a second document begins, but must be one in a file")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            unreadable(Format::Yaml, span, "recursive alias")
        }
        other => {
            let message = other.to_string();
            // The problem has a span, so that the position would stand there twice.
            let why = message.split(" at line ").next().unwrap_or(&message);
            unreadable(Format::Yaml, span, plainly(why))
        }
    }
}

/// Rephrases the messages of the parser that presume knowledge of its grammar.
fn plainly(why: &str) -> &str {
    match why {
        _ if why.starts_with("tabs disallowed") => "a tab indents this line, but must be spaces",
        "while parsing a block mapping, did not find expected key" => {
            "this does not stand under the keys around it, or one of them lacks its colon"
        }
        "expected string scalar" => "a key must be a word, no list or map",
        "alias references unknown anchor" => "no anchor of this name stands before it",
        why => why,
    }
}

/// Returns the error itself, without the aliases around it.
fn innermost(error: &Error) -> &Error {
    match error.without_snippet() {
        Error::AliasError { error, .. } => innermost(error),
        error => error,
    }
}

enum Raw {
    Plain(Value),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Null))
    }

    fn visit_bool<E>(self, on: bool) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Bool(on)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Integer(number.into())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Integer(number.into())))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Integer(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Float(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Plain(Value::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Raw::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            all.push(entry);
        }
        Ok(Raw::Map(all))
    }
}
