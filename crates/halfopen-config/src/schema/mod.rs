//! The JSON Schema of a document, for completion and checks in editors.
//!
//! The types that are read provide the keys and their descriptions; this module adds the rest, such as the flat
//! keys.

mod flat;
mod root;
mod trip;
mod values;

use halfopen_document::{Scope, SectionKinds};
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::{Loader, document};

pub(crate) use flat::add_flat_keys;
pub(crate) use root::{describe_keys, or_other_keys, or_own_notes, or_unbounded};

/// Returns the JSON Schema (draft 07) of a document as text; the file `halfopen.schema.json` of this crate has
/// the same text.
///
/// The schema has keys, kinds of values and their ranges. Only [`lint`](crate::lint) finds a value that
/// conflicts with another one, such as a minimum that the window cannot hold.
///
/// # Examples
///
/// ```
/// let schema: serde_json::Value = serde_json::from_str(&halfopen_config::schema())?;
/// let wait = &schema["definitions"]["Open"]["properties"]["duration"];
/// assert_eq!(wait["description"], "The first wait, 2s by default; 0s is allowed.");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn schema() -> String {
    with_sections(document::reserved_kinds())
}

impl Loader {
    /// Returns the JSON Schema of the documents that this loader reads, [sections](Self::section) included.
    pub fn schema(&self) -> String {
        with_sections(self.sections())
    }
}

fn with_sections(sections: &SectionKinds) -> String {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut of = |scope| -> Vec<(&str, Schema)> {
        sections.of(scope).map(|kind| (kind.key(), kind.schema(&mut generator))).collect()
    };
    // Generated before the root, with the same generator, so that definitions that both use exist once.
    let (of_entries, of_documents) = (of(Scope::Entry), of(Scope::Document));
    let mut schema = generator.into_root_schema_for::<root::Root>();
    for (definition, sections) in [
        ("Section", &of_entries),
        ("Template", &of_entries),
        ("NamedBreaker", &of_entries),
        ("NamedBreaker", &of_documents),
        ("Document", &of_documents),
    ] {
        let keys = schema.pointer_mut(&format!("/definitions/{definition}/properties"));
        let keys = keys.and_then(Value::as_object_mut).expect("a definition of this name with keys");
        keys.extend(sections.iter().map(|(key, of)| ((*key).to_owned(), of.clone().into())));
    }
    // `Option` becomes "or null" in a derived schema, but a key without a value is an error in a document, unless
    // it is a group.
    RecursiveTransform(never_null).transform(&mut schema);
    let definitions = schema.get_mut("definitions").and_then(Value::as_object_mut);
    // An empty document is an error.
    let groups = definitions
        .into_iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "Document" | "NamedBreaker"));
    groups.for_each(|(_, group)| or_empty(group));
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema has texts for keys");
    text.push('\n');
    text
}

/// Returns a reference to the schema of a section, with a description.
pub(crate) fn described<T: JsonSchema>(generator: &mut SchemaGenerator, description: &str) -> Schema {
    json_schema!({ "description": description, "allOf": [generator.subschema_for::<T>()] })
}

fn of<T: JsonSchema>() -> Schema {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    RecursiveTransform(never_null).transform(&mut schema);
    schema
}

/// Forbids null for optional values: an `open.duration` without a value is likely an oversight.
fn never_null(schema: &mut Schema) {
    // An empty group is the same as an absent one, which editors need not describe.
    if schema.get("default") == Some(&json!({})) {
        schema.remove("default");
    }
    let is_null = |kind: &Value| kind == "null" || *kind == json!({ "type": "null" });
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| !is_null(kind));
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            schema.insert("type".into(), kind);
        }
    }
    if let Some(Value::Array(kinds)) = schema.get_mut("anyOf") {
        kinds.retain(|kind| !is_null(kind));
        if let [Value::Object(only)] = kinds.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            if only.contains_key("$ref") {
                // In draft 07 a `$ref` hides its siblings.
                schema.insert("allOf".into(), json!([only]));
            } else {
                schema.ensure_object().extend(only);
            }
        }
    }
}

/// Allows null for a group: all its keys may be commented out.
fn or_empty(group: &mut Value) {
    let Some(group) = group.as_object_mut() else { return };
    if let Some(Value::Array(forms)) = group.get_mut("anyOf") {
        forms.iter_mut().for_each(or_empty);
    }
    let Some(Value::Object(keys)) = group.get_mut("properties") else { return };
    let names = keys.values_mut().filter(|of| of.get("propertyNames").is_some());
    // A map of names without an entry is a key whose entries are all commented out, and valid.
    names.for_each(|of| of["type"] = json!(["object", "null"]));
    group.insert("type".into(), json!(["object", "null"]));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key below, with the path to it.
    fn keys(path: &str, schema: &Value, all: &mut Vec<(String, Value)>) {
        match schema {
            Value::Object(parts) => {
                for (part, inner) in parts {
                    let path = format!("{path}/{part}");
                    if part == "properties" {
                        let found = inner.as_object().into_iter().flatten();
                        all.extend(found.map(|(key, of)| (format!("{path}/{key}"), of.clone())));
                    }
                    keys(&path, inner, all);
                }
            }
            Value::Array(parts) => parts.iter().for_each(|inner| keys(path, inner, all)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_key_has_a_description() {
        let mut all = Vec::new();
        keys("", &serde_json::from_str(&schema()).unwrap(), &mut all);
        assert!(all.len() > 100, "{}", all.len());
        let bare = |of: &Value| of["description"].as_str().is_none_or(|text| text.len() < 10);
        let bare: Vec<_> = all.iter().filter(|(_, of)| bare(of)).map(|(path, _)| path).collect();
        assert!(bare.is_empty(), "without a description: {bare:#?}");
    }
}
