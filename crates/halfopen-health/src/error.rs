use std::error::Error;
use std::fmt;

/// Why a check cannot be added: the field, its value and the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheckError {
    check: String,
    message: String,
}

impl HealthCheckError {
    pub(crate) fn new(check: &str, message: impl Into<String>) -> HealthCheckError {
        HealthCheckError { check: check.to_owned(), message: message.into() }
    }

    /// Returns the name of the check.
    pub fn check(&self) -> &str {
        &self.check
    }
}

impl fmt::Display for HealthCheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "health check `{}`: {}", self.check, self.message)
    }
}

impl Error for HealthCheckError {}
