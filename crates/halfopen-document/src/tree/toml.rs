use std::collections::HashMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::{Entry, Node, Value, too_deep, unreadable};
use crate::display::quoted;
use crate::source::{Source, Span};
use crate::{Format, Problem};

// The parser continues after an error, so that all are reported together.
pub(super) fn parse(source: &Arc<Source>) -> Result<Node, Vec<Problem>> {
    let (root, errors) = DeTable::parse_recoverable(source.text());
    if errors.is_empty() {
        if root.get_ref().is_empty() {
            // Without braces an empty table looks like an empty document.
            return Ok(Node { value: Value::Null, span: Span::whole(source) });
        }
        return table(source, root.into_inner(), Span::whole(source), 0);
    }
    // The part that could be parsed has the span of the first of two equal keys.
    let read = table(source, root.into_inner(), Span::whole(source), 0).ok();
    let keys = read.map(|root| Keys::of(&root)).unwrap_or_default();
    Err(errors.iter().map(|error| problem(source, error, &keys)).collect())
}

fn table(source: &Arc<Source>, read: DeTable<'_>, span: Span, depth: usize) -> Result<Node, Vec<Problem>> {
    let mut entries = read
        .into_iter()
        .map(|(key, value)| {
            let range = key.span();
            let key_span = Span::new(source, range.start, range.end);
            Ok(Entry { key: key.into_inner().into_owned(), key_span, node: node(source, value, depth + 1)? })
        })
        .collect::<Result<Vec<_>, Vec<Problem>>>()?;
    // The parser sorts by key, but problems are reported in the order of the document.
    entries.sort_by_key(|entry| entry.key_span.start());
    Ok(Node { value: Value::Map(entries), span })
}

fn node(source: &Arc<Source>, read: Spanned<DeValue<'_>>, depth: usize) -> Result<Node, Vec<Problem>> {
    let range = read.span();
    let span = Span::new(source, range.start, range.end);
    if depth > super::MAX_DEPTH {
        return Err(vec![too_deep(Format::Toml, span)]);
    }
    let value = match read.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::Text(span.text().to_owned()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::Text(span.text().to_owned()), Value::Float)
        }
        DeValue::Boolean(on) => Value::Bool(on),
        // No key has a date for its value, but free text may look like one.
        DeValue::Datetime(date) => Value::Text(date.to_string()),
        DeValue::Array(items) => {
            let items = items.into_iter().map(|item| node(source, item, depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(entries) => return table(source, entries, span, depth),
    };
    Ok(Node { value, span })
}

fn problem(source: &Arc<Source>, error: &Error, keys: &Keys) -> Problem {
    let range = error.span().unwrap_or(0..0);
    let span = Span::new(source, range.start, range.end);
    if error.message() != "duplicate key" {
        return unreadable(Format::Toml, span, error.message());
    }
    // The parser reports the second key without saying where the first is, so it is looked up among all keys of
    // that name, which are indexed once for all problems.
    let key = span.text().trim_matches(['"', '\'']);
    let found = keys.last_until(key, span.start());
    let first = match found {
        Some(first) if first.span.line() < span.line() => {
            format!("; the first is in line {}", first.span.line())
        }
        // Of two tables the parser keeps only the second.
        Some(_) | None => String::new(),
    };
    let path = found.map_or_else(|| quoted(key).into_owned(), Key::path);
    Problem::error(&path, format!("`{path}` is written twice{first}")).at(span).help("keep one of the two")
}

/// Every key of a document by its name, in the order of their spans.
#[derive(Default)]
struct Keys(HashMap<String, Vec<Key>>);

#[derive(Clone)]
struct Key {
    /// The keys from the root to this one, quoted for messages.
    path: Vec<Arc<str>>,
    span: Span,
}

impl Keys {
    fn of(root: &Node) -> Keys {
        let mut keys = Keys::default();
        keys.add(root, &mut Vec::new());
        for places in keys.0.values_mut() {
            places.sort_by_key(|key| key.span.start());
        }
        keys
    }

    fn add(&mut self, node: &Node, path: &mut Vec<Arc<str>>) {
        let Value::Map(entries) = &node.value else { return };
        for entry in entries {
            #[cfg(any(test, feature = "test-util"))]
            crate::work::add(1);
            path.push(Arc::from(&*quoted(&entry.key)));
            let key = Key { path: path.clone(), span: entry.key_span.clone() };
            self.0.entry(entry.key.clone()).or_default().push(key);
            self.add(&entry.node, path);
            path.pop();
        }
    }

    /// Returns the last key of this name that starts at an offset or before it.
    fn last_until(&self, name: &str, offset: usize) -> Option<&Key> {
        let places = self.0.get(name)?;
        places.partition_point(|key| key.span.start() <= offset).checked_sub(1).map(|last| &places[last])
    }
}

impl Key {
    fn path(&self) -> String {
        self.path.join(".")
    }
}
