use halfopen_document::{Node, Period, Reader, Value, group, scalar};
use serde::Serialize;

group! {
    /// The group `adaptive`: the numbers of a breaker that learns when to open, when to probe and when to close. A breaker with one of them is adaptive, as with `circuit_type: adaptive`.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    Adaptive, expected "an `adaptive` group such as { break_even: 0.5 }"
    values {
        /// The share of bad calls above which a call is not worth making, from 0.05 to 0.95; 0.5 by default. Lower with a good fallback at hand.
        #[cfg_attr(feature = "schema", schemars(range(min = 0.05, max = 0.95)))]
        break_even: f64 = scalar::share,
        /// When an answer is so late that the call is bad; by default after 3 times the learned 95 % quantile, and at least 0.7 s.
        slow: Slow = Slow::read,
        /// The longest time between two probes, before a jitter of a quarter; 30s by default.
        max_probe_gap: Period = Period::read,
        /// How often independent failures at the normal share may open the breaker; 7d by default.
        false_trip_interval: Period = Period::read,
    }
}

/// When an answer is so late that the call is bad.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = crate::schema::describe_keys))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Slow {
    /// No answer is: errors alone are bad.
    Off,
    /// From this multiple of the 95 % quantile of the successes, at least 0.7 s; from 1 to 100.
    Learned(f64),
    /// From this time.
    Limit(Period),
}

const EXPECTED: &str = "off, { learned: 3 } or { limit: 1s }";

impl Slow {
    fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Slow> {
        match &node.value {
            Value::Text(word) if word == "off" => Some(Slow::Off),
            // YAML 1.1 reads `off` as false.
            Value::Bool(false) => Some(Slow::Off),
            Value::Map(_) => {
                let mut fields = reader.fields(node, EXPECTED);
                let learned = fields.take("learned", reader, scalar::rate);
                let limit = fields.take("limit", reader, Period::read);
                fields.finish(reader);
                match (learned, limit) {
                    (Some(multiple), None) => Some(Slow::Learned(multiple.value)),
                    (None, Some(limit)) => Some(Slow::Limit(limit.value)),
                    (None, None) | (Some(_), Some(_)) => reader.mismatch(node, EXPECTED),
                }
            }
            _ => reader.mismatch(node, EXPECTED),
        }
    }
}
