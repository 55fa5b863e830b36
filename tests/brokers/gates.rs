//! Consumers behind a gate.

use std::time::Duration;

use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{self, consumer};
use futures_util::{FutureExt, StreamExt};
use halfopen::{Gate, State};
use halfopen_lapin::ProtectedPublisher;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use test_support::breaker::{about_to_probe, ended};
use test_support::nats::NatsServer;

use crate::rabbitmq::{declare, server};
use crate::world::{LONG, breaker, closed};

#[tokio::test]
async fn a_gate_keeps_the_messages_of_rabbitmq() {
    let Some(server) = server().await else { return };
    let publisher =
        ProtectedPublisher::new(&server.uri(), closed()).confirm_timeout(LONG).connect_timeout(LONG);
    declare(&publisher, "jobs", FieldTable::default()).await;
    for number in 0..10_u8 {
        let options = BasicPublishOptions::default();
        let sent = publisher.publish("", "jobs", options, &[number], BasicProperties::default()).await;
        sent.unwrap().await.unwrap();
    }
    let connection = Connection::connect(&server.uri(), ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.basic_qos(3, BasicQosOptions::default()).await.unwrap();
    let consumer = channel.basic_consume(
        "jobs".into(),
        "".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let (database, hands) = breaker();
    let mut jobs = Gate::new(database.clone()).messages(consumer.await.unwrap());

    let mut handled = Vec::new();
    for number in 0..10 {
        if number == 4 {
            about_to_probe(&database, &hands);
        } else if number == 2 {
            database.force_open();
            assert!(jobs.next().now_or_never().is_none(), "the gate is shut");
            let ready = async |channel: lapin::Channel| {
                let options = lapin::options::QueueDeclareOptions { passive: true, ..Default::default() };
                channel.queue_declare("jobs".into(), options, FieldTable::default()).await
            };
            let queue = publisher.call(ready).await.unwrap();
            assert_eq!(queue.message_count(), 5, "three are prefetched, and two acknowledged");
            database.reset();
        }
        let job = jobs.next().await.unwrap().transpose().unwrap();
        handled.push(job.data[0]);
        database.call(async || job.ack(BasicAckOptions::default()).await).await.unwrap();
    }
    assert_eq!(handled, (0..10).collect::<Vec<u8>>(), "in order, and each once");
    assert_eq!(database.state(), State::Closed, "{}", ended(&database));
    assert!(connection.status().connected());
}

#[tokio::test]
async fn a_gate_stops_the_pulls_of_jetstream() {
    let Some(server) = NatsServer::start() else { return };
    let client = async_nats::connect(server.address().to_string()).await.unwrap();
    let context = jetstream::new(client);
    let config = Config { name: "JOBS".into(), subjects: vec!["jobs".into()], ..Config::default() };
    let stream = context.create_stream(config).await.unwrap();
    for _ in 0..3 {
        context.publish("jobs", "".into()).await.unwrap().await.unwrap();
    }
    let config = consumer::pull::Config { ack_wait: Duration::from_secs(60), ..Default::default() };
    let consumer = stream.create_consumer(config).await.unwrap();
    let (database, hands) = breaker();
    let gate = Gate::new(database.clone());
    let pull = async || {
        let place = gate.open().await;
        let mut batch = consumer.fetch().max_messages(1).messages().await.unwrap();
        (place, batch.next().await.unwrap().unwrap())
    };

    database.open_for(LONG);
    assert!(pull().now_or_never().is_none());
    hands.advance(LONG);
    let (place, message) = pull().await;
    assert!(pull().now_or_never().is_none(), "one probe, one message");
    let delivered = consumer.clone().info().await.unwrap().delivered.consumer_sequence;
    assert_eq!(delivered, 1, "no other message was pulled");
    database.call(async || message.ack().await).await.unwrap();
    drop(place);
    let (_, second) = pull().await;
    second.ack().await.unwrap();
    assert_eq!(database.state(), State::Closed);
}
