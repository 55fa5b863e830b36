//! Consumers behind a gate.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use halfopen::{Gate, Outcome, State};
use halfopen_rdkafka::{GatedConsumer, outcome};
use rdkafka::consumer::{CommitMode, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::FutureRecord;
use rdkafka::util::Timeout;
use rdkafka::{ClientContext, Message, Statistics};
use test_support::breaker::about_to_probe;
use tokio::time::Instant;

use crate::world::{Cluster, LONG, SHORT, TOPIC, breaker, closed, from_start};

async fn fill(cluster: &Cluster, messages: i32, topic: &str) {
    let producer = cluster.producer(LONG, &closed());
    for number in 0..messages {
        let payload = number.to_string();
        let record = FutureRecord::<(), _>::to(topic).payload(&payload);
        producer.send(record).unwrap().await.unwrap();
    }
}

fn number<M: Message>(message: &M) -> i32 {
    std::str::from_utf8(message.payload().unwrap()).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_gate_keeps_the_messages_of_a_partition() {
    let cluster = Cluster::start();
    fill(&cluster, 10, TOPIC).await;
    let consumer = cluster.consumer();
    let (database, hands) = breaker();
    let mut jobs = GatedConsumer::new(&consumer, Gate::new(database.clone()));

    let mut handled = Vec::new();
    for turn in 0..10 {
        if turn == 2 {
            database.force_open();
            assert!(jobs.recv().now_or_never().is_none(), "the gate is shut");
            assert!(jobs.recv().now_or_never().is_none(), "and remains so");
            database.reset();
        } else if turn == 5 {
            about_to_probe(&database, &hands);
        }
        let (job, _place) = jobs.recv().await.unwrap();
        if turn == 5 {
            let mut others = GatedConsumer::new(&consumer, jobs.gate().clone());
            assert!(others.recv().now_or_never().is_none(), "one probe, one message");
            // What it has paused is resumed by the consumer that has paused it.
            drop(_place);
            consumer.resume(&consumer.assignment().unwrap()).unwrap();
        }
        handled.push(number(&job));
        let commit = async || consumer.commit_message(&job, CommitMode::Sync);
        database.call(commit).await.unwrap();
    }
    assert_eq!(handled, (0..10).collect::<Vec<_>>(), "in order, and each once");
    assert_eq!(database.state(), State::Closed);
}

/// A consumer that notes when messages of the second topic have been fetched and taken from its queue.
#[derive(Default)]
struct Fetched(AtomicBool);

impl ClientContext for Fetched {
    fn stats(&self, statistics: Statistics) {
        let second = statistics.topics.get(SECOND_TOPIC).and_then(|topic| topic.partitions.get(&0));
        if second.is_some_and(|partition| partition.rxmsgs > 0 && partition.fetchq_cnt == 0) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl ConsumerContext for Fetched {}

const SECOND_TOPIC: &str = "pairs";

#[tokio::test]
async fn a_partition_that_comes_to_a_shut_gate_loses_nothing() {
    let cluster = Cluster::start();
    cluster.command(&format!("topic {SECOND_TOPIC} 1"));
    for topic in [TOPIC, SECOND_TOPIC] {
        fill(&cluster, 5, topic).await;
    }
    let mut config = cluster.settings();
    config.set("group.id", "jobs").set("statistics.interval.ms", "10");
    let consumer: StreamConsumer<Fetched> = config.create_with_context(Fetched::default()).unwrap();
    consumer.assign(&from_start(TOPIC)).unwrap();
    let (database, _) = breaker();
    let mut jobs = GatedConsumer::new(&consumer, Gate::new(database.clone()));
    let mut handled = vec![name(&jobs.recv().await.unwrap().0)];

    database.force_open();
    assert!(jobs.recv().now_or_never().is_none(), "its partition is paused");
    consumer.incremental_assign(&from_start(SECOND_TOPIC)).unwrap();
    {
        let mut waiting = pin!(jobs.recv());
        let fetched = poll_fn(|context| {
            assert!(waiting.as_mut().poll(context).is_pending(), "no message passes the gate");
            let fetched = consumer.context().0.load(Ordering::Relaxed);
            if fetched { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::time::timeout(LONG, fetched).await.expect("messages come to the shut gate");
    }
    database.reset();
    while handled.len() < 10 {
        handled.push(name(&jobs.recv().await.unwrap().0));
    }
    handled.sort();
    let all = [TOPIC, SECOND_TOPIC].map(|topic| (0..5).map(move |number| format!("{topic} {number}")));
    assert_eq!(handled, all.into_iter().flatten().collect::<Vec<_>>(), "each once");
}

fn name<M: Message>(message: &M) -> String {
    format!("{} {}", message.topic(), number(message))
}

#[tokio::test]
async fn a_message_that_was_not_handled_comes_again() {
    let cluster = Cluster::start();
    fill(&cluster, 3, TOPIC).await;
    let consumer = cluster.consumer();
    let mut jobs = GatedConsumer::new(&consumer, Gate::new(closed()));
    let mut received = Vec::new();
    for turn in 0..5 {
        let (job, _place) = jobs.recv().await.unwrap();
        received.push(number(&job));
        if turn == 1 || turn == 2 {
            jobs.seek_to(&job).unwrap();
        }
    }
    assert_eq!(received, [0, 1, 1, 1, 2]);
}

/// The time in which a member of a group has to be polled. Not below its session timeout, which has to be longer than the
/// three seconds that the mock broker waits for other members.
const POLL_INTERVAL: Duration = Duration::from_millis(3500);

fn member(cluster: &Cluster, group: &str) -> StreamConsumer {
    let mut config = cluster.settings();
    config
        .set("group.id", group)
        .set("session.timeout.ms", POLL_INTERVAL.as_millis().to_string())
        .set("heartbeat.interval.ms", "100")
        .set("max.poll.interval.ms", POLL_INTERVAL.as_millis().to_string())
        .set("auto.offset.reset", "earliest");
    let consumer: StreamConsumer = config.create().unwrap();
    consumer.subscribe(&[TOPIC]).unwrap();
    consumer
}

#[tokio::test]
async fn a_consumer_at_a_shut_gate_remains_in_its_group() {
    let cluster = Cluster::start();
    fill(&cluster, 2, TOPIC).await;
    let (database, _) = breaker();
    let (polled, idle) = (member(&cluster, "polled"), member(&cluster, "idle"));
    let mut jobs = GatedConsumer::new(&polled, Gate::new(database.clone()));
    let mut stream = jobs.gate().messages(idle.stream());
    let (first, other) = tokio::join!(jobs.recv(), stream.next());
    assert_eq!(number(&first.unwrap().0), 0);
    assert_eq!(number(&other.unwrap().transpose().unwrap().into_inner()), 0);

    database.force_open();
    assert!(stream.next().now_or_never().is_none(), "a stream at a shut gate is not polled");
    let (started, mut polls) = (Instant::now(), 0);
    {
        let mut waiting = pin!(jobs.recv());
        // Woken by the client: nothing else here waits for the time.
        let woken = poll_fn(|context| {
            polls += 1;
            assert!(waiting.as_mut().poll(context).is_pending(), "the gate is shut");
            if started.elapsed() > POLL_INTERVAL + SHORT { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::time::timeout(LONG, woken).await.expect("polled more often than the interval");
    }
    assert!(polls < 50, "{polls} polls in {:?} are a loop", started.elapsed());
    database.reset();
    assert_eq!(number(&jobs.recv().await.unwrap().0), 1);
    let left = stream.next().await.unwrap().transpose().unwrap_err();
    assert_eq!(left.rdkafka_error_code(), Some(Code::PollExceeded), "it has left its group");
}

#[tokio::test]
async fn the_notes_of_a_consumer_are_no_failures() {
    let mut cluster = Cluster::start();
    let consumer = cluster.consumer();
    consumer.fetch_metadata(Some(TOPIC), Timeout::After(LONG)).unwrap();
    cluster.kill();
    let error = consumer.recv().await.unwrap_err();
    let code = error.rdkafka_error_code();
    assert!(matches!(code, Some(Code::BrokerTransportFailure | Code::AllBrokersDown)), "{error:?}");
    assert_eq!(outcome(&error), Outcome::Ignored);
}

#[tokio::test]
async fn a_task_can_receive() {
    let cluster = Cluster::start();
    fill(&cluster, 1, TOPIC).await;
    let consumer: StreamConsumer = cluster.consumer();
    let received = tokio::spawn(async move {
        let mut jobs = GatedConsumer::new(&consumer, Gate::new(closed()));
        let (job, _place) = jobs.recv().await.unwrap();
        number(&job)
    });
    assert_eq!(received.await.unwrap(), 0);
}
