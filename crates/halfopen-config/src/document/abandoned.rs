use halfopen_document::{Node, Period, Reader, Value};
use serde::Serialize;

/// How a call is counted whose caller went away before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = crate::schema::describe_keys))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Abandoned {
    /// Not counted.
    Ignore,
    /// Counted as a failure.
    Failure,
    /// Counted as a failure if it had taken at least this long, otherwise not counted.
    FailureAfter(Period),
}

const EXPECTED: &str = "ignore, failure or { failure_after: 10s }";

impl Abandoned {
    pub(super) fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Abandoned> {
        match &node.value {
            Value::Text(word) if word == "ignore" => Some(Abandoned::Ignore),
            Value::Text(word) if word == "failure" => Some(Abandoned::Failure),
            Value::Map(_) => {
                let mut fields = reader.fields(node, EXPECTED);
                let empty = fields.is_empty();
                let age = fields.take("failure_after", reader, Period::read);
                fields.finish(reader);
                if empty {
                    reader.mismatch(node, EXPECTED)
                } else {
                    age.map(|age| Abandoned::FailureAfter(age.value))
                }
            }
            _ => reader.mismatch(node, EXPECTED),
        }
    }
}
