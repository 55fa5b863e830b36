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
