use std::error::Error;
use std::fmt;

use halfopen::{CircuitBreakerError, Rejected};
use halfopen_config::DocumentError;
use halfopen_document::{quoted, suggest};

/// A name that is no service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownService {
    name: String,
    nearest: Option<String>,
}

impl UnknownService {
    pub(super) fn new<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> UnknownService {
        let nearest = suggest::nearest(name, known, 0).map(str::to_owned);
        UnknownService { name: name.to_owned(), nearest }
    }

    /// Returns the name that was asked for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of a service that is spelt alike, or [`None`] if there is none.
    pub fn nearest(&self) -> Option<&str> {
        self.nearest.as_deref()
    }
}

impl fmt::Display for UnknownService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no service `{}`", quoted(&self.name))?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{}`?", quoted(nearest)),
            None => Ok(()),
        }
    }
}

impl Error for UnknownService {}

/// A service that cannot be registered.
#[derive(Debug)]
#[non_exhaustive]
pub enum RegisterError {
    /// The base URL is not valid: the URL without its password, and the reason.
    BaseUrl(String, String),
    /// The template or a value of its breaker is not valid.
    Breaker(DocumentError),
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegisterError::BaseUrl(url, why) => {
                write!(
                    f,
                    "the base URL is `{}`, must be a URL such as https://api.example.com/v1: {why}",
                    quoted(url)
                )
            }
            RegisterError::Breaker(_) => f.write_str("the settings of the breaker are not valid"),
        }
    }
}

impl Error for RegisterError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            RegisterError::BaseUrl(..) => None,
            RegisterError::Breaker(error) => Some(error),
        }
    }
}

/// The error of [`Services::call`](crate::Services::call).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError<E> {
    /// There is no service of this name.
    Unknown(UnknownService),
    /// The call was rejected and not made.
    Rejected(Rejected),
    /// The call was made and failed.
    Inner(E),
}

impl<E> From<CircuitBreakerError<E>> for CallError<E> {
    fn from(error: CircuitBreakerError<E>) -> Self {
        match error {
            CircuitBreakerError::Rejected(rejected) => CallError::Rejected(rejected),
            CircuitBreakerError::Inner(error) => CallError::Inner(error),
        }
    }
}

impl<E> From<UnknownService> for CallError<E> {
    fn from(unknown: UnknownService) -> Self {
        CallError::Unknown(unknown)
    }
}

impl<E> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallError::Unknown(_) => "the service is unknown",
            CallError::Rejected(_) => "call rejected",
            CallError::Inner(_) => "call failed",
        })
    }
}

impl<E: Error + 'static> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            CallError::Unknown(unknown) => unknown,
            CallError::Rejected(rejected) => rejected,
            CallError::Inner(error) => error,
        })
    }
}
