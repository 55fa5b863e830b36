use std::convert::Infallible;
use std::error::Error;
use std::fmt;

use halfopen::{BoxError, ConfigError, ConfigProblem};

use crate::store::StoreError;

/// The error of [`Outbox::send`](crate::Outbox::send): the outbox does not keep the item.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError<E> {
    /// The receiver works, and refused the item: the classifier calls this error no failure.
    Refused(E),
    /// A store cannot hold the item.
    Invalid(ConfigProblem),
    /// The receiver is away, and the outbox has no room.
    Full,
    /// The receiver is away, and the store failed. Unless the kind of the error is
    /// [`Uncertain`](crate::StoreErrorKind::Uncertain), the item is not stored; otherwise it may be delivered, and
    /// sending it again with the same key stores it once.
    Store(StoreError),
    /// The outbox is closed.
    Closed,
}

impl<E> SendError<E> {
    /// Returns the error with which the receiver refused the item.
    pub fn into_refused(self) -> Option<E> {
        match self {
            SendError::Refused(error) => Some(error),
            SendError::Invalid(_) | SendError::Full | SendError::Store(_) | SendError::Closed => None,
        }
    }

    /// Returns a boxed error: the receiver's own if it refused the item.
    ///
    /// For senders whose errors are boxed: a [`BoxError`] is no [`Error`], and neither is a `SendError` of it.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::BoxError;
    /// use halfopen_outbox::SendError;
    ///
    /// let refused: SendError<BoxError> = SendError::Refused("no such account".into());
    /// assert_eq!(refused.into_boxed().to_string(), "no such account");
    /// ```
    pub fn into_boxed(self) -> BoxError
    where
        E: Into<BoxError>,
    {
        let other: SendError<Infallible> = match self {
            SendError::Refused(error) => return error.into(),
            SendError::Invalid(problem) => SendError::Invalid(problem),
            SendError::Full => SendError::Full,
            SendError::Store(error) => SendError::Store(error),
            SendError::Closed => SendError::Closed,
        };
        other.into()
    }
}

impl<E> fmt::Display for SendError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Refused(_) => f.write_str("the receiver refused the item"),
            SendError::Invalid(problem) => write!(f, "invalid item: {problem}"),
            SendError::Full => f.write_str("the outbox is full"),
            SendError::Store(_) => f.write_str("the item could not be stored"),
            SendError::Closed => f.write_str("the outbox is closed"),
        }
    }
}

impl<E: Error + 'static> Error for SendError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            SendError::Refused(error) => Some(error),
            SendError::Store(error) => Some(error),
            SendError::Invalid(_) | SendError::Full | SendError::Closed => None,
        }
    }
}

/// The error of [`OutboxBuilder::build`](crate::OutboxBuilder::build).
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// A setting is invalid.
    Config(ConfigError),
    /// The store could not be read.
    Store(StoreError),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Config(error) => error.fmt(f),
            BuildError::Store(_) => f.write_str("the outbox could not read its store"),
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            BuildError::Config(_) => None,
            BuildError::Store(error) => Some(error),
        }
    }
}

impl From<ConfigError> for BuildError {
    fn from(error: ConfigError) -> BuildError {
        BuildError::Config(error)
    }
}

impl From<StoreError> for BuildError {
    fn from(error: StoreError) -> BuildError {
        BuildError::Store(error)
    }
}
