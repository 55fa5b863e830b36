//! The limits of a breaker's calls and of a server's routes.

use std::collections::BTreeMap;

use halfopen::adapter::is_printable;
use halfopen_document::{Group, Node, Period, Problem, Reader, Value, group, scalar};

group! {
    /// The group `bulkhead_config`: how many calls may be in flight at a time.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    Bulkhead, expected "a `bulkhead_config` such as { max_concurrent_calls: 20, queue_timeout: 10 }"
    values {
        /// How many calls may be in flight at a time, at least 1.
        #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
        max_concurrent_calls: u32 = at_least_one,
        /// How many more calls may wait for a slot. With a `queue_timeout` the default is ten per slot.
        max_waiting_calls: u32 = scalar::count,
        /// The pool whose slots the calls take; breakers with the same pool share it. The default is a pool of its own.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Word>"))]
        isolation_pool_name: String = scalar::text,
        /// How long a call may wait for a slot; a number is seconds, and 0 is no wait.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Seconds>"))]
        queue_timeout: Period = Period::read_seconds,
    }
}

group! {
    /// The group `rate_limit`: how many calls may begin in a period.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    RateLimit, expected "a `rate_limit` such as { calls: 100, per: 60s }"
    values {
        /// How many calls are permitted per period, at least 1.
        #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
        calls: u32 = at_least_one,
        /// The period, longer than 0s; a number is seconds.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Seconds>"))]
        per: Period = Period::read_seconds_above_zero,
        /// How many of them may come in one burst, at least 1; all of them by default.
        #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
        burst: u32 = at_least_one,
        /// How long a call may wait for its turn; a number is seconds. The default is not to wait.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Seconds>"))]
        max_wait: Period = Period::read_seconds,
    }
}

group! {
    /// A route of a server: its breaker, its own limits, and the answer to a rejected request.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    Route, expected "a route such as { breaker: query_handler, max_concurrent_calls: 50 }"
    values {
        /// The name of the breaker that its requests pass.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Word>"))]
        breaker: String = scalar::text,
        /// How many requests may be in flight at a time, at least 1. The default is the `bulkhead_config` of the breaker.
        #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
        max_concurrent_calls: u32 = at_least_one,
        /// The JSON that a rejected request gets; a problem document by default.
        fallback: Json = Json::read,
    }
    groups {
        /// How many requests may begin in a period. The default is the `rate_limit` of the breaker.
        #[cfg_attr(feature = "schema", schemars(default))]
        rate_limit: RateLimit = RateLimit::read,
    }
}

/// Any value of a document, as JSON.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transparent))]
pub struct Json(pub serde_json::Value);

impl Json {
    #[allow(clippy::unnecessary_wraps, reason = "the form of all readers")]
    fn read(node: &Node, _: &mut Reader<'_>) -> Option<Json> {
        Some(Json(json(node)))
    }
}

/// The JSON of a node; numbers that JSON cannot have are null.
fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(on) => (*on).into(),
        // A number that fits into neither integer is a float in JSON too.
        Value::Integer(number) => i64::try_from(*number)
            .map(Into::into)
            .or_else(|_| u64::try_from(*number).map(Into::into))
            .unwrap_or_else(|_| (*number as f64).into()),
        Value::Float(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::List(nodes) => nodes.iter().map(json).collect(),
        Value::Map(entries) => {
            let entries = entries.iter().map(|entry| (entry.key.clone(), json(&entry.node)));
            serde_json::Value::Object(entries.collect())
        }
    }
}

/// The longest path of a route, in characters.
const LONGEST_PATH: usize = 1024;

/// Reads the routes of a server by their paths.
pub(super) fn routes(node: Option<&Node>, reader: &mut Reader<'_>) -> BTreeMap<String, Route> {
    let Some(node) = node else { return BTreeMap::new() };
    reader.within("routes", |reader| {
        let entries = reader.fields(node, "a map whose keys are the paths of routes").remaining();
        let read = entries.into_iter().filter_map(|entry| {
            let named = Node { value: Value::Text(entry.key.clone()), span: entry.key_span.clone() };
            let is_path = entry.key.starts_with('/')
                && entry.key.chars().nth(LONGEST_PATH).is_none()
                && entry.key.chars().all(is_printable);
            reader.within(&entry.key, |reader| {
                if !is_path {
                    return reader.mismatch(&named, "a path such as \"/api/{id}\", which starts with `/`");
                }
                let route = Route::read(&entry.node, reader);
                if route.breaker.is_none() {
                    let path = reader.path();
                    let message = format!("`{path}` has no `breaker`, must name the breaker of its requests");
                    reader.report(Problem::error(path, message).at(entry.key_span.clone()));
                }
                Some((entry.key.clone(), route))
            })
        });
        read.collect()
    })
}

fn at_least_one(node: &Node, reader: &mut Reader<'_>) -> Option<u32> {
    match &node.value {
        Value::Integer(0) => reader.mismatch(node, "at least 1"),
        _ => scalar::positive(node, reader),
    }
}
