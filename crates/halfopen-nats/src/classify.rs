//! The errors of the client and their outcomes.

use std::error::Error;

use async_nats::client::{FlushErrorKind, PublishErrorKind, RequestErrorKind, SubscribeErrorKind};
use async_nats::jetstream;
use async_nats::jetstream::consumer::pull::{MessagesError, MessagesErrorKind};
use async_nats::jetstream::context::{
    CreateStreamError, CreateStreamErrorKind, GetStreamError, GetStreamErrorKind,
};
use async_nats::{ConnectError, ConnectErrorKind, PublishError, RequestError, SubjectError, SubscribeError};
use halfopen::{Classify, Outcome, Rejected};

use crate::error::NoReply;

/// The evidence of an error about the server and the services behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Neither reached nor answered, or refused for lack of resources.
    Away,
    /// The server has no subscriber for the subject of a request.
    NoResponders,
    /// The server has no stream for the subject of a publish.
    NoStream,
    /// The caller's mistake, a conflict, a limit of the client, or the configuration.
    NoEvidence,
}

/// An error of the client that can be classified. Implemented for those of calls, publishes, streams and connections.
pub trait NatsError: Error + Sized + 'static + sealed::Sealed {
    #[doc(hidden)]
    fn meaning(&self) -> Meaning;

    #[doc(hidden)]
    fn not_made(rejected: Rejected) -> Self;

    #[doc(hidden)]
    fn no_reply(cause: NoReply) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

/// Implements [`NatsError`]: the meaning of each kind, and the kinds of a rejection and of a call without a reply.
macro_rules! nats_error {
    ($error:ty, rejected: $rejected:expr, no_reply: $no_reply:expr, $meaning:expr) => {
        impl sealed::Sealed for $error {}

        impl NatsError for $error {
            fn meaning(&self) -> Meaning {
                let meaning: fn(&$error) -> Meaning = $meaning;
                meaning(self)
            }

            #[cold]
            fn not_made(rejected: Rejected) -> Self {
                <$error>::with_source($rejected, rejected)
            }

            #[cold]
            fn no_reply(cause: NoReply) -> Self {
                <$error>::with_source($no_reply, cause)
            }
        }
    };
}

nats_error!(
    PublishError,
    rejected: PublishErrorKind::Send,
    no_reply: PublishErrorKind::Send,
    |error| match error.kind() {
        PublishErrorKind::Send => Meaning::Away,
        PublishErrorKind::MaxPayloadExceeded | PublishErrorKind::InvalidSubject => Meaning::NoEvidence,
    }
);

nats_error!(
    RequestError,
    rejected: RequestErrorKind::Other,
    no_reply: RequestErrorKind::TimedOut,
    |error| match error.kind() {
        RequestErrorKind::TimedOut => Meaning::Away,
        RequestErrorKind::NoResponders => Meaning::NoResponders,
        RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => Meaning::NoEvidence,
        // Of a request with an inbox of its own, the error of its publish or of its subscription.
        RequestErrorKind::Other => source_as::<PublishError>(error)
            .map(NatsError::meaning)
            .or_else(|| source_as::<SubscribeError>(error).map(NatsError::meaning))
            .unwrap_or(Meaning::Away),
    }
);

nats_error!(
    SubscribeError,
    rejected: SubscribeErrorKind::Other,
    no_reply: SubscribeErrorKind::Other,
    |error| match error.kind() {
        SubscribeErrorKind::Other => Meaning::Away,
        SubscribeErrorKind::InvalidSubject | SubscribeErrorKind::InvalidQueueName => Meaning::NoEvidence,
    }
);

nats_error!(
    async_nats::client::FlushError,
    rejected: FlushErrorKind::SendError,
    no_reply: FlushErrorKind::FlushError,
    |error| match error.kind() {
        FlushErrorKind::SendError | FlushErrorKind::FlushError => Meaning::Away,
    }
);

