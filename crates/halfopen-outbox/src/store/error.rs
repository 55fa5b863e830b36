use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use halfopen::{BoxError, format_duration};

/// The error of a store: nothing of the operation that returned it was stored, unless the kind is
/// [`Uncertain`](StoreErrorKind::Uncertain).
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: Arc<str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The kind of a [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store cannot be reached or cannot work at the moment.
    Unavailable,
    /// The disk or the database is full.
    Full,
    /// The store did not answer in time, or the connection was lost: the operation may have been applied.
    Uncertain,
    /// The data of the store is damaged. It is left as it is.
    Corrupt,
    /// The file or the tables belong to something else, or to another version of the schema. They are left as they are.
    Foreign,
}

impl StoreError {
    /// Creates an error with a message for operators.
    pub fn new(kind: StoreErrorKind, message: impl Into<Arc<str>>) -> StoreError {
        StoreError { kind, message: message.into(), source: None }
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(self, source: impl Into<BoxError>) -> StoreError {
        StoreError { source: Some(Arc::from(source.into())), ..self }
    }

    pub(crate) fn timed_out(after: Duration) -> StoreError {
        let message = format!("the store did not answer within {}", format_duration(after));
        StoreError::new(StoreErrorKind::Uncertain, message)
    }

    /// Returns the kind.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
