//! The schema of the document as a whole, and of the keys that only a few groups allow.

use std::borrow::Cow;

use halfopen_document::Word;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::document::{BreakerSection, Document};

/// A file: a document of many breakers, or of one that has its name beside its keys.
pub(super) struct Root;

/// A document of one breaker: its name beside its keys.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, transform = or_other_keys)]
#[allow(dead_code, reason = "only its schema is wanted")]
struct NamedBreaker {
    /// The name of the breaker, or a pattern of a prefix and a star.
    name: String,
    #[serde(flatten)]
    section: BreakerSection,
}

impl JsonSchema for Root {
    fn schema_name() -> Cow<'static, str> {
        "Circuit breakers".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        // Chosen by the one key that only a document of one breaker has. With `anyOf`, an editor would report the
        // errors of both forms.
        let one = generator.subschema_for::<NamedBreaker>();
        let many = generator.subschema_for::<Document>();
        json_schema!({
            "description": "A document of circuit breakers, as halfopen-config reads it.",
            "if": { "type": "object", "required": ["name"] },
            "then": one,
            "else": many,
        })
    }
}

/// A character of a name: neither a star nor a control or bidirectional character.
const NAME: &str = r"[^*\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]";

/// Allows keys of other programs at the top, such as those of editors, and the author's own anchors.
pub(crate) fn or_other_keys(root: &mut Schema) {
    if let Some(keys) = root.get_mut("properties").and_then(Value::as_object_mut) {
        let link = json!({ "description": "The location of this schema, for editors.", "type": "string" });
        keys.insert("$schema".into(), link);
        for names in ["breakers", "templates", "environments"] {
            let pattern = match names {
                // Only breakers have patterns; templates and environments are found by their whole names.
                "breakers" => format!("^({NAME}+\\*?|\\*)$"),
                _ => format!("^{NAME}+$"),
            };
            if let Some(Value::Object(map)) = keys.get_mut(names) {
                map.insert("propertyNames".into(), json!({ "pattern": pattern, "maxLength": 256 }));
            }
        }
    }
    root.insert("patternProperties".into(), json!({ "^x-": true }));
}

/// Allows keys of the author's own in `metadata`, which are notes.
pub(crate) fn or_own_notes(metadata: &mut Schema) {
    let note = Word::json_schema(&mut SchemaGenerator::default());
    metadata.insert("additionalProperties".into(), note.into());
}

/// Allows `window: unbounded`, in one word.
pub(crate) fn or_unbounded(window: &mut Schema) {
    let description = window.remove("description");
    // The description stays outside of the choice, where editors look for it.
    let group = std::mem::take(window.ensure_object());
    let either = json!([group, { "const": "unbounded" }]);
    window.insert("anyOf".into(), either);
    description.map(|text| window.insert("description".into(), text));
}

/// Adds to each key of an enum the description of its variant.
pub(crate) fn describe_keys(choice: &mut Schema) {
    let Some(Value::Array(values)) = choice.get_mut("oneOf") else { return };
    for value in values {
        let description = value["description"].clone();
        let keys = value.get_mut("properties").and_then(Value::as_object_mut);
        keys.into_iter()
            .flat_map(|keys| keys.values_mut())
            .for_each(|key| key["description"] = description.clone());
    }
}
