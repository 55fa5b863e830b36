use std::error::Error;
use std::fmt;
use std::time::Duration;

use halfopen::{Rejected, format_duration};
use rdkafka::error::KafkaError;

/// Why a message is not delivered.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProduceError {
    /// The breaker has rejected the call: nothing was sent.
    Rejected(Rejected),
    /// No delivery report within the limit. The message is in the queue of the producer, and may still be delivered.
    TimedOut(NoReport),
    /// An error of the client. After `MessageTimedOut` the message may be stored: its acknowledgement can be lost.
    Client(KafkaError),
}

/// The cause of an error: a limit that was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoReport {
    pub(crate) limit: Duration,
}

impl NoReport {
    /// Returns the limit that was exceeded.
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

impl fmt::Display for NoReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no delivery report within {}", format_duration(self.limit))
    }
}

impl Error for NoReport {}

impl fmt::Display for ProduceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProduceError::Rejected(rejected) => rejected.fmt(f),
            ProduceError::TimedOut(limit) => limit.fmt(f),
            ProduceError::Client(error) => error.fmt(f),
        }
    }
}

impl Error for ProduceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ProduceError::Rejected(rejected) => Some(rejected),
            ProduceError::TimedOut(limit) => Some(limit),
            ProduceError::Client(error) => Some(error),
        }
    }
}

impl From<KafkaError> for ProduceError {
    fn from(error: KafkaError) -> Self {
        ProduceError::Client(error)
    }
}
