//! JSON by `serde_json`, which reports no spans: the raw text of each value is borrowed from the document, so that
//! its address is its offset.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Entry, Node, Value, too_deep, unreadable};
use crate::source::{Source, Span};
use crate::{Format, Problem};

pub(super) fn parse(source: &Arc<Source>) -> Result<Node, Vec<Problem>> {
    let document = source.text();
    if document.trim().is_empty() {
        return Ok(Node { value: Value::Null, span: Span::whole(source) });
    }
    // Raw values are slices of the document, so each has its place in the text, which serde_json does not report
    // otherwise. A value is scanned once for each level above it; the depth is limited.
    let root: &RawValue = read(source, document, 0)?;
    node(source, root, 0)
}

fn node(source: &Arc<Source>, raw: &RawValue, depth: usize) -> Result<Node, Vec<Problem>> {
    let (text, start) = (raw.get(), offset(source, raw));
    let span = Span::new(source, start, start + text.len());
    if depth > super::MAX_DEPTH {
        return Err(vec![too_deep(Format::Json, span)]);
    }
    let value = match text.as_bytes().first() {
        Some(b'{') => map(source, read(source, text, start)?, depth)?,
        Some(b'[') => {
            let items: Vec<&RawValue> = read(source, text, start)?;
            let items = items.into_iter().map(|item| node(source, item, depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        Some(b'"') => Value::Text(read(source, text, start)?),
        Some(b'n') => Value::Null,
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        // As a whole number first: a float has only 53 bits for it.
        Some(_) | None => match text.parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Float(read(source, text, start)?),
        },
    };
    Ok(Node { value, span })
}

fn map(source: &Arc<Source>, entries: Entries<'_>, depth: usize) -> Result<Value, Vec<Problem>> {
    let entries = entries.0.into_iter().map(|(key, value)| {
        let start = offset(source, key);
        let key_span = Span::new(source, start, start + key.get().len());
        let key = read(source, key.get(), start)?;
        Ok(Entry { key, key_span, node: node(source, value, depth + 1)? })
    });
    Ok(Value::Map(entries.collect::<Result<_, Vec<Problem>>>()?))
}

/// Returns the offset of a value that borrows from the document.
fn offset(source: &Arc<Source>, raw: &RawValue) -> usize {
    // A raw value borrows from the text of its source, so the difference of the addresses is its offset.
    raw.get().as_ptr().addr() - source.text().as_ptr().addr()
}

fn read<'a, T: Deserialize<'a>>(
    source: &Arc<Source>,
    text: &'a str,
    start: usize,
) -> Result<T, Vec<Problem>> {
    serde_json::from_str(text).map_err(|error| {
        let lines =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum::<usize>();
        let at = start + lines + error.column().saturating_sub(1);
        // The position that the parser names is within the slice; ours is in the span.
        let said = error.to_string();
        let why = said.split(" at line ").next().unwrap_or(&said);
        vec![unreadable(Format::Json, Span::new(source, at, at + 1), &plainly(why))]
    })
}

/// Rephrases the messages of the parser that presume knowledge of its grammar.
fn plainly(why: &str) -> String {
    match why {
        "key must be a string" => {
            "a key must be written in double quotes, and no comma follows the last entry".into()
        }
        "trailing comma" => "no comma follows the last entry".into(),
        why => match why.strip_prefix("EOF while parsing ") {
            Some(what) => format!("it ends where {what} is not complete"),
            None => why.to_owned(),
        },
    }
}

/// The entries of an object in their order, duplicates included.
struct Entries<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries<'a>, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(&'de RawValue, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(InOrder).map(Entries)
    }
}
