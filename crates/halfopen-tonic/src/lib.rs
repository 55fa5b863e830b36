#![cfg_attr(docsrs, feature(doc_cfg))]
//! Circuit breakers for [tonic](https://docs.rs/tonic): a layer for channels and services, a client, an interceptor.
//!
//! [`GrpcCircuitBreakerLayer`] wraps a `Channel` or any gRPC service. It reads the `grpc-status` of every response, in
//! the headers or the trailers, and rejects calls with a `Status` UNAVAILABLE while the breaker is open.
//! [`ResilientGrpcClient`] wraps a generated client whose channel cannot be layered, and [`StatusClassify`] classifies
//! the `Result` of any SDK over tonic. The README has a section for clients and one for servers.
//!
//! # Examples
//!
//! ```
//! use halfopen::{CircuitBreaker, CircuitBreakerConfig};
//! use halfopen_tonic::GrpcCircuitBreakerLayer;
//! use std::time::Duration;
//! use tonic::transport::Endpoint;
//! use tower::ServiceBuilder;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let channel = Endpoint::from_static("http://inventory.internal:50051")
//!     .connect_timeout(Duration::from_secs(1)) // tonic has no default
//!     .timeout(Duration::from_secs(2))
//!     .connect_lazy();
//!
//! let breaker = CircuitBreaker::new("inventory", CircuitBreakerConfig::default());
//! let channel = ServiceBuilder::new().layer(GrpcCircuitBreakerLayer::new(breaker)).service(channel);
//! // let mut client = InventoryClient::new(channel);
//! # drop(channel);
//! # }
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod adapter;
mod aliases;
mod classify;
mod client;
mod details;
mod errors;
mod interceptor;
mod key;
mod layer;
mod on_reject;
mod service;
mod status;
#[cfg(not(feature = "tokio"))]
mod without_tokio;

#[cfg(feature = "tokio")]
pub use aliases::WaitingService;
pub use aliases::{KeyedService, TrailersOnlyService};
pub use classify::{StatusClassify, TypedStatusClassify};
pub use client::ResilientGrpcClient;
#[doc(no_inline)]
pub use halfopen_http::{GrpcClassify, GrpcCode};
pub use interceptor::CircuitBreakerInterceptor;
pub use layer::GrpcCircuitBreakerLayer;
pub use service::{GrpcCircuitBreakerService, GrpcResponseFuture};
pub use status::rejected_status;
