use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use halfopen::CircuitBreaker;
use halfopen::adapter::HeldPermit;
use rdkafka::ClientContext;
use rdkafka::client::DefaultClientContext;
use rdkafka::message::ToBytes;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::{AsyncRuntime, DefaultRuntime};

use crate::classify::KafkaClassify;
use crate::delivery::{PendingCall, PendingDelivery, Reporting};
use crate::error::ProduceError;

/// The default of [`ProtectedProducer::delivery_timeout`]: above the `message.timeout.ms` to set, so that the error of the
/// client comes first.
pub(crate) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// A Kafka producer whose messages pass through a circuit breaker, and end with their delivery report.
///
/// Clones share the producer, its queue and the breaker. As many messages as the queue holds can be in flight.
///
/// - While the breaker is open, a message is rejected immediately with [`ProduceError::Rejected`]: it does not enter the queue.
/// - A message is one call, from its entry into the queue to its delivery report, within the
///   [`delivery_timeout`](Self::delivery_timeout), five seconds by default.
/// - A queue that is full is an error immediately: rdkafka's own `send` would try again every 100 ms.
/// - [`KafkaClassify`] decides which errors are failures.
///
/// # The producer
///
/// Set `message.timeout.ms` to `3000` and `reconnect.backoff.max.ms` to `1000`. By default librdkafka keeps a message for five
/// minutes, and retries inside: of a broker with too few replicas, of a partition without a leader, and of a broker that is
/// gone the caller sees `MessageTimedOut`, and nothing before. A topic that does not exist is known after
/// `topic.metadata.propagation.max.ms`, 30 seconds by default: with a shorter `message.timeout.ms` it looks like an outage.
///
/// While librdkafka sleeps out its reconnection backoff, a probe can fail although the broker is back.
///
/// # What may still be sent
///
/// A message in the queue leaves it by its delivery report only. One whose call has exceeded the delivery timeout, or whose
/// [`PendingDelivery`] was dropped, is delivered when the broker is back within `message.timeout.ms`. `MessageTimedOut` is
/// also the report of a message that was stored and whose acknowledgement was lost. Give a message an identifier where it may be
/// sent again.
///
/// # Examples
///
/// Many in flight, delivered in the end:
///
/// ```no_run
/// use halfopen::CircuitBreaker;
/// use halfopen_rdkafka::ProtectedProducer;
/// use rdkafka::ClientConfig;
/// use rdkafka::producer::{FutureProducer, FutureRecord};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let producer: FutureProducer = ClientConfig::new()
///     .set("bootstrap.servers", "127.0.0.1:9092")
///     .set("message.timeout.ms", "3000")
///     .set("reconnect.backoff.max.ms", "1000")
///     .create()?;
/// let orders = ProtectedProducer::new(producer, CircuitBreaker::builder("orders").build());
///
/// let mut pending = Vec::new();
/// for item in ["tea", "milk"] {
///     pending.push(orders.send(FutureRecord::<(), _>::to("orders").payload(item))?);
/// }
/// for delivery in pending {
///     println!("stored at {}", delivery.await?.offset);
/// }
/// # Ok(()) }
/// ```
#[must_use = "a producer does nothing until a message is sent"]
pub struct ProtectedProducer<C: ClientContext + 'static = DefaultClientContext, R = DefaultRuntime> {
    producer: FutureProducer<C, R>,
    breaker: CircuitBreaker,
    classify: KafkaClassify,
    delivery_timeout: Duration,
}

impl<C: ClientContext + 'static, R: AsyncRuntime> ProtectedProducer<C, R> {
    /// Wraps a producer, with the default classifier and a delivery timeout of five seconds.
    pub fn new(producer: FutureProducer<C, R>, breaker: CircuitBreaker) -> Self {
        let (classify, delivery_timeout) = (KafkaClassify::new(), DELIVERY_TIMEOUT);
        ProtectedProducer { producer, breaker, classify, delivery_timeout }
    }

    /// Sets the classifier.
    pub fn classify(self, classify: KafkaClassify) -> Self {
        ProtectedProducer { classify, ..self }
    }

    /// Sets the longest time from the entry of a message into the queue to its delivery report.
    ///
    /// It ends the call, and not the message: see [What may still be sent](Self#what-may-still-be-sent).
    pub fn delivery_timeout(self, limit: Duration) -> Self {
        ProtectedProducer { delivery_timeout: limit, ..self }
    }

    /// Returns the breaker.
    pub fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Returns the producer, whose calls do not pass through the breaker.
    pub fn inner(&self) -> &FutureProducer<C, R> {
        &self.producer
    }

    /// Puts a message into the queue of the producer. Its delivery report is the result of the [`PendingDelivery`].
    ///
    /// Does not wait, and needs no runtime. The [`PendingDelivery`] needs one of tokio.
    ///
    /// # Errors
    ///
    /// Any [`ProduceError`] that is known before the delivery report: a rejection, a queue that is full, a message that is too
    /// large.
    pub fn send<K: ToBytes + ?Sized, P: ToBytes + ?Sized>(
        &self,
        record: FutureRecord<'_, K, P>,
    ) -> Result<PendingDelivery, ProduceError> {
        let permit = HeldPermit::new(self.breaker.try_acquire_owned().map_err(ProduceError::Rejected)?);
        match queue(&self.producer, record, self.delivery_timeout) {
            Ok(reporting) => {
                let call = PendingCall { permit, classify: self.classify };
                Ok(PendingDelivery { reporting, call: Some(call) })
            }
            Err(error) => {
                let result: Result<Infallible, ProduceError> = Err(error);
                permit.settle(&result, &self.classify);
                result.map(|never| match never {})
            }
        }
    }
}

/// Puts a message into the queue, without a breaker.
pub(crate) fn queue<C: ClientContext + 'static, R: AsyncRuntime, K: ToBytes + ?Sized, P: ToBytes + ?Sized>(
    producer: &FutureProducer<C, R>,
    record: FutureRecord<'_, K, P>,
    limit: Duration,
) -> Result<Reporting, ProduceError> {
    match producer.send_result(record) {
        Ok(report) => Ok(Reporting::new(report, limit)),
        Err((error, _)) => Err(ProduceError::Client(error)),
    }
}

impl<C: ClientContext + 'static, R> Clone for ProtectedProducer<C, R> {
    fn clone(&self) -> Self {
        ProtectedProducer {
            producer: self.producer.clone(),
            breaker: self.breaker.clone(),
            classify: self.classify,
            delivery_timeout: self.delivery_timeout,
        }
    }
}

impl<C: ClientContext + 'static, R> fmt::Debug for ProtectedProducer<C, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProtectedProducer")
            .field("breaker", &self.breaker)
            .field("delivery_timeout", &self.delivery_timeout)
            .finish_non_exhaustive()
    }
}
