//! Sections that are read and checked, but have no effect in this crate.
//!
//! A section with the same key that is added to a loader replaces them.

use std::sync::LazyLock;

use halfopen_document::{Lint, Period, Section, SectionKinds, group, scalar};

group! {
    /// The group `health_check_config`: an active health check of the dependency. The crate `halfopen-health` acts on it.
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
    HealthCheck, expected "a `health_check_config` such as { health_check_interval: 30 }"
    values {
        /// The time between two checks, longer than 0s; a number is seconds.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Seconds>"))]
        health_check_interval: Period = Period::read_seconds_above_zero,
        /// How long a check may take, longer than 0s; a number is seconds.
        #[cfg_attr(feature = "schema", schemars(with = "Option<halfopen_document::Seconds>"))]
        health_check_timeout: Period = Period::read_seconds_above_zero,
        /// The address to check.
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
            "An active health check of the dependency, on which the crate halfopen-health acts.",
        )
    }
}

/// Returns the sections that every loader knows.
pub(crate) fn kinds() -> &'static SectionKinds {
    static KINDS: LazyLock<SectionKinds> = LazyLock::new(|| SectionKinds::new().with::<HealthCheck>());
    &KINDS
}
