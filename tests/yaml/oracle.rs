//! The tree of a YAML document as serde-saphyr, a whole deserializer above the same parser of events, reads it.

use std::fmt;
use std::sync::Arc;

use halfopen_document::{Entry, MAX_DEPTH, Node, Problem, Source, Span, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Location, Spanned};

const MOST_EXPANDED: usize = 20_000;

pub(crate) fn parse(source: &Arc<Source>) -> Result<Node, Problem> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH + 1,
            // No limits of our own: the length of a document bounds its tree, except for aliases.
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_aliases: usize::MAX,
            max_anchors: usize::MAX,
            max_merge_keys: usize::MAX,
            max_documents: usize::MAX,
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_EXPANDED },
    };
    let read = serde_saphyr::from_str_with_options::<Spanned<Raw>>(source.text(), options);
    node(source, read.map_err(|error| problem(source, &error))?, 0)
}

fn node(source: &Arc<Source>, read: Spanned<Raw>, depth: usize) -> Result<Node, Problem> {
    let span = span_of(source, &read.defined);
    if depth > MAX_DEPTH {
        return Err(unreadable(span, "nesting exceeds the limit of 32 levels"));
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
            Value::Map(entries.collect::<Result<_, Problem>>()?)
        }
    };
    Ok(Node { value, span })
}

fn span_of(source: &Arc<Source>, location: &Location) -> Span {
    let span = location.span();
    let at = |offset: u64| usize::try_from(offset).expect("an offset of the document");
    match (span.byte_offset(), span.byte_len()) {
        (Some(start), Some(length)) => Span::new(source, at(start), at(start + length)),
        // A syntax error has no bytes.
        (None, _) | (_, None) => {
            let mut chars = source.text().char_indices();
            let start = chars.nth(at(span.offset())).map_or(source.text().len(), |(start, _)| start);
            Span::new(source, start, start + 1)
        }
    }
}

fn unreadable(span: Span, why: &str) -> Problem {
    Problem::error("", format!("this is not YAML: {why}")).at(span)
}

fn problem(source: &Arc<Source>, error: &Error) -> Problem {
    let span = error.location().map_or_else(|| Span::whole(source), |location| span_of(source, &location));
    match innermost(error) {
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            unreadable(span, "nesting exceeds the limit of 32 levels")
        }
        Error::AliasReplayLimitExceeded { .. } => {
            unreadable(span, "alias expansion exceeds the limit of 20,000 nodes")
        }
        Error::MultipleDocuments { .. } => {
            unreadable(span, "a second document begins, but must be one in a file")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => unreadable(span, "recursive alias"),
        other => {
            let message = other.to_string();
            let why = message.split(" at line ").next().unwrap_or(&message);
            unreadable(span, plainly(why))
        }
    }
}

fn innermost(error: &Error) -> &Error {
    match error.without_snippet() {
        Error::AliasError { error, .. } => innermost(error),
        error => error,
    }
}

/// Returns our words for those of serde-saphyr.
fn plainly(why: &str) -> &str {
    match why {
        _ if why.starts_with("tabs disallowed") => "a tab indents this line, but must be spaces",
        "while parsing a block mapping, did not find expected key" => {
            "this does not stand under the keys around it, or one of them lacks its colon"
        }
        "expected string scalar" => "a key must be a word, no list or map",
        "alias references unknown anchor" => "no anchor of this name stands before it",
        "cannot deserialize null into string; use Option<String>" => "a key must be a word, but is null",
        "invalid boolean (strict mode expects true/false)" => "the tag `!!bool` needs true or false",
        "invalid u64" | "invalid i64" => "the tag `!!int` needs a whole number of at most 64 bits",
        "invalid !!binary base64" => "the tag `!!binary` needs base64",
        "YAML merge value must be mapping or sequence of mappings" => {
            "a map or a list of maps must follow `<<`"
        }
        _ if why.starts_with("!!binary scalar is not valid UTF-8") => {
            "the tag `!!binary` needs the base64 of UTF-8"
        }
        why => why,
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
