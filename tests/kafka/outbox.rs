//! A Kafka producer as the sender of an outbox: a broker that goes away and comes back has every item.

use std::collections::HashSet;

use halfopen::{CircuitBreaker, CircuitBreakerConfig, Trip};
use halfopen_outbox::{Delivery, Item, MemoryStore, Outbox};
use halfopen_rdkafka::{KafkaClassify, KafkaSender};
use rdkafka::Message;
use rdkafka::message::Headers;

use crate::world::{Cluster, LONG, SHORT, TOPIC};

#[tokio::test]
async fn an_outbox_delivers_to_a_broker_that_was_away() {
    let cluster = Cluster::start();
    let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).open_duration(SHORT);
    let sender = KafkaSender::new(cluster.bare(3 * SHORT), |_: &Item| TOPIC.to_owned());
    let outbox = Outbox::builder(MemoryStore::new(), sender.delivery_timeout(LONG))
        .breaker(CircuitBreaker::new("broker", config.build().unwrap()))
        .classify(KafkaClassify::new())
        .build()
        .await
        .unwrap();
    let item = |number: u32| Item::new(format!("{number}")).lane("receipts").key(format!("receipt-{number}"));

    assert_eq!(outbox.send(item(0)).await.unwrap(), Delivery::Sent);
    cluster.command("down");
    for number in 1..20 {
        assert_eq!(outbox.send(item(number)).await.unwrap(), Delivery::Buffered);
    }
    cluster.command("up");
    assert_eq!(outbox.close(2 * LONG).await, 0, "{:?}", outbox.snapshot());

    let consumer = cluster.consumer();
    let mut keys = HashSet::new();
    while keys.len() < 20 {
        let message = consumer.recv().await.unwrap();
        assert_eq!(message.key(), Some(b"receipts".as_slice()), "one partition for a lane");
        let header = message.headers().unwrap().get(0);
        assert_eq!(header.key, "idempotency-key");
        keys.insert(header.value.unwrap().to_vec());
    }
    let all = (0..20).map(|number| format!("receipt-{number}").into_bytes());
    assert_eq!(keys, all.collect::<HashSet<_>>(), "every item, at least once");
}
