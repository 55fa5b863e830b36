#![cfg_attr(docsrs, feature(doc_cfg))]
//! Circuit breakers for Kafka: the deliveries of [`rdkafka`]'s producers, and consumers that pause.
//!
//! A [`ProtectedProducer`] sends messages through a [`CircuitBreaker`](halfopen::CircuitBreaker). A call ends with the
//! delivery report, within a time limit. A [`GatedConsumer`] pauses its partitions while the breaker of its dependency rejects
//! calls, and remains in its group. [`outcome`] distinguishes an outage from a mistake of the caller.
//!
//! # Examples
//!
//! ```no_run
//! use halfopen::CircuitBreaker;
//! use halfopen_rdkafka::ProtectedProducer;
//! use rdkafka::ClientConfig;
//! use rdkafka::producer::{FutureProducer, FutureRecord};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let producer: FutureProducer = ClientConfig::new()
//!     .set("bootstrap.servers", "127.0.0.1:9092")
//!     // Five minutes by default, for which a message of an outage waits.
//!     .set("message.timeout.ms", "3000")
//!     .set("reconnect.backoff.max.ms", "1000")
//!     .create()?;
//! let orders = ProtectedProducer::new(producer, CircuitBreaker::builder("orders").build());
//!
//! let delivered = orders.send(FutureRecord::to("orders").key("customer-7").payload("tea"))?.await?;
//! println!("stored in partition {} at {}", delivered.partition, delivered.offset);
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! - `outbox`: [`KafkaSender`], the sender of an outbox of [`halfopen-outbox`](https://docs.rs/halfopen-outbox).

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use halfopen::{Gate, Place};

mod classify;
mod consumer;
mod delivery;
mod error;
mod producer;
#[cfg(feature = "outbox")]
mod sender;

pub use classify::{KafkaClassify, outcome};
pub use consumer::GatedConsumer;
pub use delivery::PendingDelivery;
pub use error::{NoReport, ProduceError};
pub use producer::ProtectedProducer;
#[cfg(feature = "outbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "outbox")))]
pub use sender::KafkaSender;
