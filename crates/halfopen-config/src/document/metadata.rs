use halfopen_document::{
    Entry, Group, Located, Node, Problem, Reader, Span, Value, group, quoted, scalar, suggest,
};
use std::collections::BTreeMap;

const KEYS: [&str; 8] =
    ["version", "environment", "template", "description", "tags", "priority", "service_category", "notes"];

group! {
    /// The group `metadata`: a description of the breaker, by which it can be found.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    #[cfg_attr(feature = "schema", schemars(transform = crate::schema::or_own_notes))]
    Metadata, expected "a `metadata` group such as { tags: [critical] }"
    values {
        /// The version of these numbers.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Word>"))]
        version: String = scalar::text,
        /// The environment, such as `production`: the same as `environment` beside the groups.
        environment: String = scalar::text,
        /// The template: the same as `template` beside the groups.
        template: String = scalar::text,
        /// What the breaker protects.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Word>"))]
        description: String = scalar::text,
        /// Words to find breakers by.
        #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<halfopen_document::Word>>"))]
        tags: Vec<Located<String>> = tags,
        /// How important the dependency is; by custom 1 is the most.
        priority: i64 = scalar::whole,
        /// What kind of dependency it is, such as `database` or `ai`.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Word>"))]
        service_category: String = scalar::text,
        /// Any other notes: single values under keys of your own, here or beside `tags`.
        #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, halfopen_document::Word>>"))]
        notes: BTreeMap<String, String> = notes,
    }
}

fn tags(node: &Node, reader: &mut Reader<'_>) -> Option<Vec<Located<String>>> {
    scalar::list(node, reader, "a list of words such as [critical, eu]", scalar::text)
}

fn notes(node: &Node, reader: &mut Reader<'_>) -> Option<BTreeMap<String, String>> {
    let expected = "a map of single values such as { owner: team-a }";
    let Value::Map(_) = &node.value else { return reader.mismatch(node, expected) };
    let entries = reader.fields(node, expected).remaining();
    let read = entries.into_iter().filter_map(|entry| {
        let text = reader.within(&entry.key, |reader| scalar::text(&entry.node, reader))?;
        Some((entry.key.clone(), text))
    });
    Some(read.collect())
}

/// Reads the group, in which every unknown key is a note.
pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Metadata {
    let Value::Map(entries) = &node.value else { return Metadata::read(node, reader) };
    // Any other key is a note of the user's, which no reader could know.
    let (known, own): (Vec<Entry>, Vec<Entry>) =
        entries.iter().cloned().partition(|entry| KEYS.contains(&entry.key.as_str()));
    let mut metadata = Metadata::read(&Node { value: Value::Map(known), span: node.span.clone() }, reader);
    if own.is_empty() {
        return metadata;
    }
    for entry in &own {
        // A misspelt key would otherwise be kept as a note and never be missed.
        warn_of_a_slip(entry, reader);
    }
    let origin = reader.origin(node.span.clone());
    let places: BTreeMap<String, Span> =
        own.iter().map(|entry| (entry.key.clone(), entry.key_span.clone())).collect();
    let own = Node { value: Value::Map(own), span: node.span.clone() };
    let notes = metadata.notes.get_or_insert_with(|| Located::new(BTreeMap::new(), origin));
    for (key, text) in self::notes(&own, reader).unwrap_or_default() {
        if notes.value.contains_key(&key) {
            let shown = quoted(&key);
            let path = reader.within(&shown, |reader| reader.path().to_owned());
            let message =
                format!("`{path}` says the same as the note `{shown}` beside it; keep one of the two");
            reader.report(Problem::error(path, message).or_at(places.get(&key)));
        }
        notes.value.insert(key, text);
    }
    metadata
}

fn warn_of_a_slip(entry: &Entry, reader: &mut Reader<'_>) {
    let Some(near) = suggest::nearest(&entry.key, KEYS, reader.reported()) else { return };
    let path = reader.within(&quoted(&entry.key), |reader| reader.path().to_owned());
    let message = format!("`{path}` is kept as a note of your own; did you mean `{near}`?");
    reader.report(Problem::warning(path, message).at(entry.key_span.clone()));
}
