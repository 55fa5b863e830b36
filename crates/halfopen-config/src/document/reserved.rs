//! Parts of a breaker whose engine is not in this crate: read, checked and kept for whoever has it.
use halfopen_document::{Node, Period, Reader, Value, group, scalar};

group! {
    /// The group `bulkhead_config`: how many calls may be under way at once. Kept, and not acted on yet.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    Bulkhead, expected "a `bulkhead_config` such as { max_concurrent_calls: 20, queue_timeout: 10 }"
    values {
        /// How many calls may be under way at once, at least 1.
        #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
        max_concurrent_calls: u32 = at_least_one,
        /// The pool of calls that this breaker's are counted in.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Word>"))]
        isolation_pool_name: String = scalar::text,
        /// How long a call may wait for its turn; a number is seconds.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Seconds>"))]
        queue_timeout: Period = Period::read_seconds,
    }
}

group! {
    /// The group `health_check_config`: how the dependency is asked whether it is well. Kept, and not acted on yet.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    HealthCheck, expected "a `health_check_config` such as { health_check_interval: 30 }"
    values {
        /// How long from one question to the next, longer than 0s; a number is seconds.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Seconds>"))]
        health_check_interval: Period = above_zero,
        /// How long an answer may take, longer than 0s; a number is seconds.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Seconds>"))]
        health_check_timeout: Period = above_zero,
        /// Whom to ask.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Word>"))]
        health_check_url: String = scalar::text,
    }
}

fn at_least_one(node: &Node, reader: &mut Reader<'_>) -> Option<u32> {
    match &node.value {
        Value::Integer(0) => reader.mismatch(node, "at least 1"),
        _ => scalar::positive(node, reader),
    }
}

fn above_zero(node: &Node, reader: &mut Reader<'_>) -> Option<Period> {
    let period = Period::read_seconds(node, reader)?;
    if period.0.is_zero() { reader.mismatch(node, "longer than 0s") } else { Some(period) }
}