nats_error!(
    ConnectError,
    rejected: ConnectErrorKind::Io,
    no_reply: ConnectErrorKind::TimedOut,
    |error| match error.kind() {
        ConnectErrorKind::Io
        | ConnectErrorKind::TimedOut
        | ConnectErrorKind::Dns
        | ConnectErrorKind::MaxReconnects => Meaning::Away,
        ConnectErrorKind::Tls
        | ConnectErrorKind::AuthorizationViolation
        | ConnectErrorKind::Authentication
        | ConnectErrorKind::ServerParse => Meaning::NoEvidence,
    }
);

nats_error!(
    jetstream::context::PublishError,
    rejected: jetstream::context::PublishErrorKind::Other,
    no_reply: jetstream::context::PublishErrorKind::TimedOut,
    |error| {
        use jetstream::context::PublishErrorKind as Kind;
        match error.kind() {
            Kind::TimedOut | Kind::BrokenPipe => Meaning::Away,
            Kind::StreamNotFound => Meaning::NoStream,
            Kind::WrongLastMessageId
            | Kind::WrongLastSequence
            | Kind::MaxAckPending
            | Kind::MaxPayloadExceeded => Meaning::NoEvidence,
            Kind::Other => match source_as::<jetstream::Error>(error) {
                Some(answer) => of_answer(answer),
                None if source_as::<SubjectError>(error).is_some() => Meaning::NoEvidence,
                None => Meaning::Away,
            },
        }
    }
);

nats_error!(
    jetstream::context::RequestError,
    rejected: jetstream::context::RequestErrorKind::Other,
    no_reply: jetstream::context::RequestErrorKind::TimedOut,
    |error| {
        use jetstream::context::RequestErrorKind as Kind;
        match error.kind() {
            // Of a request to JetStream itself, whose responder is the server.
            Kind::TimedOut | Kind::NoResponders | Kind::Other => Meaning::Away,
            Kind::InvalidSubject => Meaning::NoEvidence,
        }
    }
);

nats_error!(
    GetStreamError,
    rejected: GetStreamErrorKind::Request,
    no_reply: GetStreamErrorKind::Request,
    |error| match error.kind() {
        GetStreamErrorKind::Request => {
            source_as::<jetstream::context::RequestError>(error).map_or(Meaning::Away, NatsError::meaning)
        }
        GetStreamErrorKind::JetStream(answer) => of_answer(&answer),
        GetStreamErrorKind::EmptyName | GetStreamErrorKind::InvalidStreamName => Meaning::NoEvidence,
    }
);

nats_error!(
    CreateStreamError,
    rejected: CreateStreamErrorKind::Response,
    no_reply: CreateStreamErrorKind::TimedOut,
    |error| match error.kind() {
        CreateStreamErrorKind::TimedOut
        | CreateStreamErrorKind::JetStreamUnavailable
        | CreateStreamErrorKind::Response
        | CreateStreamErrorKind::ResponseParse => Meaning::Away,
        CreateStreamErrorKind::JetStream(answer) => of_answer(&answer),
        CreateStreamErrorKind::EmptyStreamName
        | CreateStreamErrorKind::InvalidStreamName
        | CreateStreamErrorKind::DomainAndExternalSet
        | CreateStreamErrorKind::NotFound => Meaning::NoEvidence,
    }
);

nats_error!(
    MessagesError,
    rejected: MessagesErrorKind::Other,
    no_reply: MessagesErrorKind::MissingHeartbeat,
    |error| match error.kind() {
        MessagesErrorKind::MissingHeartbeat
        | MessagesErrorKind::Pull
        | MessagesErrorKind::NoResponders
        | MessagesErrorKind::Other => Meaning::Away,
        MessagesErrorKind::ConsumerDeleted
        | MessagesErrorKind::PushBasedConsumer
        | MessagesErrorKind::RequestLimitExceeded => Meaning::NoEvidence,
    }
);

/// The meaning of an error that JetStream has sent: its codes are those of HTTP.
fn of_answer(answer: &jetstream::Error) -> Meaning {
    if answer.code() >= 500 { Meaning::Away } else { Meaning::NoEvidence }
}

