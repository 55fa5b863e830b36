//! The schema of the rules, which are a map or a list; each may be `off`.

use halfopen_document::Period;
use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::Trip;

impl JsonSchema for Trip {
    fn schema_name() -> Cow<'static, str> {
        "Trip".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let rules = rules(generator);
        let mut keys = rules.clone();
        keys["minimum_calls"] = minimum("The minimum of every rate that names none of its own.");
        json_schema!({
            "description": "The rules that open a breaker; any one that holds does. As a map they add to those of lower layers, as a list they stand alone.",
            "anyOf": [
                { "type": "object", "properties": keys, "additionalProperties": false },
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": rules,
                        "additionalProperties": false,
                        "maxProperties": 1,
                    },
                },
            ],
        })
    }
}

fn rules(generator: &mut SchemaGenerator) -> Value {
    let slow_after = described(generator.subschema_for::<Period>(), "From which time on a call is slow.");
    let share =
        |what: &str| json!({ "description": what, "type": "number", "exclusiveMinimum": 0, "maximum": 1 });
    let calls = || {
        minimum(
            "The least number of calls in the window, at least 1. By default 5, or the calls that the window holds if those are fewer.",
        )
    };
    json!({
        "consecutive_failures": count("Opens after so many failures, one after the other."),
        "failure_count": count("Opens at so many failures in the window."),
        "failure_rate": or_off("Opens at such a share of failures in the window.", &json!({
            "threshold": share("From which share of failures on it opens, above 0 and at most 1."),
            "minimum_calls": calls(),
        })),
        "slow_call_rate": or_off("Opens at such a share of slow calls in the window.", &json!({
            "threshold": share("From which share of slow calls on it opens, above 0 and at most 1."),
            "slow_after": slow_after,
            "minimum_calls": calls(),
            "in_flight": {
                "description": "Whether a call in flight counts as slow from that time on, and not only at its end; false by default.",
                "type": "boolean",
            },
        })),
    })
}

fn described(mut schema: Schema, description: &str) -> Schema {
    schema.insert("description".into(), description.into());
    schema
}

fn minimum(description: &str) -> Value {
    json!({ "description": description, "type": "integer", "minimum": 1 })
}

fn count(description: &str) -> Value {
    json!({ "description": description, "anyOf": [{ "type": "integer", "minimum": 1 }, { "enum": ["off", false] }] })
}

fn or_off(description: &str, keys: &Value) -> Value {
    let rate = json!({ "type": "object", "properties": keys, "additionalProperties": false });
    json!({ "description": description, "anyOf": [rate, { "enum": ["off", false] }] })
}
