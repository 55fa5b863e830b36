//! Publishes to RabbitMQ and their confirms. One server for all tests of this file, which fail it one after another.

use std::pin::pin;
use std::sync::LazyLock;

use futures_util::FutureExt;
use halfopen::{CircuitBreaker, State};
use halfopen_lapin::{PendingConfirm, ProtectedPublisher, PublishError};
use lapin::BasicProperties;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use test_support::breaker::{about_to_probe, ended};
use test_support::rabbitmq::RabbitMqServer;
use tokio::sync::{Mutex, MutexGuard};

use crate::world::{LONG, SHORT, breaker, closed, until};

static SERVER: LazyLock<Option<Mutex<RabbitMqServer>>> =
    LazyLock::new(|| Some(Mutex::new(RabbitMqServer::start()?)));

/// The server, for one test at a time.
pub(crate) async fn server() -> Option<MutexGuard<'static, RabbitMqServer>> {
    Some(SERVER.as_ref()?.lock().await)
}

fn publisher(server: &RabbitMqServer, breaker: CircuitBreaker) -> ProtectedPublisher {
    ProtectedPublisher::new(&server.uri(), breaker).connect_timeout(LONG).confirm_timeout(LONG)
}

pub(crate) async fn declare(publisher: &ProtectedPublisher, queue: &'static str, arguments: FieldTable) {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = publisher
        .call(async |channel| channel.queue_declare(queue.into(), options, arguments.clone()).await)
        .await;
    declared.unwrap();
}

async fn send(publisher: &ProtectedPublisher, queue: &str) -> Result<PendingConfirm, PublishError> {
    let persistent = BasicProperties::default().with_delivery_mode(2);
    publisher.publish("", queue, BasicPublishOptions::default(), b"tea", persistent).await
}

async fn publish(publisher: &ProtectedPublisher, queue: &str) -> Result<(), PublishError> {
    send(publisher, queue).await?.await
}

#[tokio::test]
async fn a_confirm_is_the_success_and_a_nack_a_failure() {
    let Some(server) = server().await else { return };
    let breaker = closed();
    let publisher = publisher(&server, breaker.clone());
    let mut full = FieldTable::default();
    full.insert("x-max-length".into(), AMQPValue::LongInt(1));
    full.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
    declare(&publisher, "full", full).await;

    publish(&publisher, "full").await.unwrap();
    let error = publish(&publisher, "full").await.unwrap_err();
    assert!(matches!(error, PublishError::Nacked), "{error}");
    let mandatory = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let pending = publisher.publish("", "missing", mandatory, b"tea", BasicProperties::default()).await;
    let error = pending.unwrap().await.unwrap_err();
    assert!(matches!(&error, PublishError::Returned(message) if message.reply_code == 312), "{error}");
    publish(&publisher, "missing").await.unwrap();
    assert_eq!(ended(&breaker), "success success success failure ignored");
}

#[tokio::test]
async fn many_in_flight_are_confirmed_on_one_channel() {
    let Some(server) = server().await else { return };
    let breaker = closed();
    let publisher = publisher(&server, breaker.clone());
    declare(&publisher, "many", FieldTable::default()).await;
    let tasks = (0..10).map(|_| {
        let publisher = publisher.clone();
        tokio::spawn(async move {
            let mut pending = Vec::new();
            for _ in 0..50 {
                pending.push(send(&publisher, "many").await?);
            }
            futures_util::future::try_join_all(pending).await
        })
    });
    for task in futures_util::future::join_all(tasks).await {
        assert_eq!(task.unwrap().unwrap().len(), 50);
    }
    assert_eq!(breaker.snapshot().totals.successes, 501);
    let queue =
        publisher.call(async |channel| channel.queue_purge("many".into(), Default::default()).await).await;
    assert_eq!(queue.unwrap(), 500);
}

#[tokio::test]
async fn the_mistake_of_one_caller_is_ignored_for_all() {
    let Some(server) = server().await else { return };
    let breaker = closed();
    let publisher = publisher(&server, breaker.clone());
    let options = BasicPublishOptions::default();
    let properties = BasicProperties::default();
    for _ in 0..3 {
        let pending = publisher.publish("no-exchange", "", options, b"", properties.clone()).await;
        let error = pending.unwrap().await.unwrap_err();
        assert!(matches!(&error, PublishError::Client(_)), "{error}");
    }
    declare(&publisher, "orders", FieldTable::default()).await;
    publish(&publisher, "orders").await.expect("a new channel");
    assert_eq!(ended(&breaker), "success success ignored ignored ignored");

    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let missing = publisher
        .call(async |channel| channel.queue_declare("missing".into(), passive, FieldTable::default()).await)
        .await;
    assert!(matches!(missing, Err(PublishError::Client(_))));
    publish(&publisher, "orders").await.unwrap();
    assert_eq!(breaker.snapshot().totals.ignored, 4);
}

