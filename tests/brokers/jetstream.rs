//! Publishes to streams, and their acknowledgements.

use async_nats::ConnectOptions;
use async_nats::jetstream::context::{GetStreamErrorKind, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use async_nats::jetstream::{Context, ContextBuilder};
use futures_util::FutureExt;
use halfopen::{Outcome, State};
use halfopen_nats::{NatsClassify, ProtectedContext};
use test_support::breaker::{about_to_probe, ended};
use test_support::nats::NatsServer;

use crate::world::{LONG, SHORT, breaker, closed, until};

async fn connect(servers: &[NatsServer]) -> Context {
    let addresses: Vec<String> = servers.iter().map(|server| server.address().to_string()).collect();
    let options = ConnectOptions::new().reconnect_delay_callback(|_| SHORT / 10);
    ContextBuilder::new().build(options.connect(addresses).await.unwrap())
}

/// A stream for the subjects `orders.>`, which rejects more than `max_messages`.
fn orders(max_messages: i64, replicas: usize) -> Config {
    Config {
        name: "ORDERS".into(),
        subjects: vec!["orders.>".into()],
        discard: DiscardPolicy::New,
        max_messages,
        num_replicas: replicas,
        storage: StorageType::File,
        ..Config::default()
    }
}

#[tokio::test]
async fn an_acknowledgement_is_the_success() {
    let Some(server) = NatsServer::start() else { return };
    let jetstream = connect(std::slice::from_ref(&server)).await;
    jetstream.create_stream(orders(3, 1)).await.unwrap();
    let breaker = closed();
    let context = ProtectedContext::new(jetstream, breaker.clone()).call_timeout(LONG);

    let first = context.publish("orders.new", "tea".into()).await.unwrap();
    let second = context.publish("orders.new", "milk".into()).await.unwrap();
    assert_eq!(ended(&breaker), "", "both are in flight");
    assert_eq!((first.await.unwrap().sequence, second.await.unwrap().sequence), (1, 2));
    assert_eq!(ended(&breaker), "success success");
}

#[tokio::test]
async fn answers_of_a_stream_are_classified_by_their_code() {
    let Some(server) = NatsServer::with("max_payload: 1024") else { return };
    let jetstream = connect(std::slice::from_ref(&server)).await;
    jetstream.create_stream(orders(3, 1)).await.unwrap();
    let breaker = closed();
    let context = ProtectedContext::new(jetstream, breaker.clone()).call_timeout(LONG);
    let publish = async |subject: &str, message: PublishMessage| match context
        .send_publish(subject.to_owned(), message)
        .await
    {
        Ok(pending) => pending.await.map(|ack| ack.sequence).map_err(|error| error.kind()),
        Err(error) => Err(error.kind()),
    };

    let conflict = PublishMessage::build().expected_last_sequence(7);
    assert_eq!(publish("orders.new", conflict).await, Err(PublishErrorKind::WrongLastSequence));
    let large = PublishMessage::build().payload(vec![0; 1025].into());
    assert_eq!(publish("orders.new", large).await, Err(PublishErrorKind::MaxPayloadExceeded));
    assert_eq!(publish("two words", PublishMessage::build()).await, Err(PublishErrorKind::Other));
    assert_eq!(ended(&breaker), "ignored ignored ignored");

    assert_eq!(publish("elsewhere", PublishMessage::build()).await, Err(PublishErrorKind::StreamNotFound));
    for number in 1..=3 {
        assert_eq!(publish("orders.new", PublishMessage::build()).await, Ok(number));
    }
    assert_eq!(publish("orders.new", PublishMessage::build()).await, Err(PublishErrorKind::Other), "full");
    let totals = breaker.snapshot().totals;
    assert_eq!((totals.successes, totals.failures, totals.ignored), (3, 2, 3));

    let missing = context.call(async |context| context.get_stream("MISSING").await).await.unwrap_err();
    assert!(matches!(missing.kind(), GetStreamErrorKind::JetStream(answer) if answer.code() == 404));
    assert_eq!(breaker.snapshot().totals.ignored, 4);
    let optional = NatsClassify::new().stream_not_found(Outcome::Ignored);
    context.clone().classify(optional).publish("elsewhere", "".into()).await.unwrap().await.unwrap_err();
    assert_eq!(breaker.snapshot().totals.ignored, 5);
}

#[tokio::test]
async fn an_acknowledgement_that_does_not_come_is_a_failure() {
    let Some(server) = NatsServer::start() else { return };
    let jetstream = connect(std::slice::from_ref(&server)).await;
    jetstream.create_stream(orders(3, 1)).await.unwrap();
    let (breaker, hands) = breaker();
    let context = ProtectedContext::new(jetstream, breaker.clone()).call_timeout(SHORT);
    server.freeze();
    about_to_probe(&breaker, &hands);

    let pending = context.publish("orders.new", "tea".into()).await.unwrap();
    assert!(breaker.is_rejecting(), "it has the only probe");
    let error = pending.await.unwrap_err();
    assert_eq!(error.kind(), PublishErrorKind::TimedOut);
    assert_eq!((breaker.state(), &*ended(&breaker)), (State::Open, "failure"));

    about_to_probe(&breaker, &hands);
    let pending = context.publish("orders.new", "milk".into()).await.unwrap();
    assert!(pending.now_or_never().is_none(), "dropped after a poll");
    assert_eq!(breaker.snapshot().totals.abandoned, 1);
    assert!(breaker.is_permitting(), "its probe is free");

    server.thaw();
    context.call_timeout(LONG).publish("orders.new", "sugar".into()).await.unwrap().await.unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn a_cluster_without_a_quorum_is_a_failure() {
    let Some(mut servers) = NatsServer::cluster(3) else { return };
    let jetstream = connect(&servers).await;
    until(async || jetstream.create_stream(orders(-1, 3)).await).await;
    let (breaker, hands) = breaker();
    let context = ProtectedContext::new(jetstream, breaker.clone());
    let publish = async |limit| {
        let context = context.clone().call_timeout(limit);
        match context.publish("orders.new", "tea".into()).await {
            Ok(pending) => pending.await,
            Err(error) => Err(error),
        }
    };
    until(async || publish(LONG).await).await;
    let before = ended(&breaker);

    servers[0].kill();
    servers[1].kill();
    while breaker.is_closed() {
        publish(5 * SHORT).await.unwrap_err();
    }
    assert!(ended(&breaker).starts_with(&before), "{}", ended(&breaker));
    assert_eq!(breaker.snapshot().totals.ignored, 0, "no leader is no mistake of the caller");

    servers[0].restart();
    servers[1].restart();
    let acknowledged = async || {
        hands.advance_to_probe(&breaker);
        publish(LONG / 4).await
    };
    until(acknowledged).await;
    assert_eq!(breaker.state(), State::Closed);
}
