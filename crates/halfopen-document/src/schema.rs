//! The JSON Schemas of values, as the readers of [`scalar`](crate::scalar) accept them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{Located, Period};

// The origin of a value is not part of a document.
impl<T: JsonSchema> JsonSchema for Located<T> {
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

/// The schema of a [`Period`] that may also be a number of seconds: `#[schemars(with = "Option<Seconds>")]`.
#[derive(Debug)]
pub struct Seconds;

/// The schema of a text that may look like a number, such as `version: 1.10`: `#[schemars(with = "Option<Word>")]`.
#[derive(Debug)]
pub struct Word;

const DURATION: &str = "^\\s*([0-9]+\\s*(d|h|m|s|ms|us|µs|μs|ns)\\s*)+$";

/// Implements [`JsonSchema`] for types that a document writes as one value, so that the schema stands where the value
/// does and needs no definition of its own.
///
/// Takes a type, its name and its schema for each.
///
/// # Examples
///
/// ```
/// use schemars::json_schema;
///
/// struct Port;
///
/// halfopen_document::inline_schemas! {
///     Port, "Port": json_schema!({ "type": "integer", "minimum": 1, "maximum": 65535 });
/// }
/// let schema = schemars::schema_for!(Port);
/// assert_eq!(schema.as_value()["maximum"], 65535);
/// ```
#[macro_export]
macro_rules! inline_schemas {
    ($($value:ty, $name:literal: $schema:expr;)*) => { $(
        impl ::schemars::JsonSchema for $value {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                $schema
            }
        }
    )* };
}

inline_schemas! {
    Period, "Period": json_schema!({ "type": "string", "pattern": DURATION, "examples": ["30s", "500ms", "1m30s"] });
    Seconds, "Seconds": json_schema!({
        "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string", "pattern": DURATION }],
        "examples": [30, "500ms"],
    });
    Word, "Word": json_schema!({ "type": ["string", "number", "boolean"] });
}
