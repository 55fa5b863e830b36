use std::time::Duration;

use halfopen_outbox::{Item, Sender};
use rdkafka::ClientContext;
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::{AsyncRuntime, DefaultRuntime};

use crate::error::ProduceError;
use crate::producer::{DELIVERY_TIMEOUT, queue};

/// The header with the idempotency key of an item.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Sends the items of an outbox to Kafka, each as one delivered message.
///
/// The idempotency key is the header `idempotency-key`, by which a receiver recognizes an item that arrives again. The name of the lane is
/// the key of the message: the items of a lane are in one partition, in their order. It has no breaker, as the outbox has
/// one: set [`KafkaClassify`](crate::KafkaClassify) as the classifier of the outbox.
///
/// # Examples
///
/// ```no_run
/// use halfopen::CircuitBreaker;
/// use halfopen_outbox::{Item, MemoryStore, Outbox};
/// use halfopen_rdkafka::{KafkaClassify, KafkaSender};
/// use rdkafka::ClientConfig;
/// use rdkafka::producer::FutureProducer;
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let producer: FutureProducer = ClientConfig::new()
///     .set("bootstrap.servers", "127.0.0.1:9092")
///     .set("message.timeout.ms", "3000")
///     .set("reconnect.backoff.max.ms", "1000")
///     .create()?;
/// let sender = KafkaSender::new(producer, |_: &Item| "receipts".to_owned());
/// let outbox = Outbox::builder(MemoryStore::new(), sender)
///     .breaker(CircuitBreaker::builder("receipts").build())
///     .classify(KafkaClassify::new())
///     .build()
///     .await?;
/// outbox.send(Item::new("tea").lane("customer-7").key("order-7")).await?;
/// # Ok(()) }
/// ```
pub struct KafkaSender<F, C: ClientContext + 'static = DefaultClientContext, R = DefaultRuntime> {
    producer: FutureProducer<C, R>,
    topic: F,
    delivery_timeout: Duration,
}

impl<F, C, R> KafkaSender<F, C, R>
where
    F: Fn(&Item) -> String + Send + Sync + 'static,
    C: ClientContext + 'static,
    R: AsyncRuntime,
{
    /// Creates a sender that sends each item to the topic that a function returns for it, within five seconds.
    pub fn new(producer: FutureProducer<C, R>, topic: F) -> Self {
        KafkaSender { producer, topic, delivery_timeout: DELIVERY_TIMEOUT }
    }

    /// Sets the longest time from the entry of a message into the queue to its delivery report.
    ///
    /// Above `message.timeout.ms`, an item leaves the queue of the producer before the outbox sends it again.
    #[must_use]
    pub fn delivery_timeout(self, limit: Duration) -> Self {
        KafkaSender { delivery_timeout: limit, ..self }
    }
}

impl<F: Clone, C: ClientContext + 'static, R> Clone for KafkaSender<F, C, R> {
    fn clone(&self) -> Self {
        let (producer, topic) = (self.producer.clone(), self.topic.clone());
        KafkaSender { producer, topic, delivery_timeout: self.delivery_timeout }
    }
}

impl<F, C, R> Sender for KafkaSender<F, C, R>
where
    F: Fn(&Item) -> String + Send + Sync + 'static,
    C: ClientContext + 'static,
    R: AsyncRuntime + Send + Sync + 'static,
{
    type Error = ProduceError;

    async fn send(&self, item: Item) -> Result<(), ProduceError> {
        let reporting = {
            let topic = (self.topic)(&item);
            let key = Header { key: IDEMPOTENCY_KEY, value: Some(item.idempotency_key()) };
            let record = FutureRecord::to(&topic)
                .key(item.lane_name())
                .payload(&item.payload()[..])
                .headers(OwnedHeaders::new_with_capacity(1).insert(key));
            queue(&self.producer, record, self.delivery_timeout)?
        };
        reporting.await.map(drop)
    }
}
