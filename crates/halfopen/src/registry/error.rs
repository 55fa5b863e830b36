use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::text::Printable;

/// The registry already has a breaker of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlreadyExists {
    pub(super) name: Arc<str>,
}

impl AlreadyExists {
    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for AlreadyExists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a circuit breaker named `{}` already exists in the registry", Printable::new(&self.name))
    }
}

impl Error for AlreadyExists {}
