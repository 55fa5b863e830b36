//! Durations and times in documents, as numbers of seconds.

use std::time::{Duration, SystemTime};

use serde::Serializer;

/// Serializes a duration as seconds, such as `1.5`.
pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// Serializes an optional duration as seconds or nothing.
#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
pub(crate) fn option<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => serializer.serialize_some(&duration.as_secs_f64()),
        None => serializer.serialize_none(),
    }
}

/// Serializes a wall time as seconds since 1970, with a fraction.
pub(crate) fn unix<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    };
    serializer.serialize_f64(since)
}
