use std::error::Error;
use std::fmt;

/// Why a monitor cannot be started: the field, its value and the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorError(pub(crate) String);

impl fmt::Display for MonitorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for MonitorError {}
