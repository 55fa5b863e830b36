//! Sections that are read and checked, and that nothing in this crate acts on.
//!
//! A section of the same key that a loader is given takes their place.

use std::sync::LazyLock;

use halfopen_document::{Lint, Node, Period, Reader, Section, SectionKinds, group, scalar};

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

impl Section for HealthCheck {
    const KEY: &'static str = "health_check_config";

    fn lint(&self, lint: &mut Lint<'_>) {
        if let (Some(interval), Some(timeout)) = (&self.health_check_interval, &self.health_check_timeout)
            && timeout.value > interval.value
        {
            lint.warn(timeout.origin(), |path| {
                format!("`{path}` is {}, above the interval of {}: one question is asked while the last is still open", timeout.value, interval.value)
            });
        }
    }

    #[cfg(feature = "schema")]
    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        crate::schema::described::<HealthCheck>(
            generator,
            "How the dependency is asked whether it is well; kept, and not acted on yet.",
        )
    }
}

/// Returns the sections that every loader knows.
pub(crate) fn kinds() -> &'static SectionKinds {
    static KINDS: LazyLock<SectionKinds> = LazyLock::new(|| SectionKinds::new().with::<HealthCheck>());
    &KINDS
}

fn above_zero(node: &Node, reader: &mut Reader<'_>) -> Option<Period> {
    let period = Period::read_seconds(node, reader)?;
    if period.0.is_zero() { reader.mismatch(node, "longer than 0s") } else { Some(period) }
}
