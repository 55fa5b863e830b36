#![cfg_attr(docsrs, feature(doc_cfg))]
//! Circuit breakers for RabbitMQ: confirmed publishes of [`lapin`], on connections that are renewed.
//!
//! A [`ProtectedPublisher`] publishes through a [`CircuitBreaker`](halfopen::CircuitBreaker). A call ends with the broker's
//! confirm, within a time limit, and a lost connection or channel is renewed by the next call that the breaker permits.
//! [`outcome`] distinguishes an outage from a mistake of the caller.
//!
//! # Examples
//!
//! ```no_run
//! use halfopen::CircuitBreaker;
//! use halfopen_lapin::ProtectedPublisher;
//! use lapin::BasicProperties;
//! use lapin::options::BasicPublishOptions;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Lazy: connects when the first call is made.
//! let orders = ProtectedPublisher::new("amqp://127.0.0.1:5672/%2f?heartbeat=10", CircuitBreaker::builder("orders").build());
//!
//! let persistent = BasicProperties::default().with_delivery_mode(2);
//! let confirm = orders.publish("", "orders", BasicPublishOptions::default(), b"tea", persistent).await?;
//! confirm.await?;
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! - `outbox`: [`LapinSender`], the sender of an outbox of [`halfopen-outbox`](https://docs.rs/halfopen-outbox).

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use halfopen::{Gate, Gated, GatedMessages, Place};

mod classify;
mod confirm;
mod error;
mod link;
mod publisher;
#[cfg(feature = "outbox")]
mod sender;

pub use classify::{LapinClassify, outcome};
pub use confirm::PendingConfirm;
pub use error::{NoConfirm, PublishError};
pub use publisher::ProtectedPublisher;
#[cfg(feature = "outbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "outbox")))]
pub use sender::LapinSender;
