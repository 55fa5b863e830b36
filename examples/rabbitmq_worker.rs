//! Run it beside a RabbitMQ: AMQP_URI=amqp://127.0.0.1:5672/%2f cargo run --example rabbitmq_worker --features rabbitmq
//!
//! A worker takes jobs from a queue, writes each to a database, and sends a receipt by an outbox. The database goes away for a
//! while: the gate is shut, the jobs stay in the queue, and none is lost or rejected.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;
use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use halfopen::{CircuitBreaker, CircuitBreakerConfig, Event, Gate, Trip};
use halfopen_lapin::{LapinClassify, LapinSender, ProtectedPublisher};
use halfopen_outbox::{Item, MemoryStore, Outbox};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicPublishOptions, BasicQosOptions,
    QueueDeclareOptions, QueuePurgeOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use tokio::time::Instant;

const JOBS: &str = "halfopen-jobs";
const RECEIPTS: &str = "halfopen-receipts";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let uri =
        std::env::var("AMQP_URI").unwrap_or_else(|_| "amqp://127.0.0.1:5672/%2f?heartbeat=10".to_owned());
    fill(&uri).await?;

    let config = CircuitBreakerConfig::builder()
        .trip(Trip::consecutive_failures(2))
        .open_duration(Duration::from_millis(300))
        .build()?;
    let database = CircuitBreaker::new("database", config);
    let _subscription = database.on_event(|_, event| {
        if let Event::StateChanged(change) = event {
            println!("-- database: {} -> {} ({})", change.from, change.to, change.why());
        }
    });

    // A queue of its own connection: a connection that publishes can be blocked.
    let channel = Connection::connect(&uri, ConnectionProperties::default()).await?.create_channel().await?;
    channel.basic_qos(4, BasicQosOptions::default()).await?;
    let consume =
        channel.basic_consume(JOBS.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
    let mut jobs = Gate::new(database.clone()).messages(consume.await?);

    let receipts =
        Outbox::builder(MemoryStore::new(), LapinSender::new(&uri, "", |_: &Item| RECEIPTS.to_owned()))
            .breaker(CircuitBreaker::builder("receipts").build())
            .classify(LapinClassify::new())
            .build()
            .await?;

    let away = Instant::now() + Duration::from_millis(50)..Instant::now() + Duration::from_millis(700);
    let mut stored = 0;
    while stored < 12 {
        let Some(job) = jobs.next().await else { break };
        let job = job.transpose()?;
        let text = String::from_utf8_lossy(&job.data).into_owned();
        match database.call(async || store(&away).await).await {
            Ok(()) => {
                receipts.send(Item::new(format!("receipt of {text}")).key(text.clone())).await?;
                job.ack(BasicAckOptions::default()).await?;
                stored += 1;
                println!("{text}: stored");
            }
            Err(error) => {
                println!("{text}: back to the queue ({error})");
                job.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() }).await?;
            }
        }
    }
    println!("{} receipts are not sent yet", receipts.close(Duration::from_secs(5)).await);
    let left = channel.queue_purge(RECEIPTS.into(), QueuePurgeOptions::default()).await?;
    println!("{left} receipts are in their queue");
    Ok(())
}

/// Declares the queues, and puts twelve jobs in one of them.
async fn fill(uri: &str) -> Result<(), Box<dyn Error>> {
    let publisher = ProtectedPublisher::new(uri, CircuitBreaker::builder("jobs").build());
    for queue in [JOBS, RECEIPTS] {
        let declare = async |channel: lapin::Channel| {
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
            channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await
        };
        publisher.call(declare).await?;
    }
    let mut pending = Vec::new();
    for number in 1..=12 {
        let (options, persistent) =
            (BasicPublishOptions::default(), BasicProperties::default().with_delivery_mode(2));
        let payload = format!("job {number}");
        pending.push(publisher.publish("", JOBS, options, payload.as_bytes(), persistent).await?);
    }
    for confirm in pending {
        confirm.await?;
    }
    Ok(())
}

/// A database that is away for some time.
async fn store(away: &std::ops::Range<Instant>) -> io::Result<()> {
    tokio::time::sleep(Duration::from_millis(15)).await;
    if away.contains(&Instant::now()) { Err(io::ErrorKind::ConnectionRefused.into()) } else { Ok(()) }
}
