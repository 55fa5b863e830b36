use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use halfopen::adapter::HeldPermit;
use halfopen::{CircuitBreaker, CircuitBreakerError};
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::classify::LapinClassify;
use crate::confirm::{Confirming, PendingCall, PendingConfirm, Waiting};
use crate::error::{NoConfirm, PublishError};
use crate::link::Link;

/// The default of [`ProtectedPublisher::connect_timeout`].
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The default of [`ProtectedPublisher::confirm_timeout`].
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(3);

/// A connection that publishes and waits for confirms, without a breaker.
#[derive(Clone)]
pub(crate) struct Publisher {
    pub(crate) link: Arc<Link>,
    pub(crate) connect_timeout: Duration,
    pub(crate) confirm_timeout: Duration,
}

/// A message and its destination.
pub(crate) struct Message<'a> {
    pub(crate) exchange: &'a str,
    pub(crate) routing_key: &'a str,
    pub(crate) options: BasicPublishOptions,
    pub(crate) payload: &'a [u8],
    pub(crate) properties: BasicProperties,
}

impl Publisher {
    pub(crate) fn new<F>(connect: impl Fn() -> F + Send + Sync + 'static) -> Publisher
    where
        F: Future<Output = lapin::Result<Connection>> + Send + 'static,
    {
        let link = Arc::new(Link::new(connect));
        Publisher { link, connect_timeout: CONNECT_TIMEOUT, confirm_timeout: CONFIRM_TIMEOUT }
    }

    pub(crate) fn of_uri(uri: &str) -> Publisher {
        let uri: Arc<str> = uri.into();
        Publisher::new(move || {
            let uri = Arc::clone(&uri);
            async move { Connection::connect(&uri, ConnectionProperties::default()).await }
        })
    }

    /// Sends a message, on a new connection if it must.
    pub(crate) async fn send(&self, renew: bool, message: Message<'_>) -> Result<Confirming, PublishError> {
        let Message { exchange, routing_key, options, payload, properties } = message;
        let exchange = short("exchange", exchange)?;
        let routing_key = short("routing_key", routing_key)?;
        let opened = self.link.open(renew, self.connect_timeout).await?;
        let limit = self.confirm_timeout;
        let deadline = Instant::now() + limit;
        let sent = opened.channel.basic_publish(exchange, routing_key, options, payload, properties);
        // A connection that the broker has blocked waits here.
        let Ok(sent) = timeout_at(deadline, sent).await else {
            opened.timed_out();
            return Err(PublishError::TimedOut(NoConfirm { limit, connecting: false }));
        };
        let (confirm, sleep) = (sent?, sleep_until(deadline));
        Ok(Confirming { confirm, sleep, limit, waiting: Waiting(Some(opened)) })
    }
}

/// The conversion of the client panics where this is an error.
fn short(field: &'static str, name: &str) -> Result<ShortString, PublishError> {
    ShortString::try_new(name).map_err(|_| PublishError::TooLong { field, bytes: name.len() })
}

/// A publisher of RabbitMQ whose messages pass through a circuit breaker, and end with the broker's confirm.
///
/// Clones share the connection, its channel and the breaker. As many messages as the caller likes can be in flight.
///
/// - While the breaker is open, a publish fails immediately with [`PublishError::Rejected`], and nothing is sent.
/// - A publish is one call, from its start to its confirm, within the [`confirm_timeout`](Self::confirm_timeout), three seconds
///   by default. A connection that the broker has blocked, for lack of memory or disk, exceeds it.
/// - The connection and the channel are opened by the first call that needs them, within the
///   [`connect_timeout`](Self::connect_timeout), five seconds by default, by one call for all: an outage is no storm of connections. A
///   probe of a half-open breaker replaces a connection on which a confirm has not come.
/// - [`LapinClassify`] decides which errors are failures. A `Nack` is an error here, and a failure.
///
/// # The connection
///
/// Use `?heartbeat=10` in the URI: a broker that is frozen or cut off is noticed after twice that time, which is two minutes
/// by default. Leave `enable_auto_recover` off: with it, a call that a lost connection interrupts does not end by
/// itself. Do not consume on this connection, as a blocked one also stops consumers.
///
/// # What may still be sent
///
/// A publish that timed out or was dropped may be stored, now or after the broker has lifted its alarm. Set a `message_id` where
/// a message may be published again, so that its receiver recognizes it.
///
/// # Cancel safety
///
/// A dropped publish is recorded as abandoned and gives back a probe's slot. It may still be stored.
#[derive(Clone)]
#[must_use = "a publisher does nothing until a message is published"]
pub struct ProtectedPublisher {
    publisher: Publisher,
    breaker: CircuitBreaker,
    classify: LapinClassify,
}

impl ProtectedPublisher {
    /// Creates a publisher that connects to this URI when it is needed, with the default classifier and limits.
    pub fn new(uri: &str, breaker: CircuitBreaker) -> Self {
        ProtectedPublisher { publisher: Publisher::of_uri(uri), breaker, classify: LapinClassify::new() }
    }

