use std::borrow::Cow;
use std::error::Error;

use halfopen::{Classify, Outcome};
use redis::{ErrorKind, ParsingError, RedisError, ServerError, Value};

/// The codes of a server that cannot serve now, whatever the command.
const CANNOT_SERVE: [&str; 10] = [
    "BUSY",        // a script runs too long
    "CLUSTERDOWN", // slots without a node
    "LOADING",     // the data set is being read
    "MASTERDOWN",  // a replica that has lost its primary
    "MISCONF",     // the disk cannot be written
    "NOAUTH",      // the connection has no password
    "NOREPLICAS",  // too few replicas for a write
    "OOM",         // the memory is full
    "READONLY",    // demoted to a replica
    "TRYAGAIN",    // slots on the move
];

/// Returns the outcome of a failed command by the default rules of [`RedisClassify`].
///
/// # Examples
///
/// ```
/// use halfopen::Outcome;
///
/// let full = redis::make_extension_error("OOM".into(), None);
/// assert_eq!(halfopen_redis::outcome(&full), Outcome::Failure);
/// let wrong = redis::make_extension_error("WRONGTYPE".into(), None);
/// assert_eq!(halfopen_redis::outcome(&wrong), Outcome::Success);
/// ```
pub fn outcome(error: &RedisError) -> Outcome {
    RedisClassify::new().outcome_of(error)
}

/// Classifies the results of Redis commands.
///
/// Errors of the server are classified by their code, also inside pipelines and transactions, whose worst error
/// counts:
///
/// | error | outcome |
/// |---|---|
/// | `LOADING`, `BUSY`, `MASTERDOWN`, `CLUSTERDOWN`, `TRYAGAIN`, `OOM`, `MISCONF`, `NOREPLICAS`, `NOAUTH`, `READONLY` | failure |
/// | every other code: `WRONGTYPE`, `ERR`, `NOSCRIPT`, `NOPERM`, `EXECABORT`, `MOVED`, .. | success: the server has answered |
/// | timeout, broken or refused connection, name that is not found | failure |
/// | authentication failed; no node, primary or replica found; an answer that is not Redis | failure |
/// | an answer that does not convert to the type that was asked for, such as a missing key read as a number | success |
/// | an invalid command, configuration or argument, found by the client | ignored |
/// | a rejection of a breaker or a limit | ignored |
///
/// A missing key is a success.
///
/// # Examples
///
/// ```
/// use halfopen::Outcome;
/// use halfopen_redis::RedisClassify;
///
/// // Only reads are made here: a demoted server serves them.
/// let classify = RedisClassify::new().code("READONLY", Outcome::Success);
/// let full = redis::make_extension_error("OOM".into(), None);
/// assert_eq!(classify.outcome_of(&full), Outcome::Failure);
/// ```
#[derive(Clone, Debug, Default)]
pub struct RedisClassify {
    /// Outcomes that differ from the table.
    codes: Vec<(Cow<'static, str>, Outcome)>,
    authentication: Option<Outcome>,
}

impl RedisClassify {
    /// Creates the default rules.
    pub const fn new() -> RedisClassify {
        RedisClassify { codes: Vec::new(), authentication: None }
    }

    /// Sets the outcome of errors of the server with this code.
    #[must_use]
    pub fn code(mut self, code: impl Into<Cow<'static, str>>, outcome: Outcome) -> Self {
        let code = code.into();
        self.codes.retain(|(known, _)| *known != code);
        self.codes.push((code, outcome));
        self
    }

    /// Sets the outcome of a failed authentication. The default is a failure, as no command can succeed.
    #[must_use]
    pub fn authentication_failed(self, outcome: Outcome) -> Self {
        RedisClassify { authentication: Some(outcome), ..self }
    }

    /// Returns the outcome of a command that failed with this error.
    ///
    /// A caller cannot distinguish an answer that does not convert from one that is not Redis: both are a success
    /// here. A [`ProtectedConnection`](crate::ProtectedConnection) sees answers before they are converted, and
    /// records a failure for the latter.
    pub fn outcome_of(&self, error: &RedisError) -> Outcome {
        if halfopen::rejection(error).is_some() {
            return Outcome::Ignored;
        }
        match error.clone().into_server_errors() {
            // An aborted transaction may carry no error of its commands: the server has answered.
            Some(errors) => self.worst(errors.iter().map(|(_, error)| error)).unwrap_or(Outcome::Success),
            None => self.outcome_of_kind(error),
        }
    }

