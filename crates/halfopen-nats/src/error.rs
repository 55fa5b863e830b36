use std::error::Error;
use std::fmt;
use std::time::Duration;

use halfopen::format_duration;

use crate::classify::NatsError;

/// The cause of an error: a call had no reply within the
/// [`call_timeout`](crate::ProtectedClient::call_timeout).
///
/// The message may still be sent: the client keeps a message that it could not write, and sends it after it has connected again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoReply {
    limit: Duration,
}

impl NoReply {
    pub(crate) const fn within(limit: Duration) -> NoReply {
        NoReply { limit }
    }

    /// Returns the limit that was exceeded.
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

impl fmt::Display for NoReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no reply within {}", format_duration(self.limit))
    }
}

impl Error for NoReply {}

/// Ends a call at its limit, with an error of the client.
pub(crate) async fn within<T, E: NatsError>(
    limit: Duration,
    reply: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout(limit, reply).await.unwrap_or_else(|_| Err(E::no_reply(NoReply::within(limit))))
}