    /// Creates a publisher with its own way to connect, such as TLS or several brokers.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen::CircuitBreaker;
    /// use halfopen_lapin::ProtectedPublisher;
    /// use lapin::{Connection, ConnectionProperties};
    ///
    /// let named = || ConnectionProperties::default().with_connection_name("orders".into());
    /// let connect = move || Connection::connect("amqp://127.0.0.1:5672/%2f?heartbeat=10", named());
    /// let orders = ProtectedPublisher::connecting(connect, CircuitBreaker::builder("orders").build());
    /// ```
    pub fn connecting<F>(connect: impl Fn() -> F + Send + Sync + 'static, breaker: CircuitBreaker) -> Self
    where
        F: Future<Output = lapin::Result<Connection>> + Send + 'static,
    {
        ProtectedPublisher { publisher: Publisher::new(connect), breaker, classify: LapinClassify::new() }
    }

    /// Sets the classifier.
    pub fn classify(self, classify: LapinClassify) -> Self {
        ProtectedPublisher { classify, ..self }
    }

    /// Sets the longest time from the start of a publish to its confirm, without that for a new connection.
    pub fn confirm_timeout(self, limit: Duration) -> Self {
        let publisher = Publisher { confirm_timeout: limit, ..self.publisher };
        ProtectedPublisher { publisher, ..self }
    }

    /// Sets the longest time that a call waits for a connection and a channel.
    pub fn connect_timeout(self, limit: Duration) -> Self {
        let publisher = Publisher { connect_timeout: limit, ..self.publisher };
        ProtectedPublisher { publisher, ..self }
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Publishes a message. Its confirm is the result of the [`PendingConfirm`].
    ///
    /// # Errors
    ///
    /// Any [`PublishError`] that is known before the confirm.
    pub async fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        options: BasicPublishOptions,
        payload: &[u8],
        properties: BasicProperties,
    ) -> Result<PendingConfirm, PublishError> {
        let permit = HeldPermit::new(self.breaker.try_acquire_owned().map_err(PublishError::Rejected)?);
        let message = Message { exchange, routing_key, options, payload, properties };
        match self.publisher.send(permit.is_probe(), message).await {
            Ok(confirming) => {
                let call = PendingCall { permit, classify: self.classify };
                Ok(PendingConfirm { confirming, call: Some(call) })
            }
            Err(error) => {
                let result: Result<Infallible, PublishError> = Err(error);
                permit.settle(&result, &self.classify);
                result.map(|never| match never {})
            }
        }
    }

    /// Makes a call with a new channel of the connection, as one call of the breaker and within the confirm timeout.
    ///
    /// For anything that is not a publish, such as the declaration of queues. An error of the protocol closes this channel, and not
    /// that of the publishes. An `Ok` is a success.
    ///
    /// # Errors
    ///
    /// The errors of the call, a rejection, an exceeded limit.
    pub async fn call<T, F: Future<Output = lapin::Result<T>>>(
        &self,
        operation: impl FnOnce(Channel) -> F,
    ) -> Result<T, PublishError> {
        let limit = self.publisher.confirm_timeout;
        let renew = !self.breaker.is_closed();
        let call = async || {
            let connection = self.publisher.link.connection(renew, self.publisher.connect_timeout).await?;
            let called = async { operation(connection.create_channel().await?).await };
            match timeout(limit, called).await {
                Ok(result) => result.map_err(PublishError::Client),
                Err(_) => Err(PublishError::TimedOut(NoConfirm { limit, connecting: false })),
            }
        };
        self.breaker.call_with(call, &self.classify).await.map_err(|error| match error {
            CircuitBreakerError::Inner(error) => error,
            CircuitBreakerError::Rejected(rejected) => PublishError::Rejected(rejected),
        })
    }
}

impl fmt::Debug for ProtectedPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedPublisher")
            .field("breaker", &self.breaker)
            .field("confirm_timeout", &self.publisher.confirm_timeout)
            .finish_non_exhaustive()
    }
}
