use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::text::Printable;

/// There is a breaker of that name in the registry already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlreadyExists {
    pub(super) name: Arc<str>,
}

impl AlreadyExists {
    /// The name that is taken.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for AlreadyExists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is a circuit breaker named `{}` in the registry already", Printable::new(&self.name))
    }
}

impl Error for AlreadyExists {}
