//! A circuit breaker around any [tower](https://docs.rs/tower) `Service`.
//!
//! [`CircuitBreakerLayer`] asks a [`CircuitBreaker`](halfopen::CircuitBreaker) before each call and records how the
//! call ended. While the breaker is open a call is rejected immediately: the inner service is neither polled nor
//! called.
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
//! // The breaker is open now: the bank is left alone, and the error is the rejection.
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
//! | which results are failures? | [`classify`](CircuitBreakerLayer::classify), [`classify_fn`](CircuitBreakerLayer::classify_fn); by default every `Err` that was not made [on this side](is_local) |
//! | an HTTP client, whose `Ok` may be a 503? | `HttpCircuitBreakerLayer` (feature `http`) |
//! | what does the caller get? | a [`BoxError`]; [`typed_errors`](CircuitBreakerLayer::typed_errors) an enum; [`on_rejected`](CircuitBreakerLayer::on_rejected) an error or a response of your own |
//! | what answers when there is no answer? | [`FallbackLayer`]: a value, a function, another service |
//! | how many calls at a time, or in a period? | `BulkheadLayer`, `RateLimitLayer` (feature `limit`) |
//! | reject, or wait? | reject; `wait_while_open` (feature `tokio`) waits, for balancers |
//!
//! # Readiness
//!
//! - The inner service must be a `Service`, nothing more: no `Clone`, `Send`, `Sync` or `'static`.
//! - The instance that was polled ready is the one that is called. Nothing is boxed, nothing is allocated on a call
//!   that is permitted.
//! - An open breaker is never an error of `poll_ready`, which would end a `Buffer` or take an endpoint from a
//!   `Balance` for good. The service is ready, and the call is rejected.
//! - `Ready` lasts until the next call, whatever becomes of the breaker.
//! - A service whose call is rejected gives back what its `poll_ready` reserved inside (the permit of a
//!   `ConcurrencyLimit`, the slot of a `Buffer`): a fresh clone of the inner service takes its place. That it can be
//!   cloned is known once the service itself has been cloned; one that never was keeps the reservation until its next
//!   call. If several such services share a limit, put the limit outside of the breaker.
//! - No runtime is needed; only `wait_while_open` uses tokio's timer.
//! - A caller that already waits for the inner service to become ready is not woken when the breaker opens; it is
//!   rejected when it polls again.

#[cfg(all(doctest, feature = "http"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod admission;
mod aliases;
mod classify;
#[cfg(feature = "tokio")]
mod clock;
pub mod fallback;
mod future;
#[cfg(feature = "http")]
mod http;
mod inner;
mod keyed;
mod layer;
#[cfg(feature = "limit")]
pub mod limit;
mod local;
mod on_reject;
mod service;
#[cfg(feature = "tokio")]
mod wait;

pub use admission::{Admission, Readiness, Single};
#[cfg(feature = "tokio")]
pub use aliases::WaitingService;
pub use aliases::{AnsweringService, KeyedService, TypedService};
pub use classify::{Custom, DefaultClassify, RecordOutcome};
#[cfg(feature = "tokio")]
pub use clock::tokio_clock;
pub use fallback::{FallbackLayer, FallbackService};
pub use future::ResponseFuture;
pub use halfopen::BoxError;
#[cfg(feature = "http")]
pub use http::{HttpCircuitBreakerLayer, HttpCircuitBreakerService, HttpResponseFuture};
pub use keyed::{Key, Keyed};
pub use layer::CircuitBreakerLayer;
#[cfg(feature = "limit")]
pub use limit::{BulkheadLayer, LimitService, RateLimitLayer};
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
