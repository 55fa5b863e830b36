#![cfg_attr(docsrs, feature(doc_cfg))]
//! Circuit breakers for Redis and Valkey clients, and rate limits and breakers that many processes share.
//!
//! A [`ProtectedConnection`] sends every command, pipeline, transaction and script of the [`redis`] crate
//! through a [`CircuitBreaker`](halfopen::CircuitBreaker). [`RedisClassify`] distinguishes an answer of a healthy server
//! from the errors of one that cannot serve, by the codes of the server's errors, also inside pipelines.
//!
//! A [`SharedRateLimiter`] is one quota for all processes that use the same server. It never fails a call because of
//! that server. A [`Fleet`] lets the breakers of many processes open together.
//!
//! # Examples
//!
//! A cache with a fallback:
//!
//! ```no_run
//! use halfopen::CircuitBreaker;
//! use halfopen_redis::ProtectedConnection;
//! use redis::AsyncCommands;
//! use redis::aio::{ConnectionManager, ConnectionManagerConfig};
//!
//! # async fn from_the_database(id: u64) -> String { id.to_string() }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> redis::RedisResult<()> {
//! let client = redis::Client::open("redis://127.0.0.1/")?;
//! // Lazy: the program starts although the server is away.
//! let config = ConnectionManagerConfig::new().set_number_of_retries(1);
//! let manager = ConnectionManager::new_lazy_with_config(client, config)?;
//! let mut cache = ProtectedConnection::new(manager, CircuitBreaker::builder("cache").build());
//!
//! let name: String = match cache.get("user:7").await {
//!     Ok(Some(name)) => name,
//!     Ok(None) => from_the_database(7).await,  // a miss is no failure
//!     Err(_) => from_the_database(7).await,    // the server is away, or the breaker is open
//! };
//! # drop(name);
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! - `config`: [`FleetSection`], the section `fleet` of a document of
//!   [`halfopen-config`](https://docs.rs/halfopen-config), and [`Fleet::from_document`].
//! - `metrics`: the gauge `circuit_breaker_fleet_connected` of the [`metrics`](https://docs.rs/metrics) facade.
//! - `tracing`: a warning when a fleet loses its server, once, and a line when it is back.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod client;
mod fleet;
mod limit;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use client::{Messages, NoReply, ProtectedConnection, RedisClassify, outcome};
#[cfg(feature = "config")]
pub use fleet::FleetSection;
pub use fleet::{
    FLEET_SCRIPT, Fleet, FleetConfig, FleetConfigBuilder, FleetEvent, FleetMember, FleetStatus, Phase,
    SharedBreaker,
};
pub use limit::{RATE_LIMIT_SCRIPT, SharedRateLimiter, SharedRateLimiterBuilder, SharedRateLimiterSnapshot};

/// The name of the gauge that is 1 while the last sync of a node with its fleet has succeeded, and 0 otherwise. Its label is
/// `fleet`.
#[cfg(feature = "metrics")]
pub const FLEET_CONNECTED: &str = "circuit_breaker_fleet_connected";

/// Locks, ignoring poison: each value is replaced in one step, so that a panicking thread leaves none half-written.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
