//! A breaker on a manual clock, and a cluster with its clients.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use halfopen::{CircuitBreaker, ManualClock};
use halfopen_rdkafka::ProtectedProducer;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, StreamConsumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use test_support::breaker::opening_after;
use test_support::server::{ServerProcess, on_free_port};

/// A limit that no healthy broker exceeds, however busy the machine is.
pub(crate) const LONG: Duration = Duration::from_secs(30);
/// A limit that a broker which is gone always exceeds.
pub(crate) const SHORT: Duration = Duration::from_millis(100);
/// The topic of most tests, with one partition.
pub(crate) const TOPIC: &str = "orders";

/// Opens after three consecutive failures, for a second.
pub(crate) fn breaker() -> (CircuitBreaker, ManualClock) {
    opening_after(3)
}

/// Never opens, so that many errors can be seen.
pub(crate) fn closed() -> CircuitBreaker {
    opening_after(1000).0
}

/// A cluster in a process of its own, with [`TOPIC`].
pub(crate) struct Cluster {
    commands: SocketAddr,
    process: ServerProcess,
    bootstrap: String,
}

impl Cluster {
    pub(crate) fn start() -> Cluster {
        let (commands, process) = on_free_port("mock-cluster", |address| {
            let mut program = Command::new(env!("CARGO_BIN_EXE_mock-cluster"));
            ServerProcess::start(program.arg(address.to_string()), "ready")
        });
        let mut cluster = Cluster { commands, process, bootstrap: String::new() };
        cluster.bootstrap = cluster.command("bootstrap");
        cluster.command(&format!("topic {TOPIC} 1"));
        cluster
    }

    pub(crate) fn command(&self, command: &str) -> String {
        let mut connection = TcpStream::connect(self.commands).unwrap();
        writeln!(connection, "{command}").unwrap();
        let mut reply = String::new();
        BufReader::new(connection).read_line(&mut reply).unwrap();
        assert!(reply.ends_with('\n'), "{command} is answered");
        reply.trim_end().to_owned()
    }

    pub(crate) fn freeze(&self) {
        self.process.freeze();
    }

    pub(crate) fn thaw(&self) {
        self.process.thaw();
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// The settings of a client that connects again soon.
    pub(crate) fn settings(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("reconnect.backoff.ms", "10")
            .set("reconnect.backoff.max.ms", "50")
            .set("retry.backoff.ms", "10")
            // Its log would be on the standard error.
            .set("log_level", "0");
        config
    }

    /// A producer that keeps its messages for this time.
    pub(crate) fn bare(&self, message_timeout: Duration) -> FutureProducer {
        let timeout = message_timeout.as_millis().to_string();
        self.settings().set("message.timeout.ms", timeout).set("linger.ms", "0").create().unwrap()
    }

    pub(crate) fn producer(&self, message_timeout: Duration, breaker: &CircuitBreaker) -> ProtectedProducer {
        ProtectedProducer::new(self.bare(message_timeout), breaker.clone()).delivery_timeout(2 * LONG)
    }

    /// A consumer of [`TOPIC`] from its start.
    pub(crate) fn consumer(&self) -> StreamConsumer {
        let mut config = self.settings();
        config.set("group.id", "jobs").set("enable.auto.commit", "false").set("fetch.wait.max.ms", "10");
        let consumer: StreamConsumer = config.create().unwrap();
        consumer.assign(&from_start(TOPIC)).unwrap();
        consumer
    }

    /// The number of messages that are stored in [`TOPIC`].
    pub(crate) fn stored(&self) -> i64 {
        let consumer: BaseConsumer = self.settings().create().unwrap();
        consumer.fetch_watermarks(TOPIC, 0, LONG).unwrap().1
    }
}

pub(crate) fn from_start(topic: &str) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    list
}

pub(crate) fn record(payload: &str) -> FutureRecord<'_, (), str> {
    FutureRecord::to(TOPIC).payload(payload)
}
