//! The errors of the client and their outcomes.

use halfopen::{Classify, Outcome};
use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::{ChannelState, Confirmation, ErrorKind};

use crate::error::PublishError;

/// Classifies the results of publishes.
///
/// | result | outcome |
/// |---|---|
/// | confirmed | success |
/// | no connection or confirm within the limit | failure |
/// | `Nack`: a queue is full, or the broker could not store the message | failure |
/// | returned, as no queue is bound (312) | ignored |
/// | `IOError`, `MissingHeartbeatError`, `ParsingError`, `InvalidConnectionState`, `InvalidChannelState` while the connection is lost or being renewed | failure |
/// | `InvalidChannelState` of a channel that is closing or closed: the result of an earlier error on it | ignored |
/// | closed by an operator (320), internal error (541), no resources (506), locked (405) | failure |
/// | not found (404), access refused (403), precondition failed (406), not allowed (530) and other errors of the protocol | ignored |
/// | `ChannelsLimitReached`, `SerialisationError`, `AuthProviderError`, the runtime is shut down, and other local errors | ignored |
/// | a rejection of a breaker or a limit | ignored |
///
/// # Examples
///
/// ```
/// use halfopen::{Classify, Outcome};
/// use halfopen_lapin::{LapinClassify, PublishError};
///
/// // A queue that is full on purpose, whose refusal is an answer.
/// let classify = LapinClassify::new().nacked(Outcome::Ignored);
/// assert_eq!(classify.classify(&Err::<(), _>(PublishError::Nacked)), Outcome::Ignored);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LapinClassify {
    nacked: Outcome,
}

impl Default for LapinClassify {
    fn default() -> Self {
        LapinClassify::new()
    }
}

impl LapinClassify {
    /// Creates the default rules.
    pub const fn new() -> LapinClassify {
        LapinClassify { nacked: Outcome::Failure }
    }

    /// Sets the outcome of a message that the broker refuses. The default is a failure.
    #[must_use]
    pub const fn nacked(self, outcome: Outcome) -> Self {
        LapinClassify { nacked: outcome }
    }

    /// Returns the outcome of a publish that failed with this error.
    pub fn outcome_of(&self, error: &PublishError) -> Outcome {
        match error {
            PublishError::Rejected(_)
            | PublishError::Returned(_)
            | PublishError::NotConfirmed
            | PublishError::TooLong { .. } => Outcome::Ignored,
            PublishError::TimedOut(_) => Outcome::Failure,
            PublishError::Nacked => self.nacked,
            PublishError::Client(error) => outcome(error),
        }
    }
}

impl<T> Classify<T, PublishError> for LapinClassify {
    fn classify(&self, result: &Result<T, PublishError>) -> Outcome {
        result.as_ref().map_or_else(|error| self.outcome_of(error), |_| Outcome::Success)
    }

    fn describe(&self, result: &Result<T, PublishError>) -> Option<String> {
        result.as_ref().err().map(ToString::to_string)
    }
}

/// Returns the outcome of a call of the client that failed with this error, by the table of [`LapinClassify`].
///
/// # Examples
///
/// ```
/// use halfopen::Outcome;
/// use lapin::ErrorKind;
///
/// assert_eq!(halfopen_lapin::outcome(&ErrorKind::MissingHeartbeatError.into()), Outcome::Failure);
/// assert_eq!(halfopen_lapin::outcome(&ErrorKind::ChannelsLimitReached.into()), Outcome::Ignored);
/// ```
pub fn outcome(error: &lapin::Error) -> Outcome {
    if halfopen::rejection(error).is_some() {
        return Outcome::Ignored;
    }
    match error.kind() {
        ErrorKind::IOError(_)
        | ErrorKind::MissingHeartbeatError
        | ErrorKind::ParsingError(_)
        | ErrorKind::InvalidConnectionState(_) => Outcome::Failure,
        ErrorKind::InvalidChannelState(state, _) => of_channel(*state),
        ErrorKind::ProtocolError(error) => of_protocol(error),
        ErrorKind::ChannelsLimitReached
        | ErrorKind::InvalidProtocolVersion(_)
        | ErrorKind::InvalidChannel(_)
        | ErrorKind::RuntimeShutdownError(_)
        | ErrorKind::SerialisationError(_)
        | ErrorKind::AuthProviderError(_)
        | ErrorKind::FutureCompleted
        | ErrorKind::NoDefaultRuntime => Outcome::Ignored,
        // Kinds that later versions of the client add.
        _ => Outcome::Failure,
    }
}

fn of_channel(state: ChannelState) -> Outcome {
    match state {
        ChannelState::Error | ChannelState::Reconnecting => Outcome::Failure,
        // An earlier error of one caller has closed it, which is no evidence for the others.
        ChannelState::Closing | ChannelState::Closed => Outcome::Ignored,
        ChannelState::Initial | ChannelState::Connected => Outcome::Ignored,
    }
}

fn of_protocol(error: &AMQPError) -> Outcome {
    match error.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED) => Outcome::Failure,
        AMQPErrorKind::Soft(
            AMQPSoftError::CONTENTTOOLARGE
            | AMQPSoftError::NOROUTE
            | AMQPSoftError::NOCONSUMERS
            | AMQPSoftError::ACCESSREFUSED
            | AMQPSoftError::NOTFOUND
            | AMQPSoftError::PRECONDITIONFAILED,
        ) => Outcome::Ignored,
        AMQPErrorKind::Hard(
            AMQPHardError::CONNECTIONFORCED | AMQPHardError::INTERNALERROR | AMQPHardError::RESOURCEERROR,
        ) => Outcome::Failure,
        AMQPErrorKind::Hard(
            AMQPHardError::INVALIDPATH
            | AMQPHardError::FRAMEERROR
            | AMQPHardError::SYNTAXERROR
            | AMQPHardError::COMMANDINVALID
            | AMQPHardError::CHANNELERROR
            | AMQPHardError::UNEXPECTEDFRAME
            | AMQPHardError::NOTALLOWED
            | AMQPHardError::NOTIMPLEMENTED,
        ) => Outcome::Ignored,
    }
}

/// The result of a publish from its confirm.
pub(crate) fn confirmed(confirm: lapin::Result<Confirmation>) -> Result<(), PublishError> {
    match confirm? {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(returned)) => Err(PublishError::Returned(Box::new(returned))),
        Confirmation::Nack(_) => Err(PublishError::Nacked),
        Confirmation::NotRequested => Err(PublishError::NotConfirmed),
    }
}

#[cfg(test)]
mod tests;
