//! Publishers as the senders of an outbox: a broker that dies and comes back has every item.

use async_nats::jetstream::{self, stream::Config};
use halfopen::{CircuitBreaker, CircuitBreakerConfig, Trip};
use halfopen_lapin::{LapinClassify, LapinSender, ProtectedPublisher};
use halfopen_nats::{JetStreamSender, NatsClassify};
use halfopen_outbox::{Delivery, Item, MemoryStore, Outbox};
use lapin::types::FieldTable;
use test_support::nats::NatsServer;

use crate::rabbitmq::{declare, server};
use crate::world::{LONG, SHORT, closed};

/// Opens after one failure, for a short time.
fn hasty() -> CircuitBreaker {
    let config = CircuitBreakerConfig::builder().trip(Trip::consecutive_failures(1)).open_duration(SHORT);
    CircuitBreaker::new("broker", config.build().unwrap())
}

fn item(number: u32) -> Item {
    Item::new(format!("{number}")).lane("receipts").key(format!("receipt-{number}"))
}

#[tokio::test]
async fn an_outbox_delivers_to_a_stream_that_was_away() {
    let Some(mut server) = NatsServer::start() else { return };
    let options = async_nats::ConnectOptions::new().reconnect_delay_callback(|_| SHORT / 10);
    let context = jetstream::new(options.connect(server.address().to_string()).await.unwrap());
    let config = Config { name: "RECEIPTS".into(), subjects: vec!["receipts".into()], ..Config::default() };
    context.create_stream(config).await.unwrap();
    let sender = JetStreamSender::new(context.clone(), |item: &Item| item.lane_name().to_owned());
    let outbox = Outbox::builder(MemoryStore::new(), sender.call_timeout(3 * SHORT))
        .breaker(hasty())
        .classify(NatsClassify::new())
        .build()
        .await
        .unwrap();

    assert_eq!(outbox.send(item(0)).await.unwrap(), Delivery::Sent);
    server.kill();
    for number in 1..20 {
        assert_eq!(outbox.send(item(number)).await.unwrap(), Delivery::Buffered);
    }
    server.restart();
    assert_eq!(outbox.close(LONG).await, 0, "{:?}", outbox.snapshot());
    let stored = context.get_stream("RECEIPTS").await.unwrap().get_info().await.unwrap().state.messages;
    assert_eq!(stored, 20, "each once, although some were sent twice");
}

#[tokio::test]
async fn an_outbox_delivers_to_a_queue_that_was_away() {
    let Some(server) = server().await else { return };
    let publisher =
        ProtectedPublisher::new(&server.uri(), closed()).confirm_timeout(LONG).connect_timeout(LONG);
    declare(&publisher, "receipts", FieldTable::default()).await;
    let sender = LapinSender::new(&server.uri(), "", |item: &Item| item.lane_name().to_owned());
    let outbox = Outbox::builder(MemoryStore::new(), sender)
        .breaker(hasty())
        .classify(LapinClassify::new())
        .build()
        .await
        .unwrap();

    assert_eq!(outbox.send(item(0)).await.unwrap(), Delivery::Sent);
    server.kill();
    for number in 1..20 {
        assert_eq!(outbox.send(item(number)).await.unwrap(), Delivery::Buffered);
    }
    server.restart();
    assert_eq!(outbox.close(LONG).await, 0, "{:?}", outbox.snapshot());
    let purged =
        publisher.call(async |channel| channel.queue_purge("receipts".into(), Default::default()).await);
    assert!(purged.await.unwrap() >= 20, "every item, at least once");
}
