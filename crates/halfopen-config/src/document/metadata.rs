use std::collections::BTreeMap;

use super::group::{Group, group};
use crate::display::quoted;
use crate::reader::{Reader, scalar};
use crate::source::Place;
use crate::tree::{Entry, Node, Value};
use crate::written::Written;
use crate::{Problem, suggest};

const KEYS: [&str; 8] =
    ["version", "environment", "template", "description", "tags", "priority", "service_category", "notes"];

group! {
    /// The group `metadata`: what people say of a breaker, to find it by.
    #[cfg_attr(feature = "schema", schemars(transform = crate::schema::or_own_notes))]
    Metadata, expected "a `metadata` group such as { tags: [critical] }"
    values {
        /// The version of these numbers.
        #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Word>"))]
        version: String = scalar::text,
        /// The environment, such as `production`: the same as `environment` beside the groups.
        environment: String = scalar::text,
        /// The template: the same as `template` beside the groups.
        template: String = scalar::text,
        /// What the breaker protects.
        #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Word>"))]
        description: String = scalar::text,
        /// Words to find breakers by.
        #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<crate::schema::Word>>"))]
        tags: Vec<Written<String>> = tags,
        /// How important the dependency is; by custom 1 is the most.
        priority: i64 = scalar::whole,
        /// What kind of dependency it is, such as `database` or `ai`.
        #[cfg_attr(feature = "schema", schemars(with = "Option<crate::schema::Word>"))]
        service_category: String = scalar::text,
        /// Whatever else is worth a note: single values under keys of your own, here or beside `tags`.
        #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, crate::schema::Word>>"))]
        notes: BTreeMap<String, String> = notes,
    }
}

fn tags(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Written<String>>> {
    scalar::list(node, reader, "a list of words such as [critical, eu]", scalar::text)
}

fn notes(node: &Node, reader: &mut Reader<'_>) -> Option<BTreeMap<String, String>> {
    let expected = "a map of single values such as { owner: team-a }";
    let Value::Map(_) = &node.value else { return reader.wrong(node, expected) };
    let entries = reader.fields(node, expected).rest();
    let read = entries.into_iter().filter_map(|entry| {
        let text = reader.within(&entry.key, |reader| scalar::text(&entry.node, reader))?;
        Some((entry.key.clone(), text))
    });
    Some(read.collect())
}

/// The group, where every key of its author's own is a note.
pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Metadata {
    let Value::Map(entries) = &node.value else { return Metadata::read(node, reader) };
    let (known, own): (Vec<Entry>, Vec<Entry>) =
        entries.iter().cloned().partition(|entry| KEYS.contains(&entry.key.as_str()));
    let mut metadata = Metadata::read(&Node { value: Value::Map(known), place: node.place.clone() }, reader);
    if own.is_empty() {
        return metadata;
    }
    for entry in &own {
        warn_of_a_slip(entry, reader);
    }
    let origin = reader.origin(node.place.clone());
    let places: BTreeMap<String, Place> =
        own.iter().map(|entry| (entry.key.clone(), entry.key_place.clone())).collect();
    let own = Node { value: Value::Map(own), place: node.place.clone() };
    let notes = metadata.notes.get_or_insert_with(|| Written::new(BTreeMap::new(), origin));
    for (key, text) in self::notes(&own, reader).unwrap_or_default() {
        if notes.value.contains_key(&key) {
            let shown = quoted(&key);
            let path = reader.within(&shown, |reader| reader.path());
            let message =
                format!("`{path}` says the same as the note `{shown}` beside it; keep one of the two");
            reader.tell(Problem::error(path, message).at_least_at(places.get(&key)));
        }
        notes.value.insert(key, text);
    }
    metadata
}

fn warn_of_a_slip(entry: &Entry, reader: &mut Reader<'_>) {
    let Some(near) = suggest::nearest(&entry.key, KEYS, reader.told()) else { return };
    let path = reader.within(&quoted(&entry.key), |reader| reader.path());
    let message = format!("`{path}` is kept as a note of your own; did you mean `{near}`?");
    reader.tell(Problem::warning(path, message).at(entry.key_place.clone()));
}
