#![cfg_attr(docsrs, feature(doc_cfg))]
//! Circuit breakers for NATS: the requests, publishes and JetStream acknowledgements of [`async_nats`].
//!
//! A [`ProtectedClient`] sends requests and publishes through a [`CircuitBreaker`](halfopen::CircuitBreaker), a
//! [`ProtectedContext`] those of JetStream, whose acknowledgement ends the call. Both have a time limit: most outages of NATS
//! show as a client that waits. [`NatsClassify`] distinguishes an outage from a mistake of the caller.
//!
//! # Examples
//!
//! ```no_run
//! use halfopen::CircuitBreaker;
//! use halfopen_nats::{ProtectedClient, ProtectedContext};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let nats = async_nats::connect("127.0.0.1:4222").await?;
//!
//! let prices = ProtectedClient::new(nats.clone(), CircuitBreaker::builder("prices").build());
//! match prices.request("prices.tea", "".into()).await {
//!     Ok(price) => println!("{price:?}"),
//!     Err(error) if halfopen::rejection(&error).is_some() => println!("unknown for now: {error}"),
//!     Err(error) => println!("{error}"),
//! }
//!
//! let jetstream = async_nats::jetstream::new(nats);
//! let orders = ProtectedContext::new(jetstream, CircuitBreaker::builder("orders").build());
//! let acknowledged = orders.publish("orders.new", "tea".into()).await?.await?;
//! println!("stored as number {}", acknowledged.sequence);
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! - `outbox`: [`JetStreamSender`], the sender of an outbox of [`halfopen-outbox`](https://docs.rs/halfopen-outbox).

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use halfopen::{Gate, Gated, GatedMessages, Place};

mod classify;
mod client;
mod error;
mod jetstream;
#[cfg(feature = "outbox")]
mod sender;

pub use classify::{NatsClassify, NatsError, outcome};
pub use client::{ProtectedClient, Receipts};
pub use error::NoReply;
pub use jetstream::{PendingAck, ProtectedContext};
#[cfg(feature = "outbox")]
#[cfg_attr(docsrs, doc(cfg(feature = "outbox")))]
pub use sender::JetStreamSender;