fn source_as<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    error.source()?.downcast_ref()
}

/// Classifies the results of calls to NATS.
///
/// | error | outcome |
/// |---|---|
/// | no reply within the limit, `TimedOut` | failure |
/// | channel closed: `Send`, `Other` of a request, `SendError`, `BrokenPipe`; the client has given up | failure |
/// | `NoResponders`: the service has no instance | failure |
/// | JetStream: `StreamNotFound`, which is also the error of a lost quorum; answers with a code of 500 or more, such as a stream that is full | failure |
/// | JetStream: `JetStreamUnavailable`, `MissingHeartbeat` | failure |
/// | connections: `Io`, `TimedOut`, `Dns`, `MaxReconnects` | failure |
/// | `MaxPayloadExceeded`, `InvalidSubject`, `InvalidQueueName`, invalid names | ignored |
/// | JetStream: `WrongLastSequence`, `WrongLastMessageId`, `MaxAckPending`, answers with a code below 500 | ignored |
/// | connections: `Tls`, `AuthorizationViolation`, `Authentication`, `ServerParse` | ignored |
/// | a rejection of a breaker or a limit | ignored |
///
/// # Examples
///
/// ```
/// use async_nats::{RequestError, client::RequestErrorKind};
/// use halfopen::Outcome;
/// use halfopen_nats::NatsClassify;
///
/// // An optional service, which need not run.
/// let classify = NatsClassify::new().no_responders(Outcome::Ignored);
/// let error = RequestError::from(RequestErrorKind::NoResponders);
/// assert_eq!(classify.outcome_of(&error), Outcome::Ignored);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatsClassify {
    no_responders: Outcome,
    stream_not_found: Outcome,
}

impl Default for NatsClassify {
    fn default() -> Self {
        NatsClassify::new()
    }
}

impl NatsClassify {
    /// Creates the default rules.
    pub const fn new() -> NatsClassify {
        NatsClassify { no_responders: Outcome::Failure, stream_not_found: Outcome::Failure }
    }

    /// Sets the outcome of a request for whose subject the server has no subscriber. The default is a failure.
    #[must_use]
    pub const fn no_responders(self, outcome: Outcome) -> Self {
        NatsClassify { no_responders: outcome, ..self }
    }

    /// Sets the outcome of a publish for whose subject there is no stream. The default is a failure, because a cluster
    /// without a quorum has the same error.
    #[must_use]
    pub const fn stream_not_found(self, outcome: Outcome) -> Self {
        NatsClassify { stream_not_found: outcome, ..self }
    }

    /// Returns the outcome of a call that failed with this error.
    pub fn outcome_of(&self, error: &impl NatsError) -> Outcome {
        if halfopen::rejection(error).is_some() {
            return Outcome::Ignored;
        }
        match error.meaning() {
            Meaning::Away => Outcome::Failure,
            Meaning::NoResponders => self.no_responders,
            Meaning::NoStream => self.stream_not_found,
            Meaning::NoEvidence => Outcome::Ignored,
        }
    }
}

/// Returns the outcome of a call that failed with this error, by the default rules of [`NatsClassify`].
///
/// # Examples
///
/// ```
/// use async_nats::{PublishError, client::PublishErrorKind};
/// use halfopen::Outcome;
///
/// let too_large = PublishError::from(PublishErrorKind::MaxPayloadExceeded);
/// assert_eq!(halfopen_nats::outcome(&too_large), Outcome::Ignored);
/// ```
pub fn outcome(error: &impl NatsError) -> Outcome {
    NatsClassify::new().outcome_of(error)
}

impl<T, E: NatsError> Classify<T, E> for NatsClassify {
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        result.as_ref().map_or_else(|error| self.outcome_of(error), |_| Outcome::Success)
    }

    fn describe(&self, result: &Result<T, E>) -> Option<String> {
        result.as_ref().err().map(ToString::to_string)
    }
}

#[cfg(test)]
mod tests;
