use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::{Node, Reader, scalar};

/// A length of time in the notation of documents: `30s`, `500ms` or `1m30s`.
///
/// # Examples
///
/// ```
/// use halfopen_document::Period;
/// use std::time::Duration;
///
/// assert_eq!(Period(Duration::from_secs(90)).to_string(), "1m30s");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl Period {
    /// Creates a period of whole seconds.
    pub const fn seconds(seconds: u64) -> Period {
        Period(Duration::from_secs(seconds))
    }

    /// Reads a duration with its unit.
    pub fn read(node: &Node, reader: &mut Reader<'_>) -> Option<Period> {
        scalar::duration(node, reader).map(Period)
    }

    /// Reads a duration, or a number of seconds.
    pub fn read_seconds(node: &Node, reader: &mut Reader<'_>) -> Option<Period> {
        scalar::seconds(node, reader).map(Period)
    }

    /// Reads a duration with its unit, longer than 0s.
    pub fn read_above_zero(node: &Node, reader: &mut Reader<'_>) -> Option<Period> {
        Period::read(node, reader)?.above_zero(node, reader)
    }

    /// Reads a duration, or a number of seconds, longer than 0s.
    pub fn read_seconds_above_zero(node: &Node, reader: &mut Reader<'_>) -> Option<Period> {
        Period::read_seconds(node, reader)?.above_zero(node, reader)
    }

    /// Reads a duration, or a number of seconds, above 0s and at most `longest`.
    pub fn read_seconds_up_to(longest: Duration, node: &Node, reader: &mut Reader<'_>) -> Option<Period> {
        let period = Period::read_seconds(node, reader)?;
        if !period.0.is_zero() && period.0 <= longest {
            return Some(period);
        }
        reader.mismatch(node, &format!("above 0s and at most {}", Period(longest)))
    }

    fn above_zero(self, node: &Node, reader: &mut Reader<'_>) -> Option<Period> {
        if self.0.is_zero() { reader.mismatch(node, "longer than 0s") } else { Some(self) }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&halfopen::format_duration(self.0))
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<Duration> for Period {
    fn from(duration: Duration) -> Period {
        Period(duration)
    }
}
