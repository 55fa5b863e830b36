use std::error::Error;
use std::fmt;
use std::time::Duration;

use halfopen::{Rejected, format_duration};
use lapin::message::BasicReturnMessage;

/// Why a publish is not confirmed.
#[derive(Debug)]
#[non_exhaustive]
pub enum PublishError {
    /// The breaker has rejected the call: nothing was sent.
    Rejected(Rejected),
    /// No connection, or no confirm, within the limit. The message may have been stored, or be stored later.
    TimedOut(NoConfirm),
    /// The broker has refused the message (`Nack`): a queue is full, or it could not store it.
    Nacked,
    /// The message was published with `mandatory`, and no queue is bound for it. The broker has returned it.
    Returned(Box<BasicReturnMessage>),
    /// The channel is not in confirm mode: nothing is known about the message.
    NotConfirmed,
    /// The name of an exchange or a routing key that AMQP cannot carry: nothing was sent.
    TooLong {
        /// `exchange` or `routing_key`.
        field: &'static str,
        /// Its length in bytes, of at most 255.
        bytes: usize,
    },
    /// An error of the client. The message may have been stored if it was sent before.
    Client(lapin::Error),
}

/// The cause of an error: a limit that was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoConfirm {
    pub(crate) limit: Duration,
    pub(crate) connecting: bool,
}

impl NoConfirm {
    /// Returns the limit that was exceeded.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Returns true if there was no connection within the limit, so that nothing was sent.
    pub fn is_connecting(&self) -> bool {
        self.connecting
    }
}

impl fmt::Display for NoConfirm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = if self.connecting { "connection" } else { "confirm" };
        write!(f, "no {missing} within {}", format_duration(self.limit))
    }
}

impl Error for NoConfirm {}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PublishError::Rejected(rejected) => rejected.fmt(f),
            PublishError::TimedOut(limit) => limit.fmt(f),
            PublishError::Nacked => f.write_str("the broker has refused the message"),
            PublishError::Returned(message) => {
                write!(
                    f,
                    "the broker has returned the message: {} {}",
                    message.reply_code, message.reply_text
                )
            }
            PublishError::NotConfirmed => f.write_str("the channel is not in confirm mode"),
            PublishError::TooLong { field, bytes } => {
                write!(f, "`{field}` has {bytes} bytes, but must have at most 255")
            }
            PublishError::Client(error) => error.fmt(f),
        }
    }
}

impl Error for PublishError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            PublishError::Rejected(rejected) => Some(rejected),
            PublishError::TimedOut(limit) => Some(limit),
            PublishError::Client(error) => Some(error),
            PublishError::Nacked
            | PublishError::Returned(_)
            | PublishError::NotConfirmed
            | PublishError::TooLong { .. } => None,
        }
    }
}

impl From<lapin::Error> for PublishError {
    fn from(error: lapin::Error) -> Self {
        PublishError::Client(error)
    }
}
