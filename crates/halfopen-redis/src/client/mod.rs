//! Redis as a dependency: every command through a breaker.

mod classify;
mod error;
mod messages;

use std::fmt;
use std::time::Duration;

use halfopen::{CircuitBreaker, CircuitBreakerError, Classify};
use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value};

pub use self::classify::{RedisClassify, outcome};
pub use self::error::NoReply;
pub(crate) use self::error::no_reply;
use self::error::rejected;
pub use self::messages::Messages;

/// The default of [`ProtectedConnection::call_timeout`]: twice the default response timeout of the client.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection whose commands pass through a circuit breaker.
///
/// Wraps a `ConnectionManager`, a `MultiplexedConnection`, a cluster connection or any other
/// [`ConnectionLike`], and is one itself: `AsyncCommands`, [`Cmd`], [`Pipeline`] (atomic ones too) and `Script` work
/// on it unchanged. A pipeline is one call of the breaker. Clones share the breaker.
///
/// - While the breaker is open, a command fails immediately and is not sent. [`halfopen::rejection`] finds the
///   [`Rejected`](halfopen::Rejected) in the error, whose `retry_method()` is `NoRetry`.
/// - Every command has a [`call_timeout`](Self::call_timeout), one second by default. It includes the retries and
///   reconnections of the client, which alone take 9.5 s per command with the defaults of `ConnectionManager`.
/// - [`RedisClassify`] decides which errors are failures.
///
/// # Examples
///
/// ```
/// use halfopen::CircuitBreaker;
/// use halfopen_redis::ProtectedConnection;
/// use redis::AsyncCommands;
/// use redis::aio::{ConnectionManager, ConnectionManagerConfig};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> redis::RedisResult<()> {
/// let client = redis::Client::open("redis://127.0.0.1:1/")?;
/// let manager = ConnectionManager::new_lazy_with_config(client, ConnectionManagerConfig::new())?;
/// let breaker = CircuitBreaker::builder("cache").build();
/// let mut cache = ProtectedConnection::new(manager, breaker.clone()).call_timeout(Duration::from_millis(50));
///
/// breaker.open_for(Duration::from_secs(5));
/// let error = cache.get::<_, Option<String>>("user:7").await.unwrap_err();
/// assert_eq!(halfopen::rejection(&error).unwrap().name(), "cache");
/// # Ok(()) }
/// ```
///
/// # Blocking commands
///
/// `BLPOP` and the like wait longer than a healthy server otherwise does, and the response timeout of the client
/// breaks them off. Use a connection of their own without a response timeout, and
/// [`without_call_timeout`](Self::without_call_timeout).
///
/// # Cancel safety
///
/// A dropped command is recorded as abandoned and gives back a probe's slot. It may have been sent: a write that
/// was dropped or timed out may still be made.
#[derive(Clone)]
#[must_use = "a connection does nothing until a command is sent"]
pub struct ProtectedConnection<C> {
    connection: C,
    breaker: CircuitBreaker,
    classify: RedisClassify,
    call_timeout: Option<Duration>,
}

impl<C> ProtectedConnection<C> {
    /// Wraps a connection, with the default classifier and a call timeout of one second.
    pub fn new(connection: C, breaker: CircuitBreaker) -> Self {
        let classify = RedisClassify::new();
        ProtectedConnection { connection, breaker, classify, call_timeout: Some(CALL_TIMEOUT) }
    }

    /// Sets the classifier.
    pub fn classify(self, classify: RedisClassify) -> Self {
        ProtectedConnection { classify, ..self }
    }

    /// Sets the longest time that a command may take, with all retries and reconnections of the client.
    ///
    /// The error of a command that exceeds it has a [`NoReply`] in its chain, `is_timeout()` is true, and it is a
    /// failure. The command may still be executed.
    pub fn call_timeout(self, limit: Duration) -> Self {
        ProtectedConnection { call_timeout: Some(limit), ..self }
    }

    /// Removes the time limit, for connections that make blocking commands.
    pub fn without_call_timeout(self) -> Self {
        ProtectedConnection { call_timeout: None, ..self }
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Returns the connection, whose commands do not pass through the breaker.
    pub fn into_inner(self) -> C {
        self.connection
    }

    /// Returns a stream of pub/sub messages that records a failure if it ends by itself: the client ends it,
    /// without an error, when its connection is lost.
    ///
    /// Messages are no calls: a stream takes no permit, and works while the breaker is open.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn f(
    /// #     client: redis::Client,
    /// #     cache: halfopen_redis::ProtectedConnection<redis::aio::MultiplexedConnection>,
    /// # ) -> redis::RedisResult<()> {
    /// use futures_util::StreamExt;
    ///
    /// let mut subscription = cache.call(async |_| client.get_async_pubsub().await).await?;
    /// subscription.subscribe("news").await?;
    /// let mut messages = cache.messages(subscription.on_message());
    /// while let Some(message) = messages.next().await {
    ///     println!("{}", message.get_payload::<String>()?);
    /// }
    /// // The server went away: the breaker has recorded a failure.
    /// # Ok(()) }
    /// ```
    pub fn messages<S>(&self, stream: S) -> Messages<S> {
        Messages::new(stream, self.breaker.clone())
    }
}

impl<C: Clone> ProtectedConnection<C> {
    /// Makes a call with a clone of the connection, as one call of the breaker and within the call timeout.
    ///
    /// For anything that is not a command: subscriptions, connections of their own, several commands as one call. Errors that
    /// are created by the conversion of an answer are no failures.
    ///
    /// # Errors
    ///
    /// The errors of the call, a rejection, a [`NoReply`].
    pub async fn call<T, F: Future<Output = RedisResult<T>>>(
        &self,
        operation: impl FnOnce(C) -> F,
    ) -> RedisResult<T> {
        let connection = self.connection.clone();
        protect(&self.breaker, &self.classify.of_errors(), self.call_timeout, || operation(connection)).await
    }
}

impl<C: ConnectionLike + Send> ConnectionLike for ProtectedConnection<C> {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let ProtectedConnection { connection, breaker, classify, call_timeout } = self;
        Box::pin(protect(breaker, classify, *call_timeout, || connection.req_packed_command(command)))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let ProtectedConnection { connection, breaker, classify, call_timeout } = self;
        Box::pin(protect(breaker, classify, *call_timeout, move || {
            connection.req_packed_commands(pipeline, offset, count)
        }))
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

/// Makes one call, through the breaker and within the limit.
async fn protect<T, F: Future<Output = RedisResult<T>>>(
    breaker: &CircuitBreaker,
    classify: &impl Classify<T, RedisError>,
    limit: Option<Duration>,
    send: impl FnOnce() -> F,
) -> RedisResult<T> {
    let result = breaker.call_with(|| within(limit, send()), classify).await;
    result.map_err(|error| match error {
        CircuitBreakerError::Inner(error) => error,
        CircuitBreakerError::Rejected(not_made) => rejected(not_made),
    })
}

async fn within<T>(limit: Option<Duration>, reply: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    match limit {
        None => reply.await,
        Some(limit) => tokio::time::timeout(limit, reply).await.unwrap_or_else(|_| Err(no_reply(limit))),
    }
}

impl<C> fmt::Debug for ProtectedConnection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedConnection")
            .field("breaker", &self.breaker)
            .field("call_timeout", &self.call_timeout)
            .finish_non_exhaustive()
    }
}
