//! Parts of a breaker whose engine is not in this crate: read, checked and kept for whoever has it.
use halfopen_document::{Node, Period, Reader, group, scalar};

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

fn above_zero(node: &Node, reader: &mut Reader<'_>) -> Option<Period> {
    let period = Period::read_seconds(node, reader)?;
    if period.0.is_zero() { reader.mismatch(node, "longer than 0s") } else { Some(period) }
}
