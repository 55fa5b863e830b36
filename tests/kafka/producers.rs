//! Deliveries through a breaker, and their reports.

use std::collections::HashSet;

use futures_util::FutureExt;
use halfopen::{Outcome, State};
use halfopen_rdkafka::{KafkaClassify, ProduceError, ProtectedProducer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{FutureProducer, Producer};
use test_support::breaker::{about_to_probe, ended};

use crate::world::{Cluster, LONG, SHORT, TOPIC, breaker, closed, record};

#[tokio::test]
async fn a_delivery_report_is_the_success() {
    let cluster = Cluster::start();
    let breaker = closed();
    let producer = cluster.producer(LONG, &breaker);
    let pending = (0..100).map(|number| producer.send(record(&number.to_string())).unwrap());
    let pending = pending.collect::<Vec<_>>();
    assert_eq!(breaker.snapshot().totals.successes, 0, "a message in the queue proves nothing");
    let delivered = futures_util::future::try_join_all(pending).await.unwrap();
    let offsets: HashSet<i64> = delivered.iter().map(|delivered| delivered.offset).collect();
    assert_eq!(offsets, (0..100).collect());
    assert_eq!(breaker.snapshot().totals.successes, 100);
}

#[tokio::test]
async fn a_killed_broker_opens_by_its_reports() {
    let mut cluster = Cluster::start();
    let (breaker, hands) = breaker();
    let producer = cluster.producer(5 * SHORT, &breaker);
    producer.send(record("tea")).unwrap().await.unwrap();

    cluster.kill();
    for _ in 0..3 {
        assert_eq!(code_of(&failed(&producer).await), Some(Code::MessageTimedOut));
    }
    assert_eq!(breaker.state(), State::Open);
    let error = producer.send(record("tea")).unwrap_err();
    assert!(halfopen::rejection(&error).is_some(), "{error}");

    hands.advance_to_probe(&breaker);
    assert_eq!(code_of(&failed(&producer).await), Some(Code::MessageTimedOut));
    assert_eq!(breaker.state(), State::Open, "the probe's report has opened it again");
    assert_eq!(ended(&breaker), "success failure failure failure failure");
}

#[tokio::test]
async fn a_call_ends_at_its_limit_and_its_message_later() {
    let cluster = Cluster::start();
    let breaker = closed();
    let producer = cluster.producer(LONG, &breaker);
    producer.send(record("tea")).unwrap().await.unwrap();

    cluster.freeze();
    let hasty = producer.clone().delivery_timeout(SHORT);
    let error = failed(&hasty).await;
    assert!(matches!(&error, ProduceError::TimedOut(report) if report.limit() == SHORT), "{error}");
    drop(producer.send(record("tea")).unwrap());
    assert_eq!(ended(&breaker), "success failure abandoned");
    assert_eq!(producer.inner().in_flight_count(), 2, "neither has left the queue");

    breaker.force_open();
    producer.send(record("tea")).unwrap_err();

    cluster.thaw();
    producer.inner().flush(LONG).unwrap();
    assert_eq!(cluster.stored(), 3, "all but the one that was rejected");
    assert_eq!(ended(&breaker), "success failure abandoned", "a report that comes later is not counted");
}

#[tokio::test]
async fn a_probe_settles_with_its_report() {
    let cluster = Cluster::start();
    let (breaker, hands) = breaker();
    let producer = cluster.producer(LONG, &breaker);
    producer.send(record("tea")).unwrap().await.unwrap();
    cluster.freeze();
    about_to_probe(&breaker, &hands);

    drop(producer.send(record("dropped")).unwrap());
    let probe = producer.send(record("probe")).expect("the dropped probe has given back its slot");
    let mut probe = Box::pin(probe);
    assert!((&mut probe).now_or_never().is_none());
    assert_eq!(breaker.state(), State::HalfOpen);
    let error = producer.send(record("milk")).unwrap_err();
    assert!(matches!(error, ProduceError::Rejected(_)), "one probe at a time: {error}");

    cluster.thaw();
    probe.await.unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn the_broker_comes_back_for_a_probe() {
    let cluster = Cluster::start();
    let (breaker, hands) = breaker();
    let producer = cluster.producer(10 * SHORT, &breaker);
    producer.send(record("tea")).unwrap().await.unwrap();
    cluster.command("down");
    while breaker.is_closed() {
        failed(&producer).await;
    }
    cluster.command("up");
    // The first ones can fail: librdkafka sleeps out its backoff.
    while !breaker.is_closed() {
        hands.advance_to_probe(&breaker);
        let _ = producer.send(record("probe")).unwrap().await;
    }
    assert_eq!(breaker.snapshot().totals.successes, 2);
}

#[tokio::test]
async fn errors_that_are_retried_inside_time_out() {
    let cluster = Cluster::start();
    let retried = ["NotEnoughReplicas", "LeaderNotAvailable", "KafkaStorageError", "RequestTimedOut"];
    for error in retried {
        let breaker = closed();
        let producer = cluster.producer(5 * SHORT, &breaker);
        cluster.command(&format!("produce {error} 10000"));
        assert_eq!(
            code_of(&failed(&producer).await),
            Some(Code::MessageTimedOut),
            "{error}: its reason is lost"
        );
        cluster.command("clear");
        assert_eq!(ended(&breaker), "failure", "{error}");
    }
}

#[tokio::test]
async fn errors_of_a_report_differ_in_broker_and_caller() {
    let cluster = Cluster::start();
    let answered = [
        ("TopicAuthorizationFailed", Code::TopicAuthorizationFailed, "ignored"),
        ("ClusterAuthorizationFailed", Code::ClusterAuthorizationFailed, "ignored"),
        ("MessageSizeTooLarge", Code::MessageSizeTooLarge, "ignored"),
        ("PolicyViolation", Code::PolicyViolation, "ignored"),
        ("InvalidRecord", Code::InvalidRecord, "ignored"),
        ("ThrottlingQuotaExceeded", Code::ThrottlingQuotaExceeded, "failure"),
        ("Unknown", Code::Unknown, "failure"),
    ];
    for (error, code, outcome) in answered {
        let breaker = closed();
        let producer = cluster.producer(LONG, &breaker);
        cluster.command(&format!("produce {error} 1"));
        assert_eq!(code_of(&failed(&producer).await), Some(code));
        assert_eq!(ended(&breaker), outcome, "{error}");
    }
}

#[tokio::test]
async fn a_full_queue_is_an_error_immediately() {
    let cluster = Cluster::start();
    let small: FutureProducer = cluster.settings().set("queue.buffering.max.messages", "1").create().unwrap();
    let breaker = closed();
    let producer = ProtectedProducer::new(small, breaker.clone());
    cluster.freeze();
    let pending = producer.send(record("tea")).unwrap();
    let error = producer.send(record("milk")).unwrap_err();
    assert_eq!(code_of(&error), Some(Code::QueueFull));
    let on_purpose = producer.clone().classify(KafkaClassify::new().queue_full(Outcome::Ignored));
    on_purpose.send(record("milk")).unwrap_err();
    assert_eq!(ended(&breaker), "failure ignored");
    cluster.thaw();
    pending.await.unwrap();
}

#[tokio::test]
async fn mistakes_of_the_caller_are_ignored() {
    let cluster = Cluster::start();
    cluster.command("missing nowhere");
    let mut settings = cluster.settings();
    settings.set("message.max.bytes", "1000").set("topic.metadata.propagation.max.ms", "100");
    let breaker = closed();
    let bare: FutureProducer = settings.create().unwrap();
    let producer = ProtectedProducer::new(bare, breaker.clone()).delivery_timeout(LONG);

    let large = "x".repeat(2000);
    let error = producer.send(record(&large)).unwrap_err();
    assert_eq!(code_of(&error), Some(Code::MessageSizeTooLarge), "known before it is queued");
    let error = producer.send(record("tea").partition(99)).unwrap().await.unwrap_err();
    assert_eq!(code_of(&error), Some(Code::UnknownPartition));
    let lost = || rdkafka::producer::FutureRecord::<(), _>::to("nowhere").payload("tea");
    let error = producer.send(lost()).unwrap().await.unwrap_err();
    assert_eq!(code_of(&error), Some(Code::UnknownTopicOrPartition), "the first time");
    let error = producer.send(lost()).unwrap_err();
    assert_eq!(code_of(&error), Some(Code::UnknownTopic), "and then without the broker");
    producer.send(record("tea")).unwrap().await.expect("other topics go on");
    assert_eq!(ended(&breaker), "success ignored ignored ignored ignored", "{TOPIC}");
}

#[tokio::test]
async fn a_producer_that_is_dropped_ends_its_calls() {
    let cluster = Cluster::start();
    let breaker = closed();
    let producer = cluster.producer(LONG, &breaker);
    cluster.freeze();
    let pending = producer.send(record("tea")).unwrap();
    drop(producer);
    let error = pending.await.unwrap_err();
    assert!(matches!(code_of(&error), Some(Code::PurgeQueue | Code::PurgeInflight)), "{error}");
    assert_eq!(ended(&breaker), "ignored");
}

#[test]
fn a_message_can_be_queued_outside_of_a_runtime() {
    let cluster = Cluster::start();
    let breaker = closed();
    let producer = cluster.producer(LONG, &breaker);
    let pending = producer.send(record("tea")).unwrap();
    producer.inner().flush(LONG).unwrap();
    pending.now_or_never().expect("its report is there").unwrap();
    assert_eq!(ended(&breaker), "success");
}

async fn failed(producer: &ProtectedProducer) -> ProduceError {
    producer.send(record("tea")).unwrap().await.unwrap_err()
}

fn code_of(error: &ProduceError) -> Option<Code> {
    match error {
        ProduceError::Client(KafkaError::MessageProduction(code)) => Some(*code),
        _ => None,
    }
}
