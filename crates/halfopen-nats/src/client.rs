use std::fmt;
use std::time::Duration;

use async_nats::client::PublishErrorKind;
use async_nats::client::RequestErrorKind;
use async_nats::{Client, HeaderMap, Message, PublishError, Request, RequestError, ToSubject};
use bytes::Bytes;
use halfopen::adapter::HeldPermit;
use halfopen::{CircuitBreaker, CircuitBreakerError};

use crate::classify::{NatsClassify, NatsError};
use crate::error::within;

/// The default of [`ProtectedClient::call_timeout`]. The client's own, for requests only, is ten seconds.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// Which publishes wait for a receipt of the server.
///
/// Core NATS acknowledges no publish. A receipt is a round trip after it: a request to a new inbox, which the server answers
/// itself, as it has no subscriber. The server handles the messages of a connection in their order, so it has received the
/// publish. A receipt needs the permission to publish to the client's inboxes (`_INBOX.>` by default); without it, the server
/// does not answer, and the receipt is a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Receipts {
    /// None. A publish ends when it is written to the connection, that of a half-open breaker too: a frozen server
    /// closes the breaker.
    Never,
    /// The probes of a half-open breaker. Every other publish ends when it is written to the connection.
    #[default]
    Probes,
    /// Every publish.
    Always,
}

/// A client of core NATS whose requests and publishes pass through a circuit breaker.
///
/// Clones share the connection and the breaker.
///
/// - While the breaker is open, a call fails immediately and sends nothing. [`halfopen::rejection`] finds the
///   [`Rejected`](halfopen::Rejected) in the error.
/// - Every call has a [`call_timeout`](Self::call_timeout), two seconds by default. The client waits for its
///   connection otherwise: a publish without a limit, a request for ten seconds or more.
/// - A publish waits until it is written to the connection, as that of the client itself is an entry of a queue and also
///   succeeds when the server is gone. The probes of a half-open breaker also wait for a [receipt](Receipts) of the server.
/// - [`NatsClassify`] decides which errors are failures.
///
/// # What may still be sent
///
/// A call that timed out or was dropped can be in the queue of the client, which sends it when it has connected again,
/// even minutes later. A success of a publish is no guarantee that a subscriber receives it; for that, publish through a
/// [`ProtectedContext`](crate::ProtectedContext).
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
///
/// use halfopen::CircuitBreaker;
/// use halfopen_nats::ProtectedClient;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Lazy: the program starts although the server is away.
/// let client = async_nats::ConnectOptions::new().retry_on_initial_connect().connect("127.0.0.1:4222").await?;
/// let breaker = CircuitBreaker::builder("prices").build();
/// let prices = ProtectedClient::new(client, breaker).call_timeout(Duration::from_millis(500));
///
/// let price = prices.request("prices.tea", "".into()).await?;
/// prices.publish("prices.seen", price.payload).await?;
/// # Ok(()) }
/// ```
///
/// # Cancel safety
///
/// A dropped call is recorded as abandoned and gives back a probe's slot. It may still be sent.
#[derive(Clone)]
#[must_use = "a client does nothing until a call is made"]
pub struct ProtectedClient {
    client: Client,
    breaker: CircuitBreaker,
    classify: NatsClassify,
    call_timeout: Duration,
    receipts: Receipts,
}

impl ProtectedClient {
    /// Wraps a client, with the default classifier and a call timeout of two seconds.
    pub fn new(client: Client, breaker: CircuitBreaker) -> Self {
        let (classify, receipts) = (NatsClassify::new(), Receipts::Probes);
        ProtectedClient { client, breaker, classify, call_timeout: CALL_TIMEOUT, receipts }
    }

    /// Sets the classifier.
    pub fn classify(self, classify: NatsClassify) -> Self {
        ProtectedClient { classify, ..self }
    }

    /// Sets the longest time that a call may take.
    ///
    /// The error of a call that exceeds it has a [`NoReply`](crate::NoReply) in its chain, and is a failure.
    pub fn call_timeout(self, limit: Duration) -> Self {
        ProtectedClient { call_timeout: limit, ..self }
    }

