use std::time::Duration;

use halfopen_outbox::{Item, Sender};
use lapin::options::BasicPublishOptions;
use lapin::{BasicProperties, Connection};

use crate::error::PublishError;
use crate::publisher::{Message, Publisher};

/// Publishes the items of an outbox to RabbitMQ, each as one confirmed, persistent message.
///
/// The idempotency key is the `message_id`, and a message that no queue is bound for is an error (`mandatory`). It has no breaker, as the outbox
/// has one: set [`LapinClassify`](crate::LapinClassify) as the classifier of the outbox. Clones share the connection.
///
/// # Examples
///
/// ```no_run
/// use halfopen::CircuitBreaker;
/// use halfopen_lapin::{LapinClassify, LapinSender};
/// use halfopen_outbox::{Item, MemoryStore, Outbox};
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let uri = "amqp://127.0.0.1:5672/%2f?heartbeat=10";
/// let sender = LapinSender::new(uri, "", |item: &Item| item.lane_name().to_owned());
/// let outbox = Outbox::builder(MemoryStore::new(), sender)
///     .breaker(CircuitBreaker::builder("orders").build())
///     .classify(LapinClassify::new())
///     .build()
///     .await?;
/// outbox.send(Item::new("tea").lane("orders").key("order-7")).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct LapinSender<F> {
    publisher: Publisher,
    exchange: String,
    routing_key: F,
}

impl<F: Fn(&Item) -> String + Send + Sync + 'static> LapinSender<F> {
    /// Creates a sender that publishes to an exchange, with the routing key that a function returns for each item.
    pub fn new(uri: &str, exchange: &str, routing_key: F) -> Self {
        LapinSender { publisher: Publisher::of_uri(uri), exchange: exchange.to_owned(), routing_key }
    }

    /// Creates a sender with its own way to connect; see
    /// [`ProtectedPublisher::connecting`](crate::ProtectedPublisher::connecting).
    pub fn connecting<C>(
        connect: impl Fn() -> C + Send + Sync + 'static,
        exchange: &str,
        routing_key: F,
    ) -> Self
    where
        C: Future<Output = lapin::Result<Connection>> + Send + 'static,
    {
        LapinSender { publisher: Publisher::new(connect), exchange: exchange.to_owned(), routing_key }
    }

    /// Sets the longest time from the start of a publish to its confirm. The default is three seconds.
    #[must_use]
    pub fn confirm_timeout(self, limit: Duration) -> Self {
        LapinSender { publisher: Publisher { confirm_timeout: limit, ..self.publisher }, ..self }
    }
}

impl<F: Fn(&Item) -> String + Send + Sync + 'static> Sender for LapinSender<F> {
    type Error = PublishError;

    async fn send(&self, item: Item) -> Result<(), PublishError> {
        let message = Message {
            exchange: &self.exchange,
            routing_key: &(self.routing_key)(&item),
            options: BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() },
            payload: item.payload(),
            properties: BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id(item.idempotency_key().into()),
        };
        // A connection on which a confirm has not come is replaced: the breaker of the outbox decides how often.
        self.publisher.send(true, message).await?.await
    }
}
