use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::{PublishAckFuture, PublishError};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::{HeaderMap, ToSubject};
use bytes::Bytes;
use halfopen::CircuitBreaker;
use halfopen::adapter::HeldPermit;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use crate::classify::{NatsClassify, NatsError};
use crate::client::protect;
use crate::error::NoReply;

/// The default of [`ProtectedContext::call_timeout`]. The client's own is five seconds.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(3);

/// A JetStream context whose publishes pass through a circuit breaker, and end with their acknowledgement.
///
/// Clones share the connection and the breaker.
///
/// - While the breaker is open, a publish fails immediately and sends nothing. [`halfopen::rejection`] finds the
///   [`Rejected`](halfopen::Rejected) in the error.
/// - A publish is one call, from its start to its acknowledgement, within the [`call_timeout`](Self::call_timeout), three
///   seconds by default. As many as the client permits can be in flight.
/// - [`NatsClassify`] decides which errors are failures.
///
/// # What may still be sent
///
/// A publish that timed out or whose [`PendingAck`] was dropped may be stored, now or when the client has connected again. Set
/// the header `Nats-Msg-Id` where a message may be published again: the stream drops duplicates within its `duplicate_window`.
///
/// # Examples
///
/// Many in flight, acknowledged in the end:
///
/// ```no_run
/// use halfopen::CircuitBreaker;
/// use halfopen_nats::ProtectedContext;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let jetstream = async_nats::jetstream::new(async_nats::connect("127.0.0.1:4222").await?);
/// let orders = ProtectedContext::new(jetstream, CircuitBreaker::builder("orders").build());
///
/// let mut pending = Vec::new();
/// for item in ["tea", "milk"] {
///     pending.push(orders.publish("orders.new", item.into()).await?);
/// }
/// for acknowledgement in pending {
///     acknowledgement.await?;
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "a context does nothing until a call is made"]
pub struct ProtectedContext {
    context: Context,
    breaker: CircuitBreaker,
    classify: NatsClassify,
    call_timeout: Duration,
}

impl ProtectedContext {
    /// Wraps a context, with the default classifier and a call timeout of three seconds.
    pub fn new(context: Context, breaker: CircuitBreaker) -> Self {
        ProtectedContext { context, breaker, classify: NatsClassify::new(), call_timeout: CALL_TIMEOUT }
    }

    /// Sets the classifier.
    pub fn classify(self, classify: NatsClassify) -> Self {
        ProtectedContext { classify, ..self }
    }

    /// Sets the longest time that a call may take, with its acknowledgement.
    ///
    /// The error of a call that exceeds it has a [`NoReply`](crate::NoReply) in its chain, and is a failure.
    pub fn call_timeout(self, limit: Duration) -> Self {
        ProtectedContext { call_timeout: limit, ..self }
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Returns the context, whose calls do not pass through the breaker.
    pub fn inner(&self) -> &Context {
        &self.context
    }

    /// Publishes a message. Its acknowledgement is the result of the [`PendingAck`].
    ///
    /// # Errors
    ///
    /// The errors of the client, a rejection, a [`NoReply`](crate::NoReply); see [`NatsClassify`].
    ///
    /// # Cancel safety
    ///
    /// A dropped publish is recorded as abandoned and gives back a probe's slot. It may still be stored.
    pub async fn publish(&self, subject: impl ToSubject, payload: Bytes) -> Result<PendingAck, PublishError> {
        self.send_publish(subject, PublishMessage::build().payload(payload)).await
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
    ) -> Result<PendingAck, PublishError> {
        self.send_publish(subject, PublishMessage::build().payload(payload).headers(headers)).await
    }

    /// Publishes a message with a condition or an identifier.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`publish`](Self::publish).
    pub async fn send_publish(
        &self,
        subject: impl ToSubject,
        message: PublishMessage,
    ) -> Result<PendingAck, PublishError> {
        let permit = HeldPermit::new(self.breaker.try_acquire_owned().map_err(PublishError::not_made)?);
        let deadline = Instant::now() + self.call_timeout;
        let sent = timeout_at(deadline, self.context.send_publish(subject, message));
        match sent.await.unwrap_or_else(|_| Err(PublishError::no_reply(NoReply::within(self.call_timeout)))) {
            Ok(acknowledgement) => Ok(PendingAck {
                acknowledgement: acknowledgement.into_future(),
                sleep: sleep_until(deadline),
                call: Some(PendingCall { permit, classify: self.classify }),
                limit: self.call_timeout,
            }),
            Err(error) => {
                let result: Result<Infallible, PublishError> = Err(error);
                permit.settle(&result, &self.classify);
                result.map(|never| match never {})
            }
        }
    }

    /// Makes a call with a clone of the context, as one call of the breaker and within the call timeout.
    ///
    /// For anything that is not a publish: streams and consumers. An `Ok` is a success, so the call must end with an answer of the
    /// server.
    ///
    /// # Errors
    ///
    /// The errors of the call, a rejection, a [`NoReply`](crate::NoReply).
    pub async fn call<T, E: NatsError, F: Future<Output = Result<T, E>>>(
        &self,
        operation: impl FnOnce(Context) -> F,
    ) -> Result<T, E> {
        let context = self.context.clone();
        protect(&self.breaker, &self.classify, self.call_timeout, || operation(context)).await
    }
}

impl fmt::Debug for ProtectedContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedContext")
            .field("breaker", &self.breaker)
            .field("call_timeout", &self.call_timeout)
            .finish_non_exhaustive()
    }
}

/// What ends with an acknowledgement.
struct PendingCall {
    permit: HeldPermit,
    classify: NatsClassify,
}

pin_project! {
    /// A publish that has been sent, and whose acknowledgement ends the call.
    ///
    /// # Cancel safety
    ///
    /// A dropped one is recorded as abandoned and gives back a probe's slot. The message may be stored.
    #[must_use = "a publish without its acknowledgement is an abandoned call"]
    pub struct PendingAck {
        // The client's own box.
        acknowledgement: <PublishAckFuture as IntoFuture>::IntoFuture,
        #[pin]
        sleep: Sleep,
        call: Option<PendingCall>,
        limit: Duration,
    }
}

impl Future for PendingAck {
    type Output = Result<PublishAck, PublishError>;

    /// # Panics
    ///
    /// If it is polled after it has ended.
    fn poll(self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = match this.acknowledgement.as_mut().poll(context) {
            Poll::Ready(result) => result,
            Poll::Pending if this.sleep.poll(context).is_ready() => {
                Err(PublishError::no_reply(NoReply::within(*this.limit)))
            }
            Poll::Pending => return Poll::Pending,
        };
        let call = this.call.take().expect("a future is not polled after it has ended");
        call.permit.settle(&result, &call.classify);
        Poll::Ready(result)
    }
}

impl fmt::Debug for PendingAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAck").field("limit", &self.limit).finish_non_exhaustive()
    }
}