    /// Sets which publishes wait for a receipt of the server.
    pub fn receipts(self, receipts: Receipts) -> Self {
        ProtectedClient { receipts, ..self }
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Returns the client, whose calls do not pass through the breaker.
    pub fn inner(&self) -> &Client {
        &self.client
    }

    /// Publishes a message.
    ///
    /// # Errors
    ///
    /// The errors of the client, a rejection, a [`NoReply`](crate::NoReply); see [`NatsClassify`].
    pub async fn publish(&self, subject: impl ToSubject, payload: Bytes) -> Result<(), PublishError> {
        self.published(self.client.publish(subject, payload)).await
    }

    /// Publishes a message with headers.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`publish`](Self::publish).
    pub async fn publish_with_headers(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.published(self.client.publish_with_headers(subject, headers, payload)).await
    }

    /// Publishes a message with the subject to which its receiver replies.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`publish`](Self::publish).
    pub async fn publish_with_reply(
        &self,
        subject: impl ToSubject,
        reply: impl ToSubject,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.published(self.client.publish_with_reply(subject, reply, payload)).await
    }

    /// Sends a request, and waits for the reply.
    ///
    /// # Errors
    ///
    /// The errors of the client, a rejection, a [`NoReply`](crate::NoReply); see [`NatsClassify`].
    pub async fn request(&self, subject: impl ToSubject, payload: Bytes) -> Result<Message, RequestError> {
        self.call(|client| async move { client.request(subject, payload).await }).await
    }

    /// Sends a request with headers, and waits for the reply.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`request`](Self::request).
    pub async fn request_with_headers(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Message, RequestError> {
        self.send_request(subject, Request::new().headers(headers).payload(payload)).await
    }

    /// Sends a request with settings of its own. Its timeout has an effect if it is below the call timeout.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`request`](Self::request).
    pub async fn send_request(
        &self,
        subject: impl ToSubject,
        request: Request,
    ) -> Result<Message, RequestError> {
        self.call(|client| async move { client.send_request(subject, request).await }).await
    }

    /// Makes a call with a clone of the client, as one call of the breaker and within the call timeout.
    ///
    /// An `Ok` is a success: the call must end with an answer of the server or of a service.
    ///
    /// # Errors
    ///
    /// The errors of the call, a rejection, a [`NoReply`](crate::NoReply).
    pub async fn call<T, E: NatsError, F: Future<Output = Result<T, E>>>(
        &self,
        operation: impl FnOnce(Client) -> F,
    ) -> Result<T, E> {
        let client = self.client.clone();
        protect(&self.breaker, &self.classify, self.call_timeout, || operation(client)).await
    }

    /// Makes a publish one call, which ends when it is written to the connection or received by the server.
    async fn published(
        &self,
        queued: impl Future<Output = Result<(), PublishError>>,
    ) -> Result<(), PublishError> {
        let permit = HeldPermit::new(self.breaker.try_acquire_owned().map_err(PublishError::not_made)?);
        let receipt = match self.receipts {
            Receipts::Never => false,
            Receipts::Probes => permit.is_probe(),
            Receipts::Always => true,
        };
        let result = within(self.call_timeout, async {
            queued.await?;
            if receipt { self.receipt().await } else { self.client.flush().await.map_err(not_sent) }
        });
        let result = result.await;
        permit.settle(&result, &self.classify);
        result
    }

    async fn receipt(&self) -> Result<(), PublishError> {
        match self.client.request(self.client.new_inbox(), Bytes::new()).await {
            Ok(_) => Ok(()),
            Err(error) => match error.kind() {
                RequestErrorKind::NoResponders => Ok(()),
                RequestErrorKind::TimedOut
                | RequestErrorKind::InvalidSubject
                | RequestErrorKind::MaxPayloadExceeded
                | RequestErrorKind::Other => Err(not_sent(error)),
            },
        }
    }
}

fn not_sent(cause: impl NatsError + Send + Sync) -> PublishError {
    PublishError::with_source(PublishErrorKind::Send, cause)
}

/// Makes one call, through the breaker and within the limit.
pub(crate) async fn protect<T, E: NatsError, F: Future<Output = Result<T, E>>>(
    breaker: &CircuitBreaker,
    classify: &NatsClassify,
    limit: Duration,
    call: impl FnOnce() -> F,
) -> Result<T, E> {
    breaker.call_with(|| within(limit, call()), classify).await.map_err(|error| match error {
        CircuitBreakerError::Inner(error) => error,
        CircuitBreakerError::Rejected(rejected) => E::not_made(rejected),
    })
}

impl fmt::Debug for ProtectedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedClient")
            .field("breaker", &self.breaker)
            .field("call_timeout", &self.call_timeout)
            .field("receipts", &self.receipts)
            .finish_non_exhaustive()
    }
}
