use std::collections::HashMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::{Entry, Node, Value, too_deep, unreadable};
use crate::display::quoted;
use crate::source::{Place, Source};
use crate::{Format, Problem};

/// The parser goes on after an error, so that all are reported together.
pub(super) fn parse(source: &Arc<Source>) -> Result<Node, Vec<Problem>> {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    if errors.is_empty() {
        if root.get_ref().is_empty() {
            // A table has no braces here that an empty one could be told by.
            return Ok(Node { value: Value::Null, place: Place::whole(source) });
        }
        return table(source, root.into_inner(), Place::whole(source), 0);
    }
    // What could be read knows where the first of two is.
    let read = table(source, root.into_inner(), Place::whole(source), 0).ok();
    let keys = read.map(|root| Keys::of(&root)).unwrap_or_default();
    Err(errors.iter().map(|error| problem(source, error, &keys)).collect())
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

fn problem(source: &Arc<Source>, error: &Error, keys: &Keys) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let place = Place::new(source, span.start, span.end);
    if error.message() != "duplicate key" {
        return unreadable(Format::Toml, place, error.message());
    }
    let key = place.text().trim_matches(['"', '\'']);
    let found = keys.last_until(key, place.start());
    let first = match found {
        Some(first) if first.place.line() < place.line() => {
            format!("; the first is in line {}", first.place.line())
        }
        // Of two tables only the second is kept.
        Some(_) | None => String::new(),
    };
    let path = found.map_or_else(|| quoted(key).into_owned(), Key::path);
    Problem::error(&path, format!("`{path}` is written twice{first}")).at(place).help("keep one of the two")
}

/// Every key of a document by its name, in the order of their places.
#[derive(Default)]
struct Keys(HashMap<String, Vec<Key>>);

#[derive(Clone)]
struct Key {
    /// The keys around it and itself, quoted as messages have them.
    path: Vec<Arc<str>>,
    place: Place,
}

impl Keys {
    fn of(root: &Node) -> Keys {
        let mut keys = Keys::default();
        keys.add(root, &mut Vec::new());
        for places in keys.0.values_mut() {
            places.sort_by_key(|key| key.place.start());
        }
        keys
    }

    fn add(&mut self, node: &Node, path: &mut Vec<Arc<str>>) {
        let Value::Map(entries) = &node.value else { return };
        for entry in entries {
            #[cfg(test)]
            crate::work::add(1);
            path.push(Arc::from(&*quoted(&entry.key)));
            let key = Key { path: path.clone(), place: entry.key_place.clone() };
            self.0.entry(entry.key.clone()).or_default().push(key);
            self.add(&entry.node, path);
            path.pop();
        }
    }

    /// Returns the last key of this name that begins at a place or before it.
    fn last_until(&self, name: &str, place: usize) -> Option<&Key> {
        let places = self.0.get(name)?;
        places.partition_point(|key| key.place.start() <= place).checked_sub(1).map(|last| &places[last])
    }
}

impl Key {
    fn path(&self) -> String {
        self.path.join(".")
    }
}
