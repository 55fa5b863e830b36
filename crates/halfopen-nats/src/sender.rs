use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishError;
use halfopen_outbox::{Item, Sender};

use crate::error::within;

/// Publishes the items of an outbox to a stream, each as one acknowledged message.
///
/// The idempotency key is the header `Nats-Msg-Id`: the stream drops an item that arrives again within its
/// `duplicate_window`. It has no breaker, as the outbox has one: set [`NatsClassify`](crate::NatsClassify) as the classifier of the outbox.
///
/// # Examples
///
/// ```no_run
/// use halfopen::CircuitBreaker;
/// use halfopen_nats::{JetStreamSender, NatsClassify};
/// use halfopen_outbox::{Item, MemoryStore, Outbox};
///
/// # async fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let jetstream = async_nats::jetstream::new(async_nats::connect("127.0.0.1:4222").await?);
/// let sender = JetStreamSender::new(jetstream, |item: &Item| format!("orders.{}", item.lane_name()));
/// let outbox = Outbox::builder(MemoryStore::new(), sender)
///     .breaker(CircuitBreaker::builder("orders").build())
///     .classify(NatsClassify::new())
///     .build()
///     .await?;
/// outbox.send(Item::new("tea").lane("new").key("order-7")).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct JetStreamSender<F> {
    context: Context,
    subject: F,
    call_timeout: Duration,
}

impl<F: Fn(&Item) -> String + Send + Sync + 'static> JetStreamSender<F> {
    /// Creates a sender that publishes each item to the subject that a function returns for it, within three seconds.
    pub fn new(context: Context, subject: F) -> Self {
        JetStreamSender { context, subject, call_timeout: crate::jetstream::CALL_TIMEOUT }
    }

    /// Sets the longest time that a publish may take, with its acknowledgement.
    #[must_use]
    pub fn call_timeout(self, limit: Duration) -> Self {
        JetStreamSender { call_timeout: limit, ..self }
    }
}

impl<F: Fn(&Item) -> String + Send + Sync + 'static> Sender for JetStreamSender<F> {
    type Error = PublishError;

    async fn send(&self, item: Item) -> Result<(), PublishError> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, identifier(item.idempotency_key()));
        let subject = (self.subject)(&item);
        let publish = self.context.publish_with_headers(subject, headers, item.payload().clone());
        within(self.call_timeout, async { publish.await?.await }).await.map(drop)
    }
}

/// The key as the value of a header, which has no line breaks and no spaces at its ends. Different keys have different
/// values: the stream would drop an item whose value is that of another.
fn identifier(key: &str) -> String {
    let mut value = String::with_capacity(key.len());
    for character in key.chars() {
        if character.is_ascii_graphic() && character != '\\' {
            value.push(character);
        } else {
            value.extend(character.escape_unicode());
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use async_nats::HeaderValue;

    use super::*;

    #[test]
    fn every_key_is_a_header_of_its_own() {
        let keys = ["receipt-7", "a\nb", "a\\u{a}b", "a\r\nb", "a", "a ", " a", "ä", "\\"];
        let values: HashSet<String> = keys.iter().map(|key| identifier(key)).collect();
        assert_eq!(values.len(), keys.len(), "{values:?}");
        assert!(values.iter().all(|value| value.parse::<HeaderValue>().is_ok()), "{values:?}");
        assert!(values.contains("receipt-7"));
    }
}