#[tokio::test]
async fn a_frozen_broker_opens_and_a_probe_connects_again() {
    let Some(server) = server().await else { return };
    let (breaker, hands) = breaker();
    let publisher = publisher(&server, breaker.clone());
    declare(&publisher, "orders", FieldTable::default()).await;
    publish(&publisher, "orders").await.unwrap();

    server.freeze();
    let hasty = publisher.clone().confirm_timeout(SHORT).connect_timeout(SHORT);
    while breaker.is_closed() {
        let error = publish(&hasty, "orders").await.unwrap_err();
        assert!(matches!(&error, PublishError::TimedOut(limit) if !limit.is_connecting()), "{error}");
    }
    let error = publish(&hasty, "orders").await.unwrap_err();
    assert!(matches!(error, PublishError::Rejected(_)), "{error}");
    hands.advance_to_probe(&breaker);
    let error = publish(&hasty, "orders").await.unwrap_err();
    assert!(matches!(&error, PublishError::TimedOut(limit) if limit.is_connecting()), "{error}");

    server.thaw();
    hands.advance_to_probe(&breaker);
    publish(&publisher, "orders").await.unwrap();
    assert_eq!(breaker.state(), State::Closed, "{}", ended(&breaker));
}

#[tokio::test]
async fn a_killed_broker_opens_until_it_is_back() {
    let Some(server) = server().await else { return };
    let (breaker, hands) = breaker();
    let publisher = publisher(&server, breaker.clone());
    declare(&publisher, "orders", FieldTable::default()).await;
    let outstanding = send(&publisher, "orders").await.unwrap();

    server.kill();
    // It may have been confirmed before; if not, its connection is gone.
    let _either = outstanding.await;
    while breaker.is_closed() {
        publish(&publisher, "orders").await.unwrap_err();
    }
    assert_eq!(breaker.snapshot().totals.ignored, 0, "{}", ended(&breaker));

    server.restart();
    hands.advance_to_probe(&breaker);
    publish(&publisher, "orders").await.unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn a_blocked_connection_is_a_failure() {
    let Some(server) = server().await else { return };
    let (breaker, hands) = breaker();
    let publisher = publisher(&server, breaker.clone());
    declare(&publisher, "orders", FieldTable::default()).await;
    publish(&publisher, "orders").await.unwrap();

    server.block();
    let hasty = publisher.clone().confirm_timeout(SHORT);
    while breaker.is_closed() {
        let error = publish(&hasty, "orders").await.unwrap_err();
        assert!(matches!(&error, PublishError::TimedOut(limit) if !limit.is_connecting()), "{error}");
    }
    server.unblock();
    let published = async || {
        hands.advance_to_probe(&breaker);
        publish(&publisher, "orders").await
    };
    until(published).await;
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn dropped_publishes_free_their_probe() {
    let Some(server) = server().await else { return };
    let (breaker, hands) = breaker();
    let publisher = publisher(&server, breaker.clone());
    declare(&publisher, "orders", FieldTable::default()).await;

    server.freeze();
    about_to_probe(&breaker, &hands);
    let pending = send(&publisher, "orders").await.unwrap();
    assert!(breaker.is_rejecting(), "it has the only probe");
    assert!(pending.now_or_never().is_none(), "dropped while its confirm is outstanding");
    assert!(breaker.is_permitting());

    let unconnected = ProtectedPublisher::new(&server.uri(), breaker.clone());
    {
        let mut connecting = pin!(send(&unconnected, "orders"));
        assert!((&mut connecting).now_or_never().is_none(), "dropped while it connects");
        assert!(breaker.is_rejecting());
    }
    assert!(breaker.is_permitting());
    assert_eq!(ended(&breaker).matches("abandoned").count(), 2);
    server.thaw();
    publish(&publisher, "orders").await.unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn a_name_that_is_too_long_is_ignored() {
    let breaker = closed();
    let publisher = ProtectedPublisher::new("amqp://127.0.0.1:1/%2f", breaker.clone());
    let error = publish(&publisher, &"x".repeat(256)).await.unwrap_err();
    assert_eq!(error.to_string(), "`routing_key` has 256 bytes, but must have at most 255");
    assert_eq!(ended(&breaker), "ignored");
}

#[tokio::test]
async fn calls_that_wait_together_connect_once() {
    let broken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("amqp://{}/%2f", broken.local_addr().unwrap());
    let breaker = closed();
    let publisher = ProtectedPublisher::new(&uri, breaker.clone()).connect_timeout(LONG);
    let calls = futures_util::future::join_all((0..50).map(|_| publish(&publisher, "orders")));
    let accepted = async {
        let mut connections = 0;
        loop {
            drop(broken.accept().await.unwrap());
            connections += 1;
            assert!(connections <= 1, "one for all");
        }
    };
    tokio::select! {
        results = calls => assert!(results.iter().all(Result::is_err)),
        never = accepted => never,
    }
    assert_eq!(breaker.snapshot().totals.failures, 50);
}

#[tokio::test]
async fn a_broker_that_is_missing_or_silent_ends_in_time() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("amqp://{}/%2f", silent.local_addr().unwrap());
    let breaker = closed();
    let publisher = ProtectedPublisher::new(&uri, breaker.clone()).connect_timeout(SHORT);
    let error = publish(&publisher, "orders").await.unwrap_err();
    assert!(matches!(&error, PublishError::TimedOut(limit) if limit.is_connecting()), "{error}");

    drop(silent);
    let error = publish(&publisher, "orders").await.unwrap_err();
    assert!(matches!(error, PublishError::Client(_)), "{error}");
    assert_eq!(ended(&breaker), "failure failure");
}
