//! The public names that programs are written with.

use std::time::Duration;

use halfopen::{CircuitBreaker, Outcome};
use halfopen_outbox::Item;
use halfopen_rdkafka::{
    Gate, GatedConsumer, KafkaClassify, KafkaSender, NoReport, PendingDelivery, Place, ProduceError,
    ProtectedProducer, outcome,
};
use rdkafka::ClientConfig;
use rdkafka::consumer::StreamConsumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};

#[tokio::test]
async fn producers_consumers_and_senders() {
    let producer: FutureProducer = ClientConfig::new().set("log_level", "0").create().unwrap();
    let breaker = CircuitBreaker::builder("orders").build();
    let orders: ProtectedProducer = ProtectedProducer::new(producer.clone(), breaker.clone())
        .classify(KafkaClassify::new().queue_full(Outcome::Failure))
        .delivery_timeout(Duration::from_millis(1));
    let _: (&CircuitBreaker, &FutureProducer) = (orders.breaker(), orders.inner());
    let pending: Result<PendingDelivery, ProduceError> =
        orders.send(FutureRecord::to("orders").key("customer").payload("tea"));
    let error = pending.unwrap().await.unwrap_err();
    let ProduceError::TimedOut(limit) = &error else { panic!("there is no broker: {error}") };
    let _: (&NoReport, Duration) = (limit, limit.limit());
    assert_eq!(KafkaClassify::default().outcome_of(&error), Outcome::Failure);
    assert_eq!(outcome(&KafkaError::Canceled), Outcome::Ignored);

    let sender = KafkaSender::new(producer, |item: &Item| item.lane_name().to_owned());
    let _ = sender.delivery_timeout(Duration::from_secs(5)).clone();
    let consumer: StreamConsumer = ClientConfig::new().set("group.id", "jobs").create().unwrap();
    let jobs = GatedConsumer::new(&consumer, Gate::new(breaker));
    let place: Place = jobs.gate().open().await;
    drop(place);
    let _: &StreamConsumer = jobs.inner();
}
