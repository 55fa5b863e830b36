//! The schemas of single values, as the readers of [`scalar`](crate::reader::scalar) take them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::document::{CODES, Code, Statuses};
use crate::{Period, Written};

/// Where it is written is no part of a document.
impl<T: JsonSchema> JsonSchema for Written<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

macro_rules! values {
    ($( $(#[$meta:meta])* $value:ty, $name:literal: $schema:expr; )*) => { $(
        impl JsonSchema for $value {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )* };
}

/// A [`Period`] under a key whose numbers are seconds by tradition.
pub(crate) struct Seconds;

/// A text that may look like a number: `version: 1.10`.
pub(crate) struct Word;

const DURATION: &str = "^\\s*([0-9]+\\s*(d|h|m|s|ms|us|µs|μs|ns)\\s*)+$";
const STATUSES: &str = "^\\s*([1-5][xX][xX]|[1-5][0-9]{2}(\\s*-\\s*[1-5][0-9]{2})?)\\s*$";

values! {
    Period, "Period": json_schema!({ "type": "string", "pattern": DURATION, "examples": ["30s", "500ms", "1m30s"] });
    Seconds, "Seconds": json_schema!({
        "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string", "pattern": DURATION }],
        "examples": [30, "500ms"],
    });
    Word, "Word": json_schema!({ "type": ["string", "number", "boolean"] });
    Statuses, "Statuses": json_schema!({
        "anyOf": [{ "type": "integer", "minimum": 100, "maximum": 599 }, { "type": "string", "pattern": STATUSES }],
        "examples": [503, "500-599", "5xx"],
    });
    Code, "Code": json_schema!({ "anyOf": [{ "enum": CODES.map(|(name, _)| name) }, { "type": "string", "pattern": codes() }] });
}

/// Every code in capitals or not, with `_`, `-` or nothing between its words.
fn codes() -> String {
    let either = |letter: char| match letter {
        '_' => "[_-]?".to_owned(),
        letter => format!("[{letter}{}]", letter.to_ascii_lowercase()),
    };
    let names = CODES.map(|(name, _)| name.chars().map(either).collect::<String>());
    format!("^({})$", names.join("|"))
}
