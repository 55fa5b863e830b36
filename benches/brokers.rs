//! The cost of `halfopen-nats` and `halfopen-lapin` compared with the bare clients and real servers.
//!
//! `cargo bench -p benches --bench brokers` starts a `nats-server` and a RabbitMQ, measures publishes in interleaved rounds, and
//! prints a table with the targets reached and missed; group names (`nats`, `rabbitmq`) select some.
#![allow(dead_code, reason = "the harness is shared with the breaker's rows, which use more of it")]

mod alloc;
mod harness;
mod machine;
mod print;
mod sequence;
mod table;
mod verdict;

use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use halfopen::CircuitBreaker;
use halfopen_lapin::ProtectedPublisher;
use halfopen_nats::{ProtectedClient, ProtectedContext};
use harness::{Timing, measure_bounded};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use sequence::case;
use table::{Group, Table};
use test_support::nats::NatsServer;
use test_support::rabbitmq::RabbitMqServer;
use tokio::runtime::Runtime;
use verdict::verdict;

#[global_allocator]
static ALLOCATOR: alloc::Watched = alloc::Watched;

const BARE: &str = "bare client";
const LIMITED: &str = "bare client, within a time limit";
const PROTECTED: &str = "through a breaker";
const PAYLOAD: &[u8] = &[b'x'; 256];

#[allow(clippy::print_stdout, reason = "a table for the person who asked for it")]
fn main() -> Result<(), Box<dyn Error>> {
    let runtime = Rc::new(tokio::runtime::Builder::new_current_thread().enable_all().build()?);
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    let mut table = Table { machine: machine::line(), ..Table::default() };
    let mut claims = Vec::new();
    if is_wanted("nats")
        && let Some(server) = NatsServer::start()
    {
        claims.extend(nats(&runtime, &server, &mut table)?);
    }
    if is_wanted("rabbitmq")
        && let Some(server) = RabbitMqServer::start()
    {
        claims.push(rabbitmq(&runtime, &server, &mut table)?);
    }
    println!("{}", table.markdown());
    for claim in claims {
        println!("{claim}");
    }
    Ok(())
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::builder("broker").build()
}

#[allow(clippy::print_stdout, reason = "a line for the person who asked for the table")]
fn nats(
    runtime: &Rc<Runtime>,
    server: &NatsServer,
    table: &mut Table,
) -> Result<[String; 2], Box<dyn Error>> {
    let client = runtime.block_on(async_nats::connect(server.address().to_string()))?;
    let context = runtime.block_on(async { jetstream::new(client.clone()) });
    // In memory and bounded: a benchmark of the disk is none of the client.
    let config = Config {
        name: "BENCH".into(),
        subjects: vec!["stored".into()],
        storage: StorageType::Memory,
        max_messages: 1_000,
        ..Config::default()
    };
    runtime.block_on(context.create_stream(config))?;

    let core = measure_bounded(vec![
        case(BARE, runtime, client.clone(), written),
        // A timer of tokio is most of what is added to so short a call.
        case(LIMITED, runtime, client.clone(), async |client: &async_nats::Client| {
            tokio::time::timeout(Duration::from_secs(2), written(client)).await.unwrap_or(false)
        }),
        case(
            PROTECTED,
            runtime,
            ProtectedClient::new(client, breaker()),
            async |client: &ProtectedClient| {
                client.publish("core", Bytes::from_static(PAYLOAD)).await.is_ok()
            },
        ),
    ]);
    table.push(Group::of_timings("a publish of core NATS, written to the connection", &core, BARE, ""));
    let stored = measure_bounded(vec![
        case(BARE, runtime, context.clone(), async |context: &Context| {
            match context.publish("stored", Bytes::from_static(PAYLOAD)).await {
                Ok(acknowledgement) => acknowledgement.await.is_ok(),
                Err(_) => false,
            }
        }),
        case(
            PROTECTED,
            runtime,
            ProtectedContext::new(context, breaker()),
            async |context: &ProtectedContext| match context
                .publish("stored", Bytes::from_static(PAYLOAD))
                .await
            {
                Ok(acknowledgement) => acknowledgement.await.is_ok(),
                Err(_) => false,
            },
        ),
    ]);
    table.push(Group::of_timings("a publish to a stream, acknowledged", &stored, BARE, ""));
    let [bare, limited, protected] = &core[..] else { unreachable!("three cases are measured") };
    println!(
        "a publish of core NATS takes {:.3} times a bare one within a time limit",
        protected.ratio(limited)
    );
    Ok([
        claim("a publish of core NATS", bare, protected),
        claim("an acknowledged publish", &stored[0], &stored[1]),
    ])
}

fn rabbitmq(
    runtime: &Rc<Runtime>,
    server: &RabbitMqServer,
    table: &mut Table,
) -> Result<String, Box<dyn Error>> {
    let publisher = ProtectedPublisher::new(&server.uri(), breaker());
    let (_connection, channel) = runtime.block_on(async {
        let connection = Connection::connect(&server.uri(), ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let mut bounded = FieldTable::default();
        bounded.insert("x-max-length".into(), AMQPValue::LongInt(1_000));
        channel.queue_declare("bench".into(), QueueDeclareOptions::default(), bounded).await?;
        Ok::<_, lapin::Error>((connection, channel))
    })?;
    let confirmed = measure_bounded(vec![
        case(BARE, runtime, channel, async |channel: &Channel| {
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            match channel.basic_publish("".into(), "bench".into(), options, PAYLOAD, properties).await {
                Ok(confirm) => confirm.await.is_ok_and(|confirmation| confirmation.is_ack()),
                Err(_) => false,
            }
        }),
        case(PROTECTED, runtime, publisher, async |publisher: &ProtectedPublisher| {
            let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            match publisher.publish("", "bench", options, PAYLOAD, properties).await {
                Ok(confirm) => confirm.await.is_ok(),
                Err(_) => false,
            }
        }),
    ]);
    table.push(Group::of_timings("a publish to RabbitMQ, confirmed", &confirmed, BARE, ""));
    Ok(claim("a confirmed publish", &confirmed[0], &confirmed[1]))
}

async fn written(client: &async_nats::Client) -> bool {
    client.publish("core", Bytes::from_static(PAYLOAD)).await.is_ok() && client.flush().await.is_ok()
}

fn claim(name: &str, bare: &Timing, protected: &Timing) -> String {
    let ratio = protected.ratio(bare);
    verdict(ratio <= 1.05, &format!("{name} takes at most 1.05 times a bare one ({ratio:.3})"))
}
