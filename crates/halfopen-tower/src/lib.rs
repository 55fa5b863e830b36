#![cfg_attr(docsrs, feature(doc_cfg))]
//! A circuit breaker around any [tower](https://docs.rs/tower) `Service`.
//!
//! [`CircuitBreakerLayer`] asks a [`CircuitBreaker`](halfopen::CircuitBreaker) before each call and tells
//! it how the call ended. While the breaker is open a call is rejected at once: the inner service is
//! neither polled nor called.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use halfopen::{CircuitBreaker, CircuitBreakerConfig, Trip};
//! use halfopen_tower::{BoxError, CircuitBreakerLayer};
//! use tower::{Service, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let config = CircuitBreakerConfig::builder()
//!     .trip(Trip::consecutive_failures(1))
//!     .open_duration(Duration::from_secs(5))
//!     .build()?;
//! let mut payments = ServiceBuilder::new()
//!     .layer(CircuitBreakerLayer::new(CircuitBreaker::new("payments", config)))
//!     .service_fn(|amount: u32| async move {
//!         if amount > 100 { Err("the bank is down") } else { Ok(amount) }
//!     });
//!
//! assert_eq!(payments.ready().await?.call(7).await?, 7);
//! assert!(payments.ready().await?.call(101).await.is_err());
//!
//! // The breaker is open now: the bank is left alone, and the error says so.
//! let error = payments.ready().await?.call(7).await.unwrap_err();
//! let rejected = halfopen::rejection(&*error).expect("a rejection by the breaker");
//! assert_eq!(rejected.name(), "payments");
//! # Ok(())
//! # }
//! ```
//!
//! # What to choose
//!
//! | question | answer |
//! |---|---|
//! | one breaker, or one per host, tenant, method? | [`new`](CircuitBreakerLayer::new), [`keyed`](CircuitBreakerLayer::keyed) |
//! | which results are failures? | [`classify`](CircuitBreakerLayer::classify), [`classify_fn`](CircuitBreakerLayer::classify_fn); by default every `Err` that is not itself a rejection |
//! | what does the caller get? | a [`BoxError`]; [`typed_errors`](CircuitBreakerLayer::typed_errors) an enum; [`on_rejected`](CircuitBreakerLayer::on_rejected) an error or a response of your own |
//! | reject, or wait? | reject; `wait_while_open` (feature `tokio`) waits, for balancers |
//!
//! # What the service relies on, and what relies on it
//!
//! - The inner service needs to be a `Service`, nothing more: no `Clone`, `Send`, `Sync` or `'static`.
//! - The instance that was polled ready is the one that is called. Nothing is boxed, nothing is
//!   allocated on a call that is let through.
//! - An open breaker is never an error of `poll_ready`, which would end a `Buffer` or take an endpoint
//!   from a `Balance` for good. The service says that it is ready, and the call is rejected.
//! - No runtime is needed; only `wait_while_open` uses tokio's timer.
//! - A caller that already waits for the inner service to become ready is not woken when the breaker
//!   opens; it is rejected when it is polled again.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod admission;
mod classify;
#[cfg(feature = "tokio")]
mod clock;
mod future;
#[cfg(feature = "http")]
mod http;
mod inner;
mod keyed;
mod layer;
mod local;
mod on_reject;
mod service;
#[cfg(feature = "tokio")]
mod wait;

pub use admission::{Admission, Readiness, Single};
pub use classify::{Custom, DefaultClassify, RecordOutcome};
#[cfg(feature = "tokio")]
pub use clock::tokio_clock;
pub use future::ResponseFuture;
pub use halfopen::BoxError;
#[cfg(feature = "http")]
pub use http::{HttpCircuitBreakerLayer, HttpCircuitBreakerService, HttpResponseFuture};
pub use keyed::{Key, Keyed};
pub use layer::CircuitBreakerLayer;
pub use local::is_local;
pub use on_reject::{Boxed, OnReject, OnRejected, Typed};
pub use service::CircuitBreakerService;
#[cfg(feature = "tokio")]
pub use wait::Waiting;

/// Keeps the traits of the bounds ours, so that they can grow.
mod sealed {
    #[allow(unnameable_types, reason = "that is the point")]
    pub trait Sealed {}
}