    fn outcome_of_kind(&self, error: &RedisError) -> Outcome {
        match error.kind() {
            ErrorKind::AuthenticationFailed => self.authentication.unwrap_or(Outcome::Failure),
            ErrorKind::Parse if is_conversion(error) => Outcome::Success,
            ErrorKind::UnexpectedReturnType
            | ErrorKind::Client
            | ErrorKind::InvalidClientConfig
            | ErrorKind::EmptySentinelList
            | ErrorKind::RESP3NotSupported => Outcome::Ignored,
            // A server's error that was rebuilt without its code, such as by a cluster connection.
            ErrorKind::Server(_) | ErrorKind::Extension => {
                error.code().map_or(Outcome::Success, |code| self.outcome_of_code(code))
            }
            // `Serialize`, which exists only with a feature of the client.
            _ if error.category() == "serializing" => Outcome::Ignored,
            // Io, Parse, no node found, and kinds that later versions of the client add.
            _ => Outcome::Failure,
        }
    }

    fn outcome_of_code(&self, code: &str) -> Outcome {
        let own = self.codes.iter().find(|(known, _)| known == code).map(|(_, outcome)| *outcome);
        own.unwrap_or(if CANNOT_SERVE.contains(&code) { Outcome::Failure } else { Outcome::Success })
    }

    /// The outcome of several errors, or [`None`] if there is no error.
    fn worst<'a>(&self, errors: impl Iterator<Item = &'a ServerError>) -> Option<Outcome> {
        errors.map(|error| self.outcome_of_code(error.code())).max_by_key(|outcome| severity(*outcome))
    }

    pub(super) fn of_errors(&self) -> OfErrors<'_> {
        OfErrors(self)
    }
}

/// The order in which the errors of a pipeline outweigh each other.
fn severity(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Failure => 3,
        Outcome::Throttled => 2,
        Outcome::Success => 1,
        _ => 0,
    }
}

/// Whether the answer has another type than the requested one. An answer that is not Redis has the same kind and
/// source, but reaches the caller from a connection only.
fn is_conversion(error: &RedisError) -> bool {
    error.source().is_some_and(|source| source.is::<ParsingError>())
}

/// The replies to a call, in which errors of the server may be.
pub(super) trait Answered {
    fn errors(&self) -> impl Iterator<Item = &ServerError>;
}

impl Answered for Value {
    fn errors(&self) -> impl Iterator<Item = &ServerError> {
        std::slice::from_ref(self).iter().filter_map(as_error)
    }
}

/// Those of a pipeline, and of a transaction: the reply to `EXEC` is an array of the replies.
impl Answered for Vec<Value> {
    fn errors(&self) -> impl Iterator<Item = &ServerError> {
        self.iter()
            .flat_map(|value| match value {
                Value::Array(replies) => replies.as_slice(),
                single => std::slice::from_ref(single),
            })
            .filter_map(as_error)
    }
}

fn as_error(value: &Value) -> Option<&ServerError> {
    match value {
        Value::ServerError(error) => Some(error),
        _ => None,
    }
}

impl<T: Answered> Classify<T, RedisError> for RedisClassify {
    fn classify(&self, result: &Result<T, RedisError>) -> Outcome {
        match result {
            Ok(answered) => self.worst(answered.errors()).unwrap_or(Outcome::Success),
            // A connection converts nothing: here the bytes of the answer are not Redis.
            Err(error) if error.kind() == ErrorKind::Parse => Outcome::Failure,
            Err(error) => self.outcome_of(error),
        }
    }

    fn describe(&self, result: &Result<T, RedisError>) -> Option<String> {
        match result {
            Ok(answered) => answered.errors().next().map(|error| error.code().to_owned()),
            Err(error) => Some(describe(error)),
        }
    }
}

/// A [`RedisClassify`] for calls whose values are of any type.
pub(super) struct OfErrors<'a>(&'a RedisClassify);

impl<T> Classify<T, RedisError> for OfErrors<'_> {
    fn classify(&self, result: &Result<T, RedisError>) -> Outcome {
        result.as_ref().map_or_else(|error| self.0.outcome_of(error), |_| Outcome::Success)
    }

    fn describe(&self, result: &Result<T, RedisError>) -> Option<String> {
        result.as_ref().err().map(describe)
    }
}

/// The code of a server's error, without its text: it may contain keys and values.
fn describe(error: &RedisError) -> String {
    let first =
        error.clone().into_server_errors().and_then(|errors| Some(errors.first()?.1.code().to_owned()));
    first.unwrap_or_else(|| error.to_string())
}

#[cfg(test)]
mod tests;
