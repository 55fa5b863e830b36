use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::{Entry, Node, Value, too_deep, unreadable};
use crate::source::{Place, Source};
use crate::{Format, Problem};

/// The parser goes on after an error, so that all are told at once.
pub(super) fn parse(source: &Arc<Source>) -> Result<Node, Vec<Problem>> {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    if errors.is_empty() {
        if root.get_ref().is_empty() {
            // A table has no braces here that an empty one could be told by.
            return Ok(Node { value: Value::Null, place: Place::whole(source) });
        }
        return table(source, root.into_inner(), Place::whole(source), 0);
    }
    // What could be read says where the first of two is.
    let read = table(source, root.into_inner(), Place::whole(source), 0).ok();
    Err(errors.iter().map(|error| problem(source, error, read.as_ref())).collect())
}

fn table(source: &Arc<Source>, read: DeTable<'_>, place: Place, depth: usize) -> Result<Node, Vec<Problem>> {
    let mut entries = read
        .into_iter()
        .map(|(key, value)| {
            let span = key.span();
            let key_place = Place::new(source, span.start, span.end);
            Ok(Entry { key: key.into_inner().into_owned(), key_place, node: node(source, value, depth + 1)? })
        })
        .collect::<Result<Vec<_>, Vec<Problem>>>()?;
    entries.sort_by_key(|entry| entry.key_place.start());
    Ok(Node { value: Value::Map(entries), place })
}

fn node(source: &Arc<Source>, read: Spanned<DeValue<'_>>, depth: usize) -> Result<Node, Vec<Problem>> {
    let span = read.span();
    let place = Place::new(source, span.start, span.end);
    if depth > super::DEPTH {
        return Err(vec![too_deep(Format::Toml, place)]);
    }
    let value = match read.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::Text(place.text().to_owned()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::Text(place.text().to_owned()), Value::Float)
        }
        DeValue::Boolean(on) => Value::Bool(on),
        // No key of ours holds a date; a note of the reader's own may.
        DeValue::Datetime(date) => Value::Text(date.to_string()),
        DeValue::Array(items) => {
            let items = items.into_iter().map(|item| node(source, item, depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(entries) => return table(source, entries, place, depth),
    };
    Ok(Node { value, place })
}

fn problem(source: &Arc<Source>, error: &Error, read: Option<&Node>) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let place = Place::new(source, span.start, span.end);
    if error.message() != "duplicate key" {
        return unreadable(Format::Toml, place, error.message());
    }
    let key = place.text().trim_matches(['"', '\'']);
    let found = read.and_then(|root| last_until(root, key, &place, ""));
    let first = match &found {
        Some((_, line)) if *line < place.line() => format!("; the first is in line {line}"),
        // Of two tables only the second is kept.
        Some(_) | None => String::new(),
    };
    let path = found.map_or_else(|| key.to_owned(), |(path, _)| path);
    Problem::error(&path, format!("`{path}` is written twice{first}")).at(place).help("keep one of the two")
}

/// The path and line of the last key of this name up to a place.
fn last_until(node: &Node, key: &str, place: &Place, path: &str) -> Option<(String, usize)> {
    let Value::Map(entries) = &node.value else { return None };
    let until = entries.iter().filter(|entry| entry.key_place.start() <= place.start());
    let found = until.filter_map(|entry| {
        let path = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        let below = last_until(&entry.node, key, place, &path);
        below.or_else(|| (entry.key == key).then(|| (path, entry.key_place.line())))
    });
    found.max_by_key(|(_, line)| *line)
}
